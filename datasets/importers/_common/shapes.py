"""Shapes that annotations consist of, each filled by the rule of the tool that it comes from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw

from segprep.datasets.program.extras import optional_packages
from segprep.datasets.sample import Mask

__all__ = ["Bitmap", "CocoPolygons", "CvPolygon", "PilShape", "RunLengths", "Shape", "coco_counts"]

Point = tuple[float, float]

_LINE_WIDTH: Final = 10  # of labelme's lines
_POINT_RADIUS: Final = 5  # of labelme's points


class Shape(Protocol):
    """A part of a picture."""

    def mask(self, width: int, height: int) -> Mask:
        """Return the (H, W) bool mask of its pixels; what lies outside of the picture is cut away.

        Raises:
            ValueError: If the shape makes no sense, or not in a picture of this size.
        """


@dataclass(frozen=True, slots=True)
class CocoPolygons:
    """The union of polygons, filled as pycocotools does.

    Attributes:
        rings: [x0, y0, x1, y1, ...] each, at least three points.
    """

    rings: Sequence[Sequence[float]]

    def mask(self, width: int, height: int) -> Mask:
        """See `Shape`."""
        if not self.rings:
            raise ValueError("a segmentation without any polygon or run lengths: is it a box only?")
        for ring in self.rings:
            if len(ring) < 6 or len(ring) % 2:
                raise ValueError(f"a polygon needs x and y of at least three points, not {len(ring)} numbers")
            _check_near(list(zip(ring[::2], ring[1::2], strict=True)), width, height)
        with optional_packages("filling polygons as COCO does"):
            from pycocotools import mask as coco
        rings = [list(map(float, ring)) for ring in self.rings]
        filled = coco.merge(coco.frPyObjects(rings, height, width))
        return RunLengths(coco_counts(filled["counts"].decode()), by_column=True).mask(width, height)


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Runs of pixels, the first of which are outside, of a box in the picture.

    Attributes:
        counts: The lengths.
        by_column: Whether they go down the columns, as COCO's do, or along the rows.
        box: (left, top, width, height) that they fill; None for the whole picture.
    """

    counts: Sequence[int]
    by_column: bool
    box: tuple[int, int, int, int] | None = None

    def mask(self, width: int, height: int) -> Mask:
        """See `Shape`."""
        left, top, wide, high = self.box or (0, 0, width, height)
        if left < 0 or top < 0 or wide < 1 or high < 1 or left + wide > width or top + high > height:
            raise ValueError(f"a mask at {left},{top} of {wide}x{high} lies outside of the picture, {width}x{height}")
        total = sum(self.counts)
        if total != wide * high or min(self.counts, default=0) < 0:
            raise ValueError(f"run lengths say {total} pixels, and {wide}x{high} has {wide * high}")
        inside = np.arange(len(self.counts)) % 2 == 1
        filled = np.repeat(inside, np.asarray(self.counts, np.int64))
        part = filled.reshape(wide, high).T if self.by_column else filled.reshape(high, wide)
        mask_HW = np.zeros((height, width), np.bool_)
        mask_HW[top : top + high, left : left + wide] = part
        return mask_HW


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A mask that lies somewhere in the picture.

    Attributes:
        part: (h, w) bool.
        left: Of its first column, in pixels.
        top: Of its first row.
    """

    part: Mask
    left: int = 0
    top: int = 0

    def mask(self, width: int, height: int) -> Mask:
        """See `Shape`."""
        high, wide = self.part.shape
        if not (-wide < self.left < width and -high < self.top < height):
            raise ValueError(f"a mask of {wide}x{high} at {self.left},{self.top} lies outside of {width}x{height}")
        mask_HW = np.zeros((height, width), np.bool_)
        x, y = max(self.left, 0), max(self.top, 0)
        part = self.part[y - self.top :, x - self.left :][: height - y, : width - x]
        mask_HW[y : y + part.shape[0], x : x + part.shape[1]] = part
        return mask_HW


@dataclass(frozen=True, slots=True)
class CvPolygon:
    """A polygon with holes on whole pixels, filled as OpenCV does, its outline included.

    Attributes:
        exterior: Corners, whole numbers.
        holes: Corners of what is cut out; their outlines count to the shape.
    """

    exterior: Sequence[tuple[int, int]]
    holes: Sequence[Sequence[tuple[int, int]]] = ()

    def mask(self, width: int, height: int) -> Mask:
        """See `Shape`."""
        rings = (self.exterior, *self.holes)
        for ring in rings:
            if len(ring) < 3:
                raise ValueError(f"a polygon needs at least three points, not {len(ring)}")
            _check_near(ring, width, height)
        filled = np.zeros((height, width), np.uint8)
        cv2.fillPoly(filled, [np.array(ring, np.int32) for ring in rings], 1)
        return filled.astype(np.bool_)


@dataclass(frozen=True, slots=True)
class PilShape:
    """A shape that PIL draws with its outline, as labelme does.

    Attributes:
        kind: polygon, rectangle, oriented_rectangle, circle, line, linestrip or point.
        points: Its corners; of a circle the centre and a point on it.
    """

    kind: str
    points: Sequence[Point]

    def mask(self, width: int, height: int) -> Mask:
        """See `Shape`."""
        needed = {"rectangle": 2, "circle": 2, "line": 2, "point": 1, "linestrip": 2, "oriented_rectangle": 4}
        count, least = len(self.points), needed.get(self.kind, 3)
        if count < least or (count > least and self.kind in ("rectangle", "circle", "line", "point")):
            raise ValueError(f"a {self.kind} needs {least} points, not {count}")
        _check_near(self.points, width, height)
        picture = Image.new("L", (width, height))
        self._draw(ImageDraw.Draw(picture))
        return np.asarray(picture).astype(np.bool_)

    def _draw(self, draw: Any) -> None:  # noqa: ANN401  (PIL's class of it has no public name in all versions)
        points = list(self.points)
        match self.kind:
            case "polygon" | "oriented_rectangle":
                draw.polygon(points, outline=1, fill=1)
            case "rectangle":
                (x0, y0), (x1, y1) = points
                draw.rectangle([min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)], outline=1, fill=1)
            case "circle" | "point":
                x, y = points[0]
                radius = math.dist(points[0], points[1]) if self.kind == "circle" else _POINT_RADIUS
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=1, fill=1)
            case "line" | "linestrip":
                draw.line(points, fill=1, width=_LINE_WIDTH)
            case _:
                raise ValueError(f"a shape of the type {self.kind!r} is not known")


def coco_counts(text: str) -> list[int]:
    """Return the run lengths that COCO's compressed text holds: groups of 5 bits from 48, differences from the third.

    Raises:
        ValueError: If it is no such text.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 35:
            raise ValueError(f"compressed run lengths hold {character!r}, or a number that is too large")
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            if group & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("compressed run lengths are truncated")
    return counts


def _check_near(points: Sequence[Point], width: int, height: int) -> None:
    """Refuse what is far from the picture: nobody drew that, and filling it would take memory for its extent."""
    for x, y in points:
        if not (-width <= x <= 2 * width and -height <= y <= 2 * height):
            raise ValueError(f"the point ({x:g}, {y:g}) is far outside of the picture, {width}x{height}")
    xs, ys = zip(*points, strict=True)
    if max(xs) < 0 or max(ys) < 0 or min(xs) > width or min(ys) > height:
        raise ValueError(f"a shape from ({min(xs):g}, {min(ys):g}) on lies outside of the picture, {width}x{height}")
