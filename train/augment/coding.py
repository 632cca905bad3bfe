"""Stored integers of quantities as planes of numbers, and back, on the device.

What a code can hold, and what stands for "invalid", is asked of the code itself; so any code with a scale and an offset
will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.codes import code_from_json
from segprep.datasets.codes.column import numbers_of
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.codes.palette import Palette
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.shards.columns import ArraySpec

__all__ = ["QuantityCoding", "coding_of", "stored_from"]


class QuantityCoding(Protocol):
    """A code on tensors."""

    @property
    def channels(self) -> int:
        """Number of planes of values."""

    @property
    def infinity(self) -> float | None:
        """What stands for infinitely far among the values, or None."""

    def decode(self, stored_NHWC: Tensor, out_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Write float32 values into `out_NCHW`.

        Returns:
            (N, H, W) bool where there is a value, None for everywhere; and where it is infinitely far, None for
            nowhere.
        """

    def encode(self, planes: Sequence[Tensor], valid_NHW: Tensor) -> Tensor:
        """Return (N, H, W, C) stored integers, rounded and clipped, the code's own where invalid.

        Args:
            planes: (N, H, W) float32 values of each channel, used up.
            valid_NHW: bool.
        """


def coding_of(spec: ArraySpec, device: torch.device) -> QuantityCoding:
    """Return the code of a column on tensors of a device.

    Raises:
        CodeRangeError: If there is no such code, it holds ids, or it does not fit the column.
    """
    code = code_from_json(spec.code)
    numbers = numbers_of(code, spec.attributes)
    if numbers is None:
        raise CodeRangeError(f"the code {code.name} holds ids, no values that could be interpolated")
    if spec.shape[2:] != ((len(code.channels),) if code.channels else ()):
        raise CodeRangeError(f"the code {code.name} has {len(code.channels)} channels, its array is {spec.shape}")
    if numbers.palette is not None:
        tables = _tables(numbers.palette)
        return _PaletteCoding(_LinearCoding(numbers, torch.int64), *(table.to(device) for table in tables))
    linear = _LinearCoding(numbers, getattr(torch, spec.dtype))
    return linear if numbers.length is None else _VectorCoding(linear, numbers.length)


@dataclass(frozen=True, slots=True)
class _LinearCoding:
    """value = number * scale + offset.

    Attributes:
        numbers: Of the code.
        dtype: Of the stored numbers.
    """

    numbers: Numbers
    dtype: torch.dtype

    @property
    def channels(self) -> int:
        """One per scale."""
        return len(self.numbers.scale)

    @property
    def infinity(self) -> float | None:
        """See `QuantityCoding`."""
        return self.numbers.infinity

    def decode(self, stored_NHWC: Tensor, out_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """See `QuantityCoding.decode`."""
        out_NCHW.copy_(stored_NHWC.permute(0, 3, 1, 2))
        known = None
        for number in self.numbers.invalid:
            differs = out_NCHW[:, 0] != number
            known = differs if known is None else known & differs
        far = None if self.numbers.far is None else out_NCHW[:, 0] == self.numbers.far
        for plane, scale, offset in zip(out_NCHW.unbind(1), self.numbers.scale, self.numbers.offset, strict=True):
            plane.mul_(scale).add_(offset)
        return known, far

    def encode(self, planes: Sequence[Tensor], valid_NHW: Tensor) -> Tensor:
        """See `QuantityCoding.encode`."""
        numbers = self.numbers
        far_NHW = torch.isposinf(planes[0]) if numbers.infinity == np.inf else None
        for plane, scale, offset, fill in zip(planes, numbers.scale, numbers.offset, numbers.fill, strict=True):
            # Rounded before a whole zero is added, so that opposite values get codes at the same distance from it.
            zero = -offset / scale
            whole = round(zero)
            plane.div_(scale).add_(zero - whole).round_().add_(whole).clamp_(numbers.low, numbers.high)
            plane.masked_fill_(~valid_NHW, fill)
        if far_NHW is not None and numbers.far is not None:
            planes[0].masked_fill_(far_NHW & valid_NHW, numbers.far)
        return stored_from(planes, self.dtype)


@dataclass(frozen=True, slots=True)
class _VectorCoding:
    """Vectors, and behind them their length, which is made anew.

    Attributes:
        vectors: How the vectors are kept.
        length_steps: Steps of the length per unit.
    """

    vectors: _LinearCoding
    length_steps: float

    infinity = None

    @property
    def channels(self) -> int:
        """Those of the vectors."""
        return self.vectors.channels

    def decode(self, stored_NHWC: Tensor, out_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """See `QuantityCoding.decode`."""
        return self.vectors.decode(stored_NHWC[..., : self.channels], out_NCHW)

    def encode(self, planes: Sequence[Tensor], valid_NHW: Tensor) -> Tensor:
        """See `QuantityCoding.encode`."""
        u_NHW, v_NHW = planes
        length_NHW = (u_NHW * u_NHW).addcmul_(v_NHW, v_NHW).sqrt_().mul_(self.length_steps).round_()
        length_NHW.clamp_(0, self.vectors.numbers.high).masked_fill_(~valid_NHW, 0)
        uv_NHW2 = self.vectors.encode(planes, valid_NHW)
        return torch.cat([uv_NHW2, length_NHW[..., None].to(uv_NHW2.dtype)], -1)


_LEVELS: Final = 65  # of (channel + 2) // 4, which tells all colours of JET and black apart


@dataclass(frozen=True, slots=True, eq=False)
class _PaletteCoding:
    """Colours that stand for numbers.

    Attributes:
        numbers: What the numbers stand for.
        places: (65^3,) int16 number of the colour by ((red + 2) // 4, (green + 2) // 4, (blue + 2) // 4). A colour that
            the palette does not have is taken for the one nearest to the middle of these 64 colours.
        colors_N3: (N, 3) uint8.
    """

    numbers: _LinearCoding
    places: Tensor
    colors_N3: Tensor

    channels = 1

    @property
    def infinity(self) -> float | None:
        """The value of the colour at the far end, which is also that of everything beyond."""
        return self.numbers.infinity

    def decode(self, stored_NHWC: Tensor, out_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """See `QuantityCoding.decode`."""
        return self.numbers.decode(self.places[_cell_numbers(stored_NHWC)][..., None], out_NCHW)

    def encode(self, planes: Sequence[Tensor], valid_NHW: Tensor) -> Tensor:
        """See `QuantityCoding.encode`."""
        return self.colors_N3[self.numbers.encode(planes, valid_NHW)[..., 0]]


def stored_from(planes: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """Return whole numbers, (N, H, W) per channel, as (N, H, W, C) integers."""
    stored_NHWC = torch.empty((*planes[0].shape, len(planes)), dtype=dtype, device=planes[0].device)
    for stored_NHW, plane in zip(stored_NHWC.unbind(-1), planes, strict=True):
        stored_NHW.copy_(plane)
    return stored_NHWC


def _cell_numbers(rgb_NHWC: Tensor) -> Tensor:
    red, green, blue = (rgb_NHWC.long() + 2).div(4, rounding_mode="floor").unbind(-1)
    return (red * _LEVELS + green) * _LEVELS + blue


@cache
def _tables(palette: Palette) -> tuple[Tensor, Tensor]:
    """Return `_PaletteCoding.places` and `_PaletteCoding.colors_N3`."""
    level = (np.arange(_LEVELS) * 4).clip(0, 255).astype(np.uint8)
    cells = np.stack(np.meshgrid(level, level, level, indexing="ij"), -1)
    places = torch.from_numpy(palette.numbers(cells.reshape(_LEVELS, -1, 3)).astype(np.int16)).flatten()
    colors_N3 = torch.from_numpy(palette.colors_N3)
    places[_cell_numbers(colors_N3)] = torch.arange(len(colors_N3), dtype=torch.int16)
    return places, colors_N3
