"""What all codes share: the protocol, the results, rounding and checking."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

import cv2
import numpy as np

from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = [
    "Code",
    "Encoded",
    "MaskPlace",
    "SourceCode",
    "check_bits",
    "check_picture",
    "check_scale",
    "check_values",
    "clip_counted",
    "filled",
    "integer_type",
    "mask_of",
    "rounded_codes",
]

_AT_ONCE: Final = 2**16
_SMALL: Final = 2**8  # codes of so few bits leave little in doubt


class MaskPlace(StrEnum):
    """Where a code's validity mask is kept."""

    NONE = "none"  # arrays of this code are valid everywhere
    IN_FILE = "in-file"
    BESIDE = "beside"  # in a second file, because the first has no room for it


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What encoding gives.

    Attributes:
        stored: (H, W) or (H, W, C) integers in array order.
        valid: (H, W) bool, or None for codes without a mask.
        clipped: Number of valid pixels that the code could not express and that got its nearest value.
    """

    stored: Array
    valid: Mask | None
    clipped: int


class SourceCode(Protocol):
    """A way to read the values of files. Frozen dataclasses implement it; `source_code_from_json` finds them by name.

    Attributes:
        name: Stands in JSON.
    """

    @property
    def name(self) -> str: ...

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return what a file's picture holds, as `decode` takes it, and its mask; None unless the file has one.

        Raises:
            CodeRangeError: If the picture is of another size or type than this code's files.
        """

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Turn stored integers into values and mask; invalid values are 0.

        Raises:
            CodeRangeError: If shape or type do not fit.
        """

    def to_json(self) -> JsonDict:
        """Return the name and parameters, for `source_code_from_json`."""


class Code(SourceCode, Protocol):
    """A way to keep values as integers. `code_from_json` finds it by name.

    Attributes:
        extension: Suffix of the files.
        channels: Names of the channels in array order; empty for (H, W) arrays.
        dtype: Of the stored integers.
        scale: Per channel (one entry for (H, W)): value = stored * scale + offset.
        offset: See `scale`.
        mask: Where the validity mask is kept.
        numbers: What stored integers stand for; None where they are ids.
        shows: Of pictures for the eye from which values can be read: the kind of these values. Else None.
    """

    @property
    def extension(self) -> str: ...
    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def dtype(self) -> "np.dtype[Any]": ...
    @property
    def scale(self) -> tuple[float, ...]: ...
    @property
    def offset(self) -> tuple[float, ...]: ...
    @property
    def mask(self) -> MaskPlace: ...
    @property
    def numbers(self) -> Numbers | None: ...
    @property
    def shows(self) -> Kind | None: ...

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Turn values into stored integers, rounded to the nearest; too large ones are clipped and counted.

        Args:
            values: (H, W) or (H, W, C) in the units of the code.
            valid: (H, W) bool, None for valid everywhere; codes without a mask do not keep it.

        Raises:
            CodeRangeError: If shape or type do not fit, or a valid value is no number.
        """

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the picture that a file holds, in RGB order, the mask packed in where it has room.

        `from_file` undoes it.
        """


def check_bits(bits: int) -> None:
    """Refuse anything but 8 and 16."""
    if bits not in (8, 16):
        raise CodeRangeError(f"a code has 8 or 16 bits, not {bits}")


def check_scale(scale: float) -> None:
    """Refuse scales that are not above zero."""
    if not (math.isfinite(scale) and scale > 0):
        raise CodeRangeError(f"a code's scale must be a number above 0, not {scale}")


def integer_type(bits: int) -> "np.dtype[Any]":
    """Return uint8 or uint16."""
    return np.dtype(np.uint8 if bits == 8 else np.uint16)


def check_values(values: Array, channel_count: int, what: str) -> None:
    """Refuse arrays of the wrong shape; 0 channels means (H, W)."""
    expected = "(H, W)" if not channel_count else f"(H, W, {channel_count})"
    if values.ndim != (3 if channel_count else 2) or (channel_count and values.shape[2] != channel_count):
        raise CodeRangeError(f"{what} must have the shape {expected}, not {values.shape}")


def check_picture(picture: Array, channel_count: int, dtype: "np.dtype[Any]", what: str) -> None:
    """Refuse pictures of the wrong shape or type."""
    has = 1 if picture.ndim == 2 else picture.shape[-1]
    if picture.dtype != dtype or picture.ndim != (3 if channel_count else 2) or has != max(channel_count, 1):
        wanted = max(channel_count, 1)
        raise CodeRangeError(f"{what} is kept as {dtype} with {wanted} channel(s), this is {picture.dtype} with {has}")


def mask_of(valid: Mask | None, shape: tuple[int, ...]) -> Mask:
    """Return the mask, all true where there is none, and refuse one of another size or type."""
    if valid is None:
        return np.ones(shape[:2], np.bool_)
    if valid.shape != shape[:2] or valid.dtype != np.bool_:
        raise CodeRangeError(f"the mask is {valid.dtype} of shape {valid.shape}, the array's shape is {shape}")
    return valid


def filled(array: Array, valid: Mask, fill: int | tuple[int, ...] = 0) -> Array:
    """Return an array whose invalid pixels hold `fill`; the array itself where there are none.

    Args:
        array: (H, W) or (H, W, C) with at most 4 channels; uint8, uint16 or float32.
        valid: (H, W) bool.
        fill: A number, or one per channel.
    """
    if valid.all():
        return array
    # Rows are copied whole, and then pixels: ten times as fast as an assignment with a mask to several channels.
    row = np.broadcast_to(np.array(fill, array.dtype), array.shape[1:])
    result = np.empty(array.shape, array.dtype)
    result.reshape(len(array), -1)[...] = row.ravel()
    cv2.copyTo(np.ascontiguousarray(array), np.ascontiguousarray(valid).view(np.uint8), result)
    return result


def rounded_codes(values: Array, scale: float | Array, offset: float | Array = 0.0, *, most: int = 2**16) -> Array:
    """Return rint((values - offset) / scale) as double precision gives it.

    Args:
        values: (H, W) or (H, W, C) numbers.
        scale: One for all, or (W * C,) for a row.
        offset: See `scale`.
        most: Larger codes and those below 0 are clipped afterwards, so that they need not be right.

    Returns:
        Float32, which holds all codes of 16 bits exactly.
    """
    rows_HR = values.reshape(len(values), math.prod(values.shape[1:]))
    with np.errstate(over="ignore", invalid="ignore"):
        codes_HR = _in_singles(rows_HR, scale, offset, most) if values.dtype == np.float32 and most <= _SMALL else None
        if codes_HR is None:
            codes_HR = _in_doubles(rows_HR, scale, offset)
    return codes_HR.reshape(values.shape)


def _in_singles(rows_HR: Array, scale: float | Array, offset: float | Array, most: int) -> Array | None:
    """Return the codes, calculated in single precision where that is certain to give the same; None if seldom."""
    factor, start = np.asarray(1 / np.asarray(scale), np.float32), np.asarray(offset) / scale
    codes_HR = rows_HR * factor
    codes_HR -= start.astype(np.float32)
    rounded_HR = np.rint(codes_HR)
    codes_HR -= rounded_HR
    np.abs(codes_HR, out=codes_HR)
    # Each of four roundings errs by at most 2^-24 of what it rounds.
    doubt = 2.0**-22 * (most + float(np.abs(start).max()))
    doubtful = np.flatnonzero(codes_HR > 0.5 - doubt)
    if len(doubtful) > rounded_HR.size // 8 or not np.isfinite(factor).all():
        return None
    width = rows_HR.shape[1]
    scales, offsets = (np.broadcast_to(each, width)[doubtful % max(1, width)] for each in (scale, offset))
    rounded_HR.ravel()[doubtful] = np.rint((rows_HR.ravel()[doubtful].astype(np.float64) - offsets) / scales)
    return rounded_HR


def _in_doubles(rows_HR: Array, scale: float | Array, offset: float | Array) -> Array:
    codes_HR = np.empty(rows_HR.shape, np.float32)
    # Some rows at a time: in double precision all of them do not fit the processor's cache.
    step = max(1, _AT_ONCE // max(1, rows_HR.shape[1]))
    for start in range(0, len(rows_HR), step):
        some = rows_HR[start : start + step].astype(np.float64)
        some -= offset
        some /= scale
        np.rint(some, out=some)
        codes_HR[start : start + step] = some
    return codes_HR


def clip_counted(codes: Array, low: int, high: int, valid: Mask, dtype: "np.dtype[Any]") -> tuple[Array, int]:
    """Clip rounded codes and count the valid pixels that this changes, once each however many channels clip.

    Raises:
        CodeRangeError: If a valid pixel is no number.
    """
    if codes.size and codes.min() >= low and codes.max() <= high:  # NaN is not
        return codes.astype(dtype), 0
    inside = np.clip(codes, low, high)  # NaN stays
    outside = np.not_equal(inside, codes)  # and differs from itself
    if codes.ndim == 3:
        planes = cv2.split(np.ascontiguousarray(outside.view(np.uint8)))
        outside = np.bitwise_or.reduce(planes).view(np.bool_)
    outside &= valid
    clipped = int(np.count_nonzero(outside))
    if codes.dtype.kind == "f" and codes.size and np.isnan(inside.min()):
        if clipped and np.isnan(codes[outside]).any():
            broken = int(np.isnan(codes[outside]).reshape(clipped, -1).any(axis=1).sum())
            raise CodeRangeError(f"{broken} valid pixels are no numbers (NaN): mark them invalid")
        # Invalid pixels may hold anything; they get their own code from the caller.
        inside = np.nan_to_num(inside, nan=low)
    return inside.astype(dtype), clipped
