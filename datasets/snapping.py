"""The nearest of known label values, for labels that a lossy compression changed."""

from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array

__all__ = ["MOST_SNAP", "nearest_known"]

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
