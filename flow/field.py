"""A field of motion vectors with its mask."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.augmentation.follow import Follow
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Mask
from segprep.flow.grid import resize_valid

__all__ = ["FlowField"]


@dataclass(frozen=True, slots=True, eq=False)
class FlowField:
    """Motion of each pixel of one frame to another: pixel x of the first is at x + uv(x) in the second.

    Attributes:
        uv: (H, W, 2) float32, u to the right and v down, in pixels of this grid.
        valid: (H, W) bool; vectors elsewhere mean nothing and are 0.
    """

    uv: npt.NDArray[np.float32]
    valid: Mask

    def __post_init__(self) -> None:
        if self.uv.ndim != 3 or self.uv.shape[2] != 2 or self.valid.shape != self.uv.shape[:2]:
            raise SizeMismatchError(
                f"a flow field needs (H, W, 2) vectors and a (H, W) mask, not {self.uv.shape} and {self.valid.shape}"
            )
        known = self.valid.astype(np.bool_)
        with np.errstate(over="ignore"):  # what float32 cannot hold is no motion
            uv_HW2 = np.ascontiguousarray(self.uv, np.float32)
        finite_HW2 = np.isfinite(uv_HW2)
        if not finite_HW2.all():  # which is rare: looking at the two planes takes longer
            known &= finite_HW2.all(axis=2)
        object.__setattr__(self, "uv", cv2.copyTo(uv_HW2, known.view(np.uint8)))  # zeros elsewhere
        object.__setattr__(self, "valid", known)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.uv.shape[1], self.uv.shape[0]

    def resized(self, width: int, height: int) -> "FlowField":
        """Return the field on another grid: valid-weighted means when shrinking, linear when growing.

        Vectors are scaled by the exact ratio of each axis: from 5 to 2 pixels of width u is multiplied by 2/5. A pixel
        is valid when at least half of what it was made from is.
        """
        if (width, height) == self.size:
            return self
        uv_HW2, valid = resize_valid(self.uv, self.valid, (width, height), Follow.BY_PIXELS)
        return FlowField(uv_HW2.astype(np.float32), valid)
