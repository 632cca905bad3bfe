"""Codes of pictures, ids and quantities that lie in a known range."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from segprep.datasets._code_base import (
    Encoded,
    MaskPlace,
    check_bits,
    check_picture,
    check_scale,
    check_values,
    clip_counted,
    integer_type,
    mask_of,
)
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["IdCode", "LinearCode", "PlainCode"]

_CHANNEL_COUNTS = (0, 3, 4)  # what a PNG holds without a second meaning


def _check_channels(channels: tuple[str, ...]) -> None:
    if len(channels) not in _CHANNEL_COUNTS:
        raise CodeRangeError(f"a picture has no channels' axis, 3 or 4 channels, not {len(channels)}: {channels}")


@dataclass(frozen=True, slots=True)
class PlainCode:
    """Numbers stored as they are: images, near infrared, and pictures that are coded for the eye.

    Attributes:
        channels: Names in array order and in the file's RGB order; empty for (H, W).
        bits: 8 or 16.
        masked: Whether a mask is kept beside. Invalid pixels are stored as 0 unless `keep_invalid`.
        keep_invalid: Whether invalid pixels keep the value that they were given, for colours that mean "invalid".
    """

    channels: tuple[str, ...] = ("red", "green", "blue")
    bits: int = 8
    masked: bool = False
    keep_invalid: bool = False

    name: ClassVar[str] = "plain"
    extension: ClassVar[str] = ".png"

    def __post_init__(self) -> None:
        check_bits(self.bits)
        _check_channels(self.channels)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """uint8 or uint16."""
        return integer_type(self.bits)

    @property
    def scale(self) -> tuple[float, ...]:
        """One per channel."""
        return (1.0,) * max(len(self.channels), 1)

    @property
    def offset(self) -> tuple[float, ...]:
        """Zero per channel."""
        return (0.0,) * max(len(self.channels), 1)

    @property
    def mask(self) -> MaskPlace:
        """Beside or none."""
        return MaskPlace.BESIDE if self.masked else MaskPlace.NONE

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Take integers of the right type as they are; round and clip all others. See `Code.encode`."""
        check_values(values, len(self.channels), "a picture")
        mask = mask_of(valid if self.masked else None, values.shape)
        stored, clipped = values, 0
        if values.dtype != self.dtype:
            rounded = np.rint(values.astype(np.float64))
            stored, clipped = clip_counted(rounded, 0, 2**self.bits - 1, mask, self.dtype)
        if not self.masked:
            return Encoded(stored, None, clipped)
        if not self.keep_invalid and not mask.all():
            stored = stored.copy()
            stored[~mask] = 0
        return Encoded(stored, mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return the integers as they are. See `Code.decode`."""
        check_picture(stored, len(self.channels), self.dtype, "a picture")
        return stored, mask_of(valid, stored.shape) if self.masked else None

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the stored integers."""
        return stored

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the picture; an alpha channel that is opaque everywhere is dropped. See `Code.from_file`."""
        if len(self.channels) == 3 and picture.ndim == 3 and picture.shape[2] == 4:
            opaque = np.iinfo(picture.dtype).max if picture.dtype.kind == "u" else 1
            if (picture[..., 3] == opaque).all():
                picture = np.ascontiguousarray(picture[..., :3])
        check_picture(picture, len(self.channels), self.dtype, "a picture of " + (", ".join(self.channels) or "grey"))
        return picture, None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **asdict(self), "channels": list(self.channels)}


@dataclass(frozen=True, slots=True)
class IdCode:
    """Label and instance ids, stored as they are. They are never rounded or clipped.

    Attributes:
        bits: 8 or 16.
    """

    bits: int = 8

    name: ClassVar[str] = "ids"
    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ()
    scale: ClassVar[tuple[float, ...]] = (1.0,)
    offset: ClassVar[tuple[float, ...]] = (0.0,)
    mask: ClassVar[MaskPlace] = MaskPlace.NONE

    def __post_init__(self) -> None:
        check_bits(self.bits)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """uint8 or uint16."""
        return integer_type(self.bits)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Take ids of any integer type.

        Raises:
            CodeRangeError: If they are no integers or do not fit.
        """
        return Encoded(self._fitting(values), None, 0)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return the ids. See `Code.decode`."""
        check_picture(stored, 0, self.dtype, "an image of ids")
        return stored, None

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the ids."""
        return stored

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the ids; files of 8 or 16 bits are both read as long as the ids fit.

        Raises:
            CodeRangeError: If the file holds colours, no integers, or larger ids.
        """
        if picture.ndim == 3:
            raise CodeRangeError("ids must stand in one channel; this file holds colours: translate them to ids first")
        return self._fitting(picture), None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **asdict(self)}

    def _fitting(self, ids: Array) -> Array:
        check_values(ids, 0, "an image of ids")
        if ids.dtype == self.dtype:
            return ids
        if ids.dtype.kind not in "iu":
            raise CodeRangeError(f"ids must be integers, not {ids.dtype}")
        low, high = ids.min(initial=0), ids.max(initial=0)
        if low < 0 or high > 2**self.bits - 1:
            raise CodeRangeError(f"ids from {low} to {high} do not fit into {self.bits} bits")
        return ids.astype(self.dtype)


@dataclass(frozen=True, slots=True)
class LinearCode:
    """Values on an even scale, value = stored * step + start: vegetation indices, normals. The mask is kept beside.

    With step 1/127 and start -128/127 code 128 is exactly 0, 255 is 1 and 1 is -1.

    Attributes:
        step: Difference between neighbouring codes.
        start: Value of code 0, which is also what invalid pixels are stored as.
        channels: Names in array order and in the file's RGB order; empty for (H, W).
        bits: 8 or 16.
    """

    step: float
    start: float
    channels: tuple[str, ...] = ()
    bits: int = 8

    name: ClassVar[str] = "linear"
    extension: ClassVar[str] = ".png"
    mask: ClassVar[MaskPlace] = MaskPlace.BESIDE

    def __post_init__(self) -> None:
        check_bits(self.bits)
        check_scale(self.step)
        _check_channels(self.channels)
        if not np.isfinite(self.start):
            raise CodeRangeError(f"a code's start must be a number, not {self.start}")

    @property
    def dtype(self) -> "np.dtype[Any]":
        """uint8 or uint16."""
        return integer_type(self.bits)

    @property
    def scale(self) -> tuple[float, ...]:
        """The step, per channel."""
        return (self.step,) * max(len(self.channels), 1)

    @property
    def offset(self) -> tuple[float, ...]:
        """The start, per channel."""
        return (self.start,) * max(len(self.channels), 1)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Round and clip. See `Code.encode`."""
        check_values(values, len(self.channels), "the values")
        mask = mask_of(valid, values.shape)
        rounded = np.rint((values.astype(np.float64) - self.start) / self.step)
        stored, clipped = clip_counted(rounded, 0, 2**self.bits - 1, mask, self.dtype)
        stored[~mask] = 0
        return Encoded(stored, mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return float32 values. See `Code.decode`."""
        check_picture(stored, len(self.channels), self.dtype, "the values")
        mask = mask_of(valid, stored.shape)
        values = (stored * self.step + self.start).astype(np.float32)
        values[~mask] = 0
        return values, mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the stored integers."""
        return stored

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the picture. See `Code.from_file`."""
        check_picture(picture, len(self.channels), self.dtype, "the values")
        return picture, None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **asdict(self), "channels": list(self.channels)}
