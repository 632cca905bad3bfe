"""ResNet-50's units in their first form, ReLU after the sum, with torchvision's names of weights."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from segprep.train.models._layers import BatchNorm, SplitConv2d
from segprep.train.models._recompute import Recomputable

__all__ = ["Rates", "Unit", "residual_stage"]

Rates = tuple[int, int]


class Unit(Recomputable):
    """1x1, 3x3 (in two halves) and 1x1 convolution, each with batch norm, plus the shortcut; ReLU.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output.
        rates: Dilation of the halves of the 3x3 convolution.
        stride: Of the unit; above 1, or where the widths differ, the shortcut is a 1x1 convolution with batch norm.
        bias: Whether the convolutions have biases, as in Keras.
        stride_in_3x3: Whether the 3x3 convolution has the stride (torchvision), or the first one.
        dropout: Share of the residual that is dropped while training, after its last batch norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        rates: Rates = (1, 1),
        *,
        stride: int = 1,
        bias: bool = False,
        stride_in_3x3: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width = out_channels // 4
        first, second = (1, stride) if stride_in_3x3 else (stride, 1)
        self.conv1, self.bn1 = nn.Conv2d(in_channels, width, 1, first, bias=bias), BatchNorm(width)
        self.conv2, self.bn2 = SplitConv2d(width, width, rates, second, bias=bias), BatchNorm(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out_channels, 1, bias=bias), BatchNorm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.downsample = (
            nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias), BatchNorm(out_channels))
            if stride > 1 or in_channels != out_channels
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        return F.relu(self.dropout(self.bn3(self.conv3(y))) + self.downsample(x), inplace=True)


def residual_stage(
    in_channels: int,
    out_channels: int,
    rates: Sequence[Rates],
    *,
    stride: int = 1,
    bias: bool = False,
    stride_in_3x3: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return a unit for each pair of rates; the first has the stride, the last the dropout."""
    last = len(rates) - 1
    return nn.Sequential(
        *(
            Unit(
                in_channels if i == 0 else out_channels,
                out_channels,
                each,
                stride=stride if i == 0 else 1,
                bias=bias,
                stride_in_3x3=stride_in_3x3,
                dropout=dropout if i == last else 0.0,
            )
            for i, each in enumerate(rates)
        )
    )
