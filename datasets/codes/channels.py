"""The channels of a picture: what they hold, and an alpha channel that says nothing."""

import numpy as np

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array

__all__ = ["channel_ranges", "without_alpha"]

_NAMES = ("red", "green", "blue", "alpha")


def channel_ranges(picture: Array) -> str:
    """Say what the channels of (H, W) or (H, W, C) hold: "8 bits: red 0..35 (12 values), green 0, ..."."""
    planes = picture[..., None] if picture.ndim == 2 else picture
    names = _NAMES if planes.shape[-1] in (3, 4) else [f"channel {c + 1}" for c in range(planes.shape[-1])]
    parts = []
    for c, name in zip(range(planes.shape[-1]), names, strict=False):
        values = np.unique(planes[..., c])
        numbers = f"{values[0]}" if values.size == 1 else f"{values[0]}..{values[-1]} ({values.size} values)"
        parts.append(numbers if planes.shape[-1] == 1 else f"{name} {numbers}")
    bits = f"{8 * picture.dtype.itemsize} bits" if picture.dtype.kind in "iu" else str(picture.dtype)
    return f"{bits}: {', '.join(parts)}"


def without_alpha(picture: Array) -> Array:
    """Drop an alpha channel that is opaque everywhere: it says nothing.

    Raises:
        CodeRangeError: If there are transparent pixels.
    """
    if picture.ndim != 3 or picture.shape[2] != 4:
        return picture
    opaque = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1
    if not (picture[..., 3] == opaque).all():
        raise CodeRangeError("it has transparent pixels, which show nothing to learn from: flatten it, or remove alpha")
    return np.ascontiguousarray(picture[..., :3])
