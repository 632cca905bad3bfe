"""The XML of "CVAT for images 1.1": polygons, boxes and masks in the order of their layers."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final
from xml.etree import ElementTree

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import DatasetNotFoundError, SegprepError, UnreadableFileError
from segprep.datasets.importers._common.class_list import BACKGROUND, class_list, hex_color, void_id
from segprep.datasets.importers._common.painting import Region, paint_regions
from segprep.datasets.importers._common.shapes import CocoPolygons, RunLengths, Shape
from segprep.datasets.importers._common.source import ImportSource
from segprep.datasets.importers._common.splits import split_of
from segprep.datasets.importers._common.values import number, whole
from segprep.datasets.importers._member import AnnotatedPicture, Annotations, Painted

__all__ = ["read_cvat_xml"]

_AREAS: Final = ("polygon", "box", "mask")
_OTHERS: Final = ("polyline", "points", "ellipse", "cuboid", "skeleton")


def read_cvat_xml(source: ImportSource, documents: Sequence[str]) -> Annotations:
    """Read files of XML.

    Args:
        source: The export.
        documents: Names of the files.

    Raises:
        DatasetNotFoundError: If none of them is of CVAT's form.
        UnreadableFileError: If the only one is broken.
    """
    roots: dict[str, ElementTree.Element] = {}
    for name in documents:
        try:
            roots[name] = _parsed(source, name)
        except SegprepError as error:
            source.problem(name, error)
            if len(documents) == 1:
                raise
    roots = {name: root for name, root in roots.items() if root.tag == "annotations"}
    if not roots:
        raise DatasetNotFoundError(
            f"{source.path} holds no XML of CVAT's form: expected is\nSOURCE/**/annotations.xml with <annotations> and "
            "<image>, as `CVAT for images 1.1` has it"
        )
    class_map, ids = _classes(source, roots.values())
    pictures = []
    for name, root in roots.items():
        for image in root.iter("image"):
            try:
                size = (whole(image.get("width")), whole(image.get("height")))
                file_name = image.get("name") or ""
            except ValueError as error:
                source.problem(f"{name}, image {image.get('name')}", error)
                continue
            found = source.find_picture(file_name, name)
            if found is not None:
                paint = partial(_painted, image, class_map, ids)
                pictures.append(AnnotatedPicture(found, paint, split_of(image.get("subset") or ""), size))
    return Annotations(class_map, pictures, instances=True)


def _parsed(source: ImportSource, name: str) -> ElementTree.Element:
    text = source.text(name)
    place = source.tree.place(name)
    if "<!DOCTYPE" in text.upper() or "<!ENTITY" in text.upper():
        raise UnreadableFileError(
            f"{place} declares entities or a document type, which CVAT never does: it is not read"
        )
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UnreadableFileError(f"{place} is no readable XML: {error}") from error


def _classes(source: ImportSource, roots: object) -> tuple[ClassMap, dict[str, int]]:
    colors: dict[str, str | None] = {}
    for root in roots:  # type: ignore[attr-defined]
        for label in root.findall("meta//labels/label"):
            colors.setdefault((label.findtext("name") or "").strip(), label.findtext("color"))
        for shape in (s for image in root.iter("image") for s in image if s.tag in _AREAS):
            colors.setdefault(shape.get("label") or "", None)
    names = [BACKGROUND, *(name for name in colors if name and name != BACKGROUND)]
    ids = {name: place for place, name in enumerate(names)}
    numbered = {place: name for name, place in ids.items()}
    own = {ids[name]: rgb for name, text in colors.items() if name in ids and (rgb := hex_color(text)) is not None}
    if BACKGROUND not in colors:
        source.note(f"pixels in no annotation are the class {BACKGROUND}; move its id 0 to ignored_raw_ids if not")
    return class_list(numbered, own, (void_id(numbered),)), ids


def _painted(
    image: ElementTree.Element, class_map: ClassMap, ids: Mapping[str, int], width: int, height: int
) -> Painted:
    strange = sorted({shape.tag for shape in image if shape.tag in _OTHERS})
    if strange:
        raise ValueError(f"it has shapes of the kind {', '.join(strange)}, which have no area here: export polygons")
    shapes = [shape for shape in image if shape.tag in _AREAS]
    shapes.sort(key=lambda shape: whole(shape.get("z_order") or 0))
    regions = []
    for place, shape in enumerate(shapes):
        label, group = shape.get("label") or "", shape.get("group_id") or "0"
        if label not in ids:
            raise ValueError(f"a {shape.tag} has the label {label!r}, which is none of the classes")
        instance = place if group == "0" else (label, group)
        regions.append(Region(ids[label], _shape(shape), None if label == BACKGROUND else instance))
    return paint_regions(regions, class_map, ids[BACKGROUND], width, height)


def _shape(shape: ElementTree.Element) -> Shape:
    if shape.tag == "polygon":
        points = [pair.split(",") for pair in (shape.get("points") or "").split(";")]
        if not all(len(pair) == 2 for pair in points):
            raise ValueError(f"points must be x,y;x,y;..., not {shape.get('points')!r:.60}")
        return CocoPolygons([[number(value) for pair in points for value in pair]])
    if shape.tag == "box":
        if number(shape.get("rotation") or 0):
            raise ValueError("it has a box that is turned: make it a polygon")
        left, top, right, bottom = (number(shape.get(name)) for name in ("xtl", "ytl", "xbr", "ybr"))
        return CocoPolygons([[left, top, right, top, right, bottom, left, bottom]])
    left_, top_, width, height = (whole(shape.get(name)) for name in ("left", "top", "width", "height"))
    counts = [whole(each) for each in (shape.get("rle") or "").split(",")]
    return RunLengths(counts, by_column=False, box=(left_, top_, width, height))
