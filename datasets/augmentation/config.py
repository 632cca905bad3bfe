"""What an augmentation may draw: ranges, and the presets of the published systems."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from segprep.datasets.errors import ConfigurationError, UnknownNameError
from segprep.datasets.names import nearest_name
from segprep.datasets.sample import JsonDict

__all__ = ["PRESETS", "SPAN_UNITS", "AugmentationConfig", "Span", "preset_config"]


@dataclass(frozen=True, slots=True)
class Span:
    """A number that is drawn evenly from low to high.

    Attributes:
        low: Smallest value.
        high: Largest value; low for a fixed one.
        probability: Share (0..1) of the variants in which it is drawn; the others leave this property untouched.
    """

    low: float
    high: float
    probability: float = 1.0


# What a number may be, and what it is called.
_BOUNDS: Final[Mapping[str, tuple[float, float, str]]] = {
    "scale": (0.05, 20.0, "a factor"),
    "rotation": (-180.0, 180.0, "degrees"),
    "skew": (0.0, 1.0, "the tangent of an angle"),
    "crop": (0.01, 1.0, "a fraction of the image's side"),
    "vignette": (10.0, 1e5, "pixels at a width of 768"),
    "brightness": (-255.0, 255.0, "grey levels"),
    "contrast": (0.0, 10.0, "a factor"),
    "gamma_z": (-0.7, 0.7, "Z of gamma = ln(1/2 + Z / sqrt 2) / ln(1/2 - Z / sqrt 2)"),
    "saturation": (0.0, 10.0, "a factor"),
    "hue": (-180.0, 180.0, "degrees"),
}

SPAN_UNITS: Final[Mapping[str, str]] = MappingProxyType({name: unit for name, (*_, unit) in _BOUNDS.items()})
"""What the numbers of each range are, by its name in `AugmentationConfig`."""


def _check_share(what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ConfigurationError(f"{what} is a probability in 0..1, not {share}")


def _check_span(name: str, span: Span) -> None:
    lowest, highest, unit = _BOUNDS[name]
    _check_share(f"the probability of {name}", span.probability)
    if not lowest <= span.low <= span.high <= highest:
        raise ConfigurationError(
            f"{name} ({unit}) lies in {lowest:g} to {highest:g} and goes from low to high, not {span.low:g} to "
            f"{span.high:g}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationConfig:
    """The ranges that are drawn from; None (in TOML false) leaves a property untouched.

    Geometry is applied in the order flip, scale, rotation, skew, crop, and then the crop is brought to the size that is
    wanted; colours in the order vignette, brightness and contrast, gamma, saturation, hue, and on images only.

    Attributes:
        flip: Probability (0..1) of a horizontal flip.
        scale: Factor about the image's centre: 2 shows everything twice as large. Its logarithm is drawn evenly, so
            that halving is as likely as doubling.
        rotation: Degrees about the image's centre; positive turns clockwise, as seen.
        skew: Tangent of the angle by which columns lean, about the image's centre: with 0.1 a column of 100 pixels ends
            10 pixels beside its start. The side is drawn, too, so the range is of magnitudes.
        crop: Side of the window as a fraction of the image's side, the same for both sides, so that its shape stays.
            The window lies anywhere within the scaled image, or, where that is smaller, anywhere around it; where no
            fraction is drawn it has the image's size. Without a crop it is the frame about the image's centre.
        crop_size: (width, height) of the window in pixels instead, at a whole pixel. No larger than the image.
        vignette: Standard deviation of a Gaussian about the centre of the result, by which it is darkened: in pixels of
            a result that is 768 wide, and in proportion at other widths. 210 leaves 0.12 of the light in the corners of
            768x384, 300 leaves 0.36.
        brightness: Grey levels of 0..255 that are added.
        contrast: Factor: value -> contrast * value + brightness, clipped.
        gamma_z: Z in gamma = ln(1/2 + Z / sqrt 2) / ln(1/2 - Z / sqrt 2), value -> 255 (value / 255)^gamma. Positive
            brightens: 0.1 gives gamma 0.6633, -0.1 gives 1.5077. Source: Pohlen, Hermans, Mathias, Leibe:
            Full-resolution residual networks for semantic segmentation in street scenes. CVPR 2017.
        saturation: Factor of the difference to grey; 0 is grey.
        hue: Degrees by which colours turn about grey (in YIQ); positive turns red towards yellow.

    Raises:
        ConfigurationError: If a range makes no sense.
    """

    flip: float = 0.0
    scale: Span | None = None
    rotation: Span | None = None
    skew: Span | None = None
    crop: Span | None = None
    crop_size: tuple[int, int] | None = None
    vignette: Span | None = None
    brightness: Span | None = None
    contrast: Span | None = None
    gamma_z: Span | None = None
    saturation: Span | None = None
    hue: Span | None = None

    def __post_init__(self) -> None:
        _check_share("flip", self.flip)
        for name in _BOUNDS:
            span = getattr(self, name)
            if span is not None:
                _check_span(name, span)
        if self.crop_size is not None and min(self.crop_size) < 1:
            raise ConfigurationError(f"crop_size is (width, height) of at least 1 pixel, not {self.crop_size}")
        if self.crop is not None and self.crop_size is not None:
            raise ConfigurationError("crop and crop_size exclude each other: set one of them to false")

    def to_json(self) -> JsonDict:
        """Return a table that `segprep.datasets.augmentation.table.config_from_table` reads back exactly."""
        table: JsonDict = {"flip": self.flip, "crop_size": False if self.crop_size is None else list(self.crop_size)}
        for name in _BOUNDS:
            span: Span | None = getattr(self, name)
            table[name] = span is not None and {"range": [span.low, span.high], "probability": span.probability}
        return table


PRESETS: Final[Mapping[str, AugmentationConfig]] = MappingProxyType(
    {
        "none": AugmentationConfig(),
        "flip": AugmentationConfig(flip=0.5),
        # Ranges as published for SSMA and AdapNet++. How often each is applied is not: half of the time here, because
        # always would show the network no straight and evenly lit picture at all.
        "ssma": AugmentationConfig(
            flip=0.5,
            scale=Span(0.5, 2.0, 0.5),
            rotation=Span(-13, 13, 0.5),
            skew=Span(0.05, 0.10, 0.5),
            crop=Span(0.8, 0.9, 0.5),
            vignette=Span(210, 300, 0.5),
            brightness=Span(-40, 40, 0.5),
            contrast=Span(0.5, 1.5, 0.5),
        ),
        # Flip, gamma, then a fixed crop: its 192 rows x 448 columns of images that are 256 x 512.
        "paris": AugmentationConfig(flip=0.5, gamma_z=Span(-0.1, 0.1), crop_size=(448, 192)),
        "fcn": AugmentationConfig(contrast=Span(0.8, 1.2), brightness=Span(-40, 40)),
    }
)
"""By the name that users type. Sources: Valada, Mohan, Burgard: Self-supervised model adaptation for multimodal
semantic segmentation. IJCV 2019; the programs PARIS-sem-seg and FCN8s."""


def preset_config(name: str) -> AugmentationConfig:
    """Return a preset.

    Raises:
        UnknownNameError: If there is none of this name; names the nearest.
    """
    if name not in PRESETS:
        raise UnknownNameError(f"there is no preset of augmentation called {name!r}. {nearest_name(name, PRESETS)}")
    return PRESETS[name]
