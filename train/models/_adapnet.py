"""AdapNet++'s encoder: ResNet-50 with pre-activation and multi-scale units, eASPP, and the reduced skips."""

import torch.nn.functional as F
from torch import Tensor, nn

from segprep.train.models._easpp import Easpp
from segprep.train.models._layers import BatchNorm, Freezable, SplitConv2d, conv_norm, draw_weights
from segprep.train.models._padding import Padding, pad_as_tensorflow
from segprep.train.models._published import Names, conv, conv_norm_names, norm
from segprep.train.models._recompute import Recomputable

__all__ = ["BLUE_FIRST", "EASPP_CHANNELS", "SKIP_CHANNELS", "Expert", "expert_weights", "published_expert"]

EASPP_CHANNELS = 256
SKIP_CHANNELS = 24

BLUE_FIRST = (
    *(f"norm0.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
    "stem.0.weight",
)
"""Of an `Expert`: what a picture's channels meet. The published programs read them as BGR."""


class Expert(Freezable):
    """(N, in_channels, H, W) float to the eASPP's output (1/16, 256 channels) and the skips (1/8, 1/4; 24 channels).

    Args:
        in_channels: Width of the input.
        easpp_rates: Dilation of the eASPP's cascades.
        block4_rates: Dilation of the second half of block 4's three units; the first half has 2.
        dropout: Share of the last unit's residual that is dropped while training.
        padding: Of the strided layers.
    """

    def __init__(
        self,
        in_channels: int,
        easpp_rates: tuple[int, ...],
        block4_rates: tuple[int, ...],
        dropout: float,
        padding: Padding,
    ) -> None:
        super().__init__()
        self.norm0 = BatchNorm(in_channels)
        self.stem = conv_norm(in_channels, 64, 7, stride=2)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = nn.Sequential(_FirstUnit(), _Unit(256, 256), _Unit(256, 256))
        self.norm1 = BatchNorm(256)
        self.layer2 = nn.Sequential(
            _Unit(256, 512, stride=2, normed=True), _Unit(512, 512), _Unit(512, 512), _Unit(512, 512, (1, 2))
        )
        self.norm2 = BatchNorm(512)
        self.layer3 = nn.Sequential(
            _Unit(512, 1024, stride=2, normed=True), _Unit(1024, 1024), *(_Unit(1024, 1024, (1, 2)) for _ in range(4))
        )
        first, second, third = block4_rates
        self.layer4 = nn.Sequential(
            _Unit(1024, 2048, (2, first)),
            _Unit(2048, 2048, (2, second)),
            _Unit(2048, 2048, (2, third), dropout=dropout),
        )
        self.norm4 = BatchNorm(2048)
        self.easpp = Easpp(2048, EASPP_CHANNELS, easpp_rates)
        self.skip4 = conv_norm(256, SKIP_CHANNELS, 1, relu=False)
        self.skip8 = conv_norm(512, SKIP_CHANNELS, 1, relu=False)
        self.apply(draw_weights)
        if padding == "tensorflow":
            pad_as_tensorflow(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (eASPP at 1/16, skip at 1/8, skip at 1/4)."""
        x = self.pool(self.stem(self.norm0(x)))
        quarter = F.relu(self.norm1(self.layer1(x)), inplace=True)
        eighth = F.relu(self.norm2(self.layer2(quarter)), inplace=True)
        x = F.relu(self.norm4(self.layer4(self.layer3(eighth))), inplace=True)
        return self.easpp(x), self.skip8(eighth), self.skip4(quarter)


class _FirstUnit(Recomputable):
    """64 to 256 channels; its shortcut goes through the reduced values, not the input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(64, 64, 1, bias=False), BatchNorm(64)
        self.conv2, self.bn2 = SplitConv2d(64, 64), BatchNorm(64)
        self.conv3 = nn.Conv2d(64, 256, 1, bias=False)
        self.shortcut = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        reduced = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(reduced)), inplace=True)
        total: Tensor = self.conv3(y) + self.shortcut(reduced)
        return total


class _Unit(Recomputable):
    """BN, ReLU, then 1x1, 3x3 (strided, in two halves) and 1x1 with BN and ReLU between them, plus the shortcut.

    Args:
        in_channels: Width of the input.
        out_channels: Width of the output; where it differs, the shortcut is a 1x1 convolution of the normed input.
        rates: Dilation of the halves of the 3x3 convolution.
        stride: Of the 3x3 convolution and the shortcut.
        normed: Whether the input comes normed already: then the unit begins with its first convolution.
        dropout: Share of the residual that is dropped while training.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        rates: tuple[int, int] = (1, 1),
        *,
        stride: int = 1,
        normed: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width = out_channels // 4
        self.norm = nn.Identity() if normed else nn.Sequential(BatchNorm(in_channels), nn.ReLU(inplace=True))
        self.conv1, self.bn1 = nn.Conv2d(in_channels, width, 1, bias=False), BatchNorm(width)
        self.conv2, self.bn2 = SplitConv2d(width, width, rates, stride), BatchNorm(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = (
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False) if in_channels != out_channels else None
        )

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        y = F.relu(self.bn1(self.conv1(normed)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        total: Tensor = self.dropout(self.conv3(y)) + (x if self.shortcut is None else self.shortcut(normed))
        return total


def expert_weights(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """Return which of an `Expert`'s tensors one of torchvision's ResNet-50 gives; empty if none.

    All convolutions on the main path, and the batch norms behind the first two of a unit. The norms behind the third
    and those of the shortcuts normalise what this encoder does not have; the first unit's shortcut has another input.
    """
    part, _, rest = name.partition(".")
    if part == "conv1":
        return {f"stem.0.{rest}": tensor}
    if part == "bn1":
        return {f"stem.1.{rest}": tensor}
    pieces = rest.split(".")
    if part not in ("layer1", "layer2", "layer3", "layer4") or len(pieces) < 3:
        return {}
    unit, layer = pieces[:2]
    if layer in ("conv1", "bn1", "conv2", "bn2", "conv3"):
        return {name: tensor}
    if layer == "downsample" and pieces[2] == "0" and part != "layer1":
        return {f"{part}.{unit}.shortcut.{pieces[3]}": tensor}
    return {}


_UNITS = (3, 4, 6, 3)
_EASPP = {
    "conv256": "point",
    "conv57": "whole",
    "conv10": "join",
    **{
        f"conv{number}": f"cascades.{cascade}.{layer}"
        for cascade, numbers in enumerate(((70, 7, 247, 71), (80, 8, 248, 81), (90, 9, 249, 91)))
        for layer, number in enumerate(numbers)
    },
}


def published_expert(theirs: str, ours: str) -> Names:
    """Return the names of an `Expert` of the published AdapNet++, of SSMA's two as well.

    Their batch norm before a unit stands in the last convolution's scope of the unit before it.

    Args:
        theirs: Scope of its variables, with a slash behind it.
        ours: Name of our module.
    """
    names = norm("conv0/BatchNorm", "norm0") | conv_norm_names("conv1", "stem")
    for block, units in enumerate(_UNITS, 1):
        for unit in range(1, units + 1):
            scope, own = f"block{block}/unit_{unit}", f"layer{block}.{unit - 1}"
            for number in (1, 2):
                names |= conv(f"{scope}/conv{number}", f"{own}.conv{number}")
                names |= norm(f"{scope}/conv{number}/BatchNorm", f"{own}.bn{number}")
            names |= conv(f"{scope}/conv3", f"{own}.conv3") | conv(f"{scope}/shortcut", f"{own}.shortcut")
            following = f"layer{block}.{unit}.norm.0" if unit < units else f"norm{block}"
            names |= norm(f"{scope}/conv3/BatchNorm", "layer4.0.norm.0" if following == "norm3" else following)
    names |= conv_norm_names("conv32", "skip4") | conv_norm_names("conv174", "skip8")
    for layer, own in _EASPP.items():
        names |= conv_norm_names(layer, f"easpp.{own}")
    return {theirs + name: f"{ours}.{own}" for name, own in names.items()}
