"""EXIF's orientation: how a picture must be turned to show what the photographer saw."""

import struct
from typing import Final

import numpy as np

from segprep.datasets.sample import Array

__all__ = ["UPRIGHT", "as_stored", "oriented", "oriented_size", "read_orientation"]

UPRIGHT: Final = 1
_ORIENTATION_TAG: Final = 0x0112
_TRANSPOSED: Final = (5, 6, 7, 8)
_INVERSE: Final = {6: 8, 8: 6}  # all others undo themselves


def read_orientation(exif: bytes) -> int:
    """Return the orientation 1..8 that a block of EXIF data says; 1 (upright) if it says nothing that makes sense.

    The block is a small TIFF file: byte order, the place of the first directory, entries of 12 bytes.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        if order is None:
            return UPRIGHT
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, place)
            if tag == _ORIENTATION_TAG:
                return value if value in range(1, 9) else UPRIGHT
    except struct.error:  # it ends too early
        pass
    return UPRIGHT


def oriented(picture: Array, orientation: int) -> Array:
    """Turn a stored picture upright: (H, W) or (H, W, C).

    2 mirrors, 3 turns by 180 degrees, 4 mirrors top to bottom, 6 turns by 90 degrees clockwise, 8 counter-clockwise; 5
    and 7 mirror along the two diagonals.
    """
    if orientation == UPRIGHT:
        return picture
    if orientation in _TRANSPOSED:
        picture = picture.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def as_stored(picture: Array, orientation: int) -> Array:
    """Turn an upright picture back to how its file stores it: (H, W) or (H, W, C)."""
    return oriented(picture, _INVERSE.get(orientation, orientation))


def oriented_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (width, height) of the upright picture."""
    return (size[1], size[0]) if orientation in _TRANSPOSED else size
