"""Joint augmentation: parameters drawn once per sample and variant, and the one affine map that they make.

Pure NumPy, so that images on a disk and tensors on a device can be augmented alike.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from segprep.datasets.augmentation.config import AugmentationConfig, Span
from segprep.datasets.augmentation.stream import draw_window, uniform_numbers
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import json_of
from segprep.datasets.sample import JsonDict, Matrix, flip_x_map

__all__ = ["Augmentation", "draw"]

_DIGITS: Final = 6  # of numbers in JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What was drawn for one variant of one sample. Without changes from the defaults it leaves everything as it is.

    Attributes:
        source: (width, height) before.
        output: (width, height) after.
        flip: Whether it is mirrored from left to right.
        scale: Factor about the image's centre.
        rotation: Degrees about the image's centre, positive clockwise, as seen.
        skew: Pixels by which a row moves to the right per row that it lies below the image's centre.
        crop: (left, top, width, height) of the window that becomes the result, in pixels from the left upper edge that
            the frame has before it is changed. The whole frame is (0, 0, width, height).
        vignette: Standard deviation in pixels of a result of width 768, or None.
        brightness: Grey levels of 0..255 that are added after the contrast.
        contrast: Factor.
        gamma: Exponent of value / 255.
        saturation: Factor.
        hue: Degrees.
    """

    source: tuple[int, int]
    output: tuple[int, int]
    crop: tuple[float, float, float, float]
    flip: bool = False
    scale: float = 1.0
    rotation: float = 0.0
    skew: float = 0.0
    vignette: float | None = None
    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        if min(*self.source, *self.output) < 1 or min(self.scale, self.gamma, *self.crop[2:]) <= 0:
            raise ConfigurationError(f"sizes, scale and gamma of an augmentation are above 0: {self}")

    @property
    def moves_pixels(self) -> bool:
        """Whether it changes anything but colours."""
        return self.output != self.source or not np.array_equal(self.affine(), np.eye(3))

    def affine(self) -> Matrix:
        """Return the (3, 3) map of homogeneous pixels, centres at integers, from the source to the output.

        Flip first, then scale, rotation and skew about the image's centre, then the crop, which is resized to the
        output. In a 512x256 image a flip takes pixel 0 to 511; rotation by 90 degrees takes the pixel that is 10 to the
        right of the centre to 10 below it.
        """
        width, height = self.source
        angle = math.radians(self.rotation)
        c, s = self.scale * math.cos(angle), self.scale * math.sin(angle)
        linear = np.array([[1.0, self.skew], [0.0, 1.0]]) @ np.array([[c, -s], [s, c]])
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        about_centre = np.eye(3)
        about_centre[:2, :2], about_centre[:2, 2] = linear, centre - linear @ centre
        left, top, window_width, window_height = self.crop
        sx, sy = self.output[0] / window_width, self.output[1] / window_height
        # As `scale_map`, but for a window that need not begin at a whole pixel: x' = (x + .5 - left) sx - .5.
        to_output = np.array([[sx, 0, (0.5 - left) * sx - 0.5], [0, sy, (0.5 - top) * sy - 0.5], [0, 0, 1]])
        A: Matrix = to_output @ about_centre
        return A @ flip_x_map(width) if self.flip else A

    def to_json(self) -> JsonDict:
        """Return a JSON object that `from_json` reads back exactly."""
        return json_of(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Augmentation":
        """Build an augmentation from what `to_json` returned.

        Raises:
            ConfigurationError: If it is something else.
        """
        try:
            values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
            return cls(**values)
        except TypeError as error:
            raise ConfigurationError(f"{dict(data)} does not describe an augmentation: {error}") from error


def draw(
    config: AugmentationConfig,
    seed: int,
    key: str,
    variant: int,
    source: tuple[int, int],
    output: tuple[int, int] | None = None,
) -> Augmentation:
    """Draw the parameters of one variant of one sample; they depend on nothing but the arguments.

    Args:
        config: The ranges. Each number has a place of its own in the stream, so that switching one range off leaves
            the others as they were.
        seed: Of the whole run.
        key: The sample.
        variant: Number from 0.
        source: (width, height) of the sample.
        output: (width, height) of the result; None for that of `config.crop_size`, else the source's.

    Raises:
        SizeMismatchError: If a crop in pixels is larger than the sample.
        ConfigurationError: If the variant is negative or a size is empty.
    """
    if variant < 0 or min(*source, *(output or (1, 1))) < 1:
        raise ConfigurationError(f"there is no variant {variant} of {source}, to be brought to {output}")
    uniform = uniform_numbers(seed, key, variant)

    def drawn(name: str, span: Span | None, untouched: float) -> float:
        if span is None or uniform[f"{name}?"] >= span.probability:
            return untouched
        return span.low + (span.high - span.low) * uniform[f"{name}="]

    zoom = config.scale and Span(math.log(config.scale.low), math.log(config.scale.high), config.scale.probability)
    scale = round(math.exp(drawn("scale", zoom, 0.0)), _DIGITS)
    skew = drawn("skew", config.skew, 0.0)
    vignette = drawn("vignette", config.vignette, math.inf)
    z = drawn("gamma_z", config.gamma_z, 0.0) / math.sqrt(2)
    fraction = drawn("crop", config.crop, 1.0)
    window = draw_window(config, source, scale, fraction, uniform)
    return Augmentation(
        source=source,
        output=output or config.crop_size or source,
        crop=window,
        flip=uniform["flip"] < config.flip,
        scale=scale,
        rotation=round(drawn("rotation", config.rotation, 0.0), _DIGITS),
        skew=round(skew if uniform["skew side"] < 0.5 else 0.0 - skew, _DIGITS),
        vignette=None if math.isinf(vignette) else round(vignette, _DIGITS),
        brightness=round(drawn("brightness", config.brightness, 0.0), _DIGITS),
        contrast=round(drawn("contrast", config.contrast, 1.0), _DIGITS),
        gamma=round(math.log(0.5 + z) / math.log(0.5 - z), _DIGITS),
        saturation=round(drawn("saturation", config.saturation, 1.0), _DIGITS),
        hue=round(drawn("hue", config.hue, 0.0), _DIGITS),
    )
