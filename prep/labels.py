"""Resampling of ids, which cannot be averaged: majority of the covered area, or the pixel at the exact centre."""

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array

__all__ = ["nearest", "vote"]

_Indices = npt.NDArray[np.intp]
_CHUNK_ELEMENTS = 1 << 22  # bounds the memory for counting


def nearest(ids_HW: Array, size: tuple[int, int]) -> Array:
    """Take the id at the centre of each target pixel: source index ((2 i + 1) N) // (2 n), in whole numbers.

    Going from 8 to 2 pixels takes indices 2 and 6, the lower right of the four pixels around the centre. OpenCV's
    INTER_NEAREST would take 0 and 4, which shifts labels against averaged images by 1.5 pixels.

    Args:
        ids_HW: (H, W) ids.
        size: (width, height) of the result.

    Returns:
        (height, width) of the same type.
    """
    rows = _centres(ids_HW.shape[0], size[1])
    columns = _centres(ids_HW.shape[1], size[0])
    return np.ascontiguousarray(ids_HW[rows][:, columns])


def vote(ids_HW: Array, size: tuple[int, int]) -> Array:
    """Take the id that covers most of each target pixel.

    Every id counts, also "ignore"; partly covered source pixels count with the covered part, in whole numbers, so that
    ties are exact: the smallest id wins them. Along axes that grow the nearest id is taken.

    Args:
        ids_HW: (H, W) uint8 or uint16.
        size: (width, height) of the result.

    Returns:
        (height, width) of the same type.

    Raises:
        CodeRangeError: If the ids are of another type.
    """
    if ids_HW.dtype not in (np.uint8, np.uint16):
        raise CodeRangeError(f"ids must be uint8 or uint16 to be voted on, not {ids_HW.dtype}")
    shrunk = min(size[0], ids_HW.shape[1]), min(size[1], ids_HW.shape[0])
    return nearest(_vote_shrinking(ids_HW, shrunk), size)


def _vote_shrinking(ids_HW: Array, size: tuple[int, int]) -> Array:
    width, height = size
    if (height, width) == ids_HW.shape:
        return ids_HW
    rows, row_weights = _cover(ids_HW.shape[0], height)
    columns, column_weights = _cover(ids_HW.shape[1], width)
    # Nearly all cells hold one id only; they are done once their smallest and largest id are known to be equal.
    winners = _extreme(ids_HW, rows, columns, np.minimum)
    mixed_y, mixed_x = np.nonzero(winners != _extreme(ids_HW, rows, columns, np.maximum))
    per_cell = max(rows.shape[1] * columns.shape[1], 256)
    step = max(_CHUNK_ELEMENTS // per_cell, 1)
    for start in range(0, mixed_y.size, step):
        y, x = mixed_y[start : start + step], mixed_x[start : start + step]
        cells = ids_HW[rows[y][:, :, None], columns[x][:, None, :]]
        weights = row_weights[y][:, :, None] * column_weights[x][:, None, :]
        winners[y, x] = _majority(cells.reshape(len(y), -1), weights.reshape(len(y), -1))
    return winners


def _majority(cells_MK: Array, weights_MK: npt.NDArray[np.int64]) -> Array:
    """Return the id of most weight for each of M cells, the smallest of those with equal weight."""
    present = np.flatnonzero(np.bincount(cells_MK.ravel()))
    place_of = np.zeros(int(present[-1]) + 1, np.intp)
    place_of[present] = np.arange(present.size)
    slots = place_of[cells_MK] + present.size * np.arange(len(cells_MK))[:, None]
    # Sums of whole numbers stay exact in float64 up to 2^53, far beyond the pixels of any picture.
    counts = np.bincount(slots.ravel(), weights_MK.ravel(), minlength=present.size * len(cells_MK))
    winners_M: Array = present[counts.reshape(len(cells_MK), -1).argmax(axis=1)].astype(cells_MK.dtype)
    return winners_M


def _extreme(ids_HW: Array, rows: _Indices, columns: _Indices, pick: np.ufunc) -> Array:
    """Return the smallest or largest id of each cell, along one axis after the other."""
    result_hW = ids_HW[_places(rows[:, 0])].copy()
    for k in range(1, rows.shape[1]):
        pick(result_hW, ids_HW[_places(rows[:, k])], out=result_hW)
    result_hw = result_hW[:, _places(columns[:, 0])].copy()
    for k in range(1, columns.shape[1]):
        pick(result_hw, result_hW[:, _places(columns[:, k])], out=result_hw)
    return result_hw


def _places(indices: _Indices) -> slice | _Indices:
    """Return evenly spaced indices, which whole factors give, as a slice: it needs no copy."""
    step = int(indices[1] - indices[0]) if indices.size > 1 else 1
    return slice(int(indices[0]), int(indices[-1]) + 1, step) if step and (np.diff(indices) == step).all() else indices


def _cover(source: int, target: int) -> tuple[_Indices, npt.NDArray[np.int64]]:
    """Return which source pixels (target, K) each target pixel of an axis covers, and in 1/target-ths how much of each.

    Rows with fewer than K pixels repeat their last one with weight 0.
    """
    starts = np.arange(target, dtype=np.int64) * source
    first = starts // target
    last = (starts + source - 1) // target
    indices = first[:, None] + np.arange(int((last - first).max()) + 1)
    low = np.maximum(indices * target, starts[:, None])
    high = np.minimum((indices + 1) * target, (starts + source)[:, None])
    return np.minimum(indices, last[:, None]).astype(np.intp), np.maximum(high - low, 0)


def _centres(source: int, target: int) -> _Indices:
    return ((2 * np.arange(target, dtype=np.int64) + 1) * source // (2 * target)).astype(np.intp)
