"""FCN-8s (Long, Shelhamer, Darrell, CVPR 2015) on VGG16, as in the course project for KITTI and Cityscapes.

VGG16's fully connected layers are convolutions of 7x7 and 1x1; scores of three resolutions are added and enlarged by
transposed convolutions. Every size works: pooling rounds up, enlarging crops. 134 million weights. With MobileNetV3 as
encoder, whose last features are scored as they are, 3 million.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import check_accepted, option
from segprep.datasets.program.values import at_least
from segprep.train.models._layers import crop, draw_weights, enlarge, make_bilinear
from segprep.train.models._mobilenet import MOBILE_CHANNELS, mobilenet_v3_large
from segprep.train.models._network import Features, InputColumn, Logits, Network
from segprep.train.models._network import imagenet_scaling as input_scaling
from segprep.train.models._options import DROPOUT
from segprep.train.models._published import CAFFE_MEAN, Names, Published, numbered, raw_rgb
from segprep.train.models._recompute import Recomputable, recomputed

__all__ = ["BACKBONE", "BACKBONE_OPTION", "PUBLISHED", "Config", "build", "from_imagenet", "input_scaling"]

BACKBONE: Final = "vgg16"
BACKBONE_OPTION: Final = "encoder"

_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # (width, convolutions), a pool behind each
_FC6_KERNEL = 7
_FC_CHANNELS = 4096
_SCORE_STD = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may vary in FCN-8s."""

    encoder: Literal["vgg16", "mobilenet_v3_large"] = option(
        "vgg16", help="vgg16, or mobilenet_v3_large for embedded computers: 3 million weights."
    )
    fc_channels: int = option(
        _FC_CHANNELS,
        accept=at_least(1),
        help="Width of the two layers that were fully connected. ImageNet weights fit them at 4096 only; 1024 make the "
        "network a fifth as large.",
    )
    dropout: float = option(
        0.2, accept=DROPOUT, help="Share of their outputs that is dropped while training; the course project keeps 0.8."
    )

    def __post_init__(self) -> None:
        check_accepted(self)
        if self.encoder != "vgg16" and self.fc_channels != _FC_CHANNELS:
            raise ConfigurationError(
                f"fc_channels is the width of layers that {self.encoder} does not have: leave it out"
            )


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes."""
    in_channels = sum(column.channels for column in columns)
    if config.encoder == "vgg16":
        trunk: nn.Module = _Trunk(config, in_channels)
        return Network(trunk, [_Head((config.fc_channels, 512, 256), count) for count in classes])
    trunk = _MobileTrunk(config, in_channels)
    return Network(trunk, [_Head(MOBILE_CHANNELS, count) for count in classes])


def from_imagenet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's tensors that torchvision's VGG16 or MobileNetV3 gives: all but the classes of ImageNet.

    VGG16's first fully connected layer sees 512 maps of 7x7: that is a convolution's kernel.
    """
    own = {}
    for name, tensor in state.items():
        layer, _, which = name.rpartition(".")
        if layer.startswith("features."):
            own[f"trunk.{name}"] = tensor
        elif layer in ("classifier.0", "classifier.3"):
            kernel = _FC6_KERNEL if layer == "classifier.0" else 1
            if which == "weight" and tensor.shape[1] % kernel**2 == 0:
                tensor = tensor.reshape(len(tensor), -1, kernel, kernel)
            own[f"trunk.{'fc6' if layer == 'classifier.0' else 'fc7'}.{which}"] = tensor
    return own


def _published_names(network: Network, given: Mapping[str, tuple[int, ...]]) -> Names:
    """The encoder's names are tensorflow-fcn's, the head's those that tf.layers gives.

    Which score belongs to which pool is told by the width that it sees.
    """
    layers, number = {"fc6": "trunk.fc6", "fc7": "trunk.fc7"}, 0
    for block, (_, count) in enumerate(_BLOCKS, 1):
        for i in range(1, count + 1):
            layers[f"conv{block}_{i}"] = f"trunk.features.{number}"
            number += 2
        number += 1
    own = network.state_dict()
    widths = {own[f"heads.0.scores.{i}.weight"].shape[1]: f"heads.0.scores.{i}" for i in range(3)}
    for layer in numbered(given, "conv2d"):
        shape = given.get(f"{layer}/kernel", ())
        if len(shape) == 4 and shape[2] in widths:
            layers[layer] = widths[shape[2]]
    layers |= {layer: f"heads.0.enlarge.{i}" for i, layer in enumerate(numbered(given, "conv2d_transpose"))}
    names = {}
    for name in given:
        layer, _, which = name.removesuffix(":0").rpartition("/")
        if layer in layers and which in _WEIGHTS:
            names[name] = f"{layers[layer]}.{_WEIGHTS[which]}"
    return names


_WEIGHTS: Final = {"filter": "weight", "weights": "weight", "kernel": "weight", "biases": "bias", "bias": "bias"}

PUBLISHED: Final = Published(
    system="the course project's FCN-8s",
    names=_published_names,
    options=MappingProxyType({}),
    scaling=lambda _, column: raw_rgb(column, CAFFE_MEAN),
    blue_first=("trunk.features.0.weight",),
)


class _Trunk(Recomputable):
    def __init__(self, config: Config, in_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.recomputes = False
        self.ends: list[int] = []  # of each block in `features`, whose numbers are torchvision's
        width = in_channels
        for out_channels, count in _BLOCKS:
            for _ in range(count):
                layers += [nn.Conv2d(width, out_channels, 3, padding=1), nn.ReLU(inplace=True)]
                width = out_channels
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            self.ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        self.fc6 = nn.Conv2d(width, config.fc_channels, _FC6_KERNEL, padding=_FC6_KERNEL // 2)
        self.fc7 = nn.Conv2d(config.fc_channels, config.fc_channels, 1)
        self.behind = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(config.dropout))
        self.apply(draw_weights)

    def recompute(self) -> None:
        """Keep only what the pools give while training."""
        self.recomputes = True

    def forward(self, x: Tensor) -> Features:
        pools = [x]
        for start, end in pairwise([0, *self.ends]):
            block = self.features[start:end]
            pools.append(recomputed(self, block, pools[-1]) if self.recomputes else block(pools[-1]))
        _, _, _, pool3, pool4, x = pools
        return self.behind(self.fc7(self.behind(self.fc6(x)))), pool4, pool3


class _MobileTrunk(nn.Module):
    def __init__(self, config: Config, in_channels: int) -> None:
        super().__init__()
        self.features, self.ends = mobilenet_v3_large(in_channels)
        self.dropout = nn.Dropout(config.dropout)
        self.apply(draw_weights)

    def forward(self, x: Tensor) -> Features:
        found = [x]
        for start, end in pairwise([0, *self.ends]):
            found.append(self.features[start:end](found[-1]))
        _, eighth, sixteenth, x = found
        return self.dropout(x), sixteenth, eighth


class _Head(nn.Module):
    """Scores begin near 0, enlarging begins as bilinear interpolation.

    Args:
        widths: Of the features at 1/32, 1/16 and 1/8.
        classes: How many.
    """

    def __init__(self, widths: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.scores, self.enlarge = nn.ModuleList(), nn.ModuleList()
        for width, factor in zip(widths, (2, 2, 8), strict=True):
            score, larger = nn.Conv2d(width, classes, 1), enlarge(classes, classes, factor, bias=True)
            nn.init.trunc_normal_(score.weight, std=_SCORE_STD, a=-2 * _SCORE_STD, b=2 * _SCORE_STD)
            if score.bias is not None:
                nn.init.zeros_(score.bias)
            make_bilinear(larger)
            self.scores.append(score)
            self.enlarge.append(larger)

    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        scores = [score(feature) for score, feature in zip(self.scores, features, strict=True)]
        x = scores[0]
        for larger, finer in zip(self.enlarge, scores[1:], strict=False):
            x = crop(larger(x), finer.shape[2:]) + finer
        return Logits(crop(self.enlarge[-1](x), size))
