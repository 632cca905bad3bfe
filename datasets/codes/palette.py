"""Colours that stand for numbers."""

from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.packed_colors import pack_colors
from segprep.datasets.sample import Array

__all__ = ["Palette"]

_AT_ONCE: Final = 1 << 14


class Palette:
    """Colours by number, each of them another one.

    Args:
        colors_N3: (N, 3) uint8 RGB.
    """

    def __init__(self, colors_N3: Array) -> None:
        self.colors_N3: Final = colors_N3
        self._order_N: Final = np.argsort(pack_colors(colors_N3))
        self._sorted_N: Final = pack_colors(colors_N3)[self._order_N]

    def numbers(self, rgb_HW3: Array) -> npt.NDArray[np.intp]:
        """Return the number of each colour, (H, W); a colour that is not of these is taken for the nearest of them."""
        packed_HW = pack_colors(rgb_HW3)
        found_HW = np.minimum(np.searchsorted(self._sorted_N, packed_HW), len(self._sorted_N) - 1)
        numbers_HW: npt.NDArray[np.intp] = self._order_N[found_HW]
        foreign_HW = self._sorted_N[found_HW] != packed_HW
        if foreign_HW.any():
            colors_M3, which = np.unique(rgb_HW3[foreign_HW], axis=0, return_inverse=True)
            nearest_M = [self._nearest(colors_M3[i : i + _AT_ONCE]) for i in range(0, len(colors_M3), _AT_ONCE)]
            numbers_HW[foreign_HW] = np.concatenate(nearest_M)[which.reshape(-1)]
        return numbers_HW

    def _nearest(self, colors_M3: Array) -> npt.NDArray[np.intp]:
        known_N3 = self.colors_N3.astype(np.float32)  # sums of squares of bytes are exact
        likeness_MN = 2 * (colors_M3.astype(np.float32) @ known_N3.T) - (known_N3**2).sum(axis=1)
        nearest_M: npt.NDArray[np.intp] = likeness_MN.argmax(axis=1)
        return nearest_M
