"""ERFNet (Romera, Alvarez, Bergasa, Arroyo, T-ITS 2018): a small residual network for embedded computers.

Units of one-dimensional convolutions, 3x1 then 1x3, of growing dilation at 1/8; a short decoder of transposed
convolutions. Every size works: downsamplers round up, enlarging crops. 2.1 million weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import check_accepted, option
from segprep.train.models._layers import BatchNorm, crop, draw_weights
from segprep.train.models._network import Features, InputColumn, Logits, Network
from segprep.train.models._network import eight_bit_scaling as input_scaling
from segprep.train.models._options import DROPOUT
from segprep.train.models._recompute import Recomputable

__all__ = ["Config", "build", "input_scaling"]

_STEM = 16
_UNITS_4 = 5
_RATES_8 = (2, 4, 8, 16) * 2
_EPSILON = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may vary in ERFNet."""

    dropout: float = option(0.3, accept=DROPOUT, help="Share of the channels at 1/8 that is dropped while training.")
    quarter_dropout: float = option(0.03, accept=DROPOUT, help="The same at 1/4.")

    def __post_init__(self) -> None:
        check_accepted(self)


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes.

    Raises:
        ConfigurationError: If the columns have 16 channels or more: the first layer joins them to others up to 16.
    """
    channels = sum(column.channels for column in columns)
    if channels >= _STEM:
        raise ConfigurationError(f"it takes fewer than {_STEM} channels, not {channels}: leave out some --inputs")
    return Network(_Trunk(config, channels), [_Head(count) for count in classes])


class _Trunk(nn.Module):
    """(N, in_channels, H, W) float to 16 channels at half the size, rounded up."""

    def __init__(self, config: Config, in_channels: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            _Downsampler(in_channels, _STEM),
            _Downsampler(_STEM, 64),
            *(_Unit(64, 1, config.quarter_dropout) for _ in range(_UNITS_4)),
            _Downsampler(64, 128),
            *(_Unit(128, rate, config.dropout) for rate in _RATES_8),
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(_Enlargement(inputs, outputs), _Unit(outputs), _Unit(outputs))
            for inputs, outputs in ((128, 64), (64, 16))
        )
        self.apply(draw_weights)

    def forward(self, x: Tensor) -> Features:
        height, width = x.shape[2:]
        x = self.encoder(x)
        for stage, factor in zip(self.decoder, (4, 2), strict=True):
            x = crop(stage(x), ((height + factor - 1) // factor, (width + factor - 1) // factor))
        return (x,)


class _Head(nn.ConvTranspose2d):
    def __init__(self, classes: int) -> None:
        super().__init__(_STEM, classes, 2, 2)
        draw_weights(self)

    def forward(self, features: Features, size: tuple[int, int]) -> Logits:  # type: ignore[override]
        (feature,) = features
        return Logits(crop(super().forward(feature), size))


class _Downsampler(nn.Module):
    """A strided convolution and a pool beside each other."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels - in_channels, 3, 2, 1)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.norm = BatchNorm(out_channels, epsilon=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(torch.cat([self.conv(x), self.pool(x)], dim=1)), inplace=True)


class _Enlargement(nn.Module):
    """Twice the size: a transposed convolution of 3x3, whose kernels overlap at every second place only."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, 2, 1, output_padding=1)
        self.norm = BatchNorm(out_channels, epsilon=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)


class _Unit(Recomputable):
    """3x1 and 1x3, then both once more with a dilation, plus the input; ReLU."""

    def __init__(self, channels: int, rate: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1, self.conv2 = _lines(channels, 1)
        self.norm1 = BatchNorm(channels, epsilon=_EPSILON)
        self.conv3, self.conv4 = _lines(channels, rate)
        self.norm2 = BatchNorm(channels, epsilon=_EPSILON)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv1(x), inplace=True)
        y = F.relu(self.norm1(self.conv2(y)), inplace=True)
        y = F.relu(self.conv3(y), inplace=True)
        return F.relu(self.dropout(self.norm2(self.conv4(y))) + x, inplace=True)


def _lines(channels: int, rate: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Return a 3x1 and a 1x3 convolution that keep the size."""
    down = nn.Conv2d(channels, channels, (3, 1), padding=(rate, 0), dilation=(rate, 1))
    across = nn.Conv2d(channels, channels, (1, 3), padding=(0, rate), dilation=(1, rate))
    return down, across
