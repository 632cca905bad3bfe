"""Classes: names, colours, and the map from a dataset's own ids to train ids and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError, LabelIdError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, JsonDict

__all__ = ["ClassMap", "SemanticClass"]

_MAX_RAW_ID = 65535


@dataclass(frozen=True, slots=True)
class SemanticClass:
    """One class.

    Attributes:
        name: Shown in tables.
        color: RGB, 0..255.
        raw_ids: The dataset's own ids that mean this class. The first one is written when predictions go back.
    """

    name: str
    color: tuple[int, int, int]
    raw_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The classes of a dataset. A class's train id is its place in `classes`; 255 means ignore.

    Attributes:
        classes: In the order of their train ids.
        ignored_raw_ids: The dataset's own ids that mean "not labelled" or "do not count".
    """

    classes: tuple[SemanticClass, ...]
    ignored_raw_ids: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) < IGNORE_ID:
            raise ConfigurationError(f"a class map needs 1 to {IGNORE_ID - 1} classes, not {len(self.classes)}")
        raw_ids = [i for c in self.classes for i in c.raw_ids] + list(self.ignored_raw_ids)
        twice = sorted({i for i in raw_ids if raw_ids.count(i) > 1})
        if twice:
            raise ConfigurationError(f"raw label ids {twice} stand in more than one class of the class map")
        if not all(0 <= i <= _MAX_RAW_ID for i in raw_ids):
            raise ConfigurationError(f"raw label ids must lie in 0..{_MAX_RAW_ID}: {sorted(raw_ids)}")
        empty = [c.name for c in self.classes if not c.raw_ids]
        if empty:
            raise ConfigurationError(f"classes without any raw id: {', '.join(empty)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Class names by train id."""
        return tuple(c.name for c in self.classes)

    @property
    def colors(self) -> npt.NDArray[np.uint8]:
        """(256, 3) uint8 RGB by train id; unused ids and 255 are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.classes)] = [c.color for c in self.classes]
        return table

    def to_train_ids(self, raw_HW: Array) -> npt.NDArray[np.uint8]:
        """Map the dataset's own ids to train ids.

        Args:
            raw_HW: (H, W) integer label image.

        Returns:
            (H, W) uint8 of 0..C-1 and 255.

        Raises:
            LabelIdError: If the image holds ids that the map does not know; names them and their pixel counts.
        """
        table = np.full(_MAX_RAW_ID + 2, -1, np.int16)
        for train_id, semantic in enumerate(self.classes):
            table[list(semantic.raw_ids)] = train_id
        table[list(self.ignored_raw_ids)] = IGNORE_ID
        # The last entry stands for all ids outside the range: -1 is its index, too.
        train_HW = table[np.clip(raw_HW, -1, _MAX_RAW_ID + 1)]
        if train_HW.min(initial=0) < 0:
            ids, counts = np.unique(raw_HW[train_HW < 0], return_counts=True)
            found = ", ".join(f"{i} ({n} px)" for i, n in zip(ids.tolist(), counts.tolist(), strict=True))
            raise LabelIdError(
                f"label ids outside the class map: {found}. Known ids: {self._known()}. Add them to a class, or to "
                "ignored_raw_ids, in prep.toml"
            )
        train_ids_HW: npt.NDArray[np.uint8] = train_HW.astype(np.uint8)
        return train_ids_HW

    def to_raw_ids(self, train_HW: Array) -> Array:
        """Map train ids back to the dataset's own ids: each class's first raw id; 255 to the first ignored one.

        Where no raw id is ignored, 255 stays 255 or, if that is a class, becomes the smallest id that is none.
        """
        used = {i for c in self.classes for i in c.raw_ids}
        free = (i for i in (*self.ignored_raw_ids, IGNORE_ID, *range(_MAX_RAW_ID + 1)) if i not in used)
        ignored = next(free, IGNORE_ID)
        table = np.full(256, ignored, np.uint16)
        table[: len(self.classes)] = [c.raw_ids[0] for c in self.classes]
        raw_HW = table[train_HW]
        return raw_HW.astype(np.uint8) if table.max() < 256 else raw_HW

    def colored(self, train_HW: Array) -> npt.NDArray[np.uint8]:
        """Return the (H, W, 3) uint8 RGB picture of a (H, W) train-id image; ignored pixels are black."""
        picture_HWC: npt.NDArray[np.uint8] = self.colors[train_HW]
        return picture_HWC

    def to_json(self) -> JsonDict:
        """Return an object of plain values, for TOML and for the attributes of a store."""
        return {
            "ignore_id": IGNORE_ID,
            "ignored_raw_ids": list(self.ignored_raw_ids),
            "classes": [{"name": c.name, "color": list(c.color), "raw_ids": list(c.raw_ids)} for c in self.classes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ClassMap":
        """Build a class map from what `to_json` returned.

        Raises:
            ConfigurationError: If a key is missing or a value makes no sense.
        """
        try:
            _refuse_unknown(data, {"classes", "ignored_raw_ids", "ignore_id"})
            if data.get("ignore_id", IGNORE_ID) != IGNORE_ID:
                raise ValueError(f"ignore_id is always {IGNORE_ID}; what is not to count belongs to ignored_raw_ids")
            return cls(tuple(_class(c) for c in data["classes"]), _whole_numbers(data.get("ignored_raw_ids", ())))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(
                f"the class map is not readable ({error!r}): each class needs name, color = [r, g, b] and raw_ids"
            ) from error

    def _known(self) -> str:
        ids = sorted([i for c in self.classes for i in c.raw_ids] + list(self.ignored_raw_ids))
        return ", ".join(map(str, ids)) if len(ids) <= 40 else f"{len(ids)} ids from {ids[0]} to {ids[-1]}"


def _class(data: Mapping[str, Any]) -> SemanticClass:
    _refuse_unknown(data, {"name", "color", "raw_ids"})
    return SemanticClass(str(data["name"]), _color(data["color"]), _whole_numbers(data["raw_ids"]))


def _color(values: Any) -> tuple[int, int, int]:  # noqa: ANN401  (comes from TOML or JSON)
    red, green, blue = _whole_numbers(values)
    if not all(0 <= v <= 255 for v in (red, green, blue)):
        raise ValueError(f"a colour is three numbers in 0..255, not {values}")
    return red, green, blue


def _whole_numbers(values: Any) -> tuple[int, ...]:  # noqa: ANN401  (comes from TOML or JSON)
    numbers = tuple(values)
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise ValueError(f"whole numbers are needed, not {values!r}")
    return tuple(int(n) for n in numbers)


def _refuse_unknown(data: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise ValueError(f"unknown entries {', '.join(unknown)}")
