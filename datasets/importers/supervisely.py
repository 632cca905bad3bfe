"""Supervisely's own form: a JSON for each picture, bitmaps and polygons with holes in their order."""

import base64
import binascii
import posixpath
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import DatasetNotFoundError, SegprepError
from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.importers._common.class_list import BACKGROUND, class_list, hex_color, void_id
from segprep.datasets.importers._common.miniature import CLASSES, boxes, write_json, write_picture
from segprep.datasets.importers._common.painting import Region, paint_regions
from segprep.datasets.importers._common.shapes import Bitmap, CvPolygon, Shape
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.splits import split_of_folder
from segprep.datasets.importers._common.values import entry, point_list, whole
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, ImporterSpec, Painted
from segprep.datasets.sample import JsonDict

__all__ = ["SPEC", "read", "write_miniature"]

SPEC = ImporterSpec(
    title="Supervisely",
    layout="""\
SOURCE/**/meta.json                        the classes: title and color
SOURCE/**/<dataset>/ann/<name>.<ext>.json  size and objects: bitmap, polygon or rectangle
SOURCE/**/<dataset>/img/<name>.<ext>       the pictures, or below --pictures""",
)

_MOST_BYTES: Final = 2**28  # of a bitmap's PNG


def read(source: ImportSource) -> Annotations:
    """Read all annotations below folders called ann."""
    metas = [n for n in source.tree.names() if posixpath.basename(n) == "meta.json"]
    names = [n for n in source.annotation_files(".json") if posixpath.basename(posixpath.dirname(n)) == "ann"]
    if not metas or not names:
        raise DatasetNotFoundError(f"{source.path} has no meta.json or no folder ann; expected is:\n{SPEC.layout}")
    class_map, ids = _classes(source, min(metas, key=lambda name: (name.count("/"), name)))
    source.note(f"pixels in no object are the class {BACKGROUND}; move its id 0 to ignored_raw_ids if not")
    pictures = []
    for name in names:
        try:
            document = source.json(name)
            wanted = entry(document, "size", dict)
            size = (whole(wanted.get("width")), whole(wanted.get("height")))
            folder = posixpath.dirname(posixpath.dirname(name))
            found = source.picture(posixpath.join(folder, "img", posixpath.basename(name).removesuffix(".json")))
            entry(document, "objects", list)
        except (SegprepError, ValueError) as error:
            source.problem(name, error)
            continue
        paint = partial(_painted, document, class_map, ids)
        pictures.append(AnnotatedPicture(found, paint, split_of_folder(folder + "/"), size))
    return Annotations(class_map, pictures, instances=True)


def write_miniature(root: Path, frames: int) -> None:
    """Write pictures with a polygon and a bitmap each."""
    colors = ("#ff0000", "#00ff00")
    classes = [{"title": each, "shape": "any", "color": c} for each, c in zip(CLASSES, colors, strict=True)]
    write_json(root / "meta.json", {"classes": classes, "tags": []})
    for index in range(frames):
        name, scene = write_picture(root / "train/img", index)
        car, person = boxes(index)
        bitmap = np.full((person.bottom - person.top, person.right - person.left), 255, np.uint8)
        data = base64.b64encode(zlib.compress(encode_image(".png", bitmap))).decode()
        objects = [
            {
                "classTitle": CLASSES[0],
                "geometryType": "polygon",
                "points": {"exterior": car.corners, "interior": []},
            },
            {
                "classTitle": CLASSES[1],
                "geometryType": "bitmap",
                "bitmap": {"data": data, "origin": [person.left, person.top]},
            },
        ]
        size = {"height": scene.height, "width": scene.width}
        write_json(root / "train/ann" / f"{name}.json", {"size": size, "objects": objects})


def _classes(source: ImportSource, name: str) -> tuple[ClassMap, dict[str, int]]:
    rows = entry(source.json(name), "classes", list)
    colors = {entry(row, "title", str): hex_color(row.get("color")) for row in rows}
    ids = {title: place for place, title in enumerate([BACKGROUND, *(t for t in colors if t != BACKGROUND)])}
    names = {place: title for title, place in ids.items()}
    known = {ids[title]: color for title, color in colors.items() if color is not None}
    return class_list(names, known, (void_id(names),)), ids


def _painted(document: JsonDict, class_map: ClassMap, ids: Mapping[str, int], width: int, height: int) -> Painted:
    regions = []
    for place, each in enumerate(document["objects"]):
        title = entry(each, "classTitle", str)
        if title not in ids:
            raise ValueError(f"object {place + 1} is of the class {title!r}, which meta.json does not name")
        regions.append(Region(ids[title], _shape(each), None if title == BACKGROUND else place))
    return paint_regions(regions, class_map, ids[BACKGROUND], width, height)


def _shape(each: Any) -> Shape:  # noqa: ANN401  (whatever a file holds)
    kind = each.get("geometryType")
    if kind == "bitmap":
        bitmap = entry(each, "bitmap", dict)
        origin = entry(bitmap, "origin", list)
        if len(origin) != 2:
            raise ValueError(f"the origin of a bitmap must be [x, y], not {origin!r:.40}")
        values = decode_image(_unpacked(entry(bitmap, "data", str)), Path("bitmap"))
        if values.ndim == 3:
            values = values[..., 3] if values.shape[2] == 4 else values.max(axis=2)
        return Bitmap(values > 0, whole(origin[0]), whole(origin[1]))
    if kind not in ("polygon", "rectangle"):
        raise ValueError(f"it has an object of the kind {kind!r}, which has no area here: bitmap, polygon, rectangle")
    points = entry(each, "points", dict)
    exterior = _pixels(points.get("exterior"))
    if kind == "polygon":
        interior = points.get("interior") or []
        return CvPolygon(exterior, [_pixels(ring) for ring in interior])
    if len(exterior) != 2:
        raise ValueError(f"a rectangle has two corners, not {len(exterior)}")
    (left, top), (right, bottom) = exterior
    return CvPolygon([(left, top), (right, top), (right, bottom), (left, bottom)])


def _pixels(values: object) -> list[tuple[int, int]]:
    return [(round(x), round(y)) for x, y in point_list(values)]


def _unpacked(text: str) -> bytes:
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ValueError(f"the data of a bitmap are no base64 of zlib: {error}") from error
    if not unpacking.eof:
        raise ValueError("the data of a bitmap are truncated, or larger than any picture")
    return data
