"""YOLO: polygons in text files, and the semantic form with a mask for each picture."""

import posixpath
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # it comes with Dask, its types do not

from segprep.datasets.classes import ClassMap, SemanticClass, distinct_colors
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.importers._common.class_list import BACKGROUND, class_list
from segprep.datasets.importers._common.miniature import CLASSES, boxes, write_picture
from segprep.datasets.importers._common.painting import Region, paint_regions, paint_values
from segprep.datasets.importers._common.shapes import CvPolygon
from segprep.datasets.importers._common.source import PICTURE_SUFFIXES, ImportSource
from segprep.datasets.importers._common.splits import split_of_folder
from segprep.datasets.importers._common.values import number, whole
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, ImporterSpec, Painted
from segprep.datasets.kinds import IGNORE_ID

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title="YOLO: segmentation and semantic segmentation",
    layout="""\
SOURCE/**/data.yaml                  names; for masks: masks_dir and, optional, label_mapping (number to class)
SOURCE/**/images/<split>/<name>.jpg  the pictures, or <split>/images/<name>.jpg; also below --pictures
SOURCE/**/labels/<split>/<name>.txt  rows "class x1 y1 x2 y2 ...", 0..1; no file: nothing is in the picture
SOURCE/**/<masks_dir>/<split>/<name>.png   in place of labels: 8 bits, numbers of classes, 255 does not count""",
)

_SUFFIXES: Final = (".yaml", ".yml")


def read(source: ImportSource) -> Annotations:
    """Read masks where data.yaml names their folder, else polygons."""
    name, document = _document(source)
    names = _names(document, source.tree.place(name))
    masks_dir = document.get("masks_dir")
    if masks_dir is not None and (not isinstance(masks_dir, str) or not masks_dir.strip("/")):
        raise UnreadableFileError(f"{source.tree.place(name)}: masks_dir must be the name of a folder")
    if isinstance(masks_dir, str):
        return _read_masks(source, names, document.get("label_mapping"), masks_dir.strip("/"))
    background = max(names) + 1
    class_map = class_list({**names, background: BACKGROUND})
    source.note(f"pixels in no polygon are the class {BACKGROUND}; move its id {background} to ignored_raw_ids if not")
    pictures = []
    texts = {n for n in source.tree.names() if n.endswith(".txt")}
    by_end = {_end(n, "labels"): n for n in texts if _end(n, "labels")}
    for file in source.pictures():
        end = _end(file.name, "images")
        if end:
            paint = partial(_painted, source, by_end.get(end), class_map, frozenset(names), background)
            pictures.append(AnnotatedPicture(file, paint, split_of_folder(file.name)))
    known = {_end(picture.picture.name, "images") for picture in pictures}
    for end, text in by_end.items():
        if end not in known:
            source.problem(text, "there is no picture of this name below images: name their folder with --pictures DIR")
    if not any(end in known for end in by_end) and not source.problems:
        raise DatasetNotFoundError(f"{source.path} has no folder labels; expected is:\n{SPEC.layout}")
    return Annotations(class_map, pictures, instances=True)


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures and polygons."""
    for index in range(frames):
        name, scene = write_picture(root / "images/train", index)
        rows = []
        for box in boxes(index):
            points = [f"{(x + 0.5) / scene.width:.6f} {(y + 0.5) / scene.height:.6f}" for x, y in box.corners]
            rows.append(" ".join([str(box.place), *points]))
        text = root / "labels/train" / f"{Path(name).stem}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("\n".join(rows))
    lines = ["path: .", "train: images/train", "val: images/train", "names:"]
    (root / "data.yaml").write_text("\n".join([*lines, *(f"  {i}: {name}" for i, name in enumerate(CLASSES))]))


def _document(source: ImportSource) -> tuple[str, dict[str, Any]]:
    names = sorted(source.annotation_files(*_SUFFIXES), key=lambda name: (name.count("/"), name))
    for name in names:
        text = source.text(name)
        try:
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
                raise UnreadableFileError(f"{source.tree.place(name)} refers to its own parts: write them out")
            document = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise UnreadableFileError(f"{source.tree.place(name)} is no readable YAML: {error}") from error
        if isinstance(document, dict) and "names" in document:
            return name, document
    raise DatasetNotFoundError(f"{source.path} holds no YAML file with names; expected is:\n{SPEC.layout}")


def _names(document: dict[str, Any], place: Path) -> dict[int, str]:
    names = document["names"]
    pairs = (
        list(enumerate(names)) if isinstance(names, list) else list(names.items()) if isinstance(names, dict) else []
    )
    try:
        found = {whole(identity): str(name) for identity, name in pairs}
    except ValueError as error:
        raise UnreadableFileError(f"{place}: names must be a list, or numbers and names: {error}") from error
    if not found or min(found) < 0:
        raise UnreadableFileError(f"{place}: names must be a list, or numbers from 0 and names, not {names!r:.60}")
    return dict(sorted(found.items()))


def _end(name: str, folder: str) -> str:
    """Return a path without suffix and without its last folder of this name; "" if it has none.

    `images/train/a.jpg` and `labels/train/a.txt` have one end, and so have `train/images/a.jpg` and
    `train/labels/a.txt`.
    """
    parts = posixpath.splitext(name)[0].split("/")
    if folder not in parts[:-1]:
        return ""
    place = len(parts) - 2 - parts[-2::-1].index(folder)
    return "/".join((*parts[:place], "", *parts[place + 1 :]))


def _painted(
    source: ImportSource,
    text: str | None,
    class_map: ClassMap,
    known: frozenset[int],
    background: int,
    width: int,
    height: int,
) -> Painted:
    regions = []
    rows = [] if text is None else source.text(text).splitlines()
    for place, row in enumerate(rows):
        values = row.split()
        if not values:
            continue
        try:
            identity, points = whole(values[0]), [number(value) for value in values[1:]]
            if identity not in known:
                raise ValueError(f"the class {identity} is not among the names")
            if len(points) == 4:
                raise ValueError("it is a box, which does not say which pixels it means")
            if len(points) < 6 or len(points) % 2:
                raise ValueError(f"a polygon needs x and y of at least three points, not {len(points)} numbers")
            if not all(-1 <= value <= 2 for value in points):
                raise ValueError("coordinates must lie in 0..1")
        except ValueError as error:
            raise ValueError(f"{text}, row {place + 1}: {error}") from error
        corners = [(int(x * width), int(y * height)) for x, y in zip(points[::2], points[1::2], strict=True)]
        regions.append(Region(identity, CvPolygon(corners), place))
    return paint_regions(regions, class_map, background, width, height, larger_first=True)


def _read_masks(source: ImportSource, names: dict[int, str], mapping: object, folder: str) -> Annotations:
    class_map = _mask_classes(names, mapping)
    leaf = posixpath.basename(folder)
    masks = [n for n in source.tree.names() if _end(n, leaf) and n.lower().endswith(PICTURE_SUFFIXES)]
    if not masks:
        raise DatasetNotFoundError(f"{source.path} has no masks in a folder {folder}; expected is:\n{SPEC.layout}")
    source.are_masks(masks)
    by_end = {_end(name, leaf): name for name in masks}
    pictures = []
    for file in source.pictures():
        end = _end(file.name, "images")
        if end and end in by_end:
            paint = partial(_painted_mask, source, by_end.pop(end), class_map)
            pictures.append(AnnotatedPicture(file, paint, split_of_folder(file.name)))
        elif end:
            source.not_annotated(file.name)
    for name in by_end.values():
        source.problem(name, "there is no picture of this name below images: name their folder with --pictures DIR")
    return Annotations(class_map, pictures)


def _mask_classes(names: dict[int, str], mapping: object) -> ClassMap:
    if mapping is None:
        return class_list(names, ignored=(IGNORE_ID,))
    if not isinstance(mapping, dict):
        raise UnreadableFileError("label_mapping must be numbers in masks and numbers of classes")
    raw_ids: defaultdict[int, list[int]] = defaultdict(list)
    for raw, identity in mapping.items():
        raw_ids[whole(identity)].append(whole(raw))
    ignored = sorted({IGNORE_ID, *(raw for identity, raws in raw_ids.items() if identity not in names for raw in raws)})
    colors = distinct_colors(len(names))
    classes = [
        SemanticClass(name, color, tuple(raw_ids[identity]))
        for (identity, name), color in zip(names.items(), colors, strict=True)
    ]
    return ClassMap(tuple(c for c in classes if c.raw_ids), tuple(i for i in ignored if i >= 0))


def _painted_mask(source: ImportSource, name: str, class_map: ClassMap, width: int, height: int) -> Painted:
    return Painted(paint_values(source.image(name), class_map, "data.yaml"))
