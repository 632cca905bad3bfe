"""What stands on a sheet: a picture with its caption, where it has no value, and what its colours mean."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import Color
from segprep.datasets.sample import Mask

__all__ = ["FAR_COLOR", "NOT_LABELLED", "ColorBar", "RgbPicture", "Swatch", "Tile", "Wheel"]

RgbPicture = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""

FAR_COLOR: Final[Color] = (255, 255, 255)
"""Of what is infinitely far, which no scale of distances holds."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour and what it means; None is the pattern of pixels without a value."""

    name: str
    color: Color | None


NOT_LABELLED: Final = Swatch("ignored", None)


@dataclass(frozen=True, slots=True, eq=False)
class ColorBar:
    """A scale of colours.

    Attributes:
        colors_N3: (N, 3) uint8 RGB, from left to right.
        low: What the left end stands for, with its unit.
        high: The right end.
        beyond: Colours that stand beside the scale.
    """

    colors_N3: RgbPicture
    low: str
    high: str
    beyond: tuple[Swatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Wheel:
    """The wheel of directions; `radius` says what its rim stands for, with its unit."""

    radius: str


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture and what it means.

    Attributes:
        caption: Above it.
        picture_HW3: (H, W, 3) uint8 RGB.
        hidden_HW: (H, W) bool, where there is no value: a pattern is drawn there. None for nowhere.
        scale: What the colours stand for, drawn below it.
        legend: Colours of classes, which stand once below the whole sheet.
        group: Whose legend that is.
    """

    caption: str
    picture_HW3: RgbPicture
    hidden_HW: Mask | None = None
    scale: ColorBar | Wheel | None = None
    legend: tuple[Swatch, ...] = ()
    group: str = ""
