"""Instance ids, which follow the labels: a pixel's instance comes from the source pixels that gave it its label."""

import numpy as np

from segprep.datasets.sample import Array
from segprep.prep.labels.cells import CellGrid
from segprep.prep.labels.vote import majority

__all__ = ["follow_winners"]


def follow_winners(instances_HW: Array, labels_HW: Array, cells: CellGrid, winners_hw: Array) -> Array:
    """Return each cell's instance: the one that covers most of what the cell's winning label covers.

    Args:
        instances_HW: (H, W) uint8 or uint16, contiguous; 0 for none.
        labels_HW: (H, W) uint8 or uint16, contiguous.
        cells: What the pixels of the result cover.
        winners_hw: Each cell's label.

    Returns:
        The instances, of the same type: of those that cover equally much the smallest, 0 where no covered pixel holds
        the winner.
    """
    result_hw, high_hw = cells.extremes(instances_HW)
    lowest_label_hw, highest_label_hw = cells.extremes(labels_HW)
    flat_instances, flat_labels = instances_HW.reshape(-1), labels_HW.reshape(-1)
    for taps in cells.taps((result_hw != high_hw) | (lowest_label_hw != highest_label_hw)):
        holds_KM = flat_labels[taps.places_KM] == winners_hw[taps.y, taps.x]
        weights_KM = np.multiply(holds_KM, taps.weights_KM)
        smallest_M = result_hw[taps.y, taps.x]
        result_M, weight_M = majority(flat_instances[taps.places_KM], weights_KM, smallest_M)
        result_M[weight_M == 0] = 0
        result_hw[taps.y, taps.x] = result_M
    return result_hw
