"""The efficient atrous spatial pyramid pooling of AdapNet++."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.train.models._layers import BatchNorm, conv_norm
from segprep.train.models._recompute import Recomputable

__all__ = ["Easpp"]

_REDUCED = 64


class Easpp(Recomputable):
    """Looks at features through a 1x1 convolution, cascades of two dilated ones, and the mean over the picture.

    Args:
        in_channels: Width of the input.
        out_channels: Width of each branch and of the output.
        rates: Dilation of each cascade; 3, 6, 12 at 768x384 pixels.
    """

    def __init__(self, in_channels: int, out_channels: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.point = conv_norm(in_channels, out_channels, 1)
        self.cascades = nn.ModuleList(
            nn.Sequential(
                conv_norm(in_channels, _REDUCED, 1),
                conv_norm(_REDUCED, _REDUCED, 3, rate=rate),
                conv_norm(_REDUCED, _REDUCED, 3, rate=rate),
                conv_norm(_REDUCED, out_channels, 1),
            )
            for rate in rates
        )
        self.whole = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), BatchNorm(out_channels), nn.ReLU(inplace=True)
        )
        self.join = conv_norm((2 + len(rates)) * out_channels, out_channels, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out_channels, H, W), without ReLU."""
        whole = self.whole(F.adaptive_avg_pool2d(x, 1)).expand(-1, -1, *x.shape[2:])
        joined: Tensor = self.join(torch.cat([self.point(x), *(each(x) for each in self.cascades), whole], dim=1))
        return joined
