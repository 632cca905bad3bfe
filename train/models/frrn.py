"""The ResNet baseline of FRRN (Pohlen et al., CVPR 2017) in the form that PARIS trains.

An encoder of pre-activation residual blocks at five resolutions, a decoder that enlarges by repetition and concatenates
the encoder's features; the output has the size of the input. Every size works: pooling rounds up, enlarging crops.
Weights begin as He et al. propose; PARIS' batch norm (decay 0.9, epsilon 1e-5) is torch's default.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.train.models._frrn_config import REDUCTION, Config
from segprep.train.models._layers import BatchNorm, GroupNorm, crop, draw_weights
from segprep.train.models._network import Features, InputColumn, Logits, Network
from segprep.train.models._network import eight_bit_scaling as input_scaling
from segprep.train.models._published import Names, Published, by_scope, conv, norm
from segprep.train.models._recompute import Recomputable

__all__ = ["PUBLISHED", "Config", "build", "input_scaling"]

# (blocks, width in units of the base channels), one row per resolution: 1, 1/2, 1/4, 1/8, 1/16 and back
_ENCODER = ((2, 1), (3, 2), (4, 4), (2, 8))
_BOTTOM = (2, 8)
_DECODER = ((2, 4), (2, 4), (2, 2), (2, 1))


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes."""
    trunk = _Trunk(config, sum(column.channels for column in columns))
    return Network(trunk, [_Head(config.base_channels, count) for count in classes])


def _published_names(network: Network, given: Mapping[str, tuple[int, ...]]) -> Names:
    if any("group_normalization" in name for name in given):
        raise ConfigurationError(
            "PARIS' groups of channels lie in one another, ours side by side, so that its weights with group norm do "
            "not fit: take weights with batch norm"
        )
    names = conv("input_conv", "trunk.stem") | norm("BatchNorm", "trunk.norm")
    for number, own in enumerate(_block_names(), 1):
        scope = f"resblock_v2_{number}"
        names |= _convolution(f"{scope}/res_skip1x1_conv", f"{own}.skip")
        for i in range(3):
            names |= norm(f"{scope}/BatchNorm" + (f"_{i}" if i else ""), f"{own}.norms.{i}")
            names |= _convolution(f"{scope}/res_conv{i + 1}", f"{own}.convs.{i}")
    heads = sorted({name.partition("/")[0] for name in given if name.startswith("output_conv")})
    if len(heads) == len(network.heads):  # else nothing says which is whose
        for i, head in enumerate(heads):
            names |= conv(head, f"heads.{i}")
    return by_scope(names, given)


def _block_names() -> Iterator[str]:
    """Yield our names of PARIS' residual blocks in their order."""
    parts = [(f"encoder.{i}", blocks) for i, (blocks, _) in enumerate(_ENCODER)]
    parts += [("bottom", _BOTTOM[0]), *((f"decoder.{i}", blocks) for i, (blocks, _) in enumerate(_DECODER))]
    for part, blocks in parts:
        yield from (f"trunk.{part}.{block}" for block in range(blocks))


def _convolution(theirs: str, ours: str) -> Names:
    """Return the names of a convolution, or of the two that a separable one consists of."""
    separable = {f"{theirs}/depthwise_weights": f"{ours}.0.weight", f"{theirs}/pointwise_weights": f"{ours}.1.weight"}
    return conv(theirs, ours) | separable


PUBLISHED: Final = Published(
    system="PARIS",
    names=_published_names,
    options=MappingProxyType({}),
    scaling=lambda _, column: input_scaling(column),
)


class _Trunk(nn.Module):
    """(N, in_channels, H, W) float to features of the same size."""

    def __init__(self, config: Config, in_channels: int) -> None:
        super().__init__()
        b = config.base_channels
        self.stem = nn.Conv2d(in_channels, b, 3, padding=1, bias=False)
        self.encoder, self.decoder, self.skips = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width, skips = b, []
        for blocks, units in _ENCODER:
            self.encoder.append(_stage(config, width, units * b, blocks))
            width = units * b
            skips.append(width)
        self.bottom = _stage(config, width, _BOTTOM[1] * b, _BOTTOM[0])
        width = _BOTTOM[1] * b
        for (blocks, units), skip in zip(_DECODER, reversed(skips), strict=True):
            self.skips.append(nn.Identity() if config.concat_skip else _conv(config, skip, width, 1))
            self.decoder.append(_stage(config, width + skip if config.concat_skip else width, units * b, blocks))
            width = units * b
        self.concat = config.concat_skip
        self.norm = _norm(config, width)
        self.apply(draw_weights)

    def forward(self, x: Tensor) -> Features:
        x = self.stem(x)
        features = []
        for stage in self.encoder:
            x = stage(x)
            features.append(x)
            x = F.max_pool2d(x, 2, ceil_mode=True)
        x = self.bottom(x)
        for stage, layer, feature in zip(self.decoder, self.skips, reversed(features), strict=True):
            x, skip = crop(F.interpolate(x, scale_factor=2, mode="nearest"), feature.shape[2:]), layer(feature)
            x = stage(torch.cat([x, skip], dim=1) if self.concat else x + skip)
        return (F.relu(self.norm(x), inplace=True),)


class _Head(nn.Conv2d):
    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(in_channels, classes, 3, padding=1)
        draw_weights(self)

    def forward(self, features: Features, size: tuple[int, int]) -> Logits:  # type: ignore[override]
        (feature,) = features
        return Logits(crop(super().forward(feature), size))


class _Block(Recomputable):
    """Norm, ReLU, convolution, two or three times, plus the raw input (through 1x1 where the width changes)."""

    def __init__(self, config: Config, in_channels: int, out_channels: int) -> None:
        super().__init__()
        inner = out_channels // REDUCTION
        plan = (
            ((in_channels, inner, 1), (inner, inner, 3), (inner, out_channels, 1))
            if config.bottleneck_blocks
            else ((in_channels, out_channels, 3), (out_channels, out_channels, 3))
        )
        self.norms = nn.ModuleList(_norm(config, width) for width, _, _ in plan)
        self.convs = nn.ModuleList(_conv(config, *each) for each in plan)
        self.skip = nn.Identity() if in_channels == out_channels else _conv(config, in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer, convolution in zip(self.norms, self.convs, strict=True):
            y = convolution(F.relu(layer(y), inplace=True))
        total: Tensor = y + self.skip(x)
        return total


def _stage(config: Config, in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    widths = [in_channels, *[out_channels] * blocks]
    return nn.Sequential(*(_Block(config, *pair) for pair in pairwise(widths)))


def _norm(config: Config, channels: int) -> nn.Module:
    groups = config.gn_groups or (channels // config.gn_channels if config.gn_channels else 0)
    return GroupNorm(groups, channels) if groups else BatchNorm(channels, momentum=0.1)


def _conv(config: Config, in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    padding = kernel // 2
    if not config.separable:
        return nn.Conv2d(in_channels, out_channels, kernel, padding=padding, bias=False)
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, kernel, padding=padding, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
    )
