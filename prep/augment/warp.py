"""From one pixel grid to another by an affine map, with OpenCV: nearest for ids, linear for everything else."""

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array, Mask, Matrix, scale_map
from segprep.flow.grid import resize_values

__all__ = ["GridWarp"]

_NEAREST: Final = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
_LINEAR: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_MARGIN_PX: Final = 1e-6
# Ids are copied, so any type of OpenCV with as many bytes does.
_COPIED_AS: Final = {1: np.uint8, 2: np.uint16, 4: np.int32}


@dataclass(frozen=True, slots=True, eq=False)
class GridWarp:
    """An affine map of one pixel grid to another.

    Attributes:
        A: (3, 3) map of pixels of the source to pixels of the result, centres at integers.
        source: (width, height) before.
        size: (width, height) after.
        covered_HW: (H, W) bool, where a pixel of the source lies under a pixel of the result; None for everywhere.
    """

    A: Matrix
    source: tuple[int, int]
    size: tuple[int, int]
    covered_HW: Mask | None = field(init=False)
    _back_23: Matrix = field(init=False)
    _smaller: tuple[int, int] = field(init=False)
    _back_to_smaller_23: Matrix = field(init=False)

    def __post_init__(self) -> None:
        # As linear interpolation sees two pixels per axis, it sees all of them down to one half. Below that the means
        # of two, three, ... pixels are taken first, which leaves a half to one for the interpolation.
        steps = np.hypot(self.A[0, :2], self.A[1, :2])  # of one pixel to the right, and down
        width, height = (
            max(1, round(side / max(1, int(1 / step + _MARGIN_PX))))
            for side, step in zip(self.source, steps, strict=True)
        )
        back = np.linalg.inv(self.A)
        object.__setattr__(self, "_back_23", back[:2])
        object.__setattr__(self, "_smaller", (width, height))
        object.__setattr__(self, "_back_to_smaller_23", (scale_map(self.source, (width, height)) @ back)[:2])
        object.__setattr__(self, "covered_HW", self._covered())

    def nearest(self, array: Array, fill: int) -> Array:
        """Return the values of the nearest pixels, (H, W); `fill` where there is none.

        Raises:
            CodeRangeError: If the type is not one of integers of up to 32 bits or bool.
        """
        copied_as = _COPIED_AS.get(array.dtype.itemsize)
        if copied_as is None or array.dtype.kind not in "biu":
            raise CodeRangeError(f"ids are integers of at most 32 bits, not {array.dtype}")
        bits = np.ascontiguousarray(array).view(copied_as)
        warped: Array = cv2.warpAffine(
            bits,
            self._back_23,
            self.size,
            flags=_NEAREST,
            borderValue=np.array(fill).astype(copied_as).item(),
        )
        return warped.view(array.dtype)

    def linear(self, values: Array) -> Array:
        """Return interpolated values, (H, W) or (H, W, C); those at the edge go on beyond it.

        Args:
            values: uint8, uint16 or float32 of at most 4 channels, finite.
        """
        smaller = values
        if self._smaller != self.source:
            smaller = resize_values(values, self._smaller)
        warped: Array = cv2.warpAffine(
            np.ascontiguousarray(smaller),
            self._back_to_smaller_23,
            self.size,
            flags=_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return warped.reshape(self.size[1], self.size[0], *values.shape[2:])

    def everywhere(self) -> Mask:
        """Return a mask of its own, (H, W): where the result shows the source."""
        if self.covered_HW is None:
            return np.ones(self.size[::-1], np.bool_)
        return self.covered_HW.copy()

    def _covered(self) -> Mask | None:
        right, bottom = self.size[0] - 1, self.size[1] - 1
        corners_24 = self._back_23 @ [[0, right, 0, right], [0, 0, bottom, bottom], [1, 1, 1, 1]]
        sides_21 = np.array(self.source)[:, None]
        if ((corners_24 >= _MARGIN_PX - 0.5) & (corners_24 <= sides_21 - 0.5 - _MARGIN_PX)).all():
            return None
        return self.nearest(np.ones(self.source[::-1], np.bool_), 0)
