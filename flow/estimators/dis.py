"""Dense inverse search: fast optical flow without learned weights, from OpenCV.

Source: Kroeger, Timofte, Dai, Van Gool: Fast optical flow using dense inverse search. ECCV 2016.
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

__all__ = ["PRESETS", "Config", "config_from", "estimate", "rests_on_opencv"]

_PATCH_SIZE = 8

# OpenCV crashes the process on longish images whose shorter side is below a patch at the finest scale (8 * 2^2 pixels).
_MIN_SIDE = 64


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the estimator, by default those of the preset `medium`.

    Attributes:
        finest_scale: 0..2; patches are matched down to images of 1 / 2^finest_scale of the size.
        patch_stride: 1..8 pixels between the corners of patches of 8x8 pixels.
        descent_iterations: Steps of gradient descent per patch, at least 1.
        refinement_iterations: Steps of the variational refinement that follows on each scale; 0 for none.
    """

    finest_scale: int = 1
    patch_stride: int = 3
    descent_iterations: int = 25
    refinement_iterations: int = 5

    def __post_init__(self) -> None:
        # OpenCV checks none of them: a stride of 0, for one, kills the process.
        limits = {
            "finest_scale": (0, 2),
            "patch_stride": (1, _PATCH_SIZE),
            "descent_iterations": (1, 1000),
            "refinement_iterations": (0, 1000),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigurationError(f"{name} of dis must be {low}..{high}, not {getattr(self, name)}")


PRESETS: Mapping[str, Config] = MappingProxyType(
    {
        "ultrafast": Config(finest_scale=2, patch_stride=4, descent_iterations=12, refinement_iterations=0),
        "fast": Config(finest_scale=2, patch_stride=4, descent_iterations=16, refinement_iterations=5),
        "medium": Config(),
        "fine": Config(finest_scale=0, patch_stride=3, descent_iterations=50, refinement_iterations=10),
    }
)
"""From fast to accurate. At 768x384 one pair takes about 2, 7, 22 and 160 ms on two cores; the first three are OpenCV's
own presets, `fine` matches and refines at full resolution."""

_DEFAULT = Config()


def config_from(preset: str | None) -> Config:
    """Return the settings of a preset, the default for None.

    Raises:
        ConfigurationError: If there is no such preset; the message lists those that exist.
    """
    return choose(PRESETS, preset, _DEFAULT, "dis")


def rests_on_opencv(config: Config) -> bool:
    """Return whether the result depends on how OpenCV interpolates: the refinement does, which uses `cv2.remap`."""
    return config.refinement_iterations > 0


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
    grays = gray_pair(first_rgb_HWC, second_rgb_HWC)
    height, width = grays[0].shape
    below, right = max(_MIN_SIDE - height, 0), max(_MIN_SIDE - width, 0)
    first, second = (cv2.copyMakeBorder(gray, 0, below, 0, right, cv2.BORDER_REPLICATE) for gray in grays)
    # The object keeps buffers and is not safe between threads: a new one costs little.
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    estimator.setPatchSize(_PATCH_SIZE)
    estimator.setFinestScale(config.finest_scale)
    estimator.setPatchStride(config.patch_stride)
    estimator.setGradientDescentIterations(config.descent_iterations)
    estimator.setVariationalRefinementIterations(config.refinement_iterations)
    # A field given here is where patches start from, too: zeros would pull flow towards standing still.
    uv_HW2 = estimator.calc(first, second, None)  # type: ignore[call-overload]
    return np.ascontiguousarray(uv_HW2[:height, :width], np.float32)
