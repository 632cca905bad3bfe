"""The photometric half of an augmentation as numbers: a table of tones, a matrix of colours, a vignette."""

import math

import numpy as np
import numpy.typing as npt

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.sample import Matrix

__all__ = ["color_matrix", "tone_curve", "vignette_gains"]

_VIGNETTE_WIDTH = 768
# Y, I and Q of red, green and blue (FCC, 1953). Grey has I = Q = 0.
_YIQ_33 = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def vignette_gains(augmentation: Augmentation) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """Return what the rows (H,) and the columns (W,) of the output are multiplied by, 1 at its centre; None for none.

    Their product is exp(-r^2 / (2 sigma^2)), r pixels from the centre.
    """
    if augmentation.vignette is None:
        return None
    width, height = augmentation.output
    sigma = augmentation.vignette * width / _VIGNETTE_WIDTH
    rows_H, columns_W = (
        np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / sigma) ** 2).astype(np.float32) for side in (height, width)
    )
    return rows_H, columns_W


def tone_curve(augmentation: Augmentation, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what contrast, brightness and gamma make of values in 0..1, in this order, clipped to 0..1."""
    linear = np.clip(augmentation.contrast * values + augmentation.brightness / 255, 0, 1)
    return np.asarray(linear**augmentation.gamma, np.float64)


def color_matrix(augmentation: Augmentation) -> Matrix | None:
    """Return the (3, 3) matrix that multiplies (red, green, blue): saturation and hue; None if both stay.

    Colours are scaled and turned about grey in YIQ, so that grey and luma stay as they are.
    """
    if augmentation.saturation == 1 and augmentation.hue == 0:
        return None
    angle = -math.radians(augmentation.hue)  # in YIQ yellow lies clockwise of red
    c, s = augmentation.saturation * math.cos(angle), augmentation.saturation * math.sin(angle)
    in_yiq = np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])
    return np.linalg.solve(_YIQ_33, in_yiq @ _YIQ_33)
