"""Spectral bands: which channel of which column is near infrared, red or blue, and what its numbers mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError, ConfigurationError
from segprep.datasets.sample import Array

__all__ = ["BAND_NAMES", "DEFAULT_BANDS", "Band", "parse_bands", "reflectance"]

BAND_NAMES: Final = ("nir", "red", "blue")
DEFAULT_BANDS: Final = "nir=nir,red=image.red,blue=image.blue"

_CHANNELS: Final = ("red", "green", "blue")
_BAND: Final = re.compile(
    r"(?P<name>\w+)=(?P<column>[A-Za-z][A-Za-z0-9_]*)(?:\.(?P<channel>\w+))?(?:/(?P<white>[0-9]+))?"
)
_LARGEST_OF_8_BITS: Final = 255


@dataclass(frozen=True, slots=True)
class Band:
    """Where a band stands.

    Attributes:
        column: Name of a column of pictures.
        channel: 0 red, 1 green, 2 blue of a picture with three channels; None for one without.
        white: The number that means reflectance 1; None for the largest that the picture's type holds.
    """

    column: str
    channel: int | None = None
    white: int | None = None

    def __str__(self) -> str:
        """As `parse_bands` reads it."""
        channel = "" if self.channel is None else f".{_CHANNELS[self.channel]}"
        return self.column + channel + ("" if self.white is None else f"/{self.white}")

    def misfit(self, *, has_channels: bool) -> str:
        """Return why a picture that has channels or has none does not have this band; empty if it has."""
        if has_channels == (self.channel is not None):
            return ""
        if has_channels:
            return f"{self.column} has three channels, name one: --bands ...={self.column}.{_CHANNELS[0]}"
        return f"{self.column} has one channel, name none: --bands ...={self.column}"


def parse_bands(text: object) -> Mapping[str, Band]:
    """Read the option `--bands`: `name=column[.channel][/white]`, parted by commas.

    "nir=image.green,red=image.red" are the channels of CWFID, "nir=nir/4095,red=image.red" is near infrared of 12 bits
    in a 16-bit picture.

    Raises:
        ConfigurationError: If it cannot be read, names an unknown band or channel, or one twice.
    """
    bands: dict[str, Band] = {}
    for part in str(text).replace(" ", "").split(","):
        found = _BAND.fullmatch(part)
        if found is None:
            raise ConfigurationError(f"--bands is a text like {DEFAULT_BANDS!r}; {part!r} of {text!r} is none of it")
        name = found["name"]
        if name not in BAND_NAMES or name in bands:
            problem = "stands twice" if name in bands else "is unknown"
            raise ConfigurationError(f"--bands {text!r}: band {name} {problem}. The bands are {', '.join(BAND_NAMES)}")
        bands[name] = Band(found["column"], _channel(found["channel"]), _white(found["white"]))
    return bands


def _channel(text: str | None) -> int | None:
    if text is None:
        return None
    if text in _CHANNELS:
        return _CHANNELS.index(text)
    if text in ("0", "1", "2"):
        return int(text)
    raise ConfigurationError(f"--bands: a channel is {', '.join(_CHANNELS)}, or 0 to 2, not {text!r}")


def _white(text: str | None) -> int | None:
    if text is not None and not 1 <= int(text) <= 65535:
        raise ConfigurationError(f"--bands: the number that means reflectance 1 lies in 1 to 65535, not {text}")
    return None if text is None else int(text)


def reflectance(picture: Array, band: Band) -> npt.NDArray[np.float64]:
    """Return (H, W) reflectances of a picture, 1 at white.

    Args:
        picture: (H, W) or (H, W, 3), uint8 or uint16.
        band: Says which channel and what is white: 255 of 8 bits and 65535 of 16 unless it says otherwise.

    Raises:
        CodeRangeError: If the picture does not have the channel, is no picture of 8 or 16 bits, or certainly has
            another white: a 16-bit picture whose numbers all fit into 8 bits.
    """
    if picture.dtype not in (np.uint8, np.uint16) or picture.ndim not in (2, 3):
        raise CodeRangeError(f"{band.column} is {picture.dtype} of shape {picture.shape}: no picture of 8 or 16 bits")
    misfit = band.misfit(has_channels=picture.ndim == 3)
    if misfit:
        raise CodeRangeError(misfit)
    values_HW = picture if band.channel is None else picture[..., band.channel]
    if picture.dtype == np.uint16 and band.white is None and values_HW.max(initial=0) <= _LARGEST_OF_8_BITS:
        raise CodeRangeError(
            f"{band} is a picture of 16 bits whose largest number is {values_HW.max(initial=0)}: as reflectance all of "
            f"it would be below {_LARGEST_OF_8_BITS / 65535:.4f}. Say which number is white, for example "
            f"--bands ...={band}/{_LARGEST_OF_8_BITS}, or convert the files"
        )
    white = float(np.iinfo(picture.dtype).max if band.white is None else band.white)
    return values_HW / white
