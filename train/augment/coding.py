"""Stored integers of quantities as planes of numbers, and back, on the device.

What a code can hold, and what stands for "invalid", is asked of the code itself; so any code with a scale and an offset
will do.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.codes import DepthCode, DisparityCode, JetCode, SmsnetFlowCode, code_from_json
from segprep.datasets.shards.columns import ArraySpec

__all__ = ["JetCoding", "LinearCoding", "QuantityCoding", "SmsnetCoding", "stored_from"]

_HUGE: Final = 1e9  # beyond what any code of 16 bits holds


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

    def encode(self, values_NCHW: Tensor, valid_NHW: Tensor) -> Tensor:
        """Return (N, H, W, C) stored integers, rounded and clipped, the code's own where invalid. Uses its input up."""


@dataclass(frozen=True, slots=True)
class LinearCoding:
    """value = stored * scale + offset.

    Attributes:
        scale: Per channel.
        offset: Per channel.
        low: Smallest code of a value.
        high: Largest code of a finite value.
        fill: Code of invalid pixels, per channel.
        invalid: Codes that are invalid whatever the mask says.
        far: The code of infinitely far, or None.
        infinity: See `QuantityCoding`.
        dtype: Of the codes.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    low: int
    high: int
    fill: tuple[int, ...]
    invalid: tuple[int, ...]
    far: int | None
    infinity: float | None
    dtype: torch.dtype

    @classmethod
    def of(cls, spec: ArraySpec) -> Self:
        """Ask a column's code.

        Raises:
            CodeRangeError: If there is no such code, or it does not fit the column.
        """
        code = code_from_json(spec.code)
        everywhere = np.ones(spec.shape[:2], np.bool_)

        def code_of(value: float, *, valid: bool = True) -> tuple[int, ...]:
            values = np.full(spec.shape, value, np.float32)
            return tuple(np.atleast_1d(code.encode(values, everywhere & valid).stored[0, 0]).tolist())

        invalid: tuple[int, ...] = ()
        far, infinity = None, None
        match code:
            case DepthCode():
                invalid, far, infinity = (0,), 2**16 - 1, np.inf
                if not code.far_code:
                    invalid, far, infinity = (0, 2**16 - 1), None, None
            case DisparityCode():
                invalid, infinity = (0,), 0.0
                far = code.zero_code or None
        fill, low, high = code_of(0.0, valid=False), code_of(-_HUGE)[0], code_of(_HUGE)[0]
        dtype: torch.dtype = getattr(torch, spec.dtype)
        return cls(spec.code_scale, spec.code_offset, low, high, fill, invalid, far, infinity, dtype)

    @property
    def channels(self) -> int:
        """One per code."""
        return len(self.scale)

    def decode(self, stored_NHWC: Tensor, out_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """See `QuantityCoding.decode`."""
        out_NCHW.copy_(stored_NHWC.permute(0, 3, 1, 2))
        known = None
        for code in self.invalid:
            differs = out_NCHW[:, 0] != code
            known = differs if known is None else known & differs
        far = None if self.far is None else out_NCHW[:, 0] == self.far
        for plane, scale, offset in zip(out_NCHW.unbind(1), self.scale, self.offset, strict=True):
            plane.mul_(scale).add_(offset)
        return known, far

    def encode(self, values_NCHW: Tensor, valid_NHW: Tensor) -> Tensor:
        """See `QuantityCoding.encode`."""
        far_NHW = torch.isposinf(values_NCHW[:, 0]) if self.infinity == np.inf else None
        for plane, scale, offset, fill in zip(values_NCHW.unbind(1), self.scale, self.offset, self.fill, strict=True):
            # Rounded before a whole zero is added, so that opposite values get codes at the same distance from it.
            zero = -offset / scale
            whole = round(zero)
            plane.div_(scale).add_(zero - whole).round_().add_(whole).clamp_(self.low, self.high)
            plane.masked_fill_(~valid_NHW, fill)
        if far_NHW is not None and self.far is not None:
            values_NCHW[:, 0].masked_fill_(far_NHW & valid_NHW, self.far)
        return stored_from(values_NCHW, self.dtype)


@dataclass(frozen=True, slots=True)
class SmsnetCoding:
    """SMSnet's motion image: vectors, and behind them their length, which is made anew.

    Attributes:
        vectors: How the vectors are kept.
        magnitude_per_px: Grey levels of the third channel per pixel.
    """

    vectors: LinearCoding
    magnitude_per_px: float

    channels = 2
    infinity = None

    @classmethod
    def of(cls, spec: ArraySpec, code: SmsnetFlowCode) -> Self:
        """Take the parameters of a column's code."""
        scale, offset = spec.code_scale[:2], spec.code_offset[:2]
        zero = tuple(round(-start / step) for step, start in zip(scale, offset, strict=True))
        return cls(LinearCoding(scale, offset, 0, 255, zero, (), None, None, torch.uint8), code.magnitude_per_px)

    def decode(self, stored_NHWC: Tensor, out_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """See `QuantityCoding.decode`."""
        return self.vectors.decode(stored_NHWC[..., :2], out_NCHW)

    def encode(self, values_NCHW: Tensor, valid_NHW: Tensor) -> Tensor:
        """See `QuantityCoding.encode`."""
        u_NHW, v_NHW = values_NCHW.unbind(1)
        length_NHW = (u_NHW * u_NHW).addcmul_(v_NHW, v_NHW).sqrt_().mul_(self.magnitude_per_px).round_()
        length_NHW.clamp_(0, 255).masked_fill_(~valid_NHW, 0)
        uv_NHW2 = self.vectors.encode(values_NCHW, valid_NHW)
        return torch.cat([uv_NHW2, length_NHW[..., None].to(uv_NHW2.dtype)], -1)


_LEVELS: Final = 65  # of (channel + 2) // 4, which tells all colours of JET and black apart


@dataclass(frozen=True, slots=True, eq=False)
class JetCoding:
    """Colours of JET for one value per pixel.

    Attributes:
        low: Value of the first colour.
        step: Between the values of neighbouring colours.
        far_below: Whether the first colour is that of infinitely far, as of inverse depth; else the last one is.
        places: (65^3,) int16 number of the colour by ((red + 2) // 4, (green + 2) // 4, (blue + 2) // 4); -1 for black.
            A colour that JET does not have is taken for the one nearest to the middle of these 64 colours.
        colors_N3: (256, 3) uint8.
    """

    low: float
    step: float
    far_below: bool
    places: Tensor
    colors_N3: Tensor

    channels = 1

    @classmethod
    def of(cls, spec: ArraySpec, code: JetCode, device: torch.device) -> Self:
        """Tabulate the colours."""
        places, colors_N3 = _jet_tables()
        far_below = spec.attributes.get("quantity") == "disparity"
        return cls(code.low, code.step, far_below, places.to(device), colors_N3.to(device))

    @property
    def infinity(self) -> float | None:
        """The value of the colour at the far end, which is also that of everything beyond."""
        return self.low if self.far_below else self.low + 255 * self.step

    def decode(self, stored_NHWC: Tensor, out_NCHW: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """See `QuantityCoding.decode`."""
        places_NHW = self.places[_cell_numbers(stored_NHWC)]
        out_NCHW[:, 0] = places_NHW
        out_NCHW.mul_(self.step).add_(self.low)
        return places_NHW >= 0, places_NHW == (0 if self.far_below else 255)

    def encode(self, values_NCHW: Tensor, valid_NHW: Tensor) -> Tensor:
        """See `QuantityCoding.encode`."""
        places_NHW = values_NCHW[:, 0].sub_(self.low).div_(self.step).round_().clamp_(0, 255)
        stored_NHW3 = self.colors_N3[places_NHW.long()]
        return stored_NHW3.masked_fill_(~valid_NHW[..., None], 0)


def stored_from(planes_NCHW: Tensor, dtype: torch.dtype) -> Tensor:
    """Return whole numbers as (N, H, W, C) integers."""
    count, channels, height, width = planes_NCHW.shape
    stored_NHWC = torch.empty((count, height, width, channels), dtype=dtype, device=planes_NCHW.device)
    stored_NHWC.permute(0, 3, 1, 2).copy_(planes_NCHW)
    return stored_NHWC


def _cell_numbers(rgb_NHWC: Tensor) -> Tensor:
    red, green, blue = (rgb_NHWC.long() + 2).div(4, rounding_mode="floor").unbind(-1)
    return (red * _LEVELS + green) * _LEVELS + blue


@cache
def _jet_tables() -> tuple[Tensor, Tensor]:
    """Return `JetCoding.places` and `JetCoding.colors_N3`, which are the same for all ranges of values."""
    code = JetCode(0, 255)
    colors_N3 = torch.from_numpy(code.encode(np.arange(256.0)[None], None).stored[0])
    level = (np.arange(_LEVELS) * 4).clip(0, 255).astype(np.uint8)
    cells = np.stack(np.meshgrid(level, level, level, indexing="ij"), -1)
    places_HW, known_HW = code.decode(cells.reshape(_LEVELS, -1, 3), None)
    places_HW[known_HW == np.False_] = -1
    places = torch.from_numpy(places_HW.astype(np.int16)).flatten()
    places[_cell_numbers(colors_N3)] = torch.arange(256, dtype=torch.int16)
    places[0] = -1
    return places, colors_N3
