"""Each way of resizing labels as a function from raw ids to train ids."""

from collections.abc import Callable
from typing import Final

import cv2

from segprep.datasets.classes import ClassMap
from segprep.datasets.sample import Array
from segprep.prep.labels.resampling import LabelMethod, resize_labels

__all__ = ["METHODS", "PARIS", "Method", "priority", "thin_ids"]

_THIN: Final = ("pole", "traffic light", "traffic sign", "sign", "person", "rider", "bicycle")

PARIS: Final = LabelMethod("paris", threshold=0.75, void=0)

Method = Callable[[Array, ClassMap, tuple[int, int]], Array]
"""(raw ids, class map, size) to train ids of that size."""


def thin_ids(classes: ClassMap) -> tuple[int, ...]:
    """Return the train ids of the thin classes that a class map has, strongest first."""
    return tuple(classes.names.index(name) for name in _THIN if name in classes.names)


def priority(classes: ClassMap, share: float) -> LabelMethod:
    """Return the method by which thin classes win from this share on, among train ids."""
    return LabelMethod("priority", priority=thin_ids(classes), share=share)


def _among_train_ids(method: LabelMethod) -> Method:
    return lambda raw_HW, classes, size: resize_labels(classes.to_train_ids(raw_HW), size, method)


def _priority(share: float) -> Method:
    return lambda raw_HW, classes, size: resize_labels(classes.to_train_ids(raw_HW), size, priority(classes, share))


def _opencv(raw_HW: Array, classes: ClassMap, size: tuple[int, int]) -> Array:
    resized: Array = cv2.resize(classes.to_train_ids(raw_HW), size, interpolation=cv2.INTER_NEAREST)
    return resized


METHODS: Final[dict[str, Method]] = {
    "vote": _among_train_ids(LabelMethod("vote")),
    "vote, threshold 0.5": _among_train_ids(LabelMethod("vote", threshold=0.5)),
    "nearest": _among_train_ids(LabelMethod("nearest")),
    "OpenCV's INTER_NEAREST": _opencv,
    # PARIS resizes raw ids; its void, 0, is ignored among train ids, too.
    "paris": lambda raw_HW, classes, size: classes.to_train_ids(resize_labels(raw_HW, size, PARIS)),
    "priority, share 0.25": _priority(0.25),
    "priority, share 0.125": _priority(0.125),
}
