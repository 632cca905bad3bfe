"""Roboflow: "Semantic Segmentation Masks", and its COCO export."""

import posixpath
from functools import partial
from pathlib import Path
from typing import Final

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import write_image
from segprep.datasets.importers import coco
from segprep.datasets.importers._common.class_list import class_list
from segprep.datasets.importers._common.miniature import CLASSES, painted_boxes, write_picture
from segprep.datasets.importers._common.painting import paint_values
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.splits import split_of_folder
from segprep.datasets.importers._common.values import whole
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, ImporterSpec, Painted

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title='Roboflow: "Semantic Segmentation Masks" and "COCO Segmentation"',
    layout="""\
SOURCE/{train,valid,test}/<name>.jpg         the pictures
SOURCE/{train,valid,test}/<name>_mask.png    8 bits, a pixel is the number of its class
SOURCE/{train,valid,test}/_classes.csv       the classes: "Pixel Value, Class" and a row for each
SOURCE/{train,valid,test}/_annotations.coco.json   or, in place of masks, COCO's form""",
)

_MASK: Final = "_mask.png"
_CLASSES: Final = "_classes.csv"


def read(source: ImportSource) -> Annotations:
    """Read all masks; where there are none, COCO's JSON."""
    lists = [name for name in source.tree.names() if posixpath.basename(name) == _CLASSES]
    if not lists:
        if any(name.endswith("_annotations.coco.json") for name in source.annotation_files(".json")):
            return coco.read(source)
        raise DatasetNotFoundError(f"{source.path} holds no {_CLASSES}; expected is:\n{SPEC.layout}")
    class_map = _classes(source, lists[0])
    for other in lists[1:]:
        if _classes(source, other) != class_map:
            raise UnreadableFileError(f"{lists[0]} and {other} name different classes: import one folder at a time")
    masks = [name for name in source.tree.names() if name.endswith(_MASK)]
    source.are_masks(masks)
    pictures = []
    for name in masks:
        found = source.find_picture(name.removesuffix(_MASK))
        if found is not None:
            pictures.append(AnnotatedPicture(found, partial(_painted, source, name, class_map), split_of_folder(name)))
    known = set(masks)
    for file in source.pictures():
        if posixpath.splitext(file.name)[0] + _MASK not in known:
            source.not_annotated(file.name)
    return Annotations(class_map, pictures)


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures and masks, half of them to validate on."""
    for index in range(frames):
        folder = root / ("train" if index < frames // 2 else "valid")
        name, _ = write_picture(folder, index)
        write_image(folder / f"{Path(name).stem}{_MASK}", painted_boxes(index))
        rows = [f"{i}, {each}" for i, each in enumerate(("background", *CLASSES))]
        (folder / _CLASSES).write_text("\n".join(["Pixel Value, Class", *rows]))


def _classes(source: ImportSource, name: str) -> ClassMap:
    names: dict[int, str] = {}
    for row in source.text(name).splitlines()[1:]:
        value, separator, title = row.partition(",")
        if not row.strip():
            continue
        try:
            identity = whole(value.strip())
            if not separator or not title.strip() or identity in names:
                raise ValueError("a number of its own and a name are needed")
        except ValueError as error:
            raise UnreadableFileError(f"{source.tree.place(name)}: row {row!r:.80} is no class: {error}") from error
        names[identity] = title.strip()
    return class_list(names)


def _painted(source: ImportSource, name: str, class_map: ClassMap, width: int, height: int) -> Painted:
    return Painted(paint_values(source.image(name), class_map, _CLASSES))
