"""Class maps in files: TOML of one's own, and PARIS's JSON description of a dataset, in and out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.documents import parse_json, parse_toml, read_text
from segprep.datasets.errors import ConfigurationError, UnreadableFileError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import JsonDict

__all__ = [
    "CLASS_FILE",
    "paris_description",
    "read_class_map",
    "train_id_map",
    "void_first_map",
    "write_paris_description",
]

CLASS_FILE = "classes.toml"
"""Name of a class map that lies with a dataset of one's own."""

_VOID = -1
_OWN_VOID = {"cityscapes": 0, "bdd": 255, "mapillary": 65}  # what PARIS's resizers write for void


def read_class_map(path: Path) -> ClassMap:
    """Read a class map.

    Args:
        path: A .toml with the content of `prep.toml`'s table `[class_map]`, under that name or alone; or a .json as
            PARIS describes datasets: class_names, rgb_colors, original_to_train_mapping (raw id to train id by place,
            void_label, -1, for void). There the raw ids of a class ascend, and of the void ones the one that the
            dataset itself uses comes first (Cityscapes 0, BDD 255, Mapillary 65), else the lowest.

    Raises:
        ConfigurationError: If the file does not exist or does not hold that; names it.
        UnreadableFileError: If it cannot be read.
    """
    readers = {".toml": _from_toml, ".json": _from_description}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError(f"{path} is no class map: they are .toml, or .json as PARIS describes datasets")
    try:
        return reader(read_text(path))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} does not exist: name a class map in .toml or .json") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # ours, and those of both parsers
        raise ConfigurationError(f"{path}: {error}") from error


def paris_description(class_map: ClassMap, name: str) -> JsonDict:
    """Describe a class map as PARIS does.

    Raw ids below the largest that the map does not know count as void: the description cannot tell the two apart.

    Args:
        class_map: The classes.
        name: For `dataset_name`.

    Returns:
        dataset_name, class_names, rgb_colors, original_to_train_mapping and void_label.
    """
    mapping = [_VOID] * (class_map.largest_raw_id + 1)
    for train_id, semantic in enumerate(class_map.classes):
        for raw_id in semantic.raw_ids:
            mapping[raw_id] = train_id
    return {
        "dataset_name": name,
        "class_names": list(class_map.names),
        "rgb_colors": [list(c.color) for c in class_map.classes],
        "original_to_train_mapping": mapping,
        "void_label": _VOID,
    }


def write_paris_description(path: Path, class_map: ClassMap, name: str) -> None:
    """Write what `paris_description` returns, one entry per line.

    Raises:
        WriteFailedError: If it cannot be written.
    """
    entries = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in paris_description(class_map, name).items()]
    atomic_write_bytes(path, ("{\n" + ",\n".join(entries) + "\n}\n").encode())


def train_id_map(class_map: ClassMap) -> ClassMap:
    """Return the map of labels that hold train ids already: 0..C-1 are the classes, all others up to 255 are void."""
    classes = [SemanticClass(c.name, c.color, (train_id,)) for train_id, c in enumerate(class_map.classes)]
    return ClassMap(tuple(classes), (IGNORE_ID, *range(len(classes), IGNORE_ID)))


def void_first_map(class_map: ClassMap) -> ClassMap:
    """Return the map of labels in which 0 is void and the classes follow from 1, all others up to 255 being void."""
    classes = [SemanticClass(c.name, c.color, (number,)) for number, c in enumerate(class_map.classes, 1)]
    return ClassMap(tuple(classes), (0, *range(len(classes) + 1, IGNORE_ID + 1)))


def _from_toml(text: str) -> ClassMap:
    data = parse_toml(text)
    table = data.get("class_map", data)
    if not isinstance(table, dict):
        raise ConfigurationError(f"class_map must be a table, not {table!r}")
    return ClassMap.from_json(table)


def _from_description(text: str) -> ClassMap:
    data = parse_json(text)
    if not isinstance(data, dict):
        raise ConfigurationError("it holds no JSON object")
    names = _list(data, "class_names", str)
    colors = _list(data, "rgb_colors", list)
    mapping = _list(data, "original_to_train_mapping", int)
    void = data.get("void_label", _VOID)
    if len(names) != len(colors):
        raise ConfigurationError(f"there are {len(names)} class_names and {len(colors)} rgb_colors")
    if not isinstance(void, int) or 0 <= void < len(names):
        raise ConfigurationError(f"void_label must be a number that is no class, such as -1, not {void!r}")
    strangers = {raw: train for raw, train in enumerate(mapping) if train != void and not 0 <= train < len(names)}
    if strangers:
        raise ConfigurationError(
            f"original_to_train_mapping has raw ids {list(strangers)} that are neither one of the {len(names)} classes "
            f"nor void ({void})"
        )
    raw_ids: list[list[int]] = [[] for _ in names]
    ignored: list[int] = []
    for raw, train in enumerate(mapping):
        (ignored if train == void else raw_ids[train]).append(raw)
    own = next((v for n, v in _OWN_VOID.items() if str(data.get("dataset_name", "")).lower().startswith(n)), None)
    classes = [
        {"name": name, "color": color, "raw_ids": ids} for name, color, ids in zip(names, colors, raw_ids, strict=True)
    ]
    # Checked like a class map of one's own; a stable sort puts the dataset's own void id first.
    return ClassMap.from_json({"classes": classes, "ignored_raw_ids": sorted(ignored, key=lambda i: i != own)})


def _list(data: Mapping[str, Any], name: str, kind: type) -> Sequence[Any]:
    values = data.get(name)
    if not isinstance(values, list) or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
        what = {str: "texts", list: "[r, g, b]", int: "whole numbers"}[kind]
        raise ConfigurationError(f"{name} must be a list of {what}")
    return values
