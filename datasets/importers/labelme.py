"""labelme's JSON: one file per picture, shapes drawn in their order as labelme itself draws them."""

import base64
import binascii
import posixpath
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import DatasetNotFoundError, MissingInputError, SegprepError, UnreadableFileError
from segprep.datasets.imageio import decode_image
from segprep.datasets.importers._common.class_list import class_list, named_classes
from segprep.datasets.importers._common.miniature import CLASSES, boxes, write_json, write_picture
from segprep.datasets.importers._common.painting import Region, paint_regions
from segprep.datasets.importers._common.shapes import Bitmap, PilShape, Shape
from segprep.datasets.importers._common.source import FoundFile, ImportSource
from segprep.datasets.importers._common.splits import split_of_folder
from segprep.datasets.importers._common.trees import FileTree
from segprep.datasets.importers._common.values import entry, point_list, whole
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, ImporterSpec, Painted
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import JsonDict

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title="labelme",
    layout="""\
SOURCE/**/<name>.json        shapes, imagePath, imageWidth, imageHeight; imageData where there is no picture
SOURCE/**/labels.txt         optional, a class per row: __ignore__, _background_, then the others; else all labels
                             in the order of the alphabet, after _background_
SOURCE/**/<imagePath>        the pictures, or below --pictures""",
)

_IGNORE: Final = "__ignore__"
_BACKGROUND: Final = "_background_"


class _Embedded:
    """The pictures that stand inside annotation files: a file's name is that of its annotation.

    Args:
        source: Holds the annotation files.
    """

    def __init__(self, source: ImportSource) -> None:
        self._source = source

    def names(self) -> tuple[str, ...]:
        """Return nothing: nobody looks for pictures here."""
        return ()

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return self._source.tree.has(posixpath.splitext(name)[0])

    def read(self, name: str) -> bytes:
        """Return a picture's bytes."""
        text = entry(self._source.json(posixpath.splitext(name)[0]), "imageData", str)
        return _decoded(text, "imageData")

    def place(self, name: str) -> Path:
        """Return where the annotation is."""
        return self._source.tree.place(posixpath.splitext(name)[0])

    def path(self, name: str) -> Path | None:
        """Return None: it is inside another file."""
        return None

    def close(self) -> None:
        """Do nothing: no file stays open."""


def read(source: ImportSource) -> Annotations:
    """Read all files of JSON that hold shapes."""
    documents: dict[str, JsonDict] = {}
    embedded: FileTree = _Embedded(source)
    pictures: dict[str, FoundFile] = {}
    for name in source.annotation_files(".json"):
        try:
            document = source.json(name)
            if not isinstance(document, dict) or "shapes" not in document:
                continue
            pictures[name] = _picture(source, name, document, embedded)
            document["imageData"] = None  # 100,000 pictures do not fit into memory
            _labels(document)
            documents[name] = document
        except (SegprepError, ValueError) as error:
            source.problem(name, error)
    if not documents:
        if source.problems:
            raise UnreadableFileError(f"{source.problems[0].file}: {source.problems[0].reason}")
        raise DatasetNotFoundError(f"{source.path} holds no JSON of labelme's; expected is:\n{SPEC.layout}")
    class_map, ids = _classes(source, [label for document in documents.values() for label in _labels(document)])
    found = []
    for name, document in documents.items():
        has_size = {"imageWidth", "imageHeight"} <= {key for key, value in document.items() if value is not None}
        try:
            size = (whole(document["imageWidth"]), whole(document["imageHeight"])) if has_size else None
        except ValueError as error:
            source.problem(name, error)
            continue
        paint = partial(_painted, document, class_map, ids)
        found.append(AnnotatedPicture(pictures[name], paint, split_of_folder(name), size))
    return Annotations(class_map, found, instances=True)


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures with a polygon and a rectangle each."""
    for index in range(frames):
        name, scene = write_picture(root, index)
        car, person = boxes(index)
        corners = person.corners
        shapes = [
            {"label": CLASSES[0], "points": car.corners, "shape_type": "polygon", "group_id": None},
            {"label": CLASSES[1], "points": [corners[0], corners[2]], "shape_type": "rectangle", "group_id": None},
        ]
        size = {"imageWidth": scene.width, "imageHeight": scene.height}
        document = {"version": "5.0", "shapes": shapes, "imagePath": name, "imageData": None, **size}
        write_json((root / name).with_suffix(".json"), document)


def _picture(source: ImportSource, name: str, document: JsonDict, embedded: FileTree) -> FoundFile:
    try:
        return source.picture(entry(document, "imagePath", str), name)
    except MissingInputError:
        if not isinstance(document.get("imageData"), str):
            raise
        start = _decoded(document["imageData"][:64], "imageData")
        return FoundFile(embedded, f"{name}{'.jpg' if start.startswith(bytes([255, 216])) else '.png'}")


def _labels(document: JsonDict) -> list[str]:
    return [entry(shape, "label", str) for shape in entry(document, "shapes", list)]


def _classes(source: ImportSource, labels: list[str]) -> tuple[ClassMap, dict[str, int]]:
    lists = [name for name in source.tree.names() if posixpath.basename(name) == "labels.txt"]
    if not lists:
        class_map, ids = named_classes(sorted(set(labels) - {_IGNORE}), background=_BACKGROUND)
        return class_map, ids | {_IGNORE: class_map.void_raw_id}
    if len(lists) > 1 and len({source.text(name) for name in lists}) > 1:
        raise UnreadableFileError(f"{lists[0]} and {lists[1]} name different classes: import one folder at a time")
    rows = [row.strip() for row in source.text(lists[0]).splitlines() if row.strip()]
    names = [row for row in dict.fromkeys(rows) if row != _IGNORE]
    if _BACKGROUND not in names:
        names.insert(0, _BACKGROUND)
    ids = {name: place + (place >= IGNORE_ID) for place, name in enumerate(names)}
    class_map = class_list({i: name for name, i in ids.items()})
    return class_map, ids | {_IGNORE: class_map.void_raw_id}


def _painted(document: JsonDict, class_map: ClassMap, ids: dict[str, int], width: int, height: int) -> Painted:
    regions = []
    for place, shape in enumerate(document["shapes"]):
        label, group = entry(shape, "label", str), shape.get("group_id")
        if label not in ids:
            raise ValueError(f"shape {place + 1} has the label {label!r}, which labels.txt does not name")
        is_object = label not in (_IGNORE, _BACKGROUND)
        instance = place if group is None else (label, str(group))
        regions.append(Region(ids[label], _shape(shape), instance if is_object else None))
    return paint_regions(regions, class_map, ids.get(_BACKGROUND, 0), width, height)


def _shape(shape: Any) -> Shape:  # noqa: ANN401  (whatever a file holds)
    kind = shape.get("shape_type") or "polygon"
    points = point_list(shape.get("points"))
    if kind != "mask":
        return PilShape(kind, points)
    if not points:
        raise ValueError("a mask needs the point of its corner")
    values = decode_image(_decoded(entry(shape, "mask", str), "mask"), Path("mask"))
    return Bitmap(np.atleast_3d(values).max(axis=2) > 0, int(points[0][0]), int(points[0][1]))


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableFileError(f"{what} is no base64: {error}") from error
