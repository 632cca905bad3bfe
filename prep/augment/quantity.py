"""Arrays of quantities under an augmentation: interpolated where they are valid, and turned with the picture."""

from dataclasses import dataclass
from typing import Final, Self

import cv2
import numpy as np

from segprep.datasets.augmentation.follow import Follow, Turn, ends, lies_inside, settle
from segprep.datasets.augmentation.operations import NUMPY
from segprep.datasets.sample import Array, Mask
from segprep.prep.augment.warp import GridWarp

__all__ = ["Quantity"]

_TOLERANCE: Final = 1e-5  # of weights in single precision


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An array with a mask, taken apart so that each variant costs one interpolation per plane.

    Attributes:
        planes: (H, W) float32 each, one per channel; 0 where `weight_HW` is.
        weight_HW: (H, W) float32, 1 where there is a value to interpolate and 0 elsewhere; None for 1 everywhere.
        far_HW: (H, W) float32, 1 where the value is `infinity`, which enters no mean; None for nowhere.
        infinity: The value that means infinitely far: inf metres, a disparity of 0; None where nothing does.
        follow: How values change.
        framed: Whether vectors that leave the picture are invalid in this array.
        shape: (C,) or ().
        dtype: Of the array.
    """

    planes: tuple[Array, ...]
    weight_HW: Array | None
    far_HW: Array | None
    infinity: float | None
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
        infinity: float | None = None,
        framed: bool | None = None,
    ) -> Self:
        """Take an array apart.

        Args:
            array: (H, W) or (H, W, C), any numbers; where they are not finite they are invalid, unless far.
            valid: (H, W) bool, None for everywhere.
            follow: How values change.
            infinity: See the attribute; only for single values.
            framed: See the attribute; None to see from the array.
        """
        planes = cv2.split(np.ascontiguousarray(array, np.float32))
        usable = np.ones(array.shape[:2], np.bool_) if valid is None else valid
        far = None if infinity is None else np.equal(planes[0], infinity) & usable
        if far is not None and not far.any():
            far = None
        near = usable if far is None else usable & ~far
        for plane in planes:
            near = near & np.isfinite(plane)
        # Vectors of a column whose estimator or definition marks what leaves the picture keep to that; vectors of one
        # that knows where things are outside the picture stay valid.
        if framed is None:
            framed = follow is Follow.BY_PIXELS and bool((lies_inside(*ends(NUMPY, *planes)) | ~near).all())
        weight = None
        if not near.all():
            weight = near.astype(np.float32)
            planes = tuple(cv2.copyTo(plane, near.view(np.uint8)) for plane in planes)
        far_weight = None if far is None else far.astype(np.float32)
        kind = np.dtype(array.dtype if array.dtype.kind in "iu" else np.float32)
        return cls(tuple(planes), weight, far_weight, infinity, follow, framed, array.shape[2:], kind)

    def warped(self, warp: GridWarp, turn: Turn[float]) -> tuple[Array, Mask]:
        """Return the array on the other grid, 0 where invalid, and its mask.

        Args:
            warp: Between the grids.
            turn: What the map does to vectors.
        """
        planes, valid = settle(
            NUMPY,
            [warp.linear(plane) for plane in self.planes],
            None if self.weight_HW is None else warp.linear(self.weight_HW),
            None if self.far_HW is None else warp.linear(self.far_HW),
            warp.everywhere(),
            self.follow,
            turn,
            infinity=self.infinity,
            framed=self.framed,
            tolerance=_TOLERANCE,
        )
        values = np.asarray(cv2.merge(planes) if len(planes) > 1 else planes[0])
        if not valid.all():
            values = cv2.copyTo(values, valid.view(np.uint8))
        if self.dtype.kind in "iu":
            values = np.rint(values)
        return values.reshape(*values.shape[:2], *self.shape).astype(self.dtype, copy=False), valid
