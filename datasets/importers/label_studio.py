"""Label Studio's JSON: brushes and polygons; or its PNG per tag, with the tasks' JSON beside them."""

import posixpath
import re
import urllib.parse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import DatasetNotFoundError, MissingInputError, SegprepError
from segprep.datasets.imageio import write_image
from segprep.datasets.importers._common.brush import brush_alpha
from segprep.datasets.importers._common.class_list import named_classes
from segprep.datasets.importers._common.miniature import CLASSES, Scene, boxes, write_json, write_picture
from segprep.datasets.importers._common.painting import Region, paint_regions
from segprep.datasets.importers._common.shapes import Bitmap, CocoPolygons, Shape
from segprep.datasets.importers._common.source import FoundFile, ImportSource
from segprep.datasets.importers._common.values import entry, number, point_list, whole
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, ImporterSpec, Paint, Painted
from segprep.datasets.sample import JsonDict

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title="Label Studio: JSON, and one PNG per tag",
    layout="""\
SOURCE/**/<any>.json         the export "JSON": a list of tasks with data and annotations
SOURCE/**/task-<id>-annotation-<id>-by-<who>-<from>-<label>-<n>.png
                             or the export "PNG" of brushes, its tasks' JSON beside it, or pictures called <task's id>
SOURCE/**/<picture>          the pictures, or below --pictures""",
)

_TAG: Final = re.compile(
    r"task-(?P<task>\d+)-annotation-(?P<annotation>\d+)-by-(?:\d+|[^@/]+@[^-/]+|[^-/]*)-[^-/]+-(?P<label>.+)-(?P<n>\d+)\.png"
)
_UPLOAD: Final = re.compile(r"[0-9a-f]{8}-")  # what is put in front of the names of uploaded files
_AREAS: Final = {"brushlabels": "brushlabels", "polygonlabels": "polygonlabels"}
_OTHERS: Final = ("rectanglelabels", "ellipselabels", "keypointlabels", "vectorlabels")


def read(source: ImportSource) -> Annotations:
    """Read all tasks, and the PNGs of their tags."""
    tasks = _tasks(source)
    tags = _tags(source)
    if not tasks and not tags:
        if source.problems:
            raise DatasetNotFoundError(f"{source.path}: {source.problems[0].file}: {source.problems[0].reason}")
        raise DatasetNotFoundError(f"{source.path} holds no tasks of Label Studio; expected is:\n{SPEC.layout}")
    source.are_masks(name for files in tags.values() for _, name in files)
    results = {identity: _result(source, task) for identity, task in tasks.items()}
    labels = {label for files in tags.values() for label, _ in files}
    for found in results.values():
        labels |= {label for region in found or () if (label := _label(region)) is not None}
    class_map, ids = named_classes(sorted(labels))
    source.note(f"pixels in no annotation are the class {class_map.names[0]}; move its id 0 to ignored_raw_ids if not")
    pictures = []
    for identity in sorted({*tasks, *tags}):
        result = results.get(identity)
        if result is None and identity not in tags:
            source.not_annotated(f"task {identity}")
            continue
        try:
            picture = _picture(source, identity, tasks.get(identity))
        except (SegprepError, ValueError) as error:
            source.problem(f"task {identity}", error)
            continue
        paint: Paint = partial(_painted_result, result or [], class_map, ids)
        if identity in tags:
            paint = partial(_painted_tags, source, tags[identity], class_map, ids)
        pictures.append(AnnotatedPicture(picture, paint))
    return Annotations(class_map, pictures, instances=True)


def write_miniature(root: Path, frames: int) -> None:
    """Write tasks with a PNG for each tag."""
    scene, tasks = Scene(), []
    for index in range(frames):
        name, _ = write_picture(root / "pictures", index)
        tasks.append({"id": index, "data": {"image": f"/data/upload/1/0a1b2c3d-{name}"}, "annotations": []})
        for place, box in enumerate(boxes(index)):
            mask = np.zeros((scene.height, scene.width), np.uint8)
            mask[box.top : box.bottom, box.left : box.right] = 255
            tag = f"task-{index}-annotation-{index}-by-1-tag-{CLASSES[box.place]}-{place}.png"
            write_image(root / "tags" / tag, mask)
    write_json(root / "tasks.json", tasks)


def _tasks(source: ImportSource) -> dict[int, JsonDict]:
    found: dict[int, JsonDict] = {}
    for name in source.annotation_files(".json"):
        try:
            document = source.json(name)
        except SegprepError as error:
            source.problem(name, error)
            continue
        for place, task in enumerate(document if isinstance(document, list) else ()):
            if not isinstance(task, dict) or "data" not in task:
                continue
            identity = task.get("id", place)
            if not isinstance(identity, int) or identity in found:
                source.problem(name, f"two tasks have the id {identity}, or it is no number")
                continue
            found[identity] = task
    return found


def _tags(source: ImportSource) -> dict[int, list[tuple[str, str]]]:
    """Return the task's id to labels and files, in the order of their numbers; of one annotation only."""
    found: defaultdict[int, dict[int, list[tuple[int, str, str]]]] = defaultdict(dict)
    for name in source.tree.names():
        match = _TAG.fullmatch(posixpath.basename(name))
        if match is not None:
            of_task = found[int(match["task"])]
            of_task.setdefault(int(match["annotation"]), []).append((int(match["n"]), match["label"], name))
    chosen = {}
    for task, annotations in found.items():
        if len(annotations) > 1:
            source.note(f"task {task} was annotated {len(annotations)} times: the first counts")
        chosen[task] = [(label, name) for _, label, name in sorted(annotations[min(annotations)])]
    return chosen


def _result(source: ImportSource, task: JsonDict) -> Sequence[Any] | None:
    """Return the regions of the annotation that counts: the ground truth, else the first; None if nobody annotated."""
    rows = task.get("annotations", task.get("completions"))
    done = [r for r in rows if isinstance(r, dict) and not r.get("was_cancelled")] if isinstance(rows, list) else []
    done.sort(key=lambda row: not row.get("ground_truth"))
    if len(done) > 1:
        source.note(f"task {task.get('id')} was annotated {len(done)} times: the ground truth counts, else the first")
    result = done[0].get("result") if done else None
    return result if isinstance(result, list) else None


def _label(region: Any) -> str | None:  # noqa: ANN401  (whatever a file holds)
    value = region.get("value") if isinstance(region, dict) else None
    labels = value.get(_AREAS.get(str(region.get("type")), "")) if isinstance(value, dict) else None
    return str(labels[0]) if isinstance(labels, list) and labels else None


def _picture(source: ImportSource, identity: int, task: JsonDict | None) -> FoundFile:
    texts = [text for text in entry(task, "data", dict).values() if isinstance(text, str)] if task else [str(identity)]
    first: MissingInputError | None = None
    for text in texts:
        address = urllib.parse.urlsplit(text)
        path = urllib.parse.parse_qs(address.query).get("d", [urllib.parse.unquote(address.path)])[0].lstrip("/")
        base = posixpath.basename(path)
        for name in dict.fromkeys((path, posixpath.join(posixpath.dirname(path), _UPLOAD.sub("", base, count=1)))):
            try:
                return source.picture(name)
            except MissingInputError as error:
                first = first or error
    raise first or MissingInputError("its data name no picture")


def _painted_result(
    result: Sequence[Any], class_map: ClassMap, ids: Mapping[str, int], width: int, height: int
) -> Painted:
    regions = []
    for place, region in enumerate(result):
        kind = str(region.get("type")) if isinstance(region, dict) else ""
        if kind in _OTHERS:
            raise ValueError(
                f"it has regions of the kind {kind}: only brushes and polygons say which pixels they are of"
            )
        if kind not in _AREAS:
            continue  # choices, texts and relations say nothing of pixels
        label = _label(region)
        if label is None:
            raise ValueError(f"region {region.get('id')} has no label")
        shape = _shape(region, kind, width, height)
        regions.append(Region(ids[label], shape, None if label == class_map.names[0] else place))
    return paint_regions(regions, class_map, 0, width, height)


def _shape(region: JsonDict, kind: str, width: int, height: int) -> Shape:
    size = (whole(region.get("original_width")), whole(region.get("original_height")))
    if size != (width, height):
        raise ValueError(f"a region is of a picture of {size[0]}x{size[1]}, and it has {width}x{height}")
    if number(region.get("image_rotation") or 0):
        raise ValueError("it was turned while it was annotated: turn the picture itself, and annotate it again")
    value = entry(region, "value", dict)
    if kind == "polygonlabels":
        points = point_list(value.get("points"))
        return CocoPolygons([[each for x, y in points for each in (x * width / 100, y * height / 100)]])
    if value.get("format") != "rle":
        raise ValueError(f"a brush is of the format {value.get('format')!r}, and only rle is read")
    return Bitmap(brush_alpha(entry(value, "rle", list), width, height) > 0)


def _painted_tags(
    source: ImportSource,
    files: Sequence[tuple[str, str]],
    class_map: ClassMap,
    ids: Mapping[str, int],
    width: int,
    height: int,
) -> Painted:
    regions = []
    for place, (label, name) in enumerate(files):
        mask = source.image(name)
        if mask.shape[:2] != (height, width):
            raise ValueError(f"{name} has {mask.shape[1]}x{mask.shape[0]} pixels, and the picture {width}x{height}")
        inside = mask[..., 3] > 0 if mask.ndim == 3 and mask.shape[2] == 4 else np.atleast_3d(mask).max(axis=2) > 0
        regions.append(Region(ids[label], Bitmap(inside), None if label == class_map.names[0] else place))
    return paint_regions(regions, class_map, 0, width, height)
