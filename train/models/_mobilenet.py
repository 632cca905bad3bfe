"""MobileNetV3 (Howard et al., ICCV 2019), the large one, up to 1/32; torchvision's names of weights."""

from typing import Final

import torch.nn.functional as F
from torch import Tensor, nn

from segprep.train.models._layers import BatchNorm
from segprep.train.models._recompute import Recomputable

__all__ = ["MOBILE_CHANNELS", "mobilenet_v3_large"]

MOBILE_CHANNELS: Final = (960, 112, 40)
"""Width of the features at 1/32, 1/16 and 1/8."""

_STEM = 16
# (kernel, expanded width, width, gated, stride); the first six have ReLU, the others hard swish
_BLOCKS: Final = (
    (3, 16, 16, False, 1),
    (3, 64, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, True, 1),
    (5, 960, 160, True, 1),
)
_WITH_RELU = 6
_EPSILON = 1e-3


def mobilenet_v3_large(in_channels: int) -> tuple[nn.Sequential, list[int]]:
    """Return the layers that torchvision calls `features`, and after which of them 1/8, 1/16 and 1/32 end."""
    layers: list[nn.Module] = [_conv_norm(in_channels, _STEM, 3, nn.Hardswish, stride=2)]
    ends = []
    width = _STEM
    for number, (kernel, expanded, out_channels, gated, stride) in enumerate(_BLOCKS):
        if stride == 2:
            ends.append(len(layers))
        relu = number < _WITH_RELU
        layers.append(_Block(width, kernel, expanded, out_channels, stride, gated=gated, relu=relu))
        width = out_channels
    layers.append(_conv_norm(width, MOBILE_CHANNELS[0], 1, nn.Hardswish))
    return nn.Sequential(*layers), [*ends[2:], len(layers)]


class _Block(Recomputable):
    """Widens by 1x1, looks around in each channel, gates the channels, narrows; plus the input where it fits."""

    def __init__(
        self, in_channels: int, kernel: int, expanded: int, out_channels: int, stride: int, *, gated: bool, relu: bool
    ) -> None:
        super().__init__()
        activation: type[nn.Module] = nn.ReLU if relu else nn.Hardswish
        layers: list[nn.Module] = []
        if expanded != in_channels:
            layers.append(_conv_norm(in_channels, expanded, 1, activation))
        layers.append(_conv_norm(expanded, expanded, kernel, activation, stride=stride, groups=expanded))
        if gated:
            layers.append(_Gate(expanded))
        layers.append(_conv_norm(expanded, out_channels, 1))
        self.block = nn.Sequential(*layers)
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return y + x if self.adds else y


class _Gate(nn.Module):
    """Multiplies each channel by a number that depends on the means of all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = _multiple_of_8(channels // 4)
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)), inplace=True)))


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel: int,
    activation: type[nn.Module] | None = None,
    *,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [conv, BatchNorm(out_channels, epsilon=_EPSILON)]
    return nn.Sequential(*layers) if activation is None else nn.Sequential(*layers, activation())


def _multiple_of_8(width: int) -> int:
    """Return the nearest multiple of 8 that is not less than 0.9 of the width."""
    nearest = max(8, (width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8
