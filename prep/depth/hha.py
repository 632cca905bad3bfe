"""HHA: horizontal disparity, height above the floor, and the angle between the surface and gravity."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.codes import LinearCode
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.prep.depth.gravity import IMAGE_DOWN, estimate_gravity, mount_down
from segprep.prep.depth.surface_normals import checked_depth, surface_normals

__all__ = ["PRESETS", "HhaImage", "HhaPreset", "hha"]

_RADIUS: Final = 3  # of the windows whose normals give the angle ...
_GRAVITY_RADIUS: Final = 10  # ... and of those that give gravity, which needs few errors more than fine detail
_FLOOR_SEEN: Final = 90 / 130  # of the camera's height; with nothing lower than that in view there is no floor
_ANGLE_ZERO: Final = 38  # code of a floor, so that a wall has 128 and a ceiling 218


@dataclass(frozen=True, slots=True)
class HhaPreset:
    """The constants of one sort of scene.

    Attributes:
        disparity_scale: Code per 1/m of inverse depth.
        height_scale: Code per metre above the floor.
        camera_height_m: Of the camera above the floor, where the image shows no floor and the camera has no mount.
        floor_percentile: The floor is as low as this share (0..100) of the points, see `hha`.
    """

    disparity_scale: float
    height_scale: float
    camera_height_m: float
    floor_percentile: float

    @property
    def code(self) -> LinearCode:
        """How values become 8 bits: files have R = disparity, G = height, B = angle.

        Invalid pixels are (0, 0, 0); no angle has the code 0.
        """
        steps = (1 / self.disparity_scale, 1 / self.height_scale, 1.0)
        return LinearCode(steps, (0.0, 0.0, float(-_ANGLE_ZERO)), ("disparity", "height", "angle"))


PRESETS: Mapping[str, HhaPreset] = MappingProxyType(
    {
        # As published: 31000 / depth in cm, height in cm. 255 up to 1.216 m, 31 at 10 m; height ends at 2.55 m.
        "indoor": HhaPreset(310.0, 100.0, 1.3, 0.0),
        # 255 up to 4 m, 102 at 10 m, 26 at 40 m, 13 at 80 m; height ends at 10.2 m. Stereo has outliers below the road.
        "outdoor": HhaPreset(1020.0, 25.0, 1.5, 1.0),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class HhaImage:
    """HHA in physical units.

    Attributes:
        values_HW3: (H, W, 3) float64: inverse depth in 1/m, height above the floor in m, angle in degrees between the
            surface's normal (away from the camera) and down: 0 floor, 90 wall, 180 ceiling. 0 where invalid.
        valid_HW: (H, W) bool, where there is a finite depth and a normal.
        gravity_3: Unit vector down in camera axes (x right, y down, z forward).
        floor_m: How far the floor lies below the camera.
        floor_seen: Whether the image showed it; otherwise it is the camera's height that was assumed.
        without_normal: Share (0..1) of the pixels of finite depth that have no normal.
    """

    values_HW3: Matrix
    valid_HW: Mask
    gravity_3: Matrix
    floor_m: float
    floor_seen: bool
    without_normal: float


def hha(
    depth_HW: Array,
    valid_HW: Mask,
    camera: Camera,
    preset: HhaPreset = PRESETS["indoor"],
    *,
    down_3: npt.ArrayLike | None = None,
    prior_3: npt.ArrayLike | None = None,
    floor_percentile: float | None = None,
    measured_HW: Mask | None = None,
) -> HhaImage:
    """Compute HHA as its authors' program does, with holes masked.

    With y the direction down, a point X has the height -y . X above the camera. The floor is the lowest height (or a
    percentile of the heights, which outliers do not move) if that is below 90/130 of the camera's height; else no floor
    is in view, and it is assumed the camera's height below. The camera's height is its mount's, else the preset's.

    Differs from the published program in what that leaves to chance: pixels without depth or normal are invalid instead
    of a ceiling nearby, and a tilt of less than 0.1 degrees is not taken as none.

    Args:
        depth_HW: (H, W) metres along the optical axis. Infinitely far pixels (sky) have neither normal nor height and
            become invalid.
        valid_HW: (H, W) bool, where depth is known.
        camera: Of the same grid, with pixel centres at integers, the first pixel's at 0. A calibration for Matlab,
            whose first pixel is 1, has cx and cy greater by one.
        preset: Its constants.
        down_3: Gravity in camera axes if it is known; any length. None estimates it.
        prior_3: Where the estimate starts and from which it may not be more than 45 degrees away: any length. None
            takes the camera's mount, or the image's columns.
        floor_percentile: In 0..100 instead of the preset's.
        measured_HW: (H, W) bool; depth elsewhere was filled in: it gives heights, while normals come from what was
            measured around.

    Raises:
        SizeMismatchError: If depth, mask and camera differ in size.
        CodeRangeError: If depth is bad (see `checked_depth`), no surface can be found in it, or gravity is found too
            far away from where it was expected.
        MotionError: If the intrinsics are singular.

    Source: Gupta, Girshick, Arbelaez, Malik: Learning rich features from RGB-D images for object detection and
    segmentation. ECCV 2014.
    """
    known_HW = checked_depth(depth_HW, valid_HW, camera)
    normals_3HW, surface_HW = surface_normals(depth_HW, known_HW, camera, _RADIUS, measured_HW)
    if down_3 is None:
        if prior_3 is None:
            prior_3 = mount_down(camera)
        wide_3HW, _ = surface_normals(depth_HW, known_HW, camera, _GRAVITY_RADIUS, measured_HW)
        gravity_3 = estimate_gravity(wide_3HW, IMAGE_DOWN if prior_3 is None else prior_3)
    else:
        gravity_3 = np.asarray(down_3, np.float64) / np.linalg.norm(down_3)
    heights_HW = _heights(depth_HW, known_HW, camera, gravity_3)
    percentile = preset.floor_percentile if floor_percentile is None else floor_percentile
    floor_m, seen = _floor(heights_HW[known_HW], percentile, _camera_height(camera, preset))
    cosine_HW = np.tensordot(gravity_3, normals_3HW, 1)
    angle_HW = np.degrees(np.arccos(np.clip(cosine_HW, -1, 1, out=cosine_HW), out=cosine_HW), out=cosine_HW)
    disparity_HW = 1.0 / np.where(surface_HW, depth_HW, np.inf).astype(np.float64)
    values = (disparity_HW, (heights_HW + floor_m) * surface_HW, angle_HW * surface_HW)
    values_HW3 = np.asarray(cv2.merge(values), np.float64)
    without = 1 - surface_HW.sum() / known_HW.sum()
    return HhaImage(values_HW3, surface_HW, gravity_3, floor_m, seen, float(without))


def _heights(depth_HW: Array, known_HW: Mask, camera: Camera, down_3: Matrix) -> Matrix:
    """Return the heights (H, W) of the points above the camera, in metres; 0 where depth is not known."""
    height, width = depth_HW.shape
    ray_3 = down_3 @ np.linalg.inv(camera.K)  # y . z K^-1 (x, y, 1)
    steepness_HW = ray_3[0] * np.arange(width) + (ray_3[1] * np.arange(height)[:, None] + ray_3[2])
    heights_HW: Matrix = -steepness_HW * np.where(known_HW, depth_HW, 0)
    return heights_HW


def _camera_height(camera: Camera, preset: HhaPreset) -> float:
    above = 0.0 if camera.mount is None else float(camera.mount[2, 3])
    return above if above > 0 else preset.camera_height_m


def _floor(heights_N: Matrix, percentile: float, camera_height_m: float) -> tuple[float, bool]:
    """Return how far the floor lies below the camera, and whether it was seen there."""
    lowest = float(heights_N.min() if percentile == 0 else np.percentile(heights_N, percentile))
    seen = lowest <= -_FLOOR_SEEN * camera_height_m
    return (-lowest if seen else camera_height_m), seen
