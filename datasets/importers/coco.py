"""COCO's JSON: instances and stuff as polygons or run lengths, and panoptic PNGs."""

import itertools
import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.classes import ClassMap, Color
from segprep.datasets.errors import DatasetNotFoundError, SegprepError, UnreadableFileError
from segprep.datasets.importers._common.class_list import BACKGROUND, class_list, void_id
from segprep.datasets.importers._common.miniature import boxes, write_json, write_picture
from segprep.datasets.importers._common.painting import Region, label_type, paint_regions
from segprep.datasets.importers._common.shapes import CocoPolygons, RunLengths, Shape, coco_counts
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.splits import split_of
from segprep.datasets.importers._common.values import entry, number, whole
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, ImporterSpec, Paint, Painted
from segprep.datasets.sample import JsonDict

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title="COCO: instances, stuff, panoptic",
    layout="""\
SOURCE/**/<any>.json                     or one such file; its name or folder says the split (train, val, test)
  images, categories, annotations        with segmentation: polygons, or run lengths (counts as list or text)
SOURCE/**/<json's stem>/<name>.png       panoptic: annotations with segments_info and file_name
SOURCE/**/<any>categories<any>.json      panoptic: a list of categories, where the file has none
SOURCE/**/<file_name>                    the pictures, or below --pictures""",
)

_OTHER: Final = (183, "other")  # stands for all things in COCO's files of stuff
_MOST_ID: Final = 65534


@dataclass(frozen=True, slots=True)
class _Category:
    name: str
    color: Color | None
    is_thing: bool | None


@dataclass(frozen=True, slots=True)
class _Ids:
    """Category id to raw id; the pixels of no annotation; whether objects are told apart, for each category."""

    raw: Mapping[int, int]
    background: int
    things: Mapping[int, bool]


def read(source: ImportSource) -> Annotations:
    """Read all files of JSON that hold annotations with a segmentation."""
    documents = _documents(source)
    panoptic = [name for name, document in documents.items() if _is_panoptic(document)]
    if panoptic and len(panoptic) < len(documents):
        raise UnreadableFileError(f"{source.path} holds panoptic files and others: import {panoptic[0]} by itself")
    categories = _categories(source, documents)
    class_map, ids = _classes(source, categories, panoptic=bool(panoptic))
    if panoptic:
        source.are_masks(n for n in source.tree.names() if n.lower().endswith(".png") and _in_folder_of(n, panoptic))
    pictures: list[AnnotatedPicture] = []
    for name, document in documents.items():
        make = _panoptic_pictures if panoptic else _region_pictures
        pictures += make(source, name, document, class_map, ids)
    return Annotations(class_map, pictures, instances=any(ids.things.values()))


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures with boxes as polygons and, in turn, run lengths."""
    images, annotations = [], []
    for index in range(frames):
        name, scene = write_picture(root / "images", index)
        images.append({"id": index, "file_name": name, "width": scene.width, "height": scene.height})
        for number_, box in enumerate(boxes(index)):
            corners = [box.left, box.top, box.right, box.top, box.right, box.bottom, box.left, box.bottom]
            counts = [box.left * scene.height + box.top]
            for _ in range(box.left, box.right):
                counts += [box.bottom - box.top, scene.height - (box.bottom - box.top)]
            counts[-1] = scene.width * scene.height - sum(counts[:-1])
            runs = {"size": [scene.height, scene.width], "counts": counts}
            annotations.append(
                {
                    "id": 10 * index + number_,
                    "image_id": index,
                    "category_id": 3 * box.place + 1,
                    "segmentation": runs if number_ % 2 else [corners],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 1, "name": "car"}, {"id": 4, "name": "person"}]
    write_json(
        root / "annotations/instances_train.json",
        {"images": images, "annotations": annotations, "categories": categories},
    )


def _documents(source: ImportSource) -> dict[str, JsonDict]:
    found: dict[str, JsonDict] = {}
    broken: list[SegprepError] = []
    for name in source.annotation_files(".json"):
        try:
            document = source.json(name)
        except SegprepError as error:
            source.problem(name, error)
            broken.append(error)
            continue
        rows = document.get("annotations") if isinstance(document, dict) else None
        if isinstance(rows, list) and (
            "categories" in document or any(isinstance(r, dict) and "segments_info" in r for r in rows[:1])
        ):
            found[name] = document
    if not found:
        if broken:
            raise broken[0]
        raise DatasetNotFoundError(f"{source.path} holds no JSON of COCO's form; expected is:\n{SPEC.layout}")
    return found


def _is_panoptic(document: JsonDict) -> bool:
    return any(isinstance(row, dict) and "segments_info" in row for row in document["annotations"])


def _in_folder_of(name: str, documents: Sequence[str]) -> bool:
    return any(posixpath.dirname(name) == posixpath.splitext(document)[0] for document in documents)


def _categories(source: ImportSource, documents: Mapping[str, JsonDict]) -> dict[int, _Category]:
    rows: list[Any] = []
    for name, document in documents.items():
        own = document.get("categories")
        if not isinstance(own, list):
            lists = [n for n in source.tree.names() if n.endswith(".json") and "categories" in posixpath.basename(n)]
            own = source.json(lists[0]) if lists else None
        if not isinstance(own, list):
            raise UnreadableFileError(f"{source.tree.place(name)} has no categories, nor lies a list of them beside it")
        rows += own
    found: dict[int, _Category] = {}
    for row in rows:
        identity, title = entry(row, "id", int), entry(row, "name", str)
        color = row.get("color")
        is_color = isinstance(color, list) and len(color) == 3 and all(c in range(256) for c in color)
        thing = None if row.get("isthing") is None else bool(row["isthing"])
        category = _Category(title, (color[0], color[1], color[2]) if is_color else None, thing)
        if found.setdefault(identity, category).name != title:
            raise UnreadableFileError(f"category {identity} is {found[identity].name!r} and {title!r}: import one file")
    return found


def _classes(source: ImportSource, found: Mapping[int, _Category], *, panoptic: bool) -> tuple[ClassMap, _Ids]:
    raw = {identity: identity for identity in sorted(found)}
    if any(not 0 <= identity <= _MOST_ID for identity in raw):
        raw = {identity: place for place, identity in enumerate(sorted(found), 1)}
        source.note("the ids of the categories do not fit into 16 bits: they are numbered from 1")
    names = {raw_id: found[identity].name for identity, raw_id in raw.items()}
    colors = {raw_id: color for identity, raw_id in raw.items() if (color := found[identity].color) is not None}
    stuff = found.get(_OTHER[0], _Category("", None, None)).name == _OTHER[1]
    stuff = stuff or (bool(found) and all(c.is_thing is False for c in found.values()))
    things = {identity: not stuff and category.is_thing is not False for identity, category in found.items()}
    free = next(i for i in itertools.count() if i not in names)
    if panoptic or stuff:
        return class_list(names, colors, ignored=(free,)), _Ids(raw, free, things)
    source.note(f"pixels in no annotation are the class {BACKGROUND}; move its id {free} to ignored_raw_ids if not")
    with_background = {free: BACKGROUND} | names
    ignored = (void_id(with_background),)
    return class_list(with_background, colors, ignored), _Ids(raw, free, things)


def _images(document: JsonDict, name: str) -> dict[int, tuple[str, tuple[int, int] | None]]:
    """Return the file and the size of each image."""
    found = {}
    for row in entry(document, "images", list):
        size = (whole(row["width"]), whole(row["height"])) if {"width", "height"} <= _keys(row) else None
        identity = entry(row, "id", int)
        if identity in found:
            raise UnreadableFileError(f"{name}: two images have the id {identity}")
        found[identity] = (entry(row, "file_name", str), size)
    return found


def _keys(row: object) -> set[str]:
    """Return the names of an object's entries; none if it is no object."""
    return set(row) if isinstance(row, dict) else set()


def _region_pictures(
    source: ImportSource, name: str, document: JsonDict, class_map: ClassMap, ids: _Ids
) -> list[AnnotatedPicture]:
    images = _images(document, name)
    rows: defaultdict[int, list[Any]] = defaultdict(list)
    strangers = 0
    for row in document["annotations"]:
        image = entry(row, "image_id", int)
        strangers += image not in images
        rows[image].append(row)
    if strangers:
        source.problem(name, f"{strangers} annotations are of images that the file does not list")
    pictures = []
    for image, (file_name, size) in images.items():
        found = source.find_picture(file_name, name)
        if found is not None:
            paint = partial(_painted, rows[image], class_map, ids)
            pictures.append(AnnotatedPicture(found, paint, split_of(name), size))
    return pictures


def _painted(rows: Sequence[Any], class_map: ClassMap, ids: _Ids, width: int, height: int) -> Painted:
    regions = []
    for place, row in enumerate(rows):
        category = entry(row, "category_id", int)
        if category not in ids.raw:
            raise ValueError(f"annotation {row.get('id')} has the category {category}, which the file does not list")
        is_object = ids.things[category] and not row.get("iscrowd")
        shape = _shape(row.get("segmentation"), width, height)
        regions.append(Region(ids.raw[category], shape, place if is_object else None))
    return paint_regions(regions, class_map, ids.background, width, height, larger_first=True)


def _shape(segmentation: Any, width: int, height: int) -> Shape:  # noqa: ANN401  (whatever a file holds)
    if isinstance(segmentation, list):
        if not all(isinstance(ring, list) for ring in segmentation):
            raise ValueError("polygons must be [[x, y, x, y, ...], ...]")
        return CocoPolygons([[number(value) for value in ring] for ring in segmentation])
    if not isinstance(segmentation, dict):
        raise ValueError(f"there is no segmentation, but {segmentation!r:.40}: boxes alone say nothing of pixels")
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise ValueError(f"run lengths are of the size {size!r:.40} in place of {[height, width]}")
    if isinstance(counts, str):
        return RunLengths(coco_counts(counts), by_column=True)
    if not isinstance(counts, list) or not all(isinstance(c, int) for c in counts):
        raise ValueError("the counts of run lengths must be a list of whole numbers, or a text")
    return RunLengths(counts, by_column=True)


def _panoptic_pictures(
    source: ImportSource, name: str, document: JsonDict, class_map: ClassMap, ids: _Ids
) -> list[AnnotatedPicture]:
    images = _images(document, name) if "images" in document else {}
    folder, pictures = posixpath.splitext(name)[0], []
    annotated = set()
    for row in document["annotations"]:
        image, mask = entry(row, "image_id", int), entry(row, "file_name", str)
        annotated.add(image)
        file_name, size = images.get(image, (posixpath.splitext(mask)[0], None))
        found = source.find_picture(file_name, name)
        if found is not None:
            place = next(
                (p for p in (f"{folder}/{mask}", posixpath.join(posixpath.dirname(name), mask)) if source.tree.has(p)),
                f"{folder}/{mask}",
            )
            paint: Paint = partial(_panoptic, source, place, row, class_map, ids)
            pictures.append(AnnotatedPicture(found, paint, split_of(name), size))
    for image in images.keys() - annotated:
        source.not_annotated(images[image][0])
    return pictures


def _panoptic(
    source: ImportSource,
    mask: str,
    row: JsonDict,
    class_map: ClassMap,
    ids: _Ids,
    width: int,
    height: int,
) -> Painted:
    rgb = source.image(mask, palette_colors=True)
    if rgb.ndim != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"{mask} must have colours of 8 bits: they are the ids of segments")
    channels = rgb.astype(np.uint32)
    segment_HW = channels[..., 0] | channels[..., 1] << np.uint32(8) | channels[..., 2] << np.uint32(16)
    values, places = np.unique(segment_HW, return_inverse=True)
    segments = {entry(each, "id", int): each for each in entry(row, "segments_info", list)}
    strangers = [v for v in values.tolist() if v not in segments and v != 0]
    if strangers:
        raise ValueError(f"{mask} holds the segments {strangers[:5]}, which segments_info does not list")
    label = np.full(len(values), ids.background, label_type(class_map))
    instance = np.zeros(len(values), np.uint16)
    for place, value in enumerate(values.tolist()):
        if value in segments:
            category = entry(segments[value], "category_id", int)
            if category not in ids.raw:
                raise ValueError(f"segment {value} has the category {category}, which is not listed")
            label[place] = ids.raw[category]
            is_object = ids.things[category] and not segments[value].get("iscrowd")
            instance[place] = instance.max() + 1 if is_object else 0
    shape = segment_HW.shape
    return Painted(label[places.reshape(shape)], instance[places.reshape(shape)])
