"""The photometric half of an augmentation on a picture, with OpenCV."""

import cv2
import numpy as np

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.color import color_matrix, tone_curve, vignette_gains
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array

__all__ = ["recolored"]


def recolored(picture: Array, augmentation: Augmentation) -> Array:
    """Return a picture after vignette, contrast and brightness, gamma, saturation and hue; itself if none is drawn.

    Args:
        picture: (H, W) or (H, W, C) of the augmentation's output size, uint8 or uint16. Saturation and hue need three
            channels, red, green, blue, and leave others alone.
        augmentation: What was drawn. Brightness counts in 255ths of white.

    Returns:
        The same type; rounded and clipped after the vignette, after the tones, and after the colours.

    Raises:
        CodeRangeError: If it has another type.
    """
    if picture.dtype not in (np.uint8, np.uint16):
        raise CodeRangeError(f"colours are augmented in pictures of 8 or 16 bits, not in {picture.dtype}")
    result = picture
    gains = vignette_gains(augmentation)
    if gains is not None:
        gain_HW = np.outer(*gains)
        planes = [cv2.multiply(plane, gain_HW, dtype=_DEPTHS[picture.dtype.itemsize]) for plane in cv2.split(result)]
        result = np.asarray(cv2.merge(planes)).reshape(picture.shape)
    if (augmentation.contrast, augmentation.brightness, augmentation.gamma) != (1, 0, 1):
        result = _toned(result, augmentation)
    matrix = color_matrix(augmentation)
    if matrix is not None and picture.ndim == 3 and picture.shape[2] == 3:
        result = np.asarray(cv2.transform(result, matrix))
    return result


_DEPTHS = {1: cv2.CV_8U, 2: cv2.CV_16U}


def _toned(picture: Array, augmentation: Augmentation) -> Array:
    white = np.iinfo(picture.dtype).max
    table = np.rint(white * tone_curve(augmentation, np.arange(white + 1) / white)).astype(picture.dtype)
    if picture.dtype == np.uint8:
        return np.asarray(cv2.LUT(picture, table))
    return np.asarray(table[picture])
