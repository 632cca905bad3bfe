"""Classes: names, colours, and the map from a dataset's own ids or colours to train ids and back."""

import colorsys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError, LabelIdError
from segprep.datasets.json_values import as_json, is_number
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.names import nearest_name
from segprep.datasets.packed_colors import pack_colors
from segprep.datasets.sample import Array, JsonDict, Mask
from segprep.datasets.snapping import MOST_SNAP, nearest_meaning
from segprep.datasets.unknown_labels import unknown_colors, unknown_ids

__all__ = ["ClassMap", "Color", "SemanticClass", "distinct_colors"]

Color = tuple[int, int, int]
"""Red, green, blue, 0..255."""

_MAX_RAW_ID = 65535
_UNKNOWN = 254  # no train id: there are at most 254 classes


@dataclass(frozen=True, slots=True)
class SemanticClass:
    """One class.

    Attributes:
        name: Shown in tables.
        color: It is drawn in.
        raw_ids: The dataset's own ids that mean this class. The first one is written when predictions go back.
        raw_colors: Colours that mean this class in label files that hold colours; empty for just `color`.
    """

    name: str
    color: Color
    raw_ids: tuple[int, ...]
    raw_colors: tuple[Color, ...] = ()

    @property
    def label_colors(self) -> tuple[Color, ...]:
        """The colours that mean this class in label files."""
        return self.raw_colors or (self.color,)


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The classes of a dataset. A class's train id is its place in `classes`; 255 means ignore.

    Attributes:
        classes: In the order of their train ids.
        ignored_raw_ids: The dataset's own ids that mean "not labelled" or "do not count".
        masked_raw_ids: Those of them that mark pixels which do not show the scene (the own vehicle, a border): depth
            and motion count there as little as the label.
        ignored_colors: The same as `ignored_raw_ids` in label files that hold colours; black is, unless a class is.
        raw_id_divisor: Label files hold raw id * divisor + something else: 256 for Mapillary's 16-bit files.
        reading: What of the label files says the class.
        snap_distance: What is no known id or colour is taken for the nearest one that is at most so far away (grey
            levels, or Euclidean in RGB), and ignored if there is none: for labels that were compressed with a loss. 0
            refuses what is not known.
        found: Whether nobody wrote the map: it was guessed from the files.
    """

    classes: tuple[SemanticClass, ...]
    ignored_raw_ids: tuple[int, ...]
    masked_raw_ids: tuple[int, ...] = ()
    ignored_colors: tuple[Color, ...] = ((0, 0, 0),)
    raw_id_divisor: int = 1
    reading: LabelReading = LabelReading.STORED
    snap_distance: float = 0.0
    found: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) < IGNORE_ID:
            raise ConfigurationError(f"a class map needs 1 to {IGNORE_ID - 1} classes, not {len(self.classes)}")
        raw_ids = self._known_raw_ids
        twice = sorted({i for i in raw_ids if raw_ids.count(i) > 1})
        if twice:
            raise ConfigurationError(f"raw label ids {twice} stand in more than one class of the class map")
        if not all(0 <= i <= _MAX_RAW_ID for i in raw_ids):
            raise ConfigurationError(f"raw label ids must lie in 0..{_MAX_RAW_ID}: {sorted(raw_ids)}")
        empty = [c.name for c in self.classes if not c.raw_ids]
        if empty:
            raise ConfigurationError(f"classes without any raw id: {', '.join(empty)}")
        counted = sorted(set(self.masked_raw_ids) - set(self.ignored_raw_ids))
        if counted:
            raise ConfigurationError(f"raw label ids {counted} are masked but not ignored: add them to ignored_raw_ids")
        if not 1 <= self.raw_id_divisor <= _MAX_RAW_ID:
            raise ConfigurationError(f"raw_id_divisor must lie in 1..{_MAX_RAW_ID}, not {self.raw_id_divisor}")
        if not 0 <= self.snap_distance <= MOST_SNAP:
            raise ConfigurationError(f"snap_distance must lie in 0..{MOST_SNAP}, not {self.snap_distance}")
        if self.snap_distance and self.raw_id_divisor != 1:
            raise ConfigurationError("snap_distance is for plain ids and colours, not with a raw_id_divisor")

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

    @property
    def largest_raw_id(self) -> int:
        """The largest id that the map knows: whether raw ids need 8 or 16 bits."""
        return max(self._known_raw_ids)

    @property
    def void_raw_id(self) -> int:
        """The raw id that stands for "ignore" in files: the first ignored one.

        Where no raw id is ignored it is 255 or, if that is a class, the smallest id that is none.
        """
        used = {i for c in self.classes for i in c.raw_ids}
        candidates = (*self.ignored_raw_ids, IGNORE_ID, *range(_MAX_RAW_ID + 1))
        return next((i for i in candidates if i not in used), IGNORE_ID)

    def pixel_rules(self, *, regrouping: bool = True) -> JsonDict:
        """Return what of the map decides a train id: names and the colours for drawing do not.

        Args:
            regrouping: Whether it matters which raw ids make a class together; for raw ids it does not.
        """
        by_color = [[list(k), c.raw_ids[0]] for c in self.classes for k in c.label_colors]
        rules: JsonDict = {
            "raw_id_divisor": self.raw_id_divisor,
            "colors": sorted(by_color),
            "ignored_colors": sorted(map(list, self.ignored_colors)),
            **({"snap_distance": self.snap_distance} if self.snap_distance else {}),
        }
        if not regrouping:
            return rules | {"raw_ids": sorted(self._known_raw_ids)}
        return rules | {
            "raw_ids": [sorted(c.raw_ids) for c in self.classes],
            "ignored_raw_ids": sorted(self.ignored_raw_ids),
        }

    def to_train_ids(self, raw: Array) -> npt.NDArray[np.uint8]:
        """Map the content of a label file to train ids.

        Args:
            raw: (H, W) integers: the dataset's own ids; or (H, W, 3) uint8 RGB: colours, which must be exact.

        Returns:
            (H, W) uint8 of 0..C-1 and 255.

        Raises:
            LabelIdError: If it holds ids or colours that the map does not know; names them and their pixel counts.
        """
        return self._from_colors(raw) if raw.ndim == 3 else self.train_ids_of(self._raw_ids(raw))

    def train_ids_of(self, raw_HW: Array) -> npt.NDArray[np.uint8]:
        """Map the dataset's own ids (H, W), already without what `raw_id_divisor` removes, to train ids.

        Raises:
            LabelIdError: If there are ids that the map does not know; names them and their pixel counts.
        """
        if raw_HW.dtype == np.uint8:
            train_HW = np.asarray(cv2.LUT(raw_HW, self._id_table()[:256]), np.uint8)
        else:  # the last entry stands for all ids outside the range: -1 is its index, too
            train_HW = self._id_table()[np.clip(raw_HW, -1, _MAX_RAW_ID + 1)]
        if train_HW.max(initial=0) >= _UNKNOWN and (unknown := train_HW == _UNKNOWN).any():
            if not self.snap_distance:
                raise unknown_ids(raw_HW[unknown], self._known_raw_ids)
            known, train_ids = self.known_values(colors=False)
            train_HW[unknown] = nearest_meaning(raw_HW[unknown], known, train_ids, self.snap_distance)
        return train_HW

    def known_values(self, *, colors: bool) -> tuple[Array, npt.NDArray[np.uint8]]:
        """Return all ids (K, 1), or colours (K, 3), that mean anything, and their train ids (K,).

        Of values that are equally near to another one the first counts: ids are in ascending order, colours in that of
        the classes, ignored ones last.
        """
        known: dict[tuple[int, ...], int] = {}
        for train_id, semantic in enumerate(self.classes):
            own: Sequence[tuple[int, ...]] = semantic.label_colors if colors else [(i,) for i in semantic.raw_ids]
            known |= dict.fromkeys(own, train_id)
        void: Sequence[tuple[int, ...]] = self.ignored_colors if colors else [(i,) for i in self.ignored_raw_ids]
        known |= {value: IGNORE_ID for value in void if value not in known}
        if not colors:
            known = dict(sorted(known.items()))
        return np.array([*known]), np.array([*known.values()], np.uint8)

    def shows_scene(self, raw: Array) -> Mask:
        """Return the (H, W) bool mask of pixels whose raw id is not in `masked_raw_ids`; colours mask nothing."""
        if raw.ndim == 3 or not self.masked_raw_ids:
            return np.ones(raw.shape[:2], np.bool_)
        shown: Mask = ~np.isin(self._raw_ids(raw), self.masked_raw_ids)
        return shown

    def to_known_raw_ids(self, raw: Array) -> Array:
        """Return the dataset's own ids (H, W), uint8 or uint16, of the content of a label file.

        Colours become the first raw id of their class, the ignored ones the id that `to_raw_ids` gives them.

        Raises:
            LabelIdError: If it holds ids or colours that the map does not know.
        """
        train_HW = self.to_train_ids(raw)
        if raw.ndim == 3 or self.snap_distance:
            return self.to_raw_ids(train_HW)
        return self._raw_ids(raw).astype(np.uint8 if self.largest_raw_id < 256 else np.uint16)

    def to_raw_ids(self, train_HW: Array) -> Array:
        """Map train ids back to the dataset's own ids: each class's first raw id; 255 to `void_raw_id`."""
        table = np.full(256, self.void_raw_id, np.uint16)
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
            "masked_raw_ids": list(self.masked_raw_ids),
            "ignored_colors": [list(c) for c in self.ignored_colors],
            "raw_id_divisor": self.raw_id_divisor,
            **self._unusual(),
            "classes": [_class_to_json(c) for c in self.classes],
        }

    def _unusual(self) -> JsonDict:
        """Return what stands in files only where it is not as usual."""
        usual = {name: each.default for name, each in type(self).__dataclass_fields__.items()}
        own = {"reading": self.reading, "snap_distance": self.snap_distance, "found": self.found}
        return {name: as_json(value) for name, value in own.items() if value != usual[name]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ClassMap":
        """Build a class map from what `to_json` returned.

        Raises:
            ConfigurationError: If a key is missing or a value makes no sense.
        """
        try:
            _refuse_unknown(data, ("ignore_id", *cls.__dataclass_fields__), "[class_map]")
            if data.get("ignore_id", IGNORE_ID) != IGNORE_ID:
                raise ValueError(f"ignore_id is always {IGNORE_ID}; what is not to count belongs to ignored_raw_ids")
            return cls(
                classes=tuple(_class(c) for c in data["classes"]),
                ignored_raw_ids=_whole_numbers(data.get("ignored_raw_ids", ())),
                masked_raw_ids=_whole_numbers(data.get("masked_raw_ids", ())),
                ignored_colors=tuple(_color(c) for c in data.get("ignored_colors", ((0, 0, 0),))),
                raw_id_divisor=_whole_numbers([data.get("raw_id_divisor", 1)])[0],
                reading=LabelReading(data.get("reading", LabelReading.STORED)),
                snap_distance=_number(data.get("snap_distance", 0)),
                found=_flag(data.get("found", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(
                f"the class map is not readable ({error!r}): each class needs name, color = [r, g, b] and raw_ids"
            ) from error

    def places_of(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return the train ids of classes by their names.

        Raises:
            ConfigurationError: If there is no such class; names the nearest.
        """
        for name in names:
            if name not in self.names:
                raise ConfigurationError(f"there is no class {name!r}. {nearest_name(name, self.names)}")
        return tuple(self.names.index(name) for name in names)

    @property
    def _known_raw_ids(self) -> list[int]:
        return [i for c in self.classes for i in c.raw_ids] + list(self.ignored_raw_ids)

    def _raw_ids(self, stored_HW: Array) -> Array:
        return stored_HW if self.raw_id_divisor == 1 else stored_HW // stored_HW.dtype.type(self.raw_id_divisor)

    def _id_table(self) -> npt.NDArray[np.uint8]:
        table = np.full(_MAX_RAW_ID + 2, _UNKNOWN, np.uint8)
        for train_id, semantic in enumerate(self.classes):
            table[list(semantic.raw_ids)] = train_id
        table[list(self.ignored_raw_ids)] = IGNORE_ID
        return table

    def _from_colors(self, rgb_HWC: Array) -> npt.NDArray[np.uint8]:
        if rgb_HWC.dtype != np.uint8 or rgb_HWC.shape[2] != 3:
            raise LabelIdError(f"labels are ids or 8-bit colours, not {rgb_HWC.dtype} of shape {rgb_HWC.shape}")
        colors = [color for semantic in self.classes for color in semantic.label_colors]
        if len({*colors}) < len(colors):
            raise LabelIdError("the label holds colours, but classes of the class map share some: correct prep.toml")
        known, train_ids = self.known_values(colors=True)
        # One entry per colour there is: 16 MB, and a label is one look-up per pixel.
        table = np.full(1 << 24, _UNKNOWN, np.uint8)
        table[pack_colors(known)] = train_ids
        packed_HW = pack_colors(rgb_HWC)
        train_HW: npt.NDArray[np.uint8] = table[packed_HW]
        if (unknown := train_HW == _UNKNOWN).any():
            if not self.snap_distance:
                raise unknown_colors(packed_HW[unknown])
            train_HW[unknown] = nearest_meaning(packed_HW[unknown], known, train_ids, self.snap_distance)
        return train_HW


def _class(data: Mapping[str, Any]) -> SemanticClass:
    _refuse_unknown(data, ("name", "color", "raw_ids", "raw_colors"), "[[class_map.classes]]")
    colors = tuple(_color(c) for c in data.get("raw_colors", ()))
    return SemanticClass(str(data["name"]), _color(data["color"]), _whole_numbers(data["raw_ids"]), colors)


def _class_to_json(semantic: SemanticClass) -> JsonDict:
    data: JsonDict = {"name": semantic.name, "color": list(semantic.color), "raw_ids": list(semantic.raw_ids)}
    if semantic.raw_colors:
        data["raw_colors"] = [list(c) for c in semantic.raw_colors]
    return data


def distinct_colors(count: int) -> list[Color]:
    """Return `count` colours for classes that have none, their hues spread by the golden ratio."""
    shades = [colorsys.hsv_to_rgb((0.61803398875 * i) % 1.0, 0.65, 0.9 - 0.3 * (i % 2)) for i in range(count)]
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in shades]


def _color(values: Any) -> Color:  # noqa: ANN401  (comes from TOML or JSON)
    red, green, blue = _whole_numbers(values)
    if not all(0 <= v <= 255 for v in (red, green, blue)):
        raise ValueError(f"a colour is three numbers in 0..255, not {values}")
    return red, green, blue


def _whole_numbers(values: Any) -> tuple[int, ...]:  # noqa: ANN401  (comes from TOML or JSON)
    numbers = tuple(values)
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise ValueError(f"whole numbers are needed, not {values!r}")
    return tuple(int(n) for n in numbers)


def _number(value: Any) -> float:  # noqa: ANN401  (comes from TOML or JSON)
    if not is_number(value):
        raise ValueError(f"a number is needed, not {value!r}")
    return float(value)


def _flag(value: Any) -> bool:  # noqa: ANN401  (comes from TOML or JSON)
    if not isinstance(value, bool):
        raise ValueError(f"true or false is needed, not {value!r}")
    return value


def _refuse_unknown(data: Mapping[str, Any], known: Collection[str], table: str) -> None:
    for name in data:
        if name not in known:
            raise ConfigurationError(f"{table} has no key {name!r}. {nearest_name(name, known)}")
