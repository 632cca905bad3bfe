"""Class maps of what annotation tools say of classes."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from segprep.datasets.classes import ClassMap, Color, SemanticClass, distinct_colors
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.kinds import IGNORE_ID

__all__ = ["BACKGROUND", "class_list", "hex_color", "named_classes", "voc_color", "void_id"]

BACKGROUND: Final = "background"
"""Name of the class of pixels in no region, where a format gives it none."""


def class_list(
    names: Mapping[int, str], colors: Mapping[int, Color] | None = None, ignored: Sequence[int] = ()
) -> ClassMap:
    """Return a class map of raw ids and their names.

    Args:
        names: Raw id to name, in the order of the classes.
        colors: Raw id to colour; others are made up, and that of a background is black.
        ignored: Raw ids that do not count, the first for what nobody labelled; none for 255 or, if that is a class,
            the smallest id that is free.

    Raises:
        UnreadableFileError: If there are none, or too many, or an id is out of range.
    """
    known = colors or {}
    made = dict(zip(names, distinct_colors(len(names)), strict=True))
    classes = [
        SemanticClass(name, known.get(i) or ((0, 0, 0) if name.strip("_").lower() == BACKGROUND else made[i]), (i,))
        for i, name in names.items()
    ]
    try:
        return ClassMap(tuple(classes), tuple(ignored) or (void_id(names),))
    except ValueError as error:
        raise UnreadableFileError(f"the classes of the source cannot be used: {error}") from error


def named_classes(names: Sequence[str], *, background: str | None = BACKGROUND) -> tuple[ClassMap, dict[str, int]]:
    """Return the classes of a format without numbers: 0 is the background, the others follow in their order.

    Args:
        names: Of the classes; a background among them is the background.
        background: What pixels in no region are; None if the names alone count, from 0.
    """
    found = list(dict.fromkeys(names))
    if background is not None:
        own = next((name for name in found if name.strip("_").lower() == BACKGROUND), background)
        found = [own, *(name for name in found if name != own)]
    ids = {name: place + (place >= IGNORE_ID) for place, name in enumerate(found)}
    return class_list({i: name for name, i in ids.items()}), ids


def void_id(used: Mapping[int, str]) -> int:
    """Return the raw id for what does not count: 255 or, if that is a class, the smallest id that is free."""
    candidates: tuple[int, ...] = (IGNORE_ID, *range(len(used) + 1))
    return next(i for i in candidates if i not in used)


def hex_color(text: object) -> Color | None:
    """Return the colour of "#ff8000"; None if it is none."""
    if not isinstance(text, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    number = int(text[1:], 16)
    return number >> 16, number >> 8 & 255, number & 255


def voc_color(place: int) -> Color:
    """Return the colour of class `place` in Pascal VOC's palette: its bits go to the channels, the top ones first."""
    red = green = blue = 0
    for bit in range(7, -1, -1):
        red |= (place & 1) << bit
        green |= (place >> 1 & 1) << bit
        blue |= (place >> 2 & 1) << bit
        place >>= 3
    return red, green, blue
