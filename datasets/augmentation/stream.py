"""The random numbers of one variant, and where its crop lies."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from segprep.datasets.augmentation.config import AugmentationConfig
from segprep.datasets.errors import SizeMismatchError

__all__ = ["draw_window", "uniform_numbers"]

# One uniform number each, in this order: new ones come last, so that what was drawn before can be drawn again.
_SLOTS: Final = (
    "flip",
    *(f"{name}{part}" for name in ("scale", "rotation", "skew", "crop", "vignette", "brightness") for part in "?="),
    *(f"{name}{part}" for name in ("contrast", "gamma_z", "saturation", "hue") for part in "?="),
    *("skew side", "crop x", "crop y"),
)
_DIGITS: Final = 6


def uniform_numbers(seed: int, key: str, variant: int) -> dict[str, float]:
    """Return a number in [0, 1) for every slot, from a bit generator, whose streams no version of NumPy changes."""
    text = json.dumps([seed, key, variant]).encode()
    bits = np.random.Philox(key=int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little"))
    raw = bits.random_raw(len(_SLOTS)) >> np.uint64(11)
    return dict(zip(_SLOTS, (raw * 2.0**-53).tolist(), strict=True))


def draw_window(
    config: AugmentationConfig,
    source: tuple[int, int],
    scale: float,
    fraction: float,
    uniform: Mapping[str, float],
) -> tuple[float, float, float, float]:
    """Return the crop: (left, top, width, height)."""
    width, height = source
    places = uniform["crop x"], uniform["crop y"]
    if config.crop_size is not None:
        if config.crop_size[0] > width or config.crop_size[1] > height:
            raise SizeMismatchError(
                f"a crop of {config.crop_size[0]}x{config.crop_size[1]} pixels does not fit into an image of "
                f"{width}x{height}: make crop_size smaller, for example with a table of your own"
            )
        left, top = (
            math.floor(_free(side, scale, window, place, 1.0))
            for side, window, place in zip(source, config.crop_size, places, strict=True)
        )
        return float(left), float(top), float(config.crop_size[0]), float(config.crop_size[1])
    if config.crop is None:
        return 0.0, 0.0, float(width), float(height)
    left_edge, top_edge = (
        round(_free(side, scale, side * fraction, place), _DIGITS) for side, place in zip(source, places, strict=True)
    )
    return left_edge, top_edge, round(width * fraction, _DIGITS), round(height * fraction, _DIGITS)


def _free(side: int, scale: float, window: float, place: float, step: float = 0.0) -> float:
    """Return where a window begins: within the scaled image, or around it where that is smaller.

    With a step of 1, whole numbers up to the last one are reached alike once they are rounded down.
    """
    first, last = sorted(((1 - scale) * side / 2, (1 + scale) * side / 2 - window))
    return first + (last - first + step) * place
