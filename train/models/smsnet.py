"""SMSnet (Vertens, Valada, Burgard, IROS 2017): which pixels move, from an image and a motion image.

A ResNet-50 looks at the image, a shorter stream at the motion image; at 1/16 they are joined, and units of growing
dilation judge them together. One transposed convolution enlarges the scores. Every size works: strides round up, the
result is cropped. Convolution is followed by batch norm, then dropout, in both variants; batch norm is trained (in
Caffe it was held still).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import torch
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import check_accepted, option
from segprep.datasets.program.values import Accept
from segprep.train.models._layers import BatchNorm, Freezable, conv_norm, crop, draw_weights, enlarge, make_bilinear
from segprep.train.models._network import (
    Features,
    InputColumn,
    InputScaling,
    Logits,
    Network,
    imagenet_scaling,
    two_columns,
)
from segprep.train.models._options import DROPOUT
from segprep.train.models._padding import PADDING_HELP, Padding, pad_as_tensorflow
from segprep.train.models._published import Names, Published, by_scope, conv, conv_norm_names, norm, raw_rgb
from segprep.train.models._resnet import Rates, residual_stage

__all__ = [
    "BACKBONE",
    "BACKBONE_OPTIONS",
    "PUBLISHED",
    "Config",
    "build",
    "check_columns",
    "from_imagenet",
    "input_scaling",
]

BACKBONE: Final = "resnet50"
BACKBONE_OPTIONS: Final = MappingProxyType({"stride_in_3x3": True})

Variant = Literal["caffe", "tensorflow"]

_PLAIN: Rates = (1, 1)
_BLOCK1 = (_PLAIN,) * 3
_BLOCK2 = (_PLAIN, _PLAIN, _PLAIN, (1, 2))
_BLOCK3: dict[Variant, tuple[Rates, ...]] = {
    "caffe": (_PLAIN, _PLAIN, (1, 2), (1, 4), (1, 8), (1, 16)),
    "tensorflow": (_PLAIN, _PLAIN, (1, 2), (1, 2), (1, 2), (1, 2)),
}
_BLOCK4: dict[Variant, tuple[Rates, ...]] = {
    "caffe": ((2, 4), (2, 8), (2, 16)),
    "tensorflow": ((2, 2), (2, 2), (2, 2)),
}
_FUSION_512: tuple[Rates, ...] = ((2, 2), (2, 2), (2, 2))
_FUSION_1024: tuple[Rates, ...] = ((2, 2), (2, 4), (2, 8))
_FUSION_2048: tuple[Rates, ...] = ((4, 16), (4, 16))
_STRIDE = 16
_WRAP = 256.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may vary in SMSnet."""

    variant: Variant = option(
        "caffe",
        help="caffe is the authors' network. tensorflow is their later port: half as wide a motion stem, a 3x3 "
        "convolution before the image's, smaller dilations, pools of 3, and batch norm on the enlarged scores.",
    )
    frozen_image: bool = option(
        False,
        help="Whether the image's stream keeps its weights and moving statistics, as in both publications. It "
        "needs weights from a file, so it is off.",
    )
    stride_in_3x3: bool = option(
        False,
        help="Whether a unit's stride is in its 3x3 convolution, where ImageNet weights of today have it, rather than "
        "in its first one, as published. Such weights, if given, make it true.",
    )
    dropout: float = option(
        0.4,
        accept=DROPOUT,
        help="Share of the last fusion unit's residual that is dropped while training; 0.6 in the port.",
    )
    image_dropout: float = option(0.45, accept=DROPOUT, help="The same in the image's stream; 0 in the port.")
    padding: Padding = option("symmetric", metavar="", help=PADDING_HELP)
    wrapped_motion: bool = option(
        False,
        help="Whether u and v of the motion image below their zero become 256 larger, as in the port, which subtracts "
        "128 from 8-bit numbers. Its published weights have learned from such numbers and make it true.",
    )
    published_mean: tuple[float, ...] = option(
        (),
        accept=Accept("three numbers or none", lambda mean: len(mean) in (0, 3)),
        help="R, G and B of the mean that the port's program subtracted from the image before the published weights "
        "that you give were trained; none, if it subtracted none.",
    )

    def __post_init__(self) -> None:
        if self.variant not in _BLOCK3:
            raise ConfigurationError(f"variant must be 'caffe' or 'tensorflow', not {self.variant!r}")
        check_accepted(self)


def input_scaling(column: InputColumn) -> InputScaling:
    """Return ImageNet's scaling for 8-bit RGB images; a motion image's zero, (128, 128, 0), becomes 0.

    Of a motion image, 8-bit u, v and magnitude, 128 steps (20 pixels where 1 pixel is 6.4 steps) become 1. Other
    columns: as `eight_bit_scaling`.
    """
    if column.kind is Kind.CODED and column.dtype == "uint8" and column.channels == 3:
        return InputScaling((128.0, 128.0, 0.0), (128.0, 128.0, 128.0))
    return imagenet_scaling(column)


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes.

    Raises:
        ConfigurationError: If there are not two columns.
    """
    image, motion = _image_and_motion(columns)
    trunk = _Trunk(config, image.channels, motion.channels)
    return Network(trunk, [_Head(count, config.variant) for count in classes])


def check_columns(columns: Sequence[InputColumn]) -> None:
    """Refuse columns in the wrong order: each stream would see what the other one is made for.

    Raises:
        ConfigurationError: If the second column is the image, or there are not two.
    """
    first, second = _image_and_motion(columns)
    if second.kind is Kind.IMAGE and first.kind is not Kind.IMAGE:
        raise ConfigurationError(
            f"it takes the image first and then the motion image: give --inputs {second.name},{first.name}"
        )


def _image_and_motion(columns: Sequence[InputColumn]) -> tuple[InputColumn, InputColumn]:
    return two_columns(columns, "an image and a motion image", "image,flow")


def from_imagenet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the image's stream, which has torchvision's names of ResNet-50.

    The classifier is left out.
    """
    return {f"trunk.image.{name}": tensor for name, tensor in state.items() if not name.startswith("fc.")}


def _published_scaling(config: Config, column: InputColumn) -> InputScaling:
    if column.kind is Kind.CODED:
        return raw_rgb(column, (128.0, 128.0, 0.0))
    return raw_rgb(column, config.published_mean or (0.0, 0.0, 0.0))


def _published_names(network: Network, given: Mapping[str, tuple[int, ...]]) -> Names:
    names = conv_norm_names("conv0", "trunk.image.conv0")
    names |= conv("conv1", "trunk.image.conv1") | norm("conv1/BatchNorm", "trunk.image.bn1")
    names |= conv_norm_names("SMSnet/conv1", "trunk.motion.0") | conv_norm_names("SMSnet/conv3", "heads.0.scores")
    names |= conv("SMSnet/conv5", "heads.0.enlarge") | norm("SMSnet/conv5/BatchNorm", "heads.0.norm")
    units = {
        f"block{block}/unit_{unit + 1}": f"trunk.image.layer{block}.{unit}"
        for block, count in enumerate((3, 4, 6, 3), 1)
        for unit in range(count)
    }
    motion = (
        ("motion.2", 3, "block1", 1),
        ("motion.3", 2, "block2", 1),
        ("motion.4", 1, "block2", 3),
        ("fusion.0", 3, "block2", 4),
        ("fusion.1", 3, "block3", 1),
        ("fusion.2", 2, "block4", 1),
    )
    for own, count, block, first in motion:
        units |= {f"SMSnet/{block}/unit_{first + unit}": f"trunk.{own}.{unit}" for unit in range(count)}
    for theirs, own in units.items():
        for number in (1, 2, 3):
            names |= conv(f"{theirs}/conv{number}", f"{own}.conv{number}")
            names |= norm(f"{theirs}/conv{number}/BatchNorm", f"{own}.bn{number}")
        names |= conv_norm_names(f"{theirs}/shortcut", f"{own}.downsample")
    return by_scope(names, given)


PUBLISHED: Final = Published(
    system="SMSnet's port to TensorFlow",
    names=_published_names,
    options=MappingProxyType({"variant": "tensorflow", "padding": "tensorflow", "wrapped_motion": True}),
    scaling=_published_scaling,
    blue_first=("trunk.image.conv0.0.weight",),
)


class _Trunk(nn.Module):
    def __init__(self, config: Config, image_channels: int, motion_channels: int) -> None:
        super().__init__()
        self.caffe = config.variant == "caffe"
        self.channels = [image_channels, motion_channels]
        self.wrapped_motion = config.wrapped_motion
        self.image = _ImageStream(config, image_channels)
        in_3x3 = config.stride_in_3x3
        self.motion = nn.Sequential(
            *_motion_stem(motion_channels, self.caffe),
            residual_stage(128 if self.caffe else 64, 256, _BLOCK1),
            residual_stage(256, 512, (_PLAIN, _PLAIN), stride=2, stride_in_3x3=in_3x3),
            residual_stage(512, 512, (_PLAIN,), stride=2, stride_in_3x3=in_3x3),
        )
        self.fusion = nn.Sequential(
            residual_stage(512 + 2048, 512, _FUSION_512),
            residual_stage(512, 1024, _FUSION_1024),
            residual_stage(1024, 2048, _FUSION_2048, dropout=config.dropout),
        )
        self.apply(draw_weights)
        if config.padding == "tensorflow":
            pad_as_tensorflow(self)
        if config.frozen_image:
            self.image.freeze()

    def forward(self, x: Tensor) -> Features:
        image, motion = torch.split(x, self.channels, dim=1)
        if self.wrapped_motion:
            uv, magnitude = motion[:, :2], motion[:, 2:]
            motion = torch.cat([torch.where(uv < 0, uv + _WRAP, uv), magnitude], dim=1)
        image, motion = self.image(image), self.motion(motion)
        return (self.fusion(torch.cat([motion, image] if self.caffe else [image, motion], dim=1)),)


class _ImageStream(Freezable):
    """(N, in_channels, H, W) to (N, 2048, H / 16, W / 16), sizes rounded up."""

    def __init__(self, config: Config, in_channels: int) -> None:
        super().__init__()
        caffe, variant, in_3x3 = config.variant == "caffe", config.variant, config.stride_in_3x3
        self.conv0 = nn.Identity() if caffe else conv_norm(in_channels, in_channels, 3)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=caffe)
        self.bn1, self.relu, self.pool = BatchNorm(64), nn.ReLU(inplace=True), _pool(caffe)
        self.layer1 = residual_stage(64, 256, _BLOCK1)
        self.layer2 = residual_stage(256, 512, _BLOCK2, stride=2, stride_in_3x3=in_3x3)
        self.layer3 = residual_stage(512, 1024, _BLOCK3[variant], stride=2, stride_in_3x3=in_3x3)
        self.layer4 = residual_stage(1024, 2048, _BLOCK4[variant], dropout=config.image_dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.bn1(self.conv1(self.conv0(x)))))
        features: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return features


class _Head(nn.Module):
    """Enlarging the class scores begins as bilinear interpolation."""

    def __init__(self, classes: int, variant: Variant) -> None:
        super().__init__()
        self.scores = conv_norm(2048, classes, 1, relu=False)
        self.enlarge = enlarge(classes, classes, _STRIDE)
        self.norm = nn.Identity() if variant == "caffe" else BatchNorm(classes)
        self.apply(draw_weights)
        make_bilinear(self.enlarge)

    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        (feature,) = features
        return Logits(crop(self.norm(self.enlarge(self.scores(feature))), size))


def _motion_stem(in_channels: int, caffe: bool) -> list[nn.Module]:
    if not caffe:
        return [conv_norm(in_channels, 64, 7, stride=2), _pool(caffe)]
    conv = nn.Conv2d(in_channels, 128, 7, 2, 3)
    return [nn.Sequential(conv, nn.ReLU(inplace=True), BatchNorm(128)), _pool(caffe)]


def _pool(caffe: bool) -> nn.MaxPool2d:
    return nn.MaxPool2d(2, 2, ceil_mode=True) if caffe else nn.MaxPool2d(3, 2, padding=1)
