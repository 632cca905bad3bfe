"""Pascal VOC: masks with a palette, as VOC itself and labelme2voc write them."""

from pathlib import Path
from typing import Final

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import write_image
from segprep.datasets.importers._common.class_list import class_list, voc_color
from segprep.datasets.importers._common.miniature import CLASSES, painted_boxes, write_picture
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.voc_layout import BORDER, LAYOUT, read_voc, sibling_of_masks
from segprep.datasets.importers._member import Annotations, ImporterSpec
from segprep.datasets.kinds import IGNORE_ID

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title="Pascal VOC's masks",
    layout=f"""\
{LAYOUT}
SOURCE/**/class_names.txt                   optional, or labels.txt: a class per row, from 0; else VOC's own 21""",
)

_OWN: Final = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def read(source: ImportSource) -> Annotations:
    """Read the masks: 255 and the colour of borders do not count."""
    listed = sibling_of_masks(source, lambda name: name in ("class_names.txt", "labels.txt"))
    names: list[str] = list(_OWN)
    if listed is None:
        source.note("there is no class_names.txt: the classes are Pascal VOC's own 21")
    else:
        rows = [row.strip() for row in source.text(listed).splitlines()]
        names = [row for row in rows if row not in ("", "__ignore__")]
        if len(names) >= IGNORE_ID:
            raise UnreadableFileError(f"{source.tree.place(listed)} names {len(names)} classes: at most 254 are read")
    ids = dict(enumerate(names))
    colors = {i: voc_color(i) for i in ids}
    class_map = class_list(ids, colors, ignored=(IGNORE_ID,))
    raw_ids = {color: i for i, color in colors.items()} | {BORDER: IGNORE_ID}
    return read_voc(source, class_map, raw_ids, by_color=False, layout=SPEC.layout)


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures and masks, half of them to validate on."""
    stems = []
    for index in range(frames):
        name, _ = write_picture(root / "JPEGImages", index)
        write_image(root / "SegmentationClass" / name, painted_boxes(index))
        write_image(root / "SegmentationObject" / name, painted_boxes(index))
        stems.append(Path(name).stem)
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(stems[: frames // 2]))
    (lists / "val.txt").write_text("\n".join(stems[frames // 2 :]))
    (root / "class_names.txt").write_text("\n".join(("_background_", *CLASSES)))
