"""What estimators accept as images."""

import cv2
import numpy as np

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array

__all__ = ["gray_pair"]


def gray_pair(first_rgb_HWC: Array, second_rgb_HWC: Array) -> tuple[Array, Array]:
    """Return two (H, W) uint8 grey images of two (H, W, 3) uint8 RGB images.

    Raises:
        SizeMismatchError: If the two sizes differ or an image has no three channels of 8 bits.
    """
    for image in (first_rgb_HWC, second_rgb_HWC):
        if image.ndim != 3 or image.shape != (*first_rgb_HWC.shape[:2], 3) or image.dtype != np.uint8:
            raise SizeMismatchError(
                "optical flow needs two (H, W, 3) uint8 images of one size, not "
                f"{first_rgb_HWC.dtype} {first_rgb_HWC.shape} and {second_rgb_HWC.dtype} {second_rgb_HWC.shape}"
            )
    return cv2.cvtColor(first_rgb_HWC, cv2.COLOR_RGB2GRAY), cv2.cvtColor(second_rgb_HWC, cv2.COLOR_RGB2GRAY)
