"""Layers that several networks are made of."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "BatchNorm",
    "Freezable",
    "GroupNorm",
    "SplitConv2d",
    "conv_norm",
    "crop",
    "draw_weights",
    "enlarge",
    "make_bilinear",
]


class Freezable(nn.Module):
    """A part of a network that can be held still: no gradients, no batch statistics, no dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = False

    def freeze(self) -> None:
        """Hold all weights and moving statistics, whatever `train()` is called with later."""
        self.frozen = True
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Freezable":
        """Set the mode of everything below; a frozen part stays in evaluation."""
        super().train(mode and not self.frozen)
        return self


class SplitConv2d(nn.Conv2d):
    """A 3x3 convolution whose first half of output channels is dilated by one rate, the second by another.

    The weight is that of an ordinary convolution, whatever the rates, so that checkpoints fit.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output; even.
        rates: Dilation of the halves.
        stride: Of both.
        bias: Whether a bias is added.
    """

    def __init__(
        self, in_channels: int, out_channels: int, rates: tuple[int, int] = (1, 1), stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__(in_channels, out_channels, 3, stride, padding=rates[0], dilation=rates[0], bias=bias)
        self.rates = rates

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Return (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        if self.rates[0] == self.rates[1]:
            return super().forward(input)
        biases = (None, None) if self.bias is None else self.bias.chunk(2)
        halves = zip(self.weight.chunk(2), biases, self.rates, strict=True)
        return torch.cat([F.conv2d(input, w, b, self.stride, rate, rate) for w, b, rate in halves], dim=1)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that also takes a single value per channel.

    Such a value has no variance: it is normalised by the moving statistics, also in training. One sample gives it where
    the mean over a picture is normalised, or where a small picture has shrunk to one pixel.

    Args:
        channels: Width of the input.
        momentum: What a batch adds to the moving statistics. They keep 0.99 in all reference systems but PARIS.
        epsilon: Added to the variance.
    """

    def __init__(self, channels: int, momentum: float = 0.01, epsilon: float = 1e-5) -> None:
        super().__init__(channels, epsilon, momentum)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Return the normalised values."""
        if self.training and input.numel() == input.shape[1]:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0, self.eps)
        return super().forward(input)


class GroupNorm(nn.GroupNorm):
    """Group norm that also takes groups of a single value: it becomes the bias."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Return the normalised values."""
        return torch.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


def conv_norm(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, rate: int = 1, relu: bool = True
) -> nn.Sequential:
    """Return a padded convolution without bias, batch norm and, unless told otherwise, ReLU."""
    padding = rate * (kernel // 2)
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding, dilation=rate, bias=False)
    layers: list[nn.Module] = [conv, BatchNorm(out_channels)]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


def enlarge(in_channels: int, out_channels: int, factor: int, *, bias: bool = False) -> nn.ConvTranspose2d:
    """Return a transposed convolution that multiplies height and width by an even factor, with a kernel twice as wide.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.
        factor: Its stride.
        bias: Whether a bias is added.
    """
    return nn.ConvTranspose2d(in_channels, out_channels, 2 * factor, factor, factor // 2, bias=bias)


def crop(x_NCHW: Tensor, size: Iterable[int]) -> Tensor:
    """Return the top left part of this height and width: encoders round sizes up, enlarging makes multiples.

    A slice would do the same, but also for what is too small: exporters would carry along that case, too.
    """
    height, width = size
    return x_NCHW.narrow(-2, 0, height).narrow(-1, 0, width)


def draw_weights(module: nn.Module) -> None:
    """Draw a convolution's weights as He et al. propose, variance 2 / (inputs of an output); biases begin with 0.

    For `nn.Module.apply`: other modules are left as they are.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def make_bilinear(layer: nn.ConvTranspose2d) -> None:
    """Let an `enlarge` layer with as many outputs as inputs begin as bilinear interpolation of each channel."""
    width = layer.kernel_size[0]
    positions = torch.arange(width, dtype=layer.weight.dtype, device=layer.weight.device)
    tent = 1 - (positions - (width - 1) / 2).abs() / (width / 2)
    layer.weight.zero_()
    channels = torch.arange(len(layer.weight), device=layer.weight.device)
    layer.weight[channels, channels] = tent[:, None] * tent
    if layer.bias is not None:
        layer.bias.zero_()
