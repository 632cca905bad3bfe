"""Codes of pictures, and of quantities that lie in a known range."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from segprep.datasets.codes.base import (
    Encoded,
    MaskPlace,
    check_bits,
    check_picture,
    check_scale,
    check_values,
    clip_counted,
    filled,
    integer_type,
    mask_of,
    rounded_codes,
)
from segprep.datasets.codes.channels import without_alpha
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.json_values import json_of
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["LinearCode", "PlainCode"]

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
        lossy: Whether files are JPEG (quality 95): what is read back is not quite what was written.
    """

    channels: tuple[str, ...] = ("red", "green", "blue")
    bits: int = 8
    masked: bool = False
    keep_invalid: bool = False
    lossy: bool = False

    name: ClassVar[str] = "plain"
    shows: ClassVar[Kind | None] = None

    def __post_init__(self) -> None:
        check_bits(self.bits)
        _check_channels(self.channels)
        if self.lossy and (self.bits != 8 or len(self.channels) == 4):
            raise CodeRangeError("JPEG holds grey or RGB pictures of 8 bits only")

    @property
    def extension(self) -> str:
        """Suffix of the files."""
        return ".jpg" if self.lossy else ".png"

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

    @property
    def numbers(self) -> Numbers:
        """See `Code.numbers`."""
        return Numbers(self.scale, self.offset, 0, 2**self.bits - 1, (0,) * len(self.scale))

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
        """Return the picture; grey and colour are exchanged where nothing is lost. See `Code.from_file`.

        An alpha channel that is opaque everywhere is dropped, grey becomes three equal channels where colours are
        expected, three equal channels become grey where one is.
        """
        if len(self.channels) != 4:
            picture = without_alpha(picture)
        if len(self.channels) == 3 and picture.ndim == 2:
            picture = np.repeat(picture[..., None], 3, axis=2)
        elif not self.channels and picture.ndim == 3 and (picture == picture[..., :1]).all():
            picture = np.ascontiguousarray(picture[..., 0])
        check_picture(picture, len(self.channels), self.dtype, "a picture of " + (", ".join(self.channels) or "grey"))
        return picture, None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}


@dataclass(frozen=True, slots=True)
class LinearCode:
    """Values on even scales, value = stored * step + start: vegetation indices, normals, HHA. The mask is kept beside.

    With step 1/127 and start -128/127 code 128 is exactly 0, 255 is 1 and 1 is -1.

    Attributes:
        step: Difference between neighbouring codes, or one per channel.
        start: Value of code 0, which is also what invalid pixels are stored as; or one per channel.
        channels: Names in array order and in the file's RGB order; empty for (H, W).
        bits: 8 or 16.
    """

    step: float | tuple[float, ...]
    start: float | tuple[float, ...]
    channels: tuple[str, ...] = ()
    bits: int = 8

    name: ClassVar[str] = "linear"
    extension: ClassVar[str] = ".png"
    mask: ClassVar[MaskPlace] = MaskPlace.BESIDE
    shows: ClassVar[Kind | None] = None

    def __post_init__(self) -> None:
        check_bits(self.bits)
        _check_channels(self.channels)
        for step in self.scale:
            check_scale(step)
        if not np.isfinite(self.offset).all():
            raise CodeRangeError(f"a code's start must be a number, not {self.start}")

    @property
    def dtype(self) -> "np.dtype[Any]":
        """uint8 or uint16."""
        return integer_type(self.bits)

    @property
    def scale(self) -> tuple[float, ...]:
        """The step, per channel."""
        return self._per_channel(self.step, "step")

    @property
    def offset(self) -> tuple[float, ...]:
        """The start, per channel."""
        return self._per_channel(self.start, "start")

    @property
    def numbers(self) -> Numbers:
        """See `Code.numbers`."""
        return Numbers(self.scale, self.offset, 0, 2**self.bits - 1, (0,) * len(self.scale))

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Round and clip. See `Code.encode`."""
        check_values(values, len(self.channels), "the values")
        mask = mask_of(valid, values.shape)
        rounded = rounded_codes(values, *self._rows(values.shape[1]), most=2**self.bits)
        stored, clipped = clip_counted(rounded, 0, 2**self.bits - 1, mask, self.dtype)
        return Encoded(filled(stored, mask), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return float32 values. See `Code.decode`."""
        check_picture(stored, len(self.channels), self.dtype, "the values")
        mask = mask_of(valid, stored.shape)
        scale_R, offset_R = self._rows(stored.shape[1])
        rows = stored.reshape(len(stored), -1) * scale_R
        rows += offset_R
        return filled(rows.astype(np.float32).reshape(stored.shape), mask), mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the stored integers."""
        return stored

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the picture. See `Code.from_file`."""
        check_picture(picture, len(self.channels), self.dtype, "the values")
        return picture, None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}

    def _rows(self, width: int) -> tuple[Array, Array]:
        """Return scale and offset for whole rows: along an axis of three channels NumPy takes three times as long."""
        return np.tile(self.scale, width), np.tile(self.offset, width)

    def _per_channel(self, values: float | tuple[float, ...], what: str) -> tuple[float, ...]:
        count = max(len(self.channels), 1)
        if not isinstance(values, tuple):
            return (values,) * count
        if len(values) != count:
            raise CodeRangeError(f"a code of {count} channel(s) cannot have {len(values)} values of {what}: {values}")
        return values
