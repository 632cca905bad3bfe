"""The pattern of pixels that have no value: no colour, which might be taken for one."""

from typing import Final

import numpy as np

from segprep.datasets.drawing.tile import RgbPicture
from segprep.datasets.sample import Mask

__all__ = ["hatched"]

_PERIOD: Final = 8  # pixels from stripe to stripe
_STRIPE: Final = 3
_LIGHT, _DARK = 205, 120


def hatched(picture_HW3: RgbPicture, hidden_HW: Mask) -> RgbPicture:
    """Return a picture whose hidden pixels have grey diagonal stripes, in the same places of every picture."""
    y_H1, x_1W = np.ogrid[: hidden_HW.shape[0], : hidden_HW.shape[1]]
    stripes_HW = np.where((x_1W + y_H1) % _PERIOD < _STRIPE, np.uint8(_DARK), np.uint8(_LIGHT))
    drawn: RgbPicture = np.where(hidden_HW[..., None], stripes_HW[..., None], picture_HW3)
    return drawn
