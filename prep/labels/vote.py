"""Votes: the id of most weight in each cell, counted in whole numbers so that ties and thresholds are exact."""

import numpy as np

from segprep.datasets.sample import Array
from segprep.prep.labels.cells import CellGrid
from segprep.prep.labels.method import LabelMethod, least_weight

__all__ = ["majority", "vote_cells"]


def vote_cells(ids_HW: Array, cells: CellGrid, method: LabelMethod) -> Array:
    """Return each cell's winner by "vote", with its threshold, or by "priority".

    Args:
        ids_HW: (H, W) uint8 or uint16, contiguous.
        cells: What the pixels of the result cover.
        method: Which of the two, and its parameters.

    Returns:
        The winners, of the same type.
    """
    winners_hw, high_hw = cells.extremes(ids_HW)
    least = least_weight(method.threshold, cells.total)
    least_for_priority = least_weight(method.share, cells.total)
    flat = ids_HW.reshape(-1)
    # Nearly all cells hold one id only; it wins by any method and passes any threshold.
    for taps in cells.taps(winners_hw != high_hw):
        ids_KM = flat[taps.places_KM]
        winners_M, weights_M = majority(ids_KM, taps.weights_KM, winners_hw[taps.y, taps.x])
        if method.threshold:
            winners_M[weights_M < least] = method.void
        for id_ in reversed(method.priority):
            winners_M[_weight_of(id_, ids_KM, taps.weights_KM) >= least_for_priority] = id_
        winners_hw[taps.y, taps.x] = winners_M
    return winners_hw


def majority(ids_KM: Array, weights_KM: Array, smallest_M: Array) -> tuple[Array, Array]:
    """Return the id of most weight for each of M cells, the smallest of those with equal weight.

    Ids are weighed in ascending order, so that a later one must be heavier to win; a cell is done as soon as what is
    left cannot outweigh its best, which for most is after the first or second id.

    Args:
        ids_KM: (K, M) unsigned whole numbers.
        weights_KM: (K, M) unsigned whole numbers, whose sums fit their type, or floats.
        smallest_M: (M,) the smallest id of each cell.

    Returns:
        The winners (M,), of the ids' type, and their weights (M,), of the weights' type.
    """
    winners_M = smallest_M.copy()
    best_M = _weight_of(smallest_M, ids_KM, weights_KM)
    left_M = weights_KM.sum(axis=0, dtype=weights_KM.dtype) - best_M
    undecided = np.flatnonzero(left_M > best_M)
    ids, weights, id_, left = (a.take(undecided, axis=-1) for a in (ids_KM, weights_KM, smallest_M, left_M))
    while undecided.size:
        # Counted from the id above the last, smaller ones wrap around to the far end: the minimum is the next id.
        id_ = id_ + ids.dtype.type(1)
        id_ = id_ + (ids - id_).min(axis=0)
        weight = _weight_of(id_, ids, weights)
        left = left - weight
        wins = weight > best_M[undecided]
        winners_M[undecided[wins]], best_M[undecided[wins]] = id_[wins], weight[wins]
        go_on = np.flatnonzero(left > best_M[undecided])
        undecided = undecided[go_on]
        ids, weights, id_, left = (a.take(go_on, axis=-1) for a in (ids, weights, id_, left))
    return winners_M, best_M


def _weight_of(id_: Array | int, ids_KM: Array, weights_KM: Array) -> Array:
    held: Array = np.multiply(ids_KM == id_, weights_KM).sum(axis=0, dtype=weights_KM.dtype)
    return held
