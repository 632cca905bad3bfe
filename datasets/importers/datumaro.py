"""Datumaro's "common semantic segmentation": masks of colours with a file that says what they mean."""

import posixpath
from functools import partial
from pathlib import Path

import numpy as np

from segprep.datasets.classes import ClassMap, Color
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import write_image
from segprep.datasets.importers._common.class_list import class_list
from segprep.datasets.importers._common.miniature import CLASSES, painted_boxes, write_json, write_picture
from segprep.datasets.importers._common.painting import paint_colors, paint_values
from segprep.datasets.importers._common.source import PICTURE_SUFFIXES, ImportSource
from segprep.datasets.importers._common.splits import split_of_folder
from segprep.datasets.importers._common.values import entry, whole
from segprep.datasets.importers._common.voc_layout import sibling_of_masks
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, ImporterSpec, Painted

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title='Datumaro: "common semantic segmentation"',
    layout="""\
SOURCE/**/dataset_meta.json      label_map: number to name; segmentation_colors: [r, g, b] for each
SOURCE/**/masks/<name>.png       colours, or numbers of classes
SOURCE/**/images/<name>.png|jpg  the pictures, or below --pictures""",
)


def read(source: ImportSource) -> Annotations:
    """Read all masks below folders called masks."""
    meta = sibling_of_masks(source, lambda name: name == "dataset_meta.json")
    masks = [n for n in source.tree.names() if "masks" in n.split("/")[:-1] and n.lower().endswith(PICTURE_SUFFIXES)]
    if meta is None or not masks:
        raise DatasetNotFoundError(f"{source.path} has no dataset_meta.json or no masks; expected is:\n{SPEC.layout}")
    class_map, raw_ids = _classes(source, meta)
    source.are_masks(masks)
    pictures, annotated = [], set()
    for name in masks:
        root, _, below = name.rpartition("masks/")
        stem = f"{root}images/{posixpath.splitext(below)[0]}"
        annotated.add(stem)
        found = source.find_picture(stem)
        if found is not None:
            paint = partial(_painted, source, name, class_map, raw_ids)
            pictures.append(AnnotatedPicture(found, paint, split_of_folder(name)))
    for file in source.pictures():
        if "images/" in file.name and posixpath.splitext(file.name)[0] not in annotated:
            source.not_annotated(file.name)
    return Annotations(class_map, pictures)


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures and masks of colours."""
    colors = [[0, 0, 0], [200, 30, 30], [30, 30, 200]]
    for index in range(frames):
        name, _ = write_picture(root / "images", index)
        write_image(root / "masks" / name, np.array(colors, np.uint8)[painted_boxes(index)])
    names = {str(i): name for i, name in enumerate(("background", *CLASSES))}
    write_json(root / "dataset_meta.json", {"label_map": names, "segmentation_colors": colors})


def _classes(source: ImportSource, meta: str) -> tuple[ClassMap, dict[Color, int]]:
    document = source.json(meta)
    place = source.tree.place(meta)
    try:
        names = {whole(key): str(name) for key, name in entry(document, "label_map", dict).items()}
        rows = document.get("segmentation_colors") or []
        colors: dict[int, Color] = {}
        for identity, row in zip(names if rows else (), rows, strict=True):
            red, green, blue = (whole(channel) for channel in row)
            if not all(0 <= channel <= 255 for channel in (red, green, blue)):
                raise ValueError(f"a colour is three numbers in 0..255, not {row}")
            colors[identity] = (red, green, blue)
        if len(set(colors.values())) < len(colors):
            raise ValueError("two classes have one colour")
    except (ValueError, TypeError) as error:
        raise UnreadableFileError(f"{place} does not tell the classes: {error}") from error
    return class_list(names, colors), {color: identity for identity, color in colors.items()}


def _painted(
    source: ImportSource, name: str, class_map: ClassMap, raw_ids: dict[Color, int], width: int, height: int
) -> Painted:
    mask = source.image(name, palette_colors=True)
    if mask.ndim == 2:
        return Painted(paint_values(mask, class_map, "dataset_meta.json"))
    return Painted(paint_colors(mask, raw_ids, class_map, "dataset_meta.json"))
