"""SSMA (Valada, Mohan, Burgard, IJCV 2019): two AdapNet++ encoders whose features weigh each other.

The experts are trained alone first (`adapnet` on one column each), then loaded by the name of their column. Fusion
gates the channels of both at each place; the decoder is AdapNet++'s, with skips weighed by what they are joined to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn

from segprep.datasets.program.tables import check_accepted, option
from segprep.train.models._adapnet import BLUE_FIRST, EASPP_CHANNELS, SKIP_CHANNELS, Expert, published_expert
from segprep.train.models._decoder import Decoder, DecoderHead, published_decoder
from segprep.train.models._layers import conv_norm, draw_weights
from segprep.train.models._network import Features, InputColumn, Network, two_columns
from segprep.train.models._options import DROPOUT, dilation_rates
from segprep.train.models._padding import PADDING_HELP, Padding
from segprep.train.models._published import Names, Published, by_scope, conv, conv_norm_names, raw_rgb
from segprep.train.models.adapnet import input_scaling

__all__ = ["PUBLISHED", "Config", "build", "from_expert", "input_scaling"]

_BIAS = 0.01  # what the biases of the fusion begin with


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may vary in SSMA."""

    easpp_rates: tuple[int, ...] = option((3, 6, 12), accept=dilation_rates(), help="As in adapnet, of both experts.")
    block4_rates: tuple[int, ...] = option((2, 2, 2), accept=dilation_rates(3), help="As in adapnet, of both experts.")
    dropout: float = option(0.7, accept=DROPOUT, help="As in adapnet, of experts that are not frozen.")
    frozen_experts: bool = option(
        False,
        help="Whether the experts keep their weights and moving statistics, as in the published code. It needs "
        "weights from a file, so it is off.",
    )
    relu_scores: bool = option(False, help="As in adapnet.")
    padding: Padding = option("symmetric", metavar="", help=PADDING_HELP)

    def __post_init__(self) -> None:
        check_accepted(self)


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes.

    Raises:
        ConfigurationError: If there are not two columns.
    """
    pair = two_columns(columns, "one per expert", "image,hha")
    return Network(_Trunk(config, pair), [DecoderHead(count, relu_scores=config.relu_scores) for count in classes])


def from_expert(column: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return this network's tensors that a trained `adapnet` gives: its encoder's, for the expert of a column."""
    own, theirs = f"trunk.experts.{column}.", "trunk.expert."
    return {own + name.removeprefix(theirs): tensor for name, tensor in state.items() if name.startswith(theirs)}


def _published_names(network: Network, given: Mapping[str, tuple[int, ...]]) -> Names:
    names = published_decoder()
    experts: nn.ModuleDict = network.get_submodule("trunk.experts")  # type: ignore[assignment]
    for theirs, column in zip(("rgb/", "depth/"), experts, strict=True):
        names |= published_expert(theirs, f"trunk.experts.{column}")
    for (reduce, gate, reduction), own in _FUSIONS.items():
        names |= conv(f"conv{reduce}", f"trunk.{own}.gate.0") | conv(f"conv{gate}", f"trunk.{own}.gate.2")
        names |= conv(f"conv{reduction}", f"trunk.{own}.reduction")
    return by_scope(names | conv_norm_names("conv515", "trunk.fuse_easpp.reduction"), given)


_FUSIONS: Final = {
    (511, 512, 515): "fuse_easpp",
    (513, 514, 552): "fuse_skip8",
    (518, 519, 553): "fuse_skip4",
}

PUBLISHED: Final = Published(
    system="SSMA",
    names=_published_names,
    options=MappingProxyType({"padding": "tensorflow", "relu_scores": True}),
    scaling=lambda _, column: raw_rgb(column),
    blue_first=tuple(f"trunk.experts.*.{name}" for name in BLUE_FIRST),
)


class _Trunk(nn.Module):
    def __init__(self, config: Config, columns: tuple[InputColumn, InputColumn]) -> None:
        super().__init__()
        self.channels = [column.channels for column in columns]
        self.experts = nn.ModuleDict()
        for column in columns:
            expert = Expert(column.channels, config.easpp_rates, config.block4_rates, config.dropout, config.padding)
            if config.frozen_experts:
                expert.freeze()
            self.experts[column.name] = expert
        self.fuse_easpp = _Fusion(EASPP_CHANNELS, 32, conv_norm(2 * EASPP_CHANNELS, EASPP_CHANNELS, 1, relu=False))
        self.fuse_skip8 = _Fusion(SKIP_CHANNELS, 8, nn.Conv2d(2 * SKIP_CHANNELS, SKIP_CHANNELS, 3, padding=1))
        self.fuse_skip4 = _Fusion(SKIP_CHANNELS, 8, nn.Conv2d(2 * SKIP_CHANNELS, SKIP_CHANNELS, 3, padding=1))
        self.decoder = Decoder(correlated=True)

    def forward(self, x: Tensor) -> Features:
        parts = zip(self.experts.values(), torch.split(x, self.channels, dim=1), strict=True)
        easpp, skip8, skip4 = zip(*(expert(part) for expert, part in parts), strict=True)
        features: Features = self.decoder(self.fuse_easpp(easpp), self.fuse_skip8(skip8), self.fuse_skip4(skip4))
        return features


class _Fusion(nn.Module):
    """Two equal maps, each channel and place multiplied by a gate in 0..1 that sees both, reduced to one map.

    Args:
        channels: Of each map.
        reduced: Channels between the two convolutions that make the gate.
        reduction: From twice the channels to one map.
    """

    def __init__(self, channels: int, reduced: int, reduction: nn.Module) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(2 * channels, reduced, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(reduced, 2 * channels, 3, padding=1),
            nn.Sigmoid(),
        )
        self.reduction = reduction
        self.apply(draw_weights)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.constant_(module.bias, _BIAS)

    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        joined = torch.cat(pair, dim=1)
        fused: Tensor = self.reduction(joined * self.gate(joined))
        return fused
