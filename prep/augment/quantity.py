"""Arrays of quantities under an augmentation: interpolated where they are valid, and turned with the picture."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Self

import cv2
import numpy as np

from segprep.datasets.sample import Array, Mask, Matrix
from segprep.flow.consistency import lands_inside, planes_land_inside
from segprep.flow.grid import MIN_VALID_WEIGHT
from segprep.prep.augment.warp import GridWarp

__all__ = ["Follow", "Quantity"]

_TOLERANCE: Final = 1e-5  # of weights in single precision
_SHORTEST: Final = 1e-6  # opposite normals cancel out and leave no direction


class Follow(Enum):
    """How values change with the picture, beyond their places."""

    UNCHANGED = auto()
    BY_PIXELS = auto()  # vectors of pixels: by the linear part of the map
    BY_AXES = auto()  # unit vectors in camera axes: by the turn of the camera
    BY_WIDTH = auto()  # lengths along rows: by the scale of x


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An array with a mask, taken apart so that each variant costs one interpolation per plane.

    Attributes:
        planes: (H, W) float32 each, one per channel; 0 where `weight_HW` is.
        weight_HW: (H, W) float32, 1 where there is a value to interpolate and 0 elsewhere; None for 1 everywhere.
        far_HW: (H, W) float32, 1 where the value is `infinity`, which enters no mean; None for nowhere.
        infinity: The value that means infinitely far: inf metres, a disparity of 0.
        follow: How values change.
        framed: Whether vectors that leave the picture are invalid in this array.
        shape: (C,) or ().
        dtype: Of the array.
    """

    planes: tuple[Array, ...]
    weight_HW: Array | None
    far_HW: Array | None
    infinity: float
    follow: Follow
    framed: bool
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @classmethod
    def of(
        cls,
        array: Array,
        valid: Mask | None,
        follow: Follow,
        *,
        far_HW: Mask | None = None,
        infinity: float = 0.0,
        framed: bool | None = None,
    ) -> Self:
        """Take an array apart.

        Args:
            array: (H, W) or (H, W, C), any numbers; where they are not finite they are invalid, unless far.
            valid: (H, W) bool, None for everywhere.
            follow: How values change.
            far_HW: (H, W) bool, where the array means infinitely far; only for single values.
            infinity: What stands there in the result.
            framed: See the attribute; None to see from the array.
        """
        planes = cv2.split(np.ascontiguousarray(array, np.float32))
        usable = np.ones(array.shape[:2], np.bool_) if valid is None else valid
        far = None if far_HW is None or not (far_HW & usable).any() else far_HW & usable
        near = usable if far is None else usable & ~far
        for plane in planes:
            near = near & np.isfinite(plane)
        # Vectors of a column whose estimator or definition marks what leaves the picture keep to that; vectors of one
        # that knows where things are outside the picture stay valid.
        if framed is None:
            framed = follow is Follow.BY_PIXELS and bool((lands_inside(array) | ~near).all())
        weight = None
        if not near.all():
            weight = near.astype(np.float32)
            planes = tuple(cv2.copyTo(plane, near.view(np.uint8)) for plane in planes)
        far_weight = None if far is None else far.astype(np.float32)
        kind = np.dtype(array.dtype if array.dtype.kind in "iu" else np.float32)
        return cls(tuple(planes), weight, far_weight, infinity, follow, framed, array.shape[2:], kind)

    def warped(self, warp: GridWarp, turn_33: Matrix) -> tuple[Array, Mask]:
        """Return the array on the other grid, 0 where invalid, and its mask.

        Valid are pixels of which at least half (`MIN_VALID_WEIGHT`) comes from valid ones, and which lie on the source.
        Where at least as much of that is infinitely far as is not, so is the result.

        Args:
            warp: Between the grids.
            turn_33: What happened to the camera's axes, see `camera_turn`.
        """
        planes = [warp.linear(plane) for plane in self.planes]
        valid = warp.everywhere()
        far: Mask | None = None
        if self.weight_HW is not None:
            near_HW = warp.linear(self.weight_HW)
            share_HW = near_HW
            if self.far_HW is not None:
                far_HW = warp.linear(self.far_HW)
                far = far_HW >= near_HW
                share_HW = near_HW + far_HW
            valid &= share_HW >= MIN_VALID_WEIGHT - _TOLERANCE
            np.maximum(near_HW, _TOLERANCE, out=near_HW)
            for plane in planes:
                plane /= near_HW
        planes, found = self._followed(planes, warp.A, turn_33)
        if found is not None:
            valid &= found
        if far is not None:
            np.copyto(planes[0], self.infinity, where=far)
        if self.framed:
            valid &= planes_land_inside(planes[0], planes[1])
        values = np.asarray(cv2.merge(planes) if len(planes) > 1 else planes[0])
        if not valid.all():
            values = cv2.copyTo(values, valid.view(np.uint8))
        if self.dtype.kind in "iu":
            values = np.rint(values)
        return values.reshape(*values.shape[:2], *self.shape).astype(self.dtype, copy=False), valid

    def _followed(self, planes: list[Array], A: Matrix, turn_33: Matrix) -> tuple[list[Array], Mask | None]:
        """Return the changed values, and where there are any, if that is not everywhere."""
        match self.follow:
            case Follow.UNCHANGED:
                return planes, None
            case Follow.BY_WIDTH:
                return [planes[0] * np.float32(A[0, 0])], None
            case Follow.BY_PIXELS:
                return _turned(planes, A), None
            case Follow.BY_AXES:
                x, y, z = *_turned(planes[:2], turn_33), planes[2]
                length_HW = np.sqrt(x * x + y * y + z * z)
                found: Mask = length_HW > _SHORTEST
                length_HW = np.maximum(length_HW, _SHORTEST)
                return [each / length_HW for each in (x, y, z)], found


def _turned(planes: list[Array], matrix: Matrix) -> list[Array]:
    return [np.asarray(cv2.addWeighted(planes[0], float(a), planes[1], float(b), 0)) for a, b in matrix[:2, :2]]
