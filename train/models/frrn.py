"""The ResNet baseline of FRRN (Pohlen et al., CVPR 2017) in the form that PARIS trains.

An encoder of pre-activation residual blocks at five resolutions, a decoder that enlarges by repetition and concatenates
the encoder's features; the output has the size of the input. Every size works: pooling rounds up, enlarging crops.
Weights begin as He et al. propose; PARIS' batch norm (decay 0.9, epsilon 1e-5) is torch's default.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.shard_columns import ArraySpec

__all__ = ["Config", "Network", "build", "input_scaling"]

# (blocks, width in units of the base channels), one row per resolution: 1, 1/2, 1/4, 1/8, 1/16 and back
_ENCODER = ((2, 1), (3, 2), (4, 4), (2, 8))
_BOTTOM = (2, 8)
_DECODER = ((2, 4), (2, 4), (2, 2), (2, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Size of the network.

    Attributes:
        base_channels: Channels at full resolution; 48 in the paper (18 million parameters), 8 in PARIS' reduced model.
    """

    base_channels: int = 48

    def __post_init__(self) -> None:
        if self.base_channels < 1:
            raise ConfigurationError(f"base_channels must be at least 1, not {self.base_channels}")


def input_scaling(column: ArraySpec) -> tuple[float, float]:
    """Return (centre, spread) of a column's stored values; the network takes (value - centre) / spread.

    Every 8-bit column becomes (x - 128) / 128, as in PARIS; the zero of SMSnet's motion image, 128, becomes 0.

    Raises:
        ConfigurationError: For every other column.
    """
    if column.dtype != "uint8":
        raise ConfigurationError(f"it takes 8-bit columns, not {column.dtype}")
    return 128.0, 128.0


def build(config: Config, in_channels: int, classes: int) -> "Network":
    """Make the network with fresh weights from torch's random generator."""
    return Network(config.base_channels, in_channels, classes)


class Network(nn.Module):
    """(N, in_channels, H, W) float to (N, classes, H, W) logits."""

    def __init__(self, base_channels: int, in_channels: int, classes: int) -> None:
        super().__init__()
        b = base_channels
        self.stem = nn.Conv2d(in_channels, b, 3, padding=1, bias=False)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        width, skips = b, []
        for blocks, units in _ENCODER:
            self.encoder.append(_stage(width, units * b, blocks))
            width = units * b
            skips.append(width)
        self.bottom = _stage(width, _BOTTOM[1] * b, _BOTTOM[0])
        width = _BOTTOM[1] * b
        for (blocks, units), skip in zip(_DECODER, reversed(skips), strict=True):
            self.decoder.append(_stage(width + skip, units * b, blocks))
            width = units * b
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Conv2d(width, classes, 3, padding=1)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of the input's size."""
        x = self.stem(x)
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
            x = F.max_pool2d(x, 2, ceil_mode=True)
        x = self.bottom(x)
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            height, width = skip.shape[-2:]
            x = F.interpolate(x, scale_factor=2, mode="nearest")[..., :height, :width]
            x = stage(torch.cat([x, skip], dim=1))
        logits: Tensor = self.head(F.relu(self.norm(x), inplace=True))
        return logits


class _Block(nn.Module):
    """BN, ReLU, 3x3, BN, ReLU, 3x3, plus the raw input (through 1x1 where the width changes)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.skip = (
            nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x), inplace=True))
        y = self.conv2(F.relu(self.norm2(y), inplace=True))
        total: Tensor = y + self.skip(x)
        return total


def _stage(in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(in_channels if i == 0 else out_channels, out_channels) for i in range(blocks)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
