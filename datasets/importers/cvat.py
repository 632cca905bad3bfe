"""CVAT: "Segmentation mask 1.1", and the XML of "CVAT for images 1.1"."""

from pathlib import Path

import numpy as np

from segprep.datasets.classes import ClassMap, Color
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import write_image
from segprep.datasets.importers._common.class_list import class_list, voc_color, void_id
from segprep.datasets.importers._common.cvat_xml import read_cvat_xml
from segprep.datasets.importers._common.miniature import CLASSES, painted_boxes, write_picture
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.values import whole
from segprep.datasets.importers._common.voc_layout import BORDER, LAYOUT, read_voc, sibling_of_masks
from segprep.datasets.importers._member import Annotations, ImporterSpec

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title='CVAT: "Segmentation mask 1.1" and "CVAT for images 1.1"',
    layout=f"""\
{LAYOUT}
SOURCE/**/labelmap.txt                      the classes of the masks: name:r,g,b::
SOURCE/**/annotations.xml                   or, in place of masks: polygons, boxes and masks of "CVAT for images\"""",
)


def read(source: ImportSource) -> Annotations:
    """Read the masks with labelmap.txt or, where there are none, all files of XML."""
    listed = sibling_of_masks(source, lambda name: name == "labelmap.txt")
    documents = source.annotation_files(".xml")
    if listed is None and documents:
        return read_cvat_xml(source, documents)
    if listed is None:
        raise DatasetNotFoundError(f"{source.path} has neither labelmap.txt nor XML; expected is:\n{SPEC.layout}")
    class_map, raw_ids = _label_map(source, listed)
    return read_voc(source, class_map, raw_ids, by_color=True, layout=SPEC.layout)


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures and masks of colours."""
    colors = [(0, 0, 0), (250, 50, 83), (50, 183, 250)]
    for index in range(frames):
        name, _ = write_picture(root / "JPEGImages", index)
        for folder in ("SegmentationClass", "SegmentationObject"):
            write_image(root / folder / name, np.array(colors, np.uint8)[painted_boxes(index)])
    rows = [f"{n}:{','.join(map(str, c))}::" for n, c in zip(("background", *CLASSES), colors, strict=True)]
    (root / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *rows]))


def _label_map(source: ImportSource, listed: str) -> tuple[ClassMap, dict[Color, int]]:
    place = source.tree.place(listed)
    names: dict[int, str] = {}
    colors: dict[int, Color] = {}
    rows = [row for row in source.text(listed).splitlines() if row.strip() and not row.startswith("#")]
    for number, row in enumerate(rows):
        name, separator, rest = row.rpartition(":")[0].rpartition(":")[0].rpartition(":")
        try:
            channels = [whole(each) for each in rest.split(",")] if rest else [*voc_color(number)]
            if not separator or len(channels) != 3 or not all(0 <= c <= 255 for c in channels):
                raise ValueError("a row is name:r,g,b:parts:actions")
        except ValueError as error:
            raise UnreadableFileError(f"{place}: row {row!r:.80} is no class: {error}") from error
        color = (channels[0], channels[1], channels[2])
        if color in colors.values():
            raise UnreadableFileError(f"{place}: two classes have the colour {rest}: give them others and export again")
        names[number], colors[number] = name, color
    class_map = class_list(names, colors)
    raw_ids = {color: number for number, color in colors.items()}
    return class_map, {BORDER: void_id(names)} | raw_ids
