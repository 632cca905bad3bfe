"""Two-frame motion from polynomial expansion: smooth dense optical flow, from OpenCV.

Source: Farneback: Two-frame motion estimation based on polynomial expansion. SCIA 2003.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array
from segprep.flow.estimators._images import gray_pair
from segprep.flow.estimators._presets import choose

__all__ = ["PRESETS", "Config", "config_from", "estimate"]


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the estimator.

    Attributes:
        pyramid_scale: Size of each image of the pyramid over that of the finer one, above 0 and below 1.
        levels: Images of the pyramid, the original included; those with a side below 32 pixels are left out.
        window: Side in pixels of the area over which motion is averaged.
        iterations: Per image of the pyramid.
        neighbourhood: Side in pixels of the area that a polynomial approximates, 5 or 7.
        sigma: Standard deviation in pixels of that area's weights.
    """

    pyramid_scale: float = 0.5
    levels: int = 5
    window: int = 15
    iterations: int = 3
    neighbourhood: int = 5
    sigma: float = 1.2

    def __post_init__(self) -> None:
        if not 0 < self.pyramid_scale < 1 or not 0 < self.sigma < float("inf"):
            raise ConfigurationError(
                "farneback needs a pyramid_scale above 0 and below 1 and a sigma above 0, not "
                f"{self.pyramid_scale} and {self.sigma}"
            )
        if min(self.levels, self.iterations) < 1 or self.window < 2 or self.neighbourhood not in (5, 7):
            raise ConfigurationError(
                "farneback needs at least 1 level and iteration, a window of at least 2 and a neighbourhood of 5 or 7 "
                f"pixels, not {self.levels}, {self.iterations}, {self.window} and {self.neighbourhood}"
            )


PRESETS: Mapping[str, Config] = MappingProxyType({"default": Config()})
"""At 768x384 one pair takes about 54 ms on two cores."""

_DEFAULT = Config()


def config_from(preset: str | None) -> Config:
    """Return the settings of a preset, the default for None.

    Raises:
        ConfigurationError: If there is no such preset; the message lists those that exist.
    """
    return choose(PRESETS, preset, _DEFAULT, "farneback")


def estimate(first_rgb_HWC: Array, second_rgb_HWC: Array, config: Config = _DEFAULT) -> npt.NDArray[np.float32]:
    """Estimate the motion from the first image to the second.

    Args:
        first_rgb_HWC: (H, W, 3) uint8 RGB of any size.
        second_rgb_HWC: The same size.
        config: Settings.

    Returns:
        (H, W, 2) float32 (u, v) in pixels on the grid of the first image. Equal images give equal results, whatever the
        number of threads.

    Raises:
        SizeMismatchError: If the two sizes differ or an image has no three channels of 8 bits.
    """
    first, second = gray_pair(first_rgb_HWC, second_rgb_HWC)
    uv_HW2 = cv2.calcOpticalFlowFarneback(  # type: ignore[call-overload]
        first,
        second,
        None,
        config.pyramid_scale,
        config.levels,
        config.window,
        config.iterations,
        config.neighbourhood,
        config.sigma,
        0,
    )
    return np.ascontiguousarray(uv_HW2, np.float32)
