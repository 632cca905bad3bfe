"""Pascal VOC's folders, which several tools write: JPEGImages, SegmentationClass, SegmentationObject, ImageSets."""

import posixpath
from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from segprep.datasets.classes import ClassMap, Color
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.importers._common.painting import paint_colors, paint_values
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.splits import split_of
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, Painted
from segprep.datasets.packed_colors import pack_colors
from segprep.datasets.sample import Array

__all__ = ["BORDER", "LAYOUT", "read_voc", "sibling_of_masks"]

BORDER: Final[Color] = (224, 224, 192)
"""Colour of borders between objects, which do not count."""

LAYOUT: Final = """\
SOURCE/**/SegmentationClass/<name>.png      palette, colours or numbers of classes
SOURCE/**/SegmentationObject/<name>.png     optional: objects from 1, or a colour each
SOURCE/**/ImageSets/Segmentation/*.txt      optional: names of the splits train, val and test
SOURCE/**/JPEGImages/<name>.jpg|png         the pictures, or below --pictures"""

_CLASSES: Final = "SegmentationClass"
_OBJECTS: Final = "SegmentationObject"


def read_voc(
    source: ImportSource, class_map: ClassMap, raw_ids: dict[Color, int], *, by_color: bool, layout: str
) -> Annotations:
    """Read masks in Pascal VOC's folders.

    Args:
        source: The export.
        class_map: The classes.
        raw_ids: Of each colour.
        by_color: Whether a palette's colours count and not its indices.
        layout: What to show where there are none.

    Raises:
        DatasetNotFoundError: If there are none.
    """
    names = [name for name in source.tree.names() if name.lower().endswith(".png")]
    masks = [name for name in names if _CLASSES in name.split("/")[:-1]]
    objects = {name for name in names if _OBJECTS in name.split("/")[:-1]}
    if not masks:
        raise DatasetNotFoundError(f"{source.path} has no folder {_CLASSES} with masks; expected is:\n{layout}")
    source.are_masks([*masks, *objects])
    splits = _splits(source)
    pictures = []
    for name in masks:
        root, _, below = name.rpartition(f"{_CLASSES}/")
        stem = posixpath.splitext(below)[0]
        found = source.find_picture(f"{root}JPEGImages/{stem}")
        if found is not None:
            paint = partial(_painted, source, name, class_map, raw_ids, objects, by_color)
            pictures.append(AnnotatedPicture(found, paint, splits.get(stem, split_of(root))))
    annotated = {posixpath.splitext(name.rpartition(f"{_CLASSES}/")[2])[0] for name in masks}
    for file in source.pictures():
        _, folder, below = file.name.rpartition("JPEGImages/")
        if folder and posixpath.splitext(below)[0] not in annotated:
            source.not_annotated(file.name)
    return Annotations(class_map, pictures, instances=bool(objects))


def sibling_of_masks(source: ImportSource, accepts: Callable[[str], bool]) -> str | None:
    """Return the first file, the highest one first, whose own name is accepted; None if there is none."""
    found = [name for name in source.tree.names() if accepts(posixpath.basename(name))]
    return min(found, key=lambda name: (name.count("/"), name), default=None)


def _splits(source: ImportSource) -> dict[str, str]:
    found: dict[str, str] = {}
    lists = [n for n in source.tree.names() if n.endswith(".txt") and "ImageSets/Segmentation/" in n]
    for name in sorted(lists, key=lambda n: PurePosixPath(n).stem != "trainval"):  # train and val say more
        split = {"trainval": "train", "default": "train"}.get(PurePosixPath(name).stem) or split_of(
            PurePosixPath(name).name, PurePosixPath(name).stem
        )
        for row in source.text(name).splitlines():
            if row.strip():
                found[row.strip()] = split
    return found


def _painted(
    source: ImportSource,
    name: str,
    class_map: ClassMap,
    raw_ids: dict[Color, int],
    objects: set[str],
    by_color: bool,
    width: int,
    height: int,
) -> Painted:
    mask = source.image(name, palette_colors=by_color)
    label = paint_colors(mask, raw_ids, class_map, "the list of classes") if mask.ndim == 3 else None
    if label is None:
        label = paint_values(mask, class_map, "the list of classes")
    beside = name.replace(f"{_CLASSES}/", f"{_OBJECTS}/")
    return Painted(label, _objects(source.image(beside)) if beside in objects else None)


def _objects(mask: Array) -> Array:
    """Return numbers of objects from 1: colours get them in the order of red, green, blue."""
    if mask.ndim == 2:
        return np.where(mask == 255, 0, mask).astype(np.uint16)
    packed_HW = pack_colors(mask[..., :3])
    packed_HW[packed_HW == pack_colors(np.array(BORDER, np.uint8))] = 0
    values, places = np.unique(packed_HW, return_inverse=True)
    if len(values) > 65535:
        raise ValueError("there are more than 65535 objects in one picture")
    numbers = np.arange(len(values)) + (0 if values[0] == 0 else 1)
    return np.asarray(numbers.astype(np.uint16)[places.reshape(packed_HW.shape)])
