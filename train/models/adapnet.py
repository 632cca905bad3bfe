"""AdapNet++ (Valada, Mohan, Burgard, IJCV 2019).

A pre-activation ResNet-50 with multi-scale units at output stride 16, eASPP, and a decoder with two skips. Two
auxiliary heads help to train it. Every size works: strides round up, the decoder crops.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from torch import Tensor, nn

from segprep.datasets.program.tables import check_accepted, option
from segprep.train.models._adapnet import BLUE_FIRST, Expert, expert_weights, published_expert
from segprep.train.models._decoder import Decoder, DecoderHead, published_decoder
from segprep.train.models._network import Features, InputColumn, InputScaling, Network, eight_bit_scaling
from segprep.train.models._options import DROPOUT, dilation_rates
from segprep.train.models._padding import PADDING_HELP, Padding
from segprep.train.models._published import Names, Published, by_scope, raw_rgb

__all__ = ["BACKBONE", "PUBLISHED", "Config", "build", "from_imagenet", "input_scaling"]

BACKBONE: Final = "resnet50"

_AUXILIARY = (0.6, 0.5)  # weights in the loss of the heads at 1/4 and at 1/8


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may vary in AdapNet++."""

    easpp_rates: tuple[int, ...] = option(
        (3, 6, 12),
        accept=dilation_rates(),
        help="Dilation of the eASPP's cascades: 3, 6, 12 at 768x384 pixels, 6, 12, 18 for crops of 768x768.",
    )
    block4_rates: tuple[int, ...] = option(
        (2, 2, 2),
        accept=dilation_rates(3),
        help="Dilation of the second halves of block 4's units, whose first halves have 2. The published code has 2 "
        "everywhere; 4, 8, 16 are AdapNet's multi-scale rates.",
    )
    dropout: float = option(
        0.7,
        accept=DROPOUT,
        help="Share of the last unit's residual that is dropped while training; the code keeps 0.3.",
    )
    relu_scores: bool = option(
        False,
        help="Whether the class scores are cut at 0 before they are enlarged, as in the published code. The classes "
        "below 0 then lose their order, so it is off. Published weights, if given, make it true.",
    )
    padding: Padding = option("symmetric", metavar="", help=PADDING_HELP)

    def __post_init__(self) -> None:
        check_accepted(self)


def input_scaling(column: InputColumn) -> InputScaling:
    """Return (x - 128) / 128 for 8-bit columns, else the scaling measured on the training set.

    The published code feeds 0..255 to a first batch norm that learns the normalisation. That norm is here, too; it
    gives the same for scaled values, and its moving statistics need not grow from 0 first. The constants do not depend
    on the data set, so that an expert of SSMA sees what it was trained on.
    """
    return eight_bit_scaling(column)


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes."""
    trunk = _Trunk(config, sum(column.channels for column in columns))
    heads = [DecoderHead(count, auxiliary=_AUXILIARY, relu_scores=config.relu_scores) for count in classes]
    return Network(trunk, heads)


def from_imagenet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the network's tensors that torchvision's ResNet-50 gives, see `expert_weights`."""
    own: dict[str, Tensor] = {}
    for name, tensor in state.items():
        own |= {f"trunk.expert.{inner}": given for inner, given in expert_weights(name, tensor).items()}
    return own


def _published_names(network: Network, given: Mapping[str, tuple[int, ...]]) -> Names:
    return by_scope(published_expert("", "trunk.expert") | published_decoder(), given)


PUBLISHED: Final = Published(
    system="AdapNet++",
    names=_published_names,
    options=MappingProxyType({"padding": "tensorflow", "relu_scores": True}),
    scaling=lambda _, column: raw_rgb(column),  # the first batch norm scales
    blue_first=tuple(f"trunk.expert.{name}" for name in BLUE_FIRST),
)


class _Trunk(nn.Module):
    def __init__(self, config: Config, in_channels: int) -> None:
        super().__init__()
        self.expert = Expert(in_channels, config.easpp_rates, config.block4_rates, config.dropout, config.padding)
        self.decoder = Decoder(correlated=False)

    def forward(self, x: Tensor) -> Features:
        features: Features = self.decoder(*self.expert(x))
        return features
