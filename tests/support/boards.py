"""Scenes of boards, rectangles at one depth before a wall, and what is said of their motion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segprep.datasets.sample import Array, Mask
from segprep.datasets.synthetic import CLASSES, make_camera
from segprep.flow.field import FlowField
from segprep.prep.motion.labels import MotionLabels, MotionState, Tolerance, label_motion

__all__ = ["CAMERA", "CAR", "FORWARD", "HEIGHT", "PERSON", "SECONDS", "WIDTH", "Board", "judge", "states"]

PERSON, CAR = CLASSES.names.index("person"), CLASSES.names.index("car")
_ROAD = 0
WIDTH, HEIGHT = 512, 256
CAMERA = make_camera(WIDTH, HEIGHT)
SECONDS = 1 / 15
FORWARD = np.array([0.0, 0.0, -1.0])
"""How the scene moves when the camera drives 1 m ahead."""


@dataclass(frozen=True)
class Board:
    """A thing: where it is seen, how far away, and by how much it moves, in metres of the camera's axes."""

    x: float
    y: float
    z: float
    moves: tuple[float, float, float] = (0.0, 0.0, 0.0)
    size: int = 40
    label: int = CAR
    instance: int = 1
    believed: float = 1.0  # what its depth is multiplied with before anybody sees it

    @property
    def area(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        x, y = round(CAMERA.K[0, 2] + self.x), round(CAMERA.K[1, 2] + self.y)
        half = self.size // 2
        return slice(y - half, y + half), slice(x - half, x + half)


def _flow(depth: Array, t: Array) -> Array:
    """Return the flow (H, W, 2) of points that move by t, a vector or one per pixel."""
    y, x = np.indices(depth.shape)
    rays = np.stack([x, y, np.ones_like(x)], axis=2) @ np.linalg.inv(CAMERA.K).T
    moved = (rays * depth[..., None] + t) @ CAMERA.K.T
    uv_HW2: Array = moved[..., :2] / moved[..., 2:] - np.stack([x, y], axis=2)
    return uv_HW2


def judge(
    boards: Sequence[Board],
    camera_t: Array,
    *,
    valid: Mask | None = None,
    flow_error: Array | float = 0.0,
    tolerance: Tolerance | None = None,
    max_range: float | None = None,
    min_speed: float = 1.0,
    seconds: float = SECONDS,
) -> MotionLabels:
    """Return what is said of boards in a scene that moves by `camera_t` (3,) metres as the camera sees it."""
    shape = HEIGHT, WIDTH
    label, instance = np.full(shape, _ROAD, np.uint8), np.zeros(shape, np.uint16)
    depth = np.broadcast_to(np.linspace(60, 15, HEIGHT)[:, None], shape).copy()
    believed, t = depth.copy(), np.broadcast_to(camera_t, (*shape, 3)).copy()
    for board in boards:
        label[board.area], instance[board.area] = board.label, board.instance
        depth[board.area], believed[board.area] = board.z, board.z * board.believed
        t[board.area] = camera_t + board.moves
    known = np.ones(shape, np.bool_)
    optical = FlowField((_flow(depth, t) + flow_error).astype(np.float32), known if valid is None else valid)
    ego = FlowField(_flow(believed, camera_t).astype(np.float32), known)
    return label_motion(
        label,
        instance,
        optical,
        ego,
        believed,
        known,
        CAMERA,
        movable=(PERSON, CAR),
        seconds=seconds,
        tolerance=tolerance,
        max_range=max_range,
        min_speed=min_speed,
    )


def states(found: MotionLabels) -> list[MotionState]:
    """Return the states of the boards."""
    return [each.state for each in found.objects]
