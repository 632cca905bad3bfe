"""The nearest of known label values, for labels that a lossy compression changed."""

from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.packed_colors import pack_colors, unpack_colors
from segprep.datasets.sample import Array

__all__ = ["MOST_SNAP", "count_far", "nearest_known", "nearest_meaning"]

MOST_SNAP: Final = 128.0
"""Largest distance that makes sense: half of the range of 8 bits."""

_AT_ONCE: Final = 1 << 22


def nearest_known(values_NC: Array, known_KC: Array, distance: float) -> npt.NDArray[np.intp]:
    """Find the nearest of known values.

    Args:
        values_NC: (N, C) numbers: ids have one channel, colours three.
        known_KC: (K, C) numbers, K at least 1.
        distance: Largest Euclidean distance that counts.

    Returns:
        (N,) place of the nearest in `known_KC`, the first of equally near ones; -1 where all are farther away.
    """
    known = known_KC.astype(np.float32)
    places = np.empty(len(values_NC), np.intp)
    step = max(1, _AT_ONCE // known.size)
    for start in range(0, len(values_NC), step):
        some = values_NC[start : start + step].astype(np.float32)
        squares = ((some[:, None] - known[None]) ** 2).sum(axis=2)
        nearest = squares.argmin(axis=1)
        near = np.take_along_axis(squares, nearest[:, None], axis=1)[:, 0] <= distance**2
        places[start : start + step] = np.where(near, nearest, -1)
    return places


def nearest_meaning(
    values_N: Array, known_KC: Array, train_ids_K: npt.NDArray[np.uint8], distance: float
) -> npt.NDArray[np.uint8]:
    """Return the train id (N,) of the nearest known id or colour, 255 where all are too far.

    Args:
        values_N: (N,) ids, or packed colours.
        known_KC: (K, 1) the known ids, or (K, 3) the known colours.
        train_ids_K: (K,) what they mean.
        distance: See `nearest_known`.
    """
    values, places = np.unique(values_N, return_inverse=True)
    nearest = nearest_known(_numbers(values, known_KC), known_KC, distance)
    meaning = np.where(nearest < 0, np.uint8(IGNORE_ID), train_ids_K[nearest])
    return np.asarray(meaning[places], np.uint8)


def count_far(raw: Array, known_KC: Array, distance: float) -> int:
    """Return how many pixels of a label file, (H, W) ids or (H, W, 3) colours, are near no known value."""
    values, counts = np.unique(raw if raw.ndim == 2 else pack_colors(raw), return_counts=True)
    return int(counts[nearest_known(_numbers(values, known_KC), known_KC, distance) < 0].sum())


def _numbers(values_N: Array, known_KC: Array) -> Array:
    return values_N[:, None] if known_KC.shape[1] == 1 else unpack_colors(values_N)
