"""Which classes can move by themselves, and which pixels of the label column show one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, JsonDict, Mask, Sample

__all__ = ["Movable", "find_movable", "movable_classes"]

_PEOPLE: Final = ("person", "people", "pedestrian", "rider", "other rider", "cyclist", "bicyclist", "motorcyclist")
_VEHICLES: Final = (
    *("car", "van", "truck", "bus", "truck_bus", "suvpickuptruck", "vehicle", "other vehicle", "train", "tram"),
    *("bicycle", "two-wheeler", "motorcycle", "motorbike", "motorcyclescooter", "caravan", "trailer"),
)
_ANIMALS: Final = ("animal", "ground animal", "bird", "cat", "cow", "dog", "horse", "sheep")
_USUAL: Final = frozenset((*_PEOPLE, *_VEHICLES, *_ANIMALS))


@dataclass(frozen=True, slots=True)
class Movable:
    """Which pixels of the label column show something that can move.

    Attributes:
        train_ids: Of the classes that can.
        raw_map: The map to train ids, if the label column holds the dataset's own ids.
    """

    train_ids: tuple[int, ...]
    raw_map: ClassMap | None = None

    def __post_init__(self) -> None:
        if not self.train_ids or not all(0 <= i < IGNORE_ID for i in self.train_ids):
            raise ConfigurationError(f"at least one class must be movable, named by train ids: {self.train_ids}")

    def labels(self, sample: Sample) -> Array:
        """Return the label column's train ids, (H, W) uint8.

        Raises:
            LabelIdError: If it holds ids that the class map does not know.
        """
        stored_HW = sample.arrays["label"]
        return stored_HW if self.raw_map is None else self.raw_map.train_ids_of(stored_HW)

    def shown(self, sample: Sample) -> Mask:
        """Return where the label column shows something that can move, (H, W) bool; what is ignored cannot.

        Raises:
            LabelIdError: If it holds ids that the class map does not know.
        """
        shown_HW: Mask = np.isin(self.labels(sample), self.train_ids)
        return shown_HW

    def to_json(self) -> JsonDict:
        """Return what decides the result."""
        rules = {} if self.raw_map is None else {"class_map": self.raw_map.pixel_rules()}
        return {"movable": sorted(self.train_ids)} | rules


def movable_classes(class_map: ClassMap, given: Sequence[str] | None = None) -> tuple[int, ...]:
    """Return the train ids of the classes that can move; none if there are none.

    Args:
        class_map: The dataset's.
        given: Their names; None takes people, vehicles and animals by their usual names, upper case or lower.

    Raises:
        ConfigurationError: If a name is no class's.
    """
    return class_map.places_of(given or [name for name in class_map.names if name.casefold() in _USUAL])


def find_movable(class_map: ClassMap, given: Sequence[str] | None = None, *, raw: bool) -> Movable | None:
    """Return what can move in a label column; None if no class can.

    Args:
        class_map: The dataset's.
        given: As `movable_classes` takes them.
        raw: Whether the column holds the dataset's own ids.

    Raises:
        ConfigurationError: If a name is no class's.
    """
    train_ids = movable_classes(class_map, given)
    return Movable(train_ids, class_map if raw else None) if train_ids else None
