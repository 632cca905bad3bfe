"""Colours as one number each, red << 16 | green << 8 | blue: so they can be sorted, counted and looked up."""

from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array

__all__ = ["pack_colors", "unpack_colors"]

_SHIFTS: Final = (16, 8, 0)


def pack_colors(rgb: Array) -> npt.NDArray[np.uint32]:
    """Return (...) numbers of (..., 3) red, green, blue, each 0..255."""
    red, green, blue = (
        rgb[..., channel].astype(np.uint32) << np.uint32(shift) for channel, shift in enumerate(_SHIFTS)
    )
    packed: npt.NDArray[np.uint32] = red | green | blue
    return packed


def unpack_colors(packed: Array) -> Array:
    """Return (..., 3) red, green, blue of (...) numbers, in their type."""
    return np.stack([packed >> shift & 255 for shift in _SHIFTS], axis=-1)
