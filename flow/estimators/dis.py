"""Dense inverse search: fast optical flow without learned weights, from OpenCV.

Source: Kroeger, Timofte, Dai, Van Gool: Fast optical flow using dense inverse search. ECCV 2016.
"""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array

__all__ = ["Config", "Preset", "estimate"]


class Preset(StrEnum):
    """OpenCV's settings, from fast to accurate."""

    ULTRAFAST = "ultrafast"
    FAST = "fast"
    MEDIUM = "medium"


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the estimator.

    Attributes:
        preset: Trade of time for accuracy. At 768x384 one pair takes about 2, 7 and 22 ms on two cores.
    """

    preset: Preset = Preset.MEDIUM


_NUMBERS = {
    Preset.ULTRAFAST: cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    Preset.FAST: cv2.DISOPTICAL_FLOW_PRESET_FAST,
    Preset.MEDIUM: cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
_DEFAULT = Config()

# OpenCV crashes the process on longish images whose shorter side is below a patch at the finest scale (8 * 2^2 pixels).
_MIN_SIDE = 64


def estimate(first_rgb_HWC: Array, second_rgb_HWC: Array, config: Config = _DEFAULT) -> npt.NDArray[np.float32]:
    """Estimate the motion from the first image to the second.

    Args:
        first_rgb_HWC: (H, W, 3) uint8 RGB. Any size; small images are continued beyond their right and lower edge.
        second_rgb_HWC: The same size.
        config: Settings.

    Returns:
        (H, W, 2) float32 (u, v) in pixels on the grid of the first image. Equal images give equal results, whatever the
        number of threads.

    Raises:
        SizeMismatchError: If the two sizes differ or an image has no three channels of 8 bits.
    """
    for image in (first_rgb_HWC, second_rgb_HWC):
        if image.ndim != 3 or image.shape != (*first_rgb_HWC.shape[:2], 3) or image.dtype != np.uint8:
            raise SizeMismatchError(
                "optical flow needs two (H, W, 3) uint8 images of one size, not "
                f"{first_rgb_HWC.dtype} {first_rgb_HWC.shape} and {second_rgb_HWC.dtype} {second_rgb_HWC.shape}"
            )
    height, width = first_rgb_HWC.shape[:2]
    below, right = max(_MIN_SIDE - height, 0), max(_MIN_SIDE - width, 0)
    first, second = (
        cv2.copyMakeBorder(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 0, below, 0, right, cv2.BORDER_REPLICATE)
        for image in (first_rgb_HWC, second_rgb_HWC)
    )
    # The object keeps buffers and is not safe between threads: a new one costs little.
    estimator = cv2.DISOpticalFlow.create(_NUMBERS[config.preset])
    uv_HW2 = estimator.calc(first, second, np.zeros((*first.shape, 2), np.float32))
    return np.ascontiguousarray(uv_HW2[:height, :width], np.float32)
