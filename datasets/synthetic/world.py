"""The parameters of a rendered world, the road through it, and the camera that drives along."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array, Camera, Matrix, Pose, scale_map

__all__ = ["EGO_LANE_M", "World", "camera_pose", "make_camera", "road_frame", "road_offset"]

EGO_LANE_M: Final = -1.75
"""Offset of the camera from the road's centre line; left is positive."""

_REFERENCE_SIZE: Final = (1024, 512)
_FOCAL_PX: Final = 920.0  # at the reference size
_CAMERA_HEIGHT_M: Final = 1.65
_CAMERA_PITCH_RAD: Final = -0.045  # looks slightly down
_WOBBLE_HZ: Final = 1.1
_BENDS: Final = ((0.65, 60.0), (0.35, 25.0))  # two sine waves: share of the largest heading, metres per radian
# Columns: where the camera's x (right), y (down) and z (forward) point in a vehicle's x forward, y left, z up.
_AXES: Final = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True, slots=True)
class World:
    """A street and a drive along it. The same parameters give the same frames, each renderable alone.

    World axes in metres: x along the road, y to its left, z up; the ground is z = 0.

    Attributes:
        seed: Decides everything that the other parameters leave open.
        speed: Of the camera along x, in metres per second.
        frame_rate: Frames per second.
        start: x of the camera at frame 0.
        bend: Largest heading of the winding road against x, in radians (0 is straight, at most 0.3).
        yaw_rate: Turns the camera to the left against the road, in radians per second.
        pitch_wobble: Amplitude of the camera's nodding, in radians.
        traffic_speed: Mean speed of oncoming cars; those of the own direction do 0.6 of it. 0 parks everybody.
        traffic_density: How many times as close as usual cars and walkers follow one another, 1 to 3.
        view_distance: How far objects exist around the camera, in metres.

    Raises:
        ConfigurationError: If a parameter lies outside its range.
    """

    seed: int = 0
    speed: float = 8.0
    frame_rate: float = 15.0
    start: float = 0.0
    bend: float = 0.15
    yaw_rate: float = 0.0
    pitch_wobble: float = 0.0
    traffic_speed: float = 8.0
    traffic_density: float = 1.0
    view_distance: float = 250.0

    def __post_init__(self) -> None:
        numbers = (self.speed, self.start, self.yaw_rate, self.pitch_wobble, self.traffic_speed)
        if not all(map(math.isfinite, numbers)):
            raise ConfigurationError(f"the parameters of a world must be finite numbers: {self}")
        if not (self.frame_rate > 0 and 0 <= self.bend <= 0.3 and 20 <= self.view_distance <= 1000):
            raise ConfigurationError(
                f"a world needs frame_rate > 0, bend in 0..0.3 and view_distance in 20..1000 m, not {self}"
            )
        if not 1 <= self.traffic_density <= 3:
            raise ConfigurationError(f"a world needs a traffic_density in 1..3, not {self.traffic_density}")
        if abs(self.pitch_wobble) > 0.2 or self.traffic_speed < 0 or not 0 <= self.seed < 2**32:
            raise ConfigurationError(
                f"a world needs pitch_wobble in -0.2..0.2 rad, traffic_speed >= 0 and seed in 0..2**32-1, not {self}"
            )

    def time(self, frame: int) -> float:
        """Return the time of a frame in seconds; frame 0 is at 0 and frames may be negative."""
        return frame / self.frame_rate


def make_camera(width: int, height: int) -> Camera:
    """Return the world's camera at a size: that of 1024 x 512 (f = 920 px) scaled with `scale_map`.

    Its mount takes camera points to a vehicle with x forward, y left, z up and its origin on the ground.
    """
    wide, high = _REFERENCE_SIZE
    K = np.array([[_FOCAL_PX, 0, (wide - 1) / 2], [0, _FOCAL_PX, (high - 1) / 2], [0, 0, 1]])
    mount = np.eye(4)
    mount[:3, :3] = _tilt(_CAMERA_PITCH_RAD) @ _AXES
    mount[2, 3] = _CAMERA_HEIGHT_M
    A = scale_map(_REFERENCE_SIZE, (width, height))
    return Camera(K, wide, high, mount=mount).transformed(A, width, height)


def camera_pose(world: World, frame: int) -> Pose:
    """Return where the camera stands and looks at a frame."""
    time = world.time(frame)
    to_world = road_frame(world, world.start + world.speed * time, EGO_LANE_M, world.yaw_rate * time)
    pitch = _CAMERA_PITCH_RAD + world.pitch_wobble * math.sin(2 * math.pi * _WOBBLE_HZ * time)
    mount = np.eye(4)
    mount[:3, :3] = _tilt(pitch) @ _AXES
    mount[2, 3] = _CAMERA_HEIGHT_M
    return Pose(to_world @ mount)


def road_frame(world: World, station: float, offset: float, yaw: float = 0.0) -> Matrix:
    """Return the (4, 4) transform to the world from a frame on the road.

    Args:
        world: The world.
        station: x of the point of the centre line beside which the frame stands.
        offset: Distance from the centre line in metres, left is positive.
        yaw: Turn to the left against the road's direction, in radians.
    """
    centre, slope = _centre_line(world, station)
    heading = math.atan(slope)
    x, y = station - offset * math.sin(heading), centre + offset * math.cos(heading)
    c, s = math.cos(heading + yaw), math.sin(heading + yaw)
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def road_offset(world: World, x: Array, y: Array) -> Array:
    """Return the distance of ground points from the centre line, left positive; to first order in the curvature."""
    centre = slope = np.zeros_like(x)
    for (share, length), phase in zip(_BENDS, _phases(world), strict=True):
        angle = x / length + phase
        centre = centre + world.bend * share * length * np.sin(angle)
        slope = slope + world.bend * share * np.cos(angle)
    offset: Array = (y - centre) / np.sqrt(1.0 + slope * slope)
    return offset


def _centre_line(world: World, station: float) -> tuple[float, float]:
    centre = slope = 0.0
    for (share, length), phase in zip(_BENDS, _phases(world), strict=True):
        centre += world.bend * share * length * math.sin(station / length + phase)
        slope += world.bend * share * math.cos(station / length + phase)
    return centre, slope


def _phases(world: World) -> tuple[float, float]:
    return 2.399963 * world.seed % math.tau, 1.0 + 3.883222 * world.seed % math.tau


def _tilt(pitch: float) -> Matrix:
    """Rotation of a vehicle's frame that raises its nose by `pitch`."""
    c, s = math.cos(pitch), math.sin(pitch)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
