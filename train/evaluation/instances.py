"""IoU in which small instances count as much as large ones."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array
from segprep.train.evaluation.metrics import ConfusionMatrix

__all__ = ["InstanceCounts"]

_Numbers = npt.NDArray[np.float64]


class InstanceCounts:
    """How much of each instance is predicted right, summed over a whole data set.

    An instance's class is the one that most of its pixels have in the label; the others, and void, do not count. Each
    of its pixels weighs (mean size of the class's instances) / (size of this one). Then iIoU = iTP / (iTP + FP + iFN)
    with weighted true positives and false negatives of instances, and false positives as in the confusion matrix,
    unweighted. Pixels of a class that belong to no instance, such as groups, can be false positives of others only.

    Source: Cordts et al.: The Cityscapes dataset for semantic urban scene understanding. CVPR 2016, and its scripts.

    Args:
        classes: How many.
        groups: (classes,) the category of each, for a second IoU of categories; None without.

    Attributes:
        count: (classes,) int64 instances.
        pixels: (classes,) int64 pixels of them.
        right: (classes,) float64 sums of the shares of instances that are predicted right.
        right_group: Likewise, where another class of the category is right, too.
    """

    def __init__(self, classes: int, groups: npt.NDArray[np.int64] | None = None) -> None:
        self.count: npt.NDArray[np.int64] = np.zeros(classes, np.int64)
        self.pixels: npt.NDArray[np.int64] = np.zeros(classes, np.int64)
        self.right: _Numbers = np.zeros(classes)
        self.right_group: _Numbers = np.zeros(classes)
        self._groups = np.arange(classes) if groups is None else groups

    def update(self, prediction_HW: Array, label_HW: Array, instance_HW: Array) -> None:
        """Count one picture: train ids, 255 = void in the label, and instances, 0 = none."""
        counted = (instance_HW > 0) & (label_HW != IGNORE_ID)
        guess, truth = prediction_HW[counted].astype(np.int64), label_HW[counted].astype(np.int64)
        pairs = instance_HW[counted].astype(np.int64) * (IGNORE_ID + 1) + truth
        found, place, sizes = np.unique(pairs, return_inverse=True, return_counts=True)
        instances, classes = found // (IGNORE_ID + 1), found % (IGNORE_ID + 1)
        right, right_group = (
            np.bincount(place, hits, minlength=len(found)) / np.maximum(sizes, 1)
            for hits in (guess == truth, self._groups[guess] == self._groups[truth])
        )
        order = np.lexsort((sizes, instances))
        largest = order[np.diff(instances[order], append=-1) != 0]
        for total, values in (
            (self.count, np.ones(len(found), np.int64)),
            (self.pixels, sizes),
            (self.right, right),
            (self.right_group, right_group),
        ):
            np.add.at(total, classes[largest], values[largest])

    def sizes(self, names: Sequence[str], known: Mapping[str, float]) -> _Numbers:
        """Return (classes,) mean pixels of an instance: as known, else as counted; NaN for classes without instances.

        Args:
            names: Of the classes.
            known: By class, of data sets whose benchmark fixes them; used if it knows each class that has instances.
        """
        if known and all(name in known for name, count in zip(names, self.count, strict=True) if count):
            return np.array([known.get(name, np.nan) for name in names])
        return np.where(self.count > 0, self.pixels / np.maximum(self.count, 1), np.nan)

    def iou(self, matrix: ConfusionMatrix, sizes: _Numbers) -> _Numbers:
        """Return (classes,) iIoU; NaN for a class without instances that is never predicted wrongly.

        Args:
            matrix: Of the same pictures.
            sizes: See `sizes`.
        """
        return _weighted(self.right * sizes, self.count * sizes, matrix)

    def group_iou(self, matrix: ConfusionMatrix, sizes: _Numbers) -> _Numbers:
        """Return (categories,) iIoU; NaN for a category of which a class in the labels has no instances."""
        groups = np.arange(int(self._groups.max()) + 1)
        of_group = self._groups[None] == groups[:, None]
        without = np.isnan(sizes) & matrix.present
        right, total = (of_group @ np.nan_to_num(counts * sizes) for counts in (self.right_group, self.count))
        undefined = (of_group & without).any(1) | ~(of_group & ~np.isnan(sizes)).any(1)
        whole = np.where(undefined, np.nan, total)
        return _weighted(right, whole, matrix.grouped(self._groups))


def _weighted(right: _Numbers, total: _Numbers, matrix: ConfusionMatrix) -> _Numbers:
    false_positives = matrix.counts.sum(0) - np.diag(matrix.counts)
    denominator = total + false_positives
    return np.where(denominator > 0, right / np.where(denominator > 0, denominator, 1), np.nan)
