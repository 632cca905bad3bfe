"""The confusion matrix from which every number of an evaluation comes."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.names import nearest_name

__all__ = ["MEAN_RULE", "ConfusionMatrix", "check_metric", "class_of_metric", "defined_mean", "metric_names"]

_Ids = npt.NDArray[Any]

_IOU = "iou/"

MEAN_RULE: Final = "union"
"""Which classes `mean_iou` is over: those with a union above 0. In earlier versions "present", those in the targets."""


class ConfusionMatrix:
    """Pixel counts by true class (row) and predicted class (column), summed over a whole data set.

    One matrix for all images: a mean of per-image IoUs would weigh a class by the number of images that show it.

    Attributes:
        counts: (classes, classes) int64.
    """

    def __init__(self, classes: int) -> None:
        self.counts: npt.NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    def update(self, prediction: _Ids, target: _Ids) -> None:
        """Count the pixels of one image or batch; pixels whose target is 255 are left out.

        Args:
            prediction: Train ids of any shape and integer dtype, each in 0..C-1 where the target is valid.
            target: Train ids of the same shape, 255 = ignore.

        Raises:
            ValueError: If the shapes differ or an id is outside 0..C-1.
        """
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ in shape")
        classes = len(self.counts)
        valid = target != IGNORE_ID
        truth, guess = target[valid].astype(np.int64), prediction[valid].astype(np.int64)
        for ids, what in ((truth, "target"), (guess, "prediction")):
            if ids.size and not 0 <= ids.min() <= ids.max() < classes:
                raise ValueError(f"{what} holds ids {ids.min()}..{ids.max()}, outside 0..{classes - 1}")
        self.counts += np.bincount(truth * classes + guess, minlength=classes**2).reshape(classes, classes)

    def merge(self, other: "ConfusionMatrix") -> None:
        """Add the counts of another part of the same data set."""
        self.counts += other.counts

    @property
    def pixels(self) -> int:
        """Number of valid pixels."""
        return int(self.counts.sum())

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(classes,) whether the class occurs in the targets."""
        present: npt.NDArray[np.bool_] = self.counts.sum(1) > 0
        return present

    def iou(self) -> npt.NDArray[np.float64]:
        """Return (classes,) intersection over union, diagonal / (row + column - diagonal).

        A class that no target holds has 0 where it is predicted, and NaN where it is not: there is no union then. So
        do cityscapesScripts and PARIS. Two classes, [[3, 1], [0, 4]]: 3 / 4 and 4 / 5.
        """
        hits = np.diag(self.counts)
        return _ratio(hits, self.counts.sum(0) + self.counts.sum(1) - hits)

    def recall(self) -> npt.NDArray[np.float64]:
        """Return (classes,) diagonal / row, also called class accuracy; NaN for a class that no target holds."""
        return _ratio(np.diag(self.counts), self.counts.sum(1))

    def precision(self) -> npt.NDArray[np.float64]:
        """Return (classes,) diagonal / column; NaN for a class that is never predicted."""
        return _ratio(np.diag(self.counts), self.counts.sum(0))

    def mean_class_accuracy(self) -> float:
        """Return the mean recall over the classes that targets hold; NaN without any valid pixel."""
        return defined_mean(self.recall())

    def frequency_weighted_iou(self) -> float:
        """Return the mean IoU weighted by the classes' shares of the targets; NaN without any valid pixel.

        Source: Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015.
        """
        if not self.pixels:
            return float("nan")
        return float((self.counts.sum(1) / self.pixels)[self.present] @ self.iou()[self.present])

    def grouped(self, groups: npt.NDArray[np.int64]) -> "ConfusionMatrix":
        """Return the matrix of groups of classes, given the group of each class: confusions inside one are right."""
        belongs = (groups[:, None] == np.arange(int(groups.max()) + 1)).astype(np.int64)
        found = ConfusionMatrix(belongs.shape[1])
        found.counts = belongs.T @ self.counts @ belongs
        return found

    def mean_iou(self, judged: Sequence[int] | None = None) -> float:
        """Return the mean IoU over the classes with a union above 0; NaN without any valid pixel.

        Args:
            judged: The classes that count; all by default.
        """
        return defined_mean(self.iou() if judged is None else self.iou()[list(judged)])

    def mean_iou_of_present(self) -> float:
        """Return the mean IoU over the classes that targets hold; NaN without any valid pixel."""
        return defined_mean(self.iou()[self.present])

    def pixel_accuracy(self) -> float:
        """Return the share of valid pixels that are predicted right; NaN without any valid pixel."""
        return float(np.trace(self.counts) / self.pixels) if self.pixels else float("nan")

    def named(self, name: str, classes: Sequence[str]) -> float:
        """Return a metric by its name; NaN where it is not defined, as the IoU of a class without a union.

        Args:
            name: One of `metric_names`.
            classes: Names of the classes, in the order of their ids.

        Raises:
            ConfigurationError: If there is no such metric; names those that exist.
        """
        check_metric(name, classes)
        match name:
            case "mean_iou":
                return self.mean_iou()
            case "mean_iou_of_present":
                return self.mean_iou_of_present()
            case "pixel_accuracy":
                return self.pixel_accuracy()
            case _:
                return float(self.iou()[list(classes).index(name.removeprefix(_IOU))])


def metric_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the names that `ConfusionMatrix.named` knows; higher is better for all of them."""
    return ("mean_iou", "mean_iou_of_present", "pixel_accuracy", *(f"{_IOU}{name}" for name in classes))


def class_of_metric(name: str) -> str | None:
    """Return the class whose IoU a metric is; None for the others."""
    return name.removeprefix(_IOU) if name.startswith(_IOU) else None


def check_metric(name: str, classes: Sequence[str]) -> None:
    """Refuse a metric that does not exist, before a run begins.

    Raises:
        ConfigurationError: Names those that exist, and the nearest.
    """
    known = metric_names(classes)
    if name not in known:
        raise ConfigurationError(f"there is no metric {name!r}. {nearest_name(name, known)}")


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def defined_mean(values: npt.NDArray[np.float64]) -> float:
    """Return the mean of the values that are no NaN; NaN if all are."""
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if defined.size else float("nan")
