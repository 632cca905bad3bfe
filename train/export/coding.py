"""Codes of columns as parts of a network: values in the column's own unit in, the numbers that a store would hold out.

The operations are those of `Code.encode`, in the same order and precision, so that each number is the same. A pixel
with a NaN in any channel is invalid.
"""

import math

import torch
from torch import Tensor, nn

from segprep.datasets.codes import (
    Code,
    DepthCode,
    DisparityCode,
    JetCode,
    KittiFlowCode,
    LinearCode,
    PlainCode,
    SmsnetFlowCode,
    code_from_json,
)
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.shards.columns import ArraySpec

__all__ = ["column_coding"]


def column_coding(column: ArraySpec) -> nn.Module:
    """Return what turns (N, H, W) or (N, H, W, C) values of a column into (N, C, H, W) float32 stored numbers.

    Values have the type that the column's code decodes to: that of the store for pictures, else float32.

    Raises:
        ConfigurationError: If the code depends on more than the values.
    """
    code = code_from_json(column.code)
    planes = _planes_of(code)
    if planes is None:
        raise ConfigurationError(
            f"column {column.name!r} is coded as {code.name}, which cannot be a part of an exported network"
        )
    return planes


def _planes_of(code: Code) -> nn.Module | None:
    match code:
        case PlainCode():
            return _Plain()
        case LinearCode():
            return _Linear(code)
        case DepthCode():
            return _Depth(code)
        case DisparityCode():
            return _Disparity(code)
        case KittiFlowCode():
            return _KittiFlow(code)
        case SmsnetFlowCode():
            return _SmsnetFlow(code)
        case JetCode():
            return _Jet(code)
    return None


def _channels_first(values: Tensor) -> Tensor:
    """Return (N, C, H, W); C is 1 for a column without channels."""
    return values.unsqueeze(1) if values.ndim == 3 else values.permute(0, 3, 1, 2)


def _known(values_NCHW: Tensor) -> Tensor:
    """Return (N, 1, H, W) bool, whether a pixel is a number in all its channels."""
    return ~torch.isnan(values_NCHW).any(1, keepdim=True)


class _Plain(nn.Module):
    """Pictures: their own numbers."""

    def forward(self, values: Tensor) -> Tensor:
        return _channels_first(values).float()


class _Linear(nn.Module):
    """See `LinearCode`."""

    step: Tensor
    start: Tensor

    def __init__(self, code: LinearCode) -> None:
        super().__init__()
        self.most = float(2**code.bits - 1)
        for name, numbers in (("step", code.scale), ("start", code.offset)):
            tensor = torch.tensor(numbers, dtype=torch.float64).view(1, -1, 1, 1)
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        values_NCHW = _channels_first(values)
        codes_NCHW = ((values_NCHW.double() - self.start) / self.step).round().clamp(0.0, self.most)
        return torch.where(_known(values_NCHW), codes_NCHW.float(), 0.0)


class _Depth(nn.Module):
    """See `DepthCode`. Where infinitely far has no number of its own it counts as invalid."""

    def __init__(self, code: DepthCode) -> None:
        super().__init__()
        self.scale, numbers = code.scale_m, code.numbers
        self.low, self.high = float(numbers.low), float(numbers.high)
        self.far = 0.0 if numbers.far is None else float(numbers.far)

    def forward(self, values: Tensor) -> Tensor:
        values_NCHW = _channels_first(values)
        codes_NCHW = (values_NCHW.double() / self.scale).round().clamp(self.low, self.high).float()
        codes_NCHW = torch.where(values_NCHW == math.inf, self.far, codes_NCHW)
        return torch.where(_known(values_NCHW), codes_NCHW, 0.0)


class _Disparity(nn.Module):
    """See `DisparityCode`."""

    def __init__(self, code: DisparityCode) -> None:
        super().__init__()
        self.step, self.zero = code.step, float(code.zero_code)
        self.low, self.high = float(code.numbers.low), float(code.numbers.high)

    def forward(self, values: Tensor) -> Tensor:
        values_NCHW = _channels_first(values)
        codes_NCHW = ((values_NCHW.double() / self.step).round() + self.zero).clamp(self.low, self.high)
        return torch.where(_known(values_NCHW), codes_NCHW.float(), 0.0)


class _KittiFlow(nn.Module):
    """See `KittiFlowCode`."""

    def __init__(self, code: KittiFlowCode) -> None:
        super().__init__()
        numbers = code.numbers
        self.steps, self.zero, self.high = 1 / code.scale[0], float(numbers.fill[0]), float(numbers.high)

    def forward(self, values: Tensor) -> Tensor:
        values_NCHW = _channels_first(values)
        codes_NCHW = ((values_NCHW * self.steps).round() + self.zero).clamp(0.0, self.high)
        return torch.where(_known(values_NCHW), codes_NCHW, self.zero)


class _SmsnetFlow(nn.Module):
    """See `SmsnetFlowCode`."""

    def __init__(self, code: SmsnetFlowCode) -> None:
        super().__init__()
        numbers = code.numbers
        self.steps, self.length_steps = code.scale_per_px, code.magnitude_per_px
        self.zero, self.high = float(numbers.fill[0]), float(numbers.high)

    def forward(self, values: Tensor) -> Tensor:
        uv_N2HW = _channels_first(values)
        u_N1HW, v_N1HW = uv_N2HW[:, :1], uv_N2HW[:, 1:]
        length_N1HW = ((u_N1HW * u_N1HW + v_N1HW * v_N1HW).sqrt() * self.length_steps).round()
        known_N1HW = _known(uv_N2HW)
        vectors_N2HW = ((uv_N2HW * self.steps).round() + self.zero).clamp(0.0, self.high)
        return torch.cat(
            [
                torch.where(known_N1HW, vectors_N2HW, self.zero),
                torch.where(known_N1HW, length_N1HW.clamp(0.0, self.high), 0.0),
            ],
            1,
        )


class _Jet(nn.Module):
    """See `JetCode`."""

    colors: Tensor

    def __init__(self, code: JetCode) -> None:
        super().__init__()
        self.low, self.step, self.last = code.low, code.step, float(code.numbers.high)
        palette = code.numbers.palette
        assert palette is not None
        self.black = float(len(palette.colors_N3) - 1)
        self.register_buffer("colors", torch.from_numpy(palette.colors_N3).float(), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        values_N1HW = _channels_first(values)
        places_N1HW = ((values_N1HW.double() - self.low) / self.step).round().clamp(0.0, self.last)
        places_NHW = torch.where(_known(values_N1HW), places_N1HW, self.black)[:, 0].long()
        return self.colors[places_NHW].permute(0, 3, 1, 2)
