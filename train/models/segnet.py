"""The ResNet50-SegNet of the video network: ResNet-50 up to 1/16, a decoder without skips, scores at half the size.

The convolutions have biases, as in Keras. The pool is padded as in torchvision, so that every size works (104x152
instead of 103x151 for 416x608); strides round up, the enlarged scores are cropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.datasets.program.tables import option
from segprep.train.models._layers import BatchNorm, crop, draw_weights
from segprep.train.models._network import Features, InputColumn, Logits, Network
from segprep.train.models._network import imagenet_scaling as input_scaling
from segprep.train.models._padding import Padding
from segprep.train.models._published import CAFFE_MEAN, Names, Published, norm, numbered, raw_rgb
from segprep.train.models._resnet import residual_stage

__all__ = ["BACKBONE", "BACKBONE_OPTIONS", "PUBLISHED", "Config", "build", "from_imagenet", "input_scaling"]

BACKBONE: Final = "resnet50"
BACKBONE_OPTIONS: Final = MappingProxyType({"stride_in_3x3": True})

_PLAIN = (1, 1)
_DECODER = (512, 256, 128, 64)
_POOL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may vary in SegNet."""

    decoder_relu: bool = option(
        False, help="Whether ReLU follows each batch norm of the decoder, as in SegNet; the video network has none."
    )
    stride_in_3x3: bool = option(
        False,
        help="Whether a unit's stride is in its 3x3 convolution, where ImageNet weights of today have it, rather than "
        "in its first one, as in Keras. Such weights, if given, make it true.",
    )
    padding: Padding = option(
        "symmetric",
        metavar="",
        help="symmetric pads the pool on both sides; tensorflow leaves it as it is in Keras, without padding, which "
        "suits sizes that are multiples of 32. Published weights, if given, make it tensorflow.",
    )


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes."""
    return Network(_Trunk(config, sum(column.channels for column in columns)), [_Head(count) for count in classes])


def from_imagenet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder's tensors that torchvision's ResNet-50 gives, and the biases that it lacks: 0."""
    own = {}
    for name, tensor in state.items():
        if name.startswith(("layer4.", "fc.")):
            continue
        own[f"trunk.encoder.{name}"] = tensor
        if tensor.ndim == 4:
            own[f"trunk.encoder.{name.removesuffix('weight')}bias"] = torch.zeros(len(tensor))
    return own


def _published_names(network: Network, given: Mapping[str, tuple[int, ...]]) -> Names:
    """The decoder's layers have no names but those that Keras counts."""
    layers = {"conv1": "trunk.encoder.conv1"}
    names = norm("bn_conv1", "trunk.encoder.bn1")
    for stage, units in ((2, 3), (3, 4), (4, 6)):
        for unit, letter in enumerate("abcdef"[:units]):
            own = f"trunk.encoder.layer{stage - 1}.{unit}"
            for branch, conv, bn in _BRANCHES:
                layers[f"res{stage}{letter}_branch{branch}"] = f"{own}.{conv}"
                names |= norm(f"bn{stage}{letter}_branch{branch}", f"{own}.{bn}")
    for i, layer in enumerate(numbered(given, "conv2d")):
        layers[layer] = f"trunk.decoder.{i}.0" if i < len(_DECODER) else "heads.0.scores"
    for i, layer in enumerate(numbered(given, "batch_normalization")):
        names |= norm(layer, f"trunk.decoder.{i}.1")
    for layer, own in layers.items():
        names |= {f"{layer}/kernel": f"{own}.weight", f"{layer}/bias": f"{own}.bias"}
    return {name: names[name] for name in given if name in names}


_BRANCHES: Final = (
    ("2a", "conv1", "bn1"),
    ("2b", "conv2", "bn2"),
    ("2c", "conv3", "bn3"),
    ("1", "downsample.0", "downsample.1"),
)

PUBLISHED: Final = Published(
    system="Keras' ResNet50-SegNet",
    names=_published_names,
    options=MappingProxyType({"padding": "tensorflow", "decoder_relu": False, "stride_in_3x3": False}),
    scaling=lambda _, column: raw_rgb(column, CAFFE_MEAN),
    epsilon=1e-3,
)


class _Trunk(nn.Module):
    def __init__(self, config: Config, in_channels: int) -> None:
        super().__init__()
        self.encoder = _Encoder(in_channels, config.stride_in_3x3, config.padding)
        self.decoder = nn.ModuleList()
        width = 1024
        for out_channels in _DECODER:
            self.decoder.append(nn.Sequential(nn.Conv2d(width, out_channels, 3, padding=1), BatchNorm(out_channels)))
            width = out_channels
        self.relu = config.decoder_relu
        self.apply(draw_weights)

    def forward(self, x: Tensor) -> Features:
        x = self.encoder(x)
        for i, layer in enumerate(self.decoder):
            x = layer(x if i == 0 else F.interpolate(x, scale_factor=2, mode="nearest"))
            if self.relu:
                x = F.relu(x, inplace=True)
        return (x,)


class _Encoder(nn.Module):
    """(N, in_channels, H, W) to (N, 1024, H / 16, W / 16), sizes rounded up; torchvision's names."""

    def __init__(self, in_channels: int, stride_in_3x3: bool, padding: Padding) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(in_channels, 64, 7, 2, 3), BatchNorm(64)
        self.pool = nn.MaxPool2d(_POOL, 2, padding=1) if padding == "symmetric" else _UnpaddedPool()
        self.layer1 = residual_stage(64, 256, (_PLAIN,) * 3, bias=True)
        self.layer2 = residual_stage(256, 512, (_PLAIN,) * 4, stride=2, bias=True, stride_in_3x3=stride_in_3x3)
        self.layer3 = residual_stage(512, 1024, (_PLAIN,) * 6, stride=2, bias=True, stride_in_3x3=stride_in_3x3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        features: Tensor = self.layer3(self.layer2(self.layer1(x)))
        return features


class _UnpaddedPool(nn.MaxPool2d):
    """A pool of 3 and stride 2 that begins and ends within the picture; a smaller one is filled up by 0."""

    def __init__(self) -> None:
        super().__init__(_POOL, 2)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        """Return (N, C, (H - 1) // 2, (W - 1) // 2), at least 1."""
        height, width = (max(_POOL - size, 0) for size in input.shape[2:])
        pooled: Tensor = super().forward(F.pad(input, (0, width, 0, height)) if height or width else input)
        return pooled


class _Head(nn.Module):
    """Scores at half the size, enlarged bilinearly."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.scores = nn.Conv2d(_DECODER[-1], classes, 3, padding=1)
        self.apply(draw_weights)

    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        (feature,) = features
        logits = F.interpolate(self.scores(feature), scale_factor=2, mode="bilinear")
        missing = [max(wanted - found, 0) for wanted, found in zip(size, logits.shape[2:], strict=True)]
        if any(missing):  # where the pool was not padded
            logits = F.pad(logits, (0, missing[1], 0, missing[0]), mode="replicate")
        return Logits(crop(logits, size))
