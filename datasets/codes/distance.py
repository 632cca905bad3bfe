"""Codes of depth and disparity: 16 bits, 0 is invalid."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from segprep.datasets.codes.base import (
    Encoded,
    MaskPlace,
    check_picture,
    check_scale,
    check_values,
    clip_counted,
    filled,
    mask_of,
    rounded_codes,
)
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.json_values import json_of
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["DepthCode", "DisparityCode"]

_U16 = np.dtype(np.uint16)
_MAX = 65535


@dataclass(frozen=True, slots=True)
class DepthCode:
    """Depth in metres: metres = stored * scale_m, 0 is invalid, 65535 is infinitely far (sky).

    With scale 1/256 (KITTI's) the range is 0.004 to 255.99 m and the largest rounding error 2 mm.

    Attributes:
        scale_m: Metres per step.
        far_code: Whether 65535 means infinitely far. Where it does not, as in files of depth cameras, it is invalid.
    """

    scale_m: float = 1 / 256
    far_code: bool = True

    name: ClassVar[str] = "depth-u16"
    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ()
    dtype: ClassVar["np.dtype[Any]"] = _U16
    offset: ClassVar[tuple[float, ...]] = (0.0,)
    mask: ClassVar[MaskPlace] = MaskPlace.IN_FILE
    shows: ClassVar[Kind | None] = None

    def __post_init__(self) -> None:
        check_scale(self.scale_m)

    @property
    def scale(self) -> tuple[float, ...]:
        """Metres per step."""
        return (self.scale_m,)

    @property
    def numbers(self) -> Numbers:
        """See `Code.numbers`."""
        if not self.far_code:
            return Numbers(self.scale, self.offset, 1, _MAX - 1, (0,), (0, _MAX))
        return Numbers(self.scale, self.offset, 1, _MAX - 1, (0,), (0,), _MAX, np.inf)

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Round metres; finite ones are clipped to 1..65534, infinity is 65535. See `Code.encode`.

        Raises:
            CodeRangeError: Also for valid infinite depth where the code has no number for it.
        """
        check_values(values, 0, "depth")
        mask = mask_of(valid, values.shape)
        far = np.equal(values, np.inf) & mask
        if far.any() and not self.far_code:
            raise CodeRangeError(f"{int(far.sum())} pixels are infinitely far, for which this depth code has no number")
        near = mask & ~far
        stored, clipped = clip_counted(filled(rounded_codes(values, self.scale_m), near, 1), 1, _MAX - 1, near, _U16)
        np.copyto(stored, _MAX, where=far)
        return Encoded(filled(stored, mask), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return float32 metres, `inf` where infinitely far. See `Code.decode`."""
        check_picture(stored, 0, _U16, "depth")
        mask = mask_of(valid, stored.shape) & self._known(stored)
        metres = (stored * self.scale_m).astype(np.float32)
        metres[stored == _MAX] = np.inf
        metres[~mask] = 0
        return metres, mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the stored integers, which hold the mask."""
        return stored

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the stored integers and where they are valid. See `Code.from_file`."""
        check_picture(picture, 0, _U16, "depth")
        known = self._known(picture)
        return np.where(known, picture, _U16.type(0)), known

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}

    def _known(self, stored: Array) -> Mask:
        known: Mask = stored != 0
        return known if self.far_code else known & (stored != _MAX)


@dataclass(frozen=True, slots=True)
class DisparityCode:
    """Disparity in pixels: pixels = (stored - zero_code) * step, stored 0 is invalid.

    Cityscapes: step 1/256, zero_code 1. KITTI: step 1/256, zero_code 0.

    Attributes:
        step: Pixels per step.
        zero_code: Code of disparity 0.
    """

    step: float = 1 / 256
    zero_code: int = 0

    name: ClassVar[str] = "disparity-u16"
    extension: ClassVar[str] = ".png"
    channels: ClassVar[tuple[str, ...]] = ()
    dtype: ClassVar["np.dtype[Any]"] = _U16
    mask: ClassVar[MaskPlace] = MaskPlace.IN_FILE
    shows: ClassVar[Kind | None] = None

    def __post_init__(self) -> None:
        check_scale(self.step)
        if self.zero_code not in (0, 1):
            raise CodeRangeError(f"the code of disparity 0 is 0 or 1, not {self.zero_code}")

    @property
    def scale(self) -> tuple[float, ...]:
        """Pixels per step."""
        return (self.step,)

    @property
    def offset(self) -> tuple[float, ...]:
        """Pixels at code 0."""
        return (-self.zero_code * self.step,)

    @property
    def numbers(self) -> Numbers:
        """See `Code.numbers`."""
        numbers = Numbers(self.scale, self.offset, 1, _MAX, (0,), (0,))
        return numbers.far_at(self.zero_code) if self.zero_code else numbers

    def encode(self, values: Array, valid: Mask | None) -> Encoded:
        """Round pixels and clip them to 1..65535. See `Code.encode`."""
        check_values(values, 0, "disparity")
        mask = mask_of(valid, values.shape)
        rounded = rounded_codes(values, self.step)
        rounded += self.zero_code
        stored, clipped = clip_counted(rounded, 1, _MAX, mask, _U16)
        return Encoded(filled(stored, mask), mask, clipped)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return float32 pixels. See `Code.decode`."""
        check_picture(stored, 0, _U16, "disparity")
        mask = mask_of(valid, stored.shape) & (stored != 0)
        pixels = ((stored.astype(np.float64) - self.zero_code) * self.step).astype(np.float32)
        pixels[~mask] = 0
        return pixels, mask

    def to_file(self, stored: Array, valid: Mask | None) -> Array:
        """Return the stored integers, which hold the mask."""
        return stored

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return the stored integers and where they are valid. See `Code.from_file`."""
        check_picture(picture, 0, _U16, "disparity")
        return picture, picture != 0

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}
