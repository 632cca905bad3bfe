"""How this OpenCV interpolates: an optical flow whose answer is known tells, whatever the version says of itself.

OpenCV 4 rounds the positions that `cv2.remap` reads to 1/32 pixel, OpenCV 5 does not. The refinement of dense inverse
search warps the second picture by it, so that flow differs by a hundredth of a pixel, at edges by whole pixels.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array, Matrix

__all__ = ["OPENCV", "USUAL", "behaviour", "require_known_behaviour"]

OPENCV: Final = "opencv"
"""The parameter that holds the number in steps whose result depends on it."""

USUAL: Final = 5
"""What made every column that does not state the number."""

# Mean vectors (u, v) over the four quarters of the picture, row by row. Of 4.12.0, 4.13.0 and 4.14.0, and of 5.0.0.
_ANSWERS: Final[Mapping[int, tuple[float, ...]]] = MappingProxyType(
    {
        4: (1.98009, -1.0211, 1.95649, -1.01677, 1.98295, -1.0206, 1.95643, -1.01041),
        5: (1.98397, -1.0146, 1.96129, -1.01171, 1.9906, -1.01453, 1.9628, -1.00419),
    }
)
# Each number differs by 0.0038 to 0.0077 px between the two. Without AVX2 none moves by as much as 0.00001 px.
_TOLERANCE_PX: Final = 0.001

_SIDE: Final = 64
_SHIFT: Final = (1.98, -1.01)
_WAVES: Final = ((0.61, 0.23, 20), (0.17, 0.55, 25), (-0.4, 0.41, 20), (0.09, 0.13, 30), (0.8, -0.7, 10))


@cache
def behaviour() -> int | None:
    """Return whose results this OpenCV gives: 4 or 5; None if neither's. The first call takes milliseconds."""
    found = _quarters()
    for number, answer in _ANSWERS.items():
        if np.abs(found - answer).max() < _TOLERANCE_PX:
            return number
    return None


def require_known_behaviour() -> int:
    """Return the number.

    Raises:
        ConfigurationError: If this OpenCV gives the results of no version that is known.
    """
    number = behaviour()
    if number is None:
        raise ConfigurationError(
            f"OpenCV {cv2.__version__} ({cv2.__file__}) finds another optical flow than OpenCV "
            f"{' and '.join(map(str, _ANSWERS))} do, so its vectors would not fit to those of other columns: "
            "pip install 'opencv-python-headless==5.0.*'"
        )
    return number


def _quarters() -> Matrix:
    uv_HW2 = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(  # type: ignore[call-overload]
        _picture(0, 0), _picture(*_SHIFT), None
    )
    half = _SIDE // 2
    quarters: Matrix = uv_HW2.reshape(2, half, 2, half, 2).mean(axis=(1, 3), dtype=np.float64).ravel()
    return quarters


def _picture(right: float, down: float) -> Array:
    """Return waves, (H, W) uint8, moved by pixels."""
    y_HW, x_HW = np.mgrid[0.0:_SIDE, 0.0:_SIDE]
    waves = [height * np.sin(a * (x_HW - right) + b * (y_HW - down)) for a, b, height in _WAVES]
    picture: Array = np.rint(128 + sum(waves)).clip(0, 255).astype(np.uint8)
    return picture
