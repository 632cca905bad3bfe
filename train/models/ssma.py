"""SSMA (Valada, Mohan, Burgard, IJCV 2019): two AdapNet++ encoders whose features weigh each other.

The experts are trained alone first (`adapnet` on one column each), then loaded by the name of their column. Fusion
gates the channels of both at each place; the decoder is AdapNet++'s, with skips weighed by what they are joined to.
Any other network of one column can be the expert: each of its trunk's features is fused, and its own heads follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.layers import parse_setting
from segprep.datasets.program.tables import Place, check_accepted, from_table, option
from segprep.train.models import MODELS
from segprep.train.models._adapnet import BLUE_FIRST, EASPP_CHANNELS, SKIP_CHANNELS, Expert, published_expert
from segprep.train.models._decoder import Decoder, DecoderHead, published_decoder
from segprep.train.models._layers import Freezable, conv_norm, draw_weights
from segprep.train.models._network import Features, InputColumn, InputScaling, Network, two_columns
from segprep.train.models._options import DROPOUT, dilation_rates
from segprep.train.models._padding import PADDING_HELP, Padding
from segprep.train.models._published import Names, Published, by_scope, conv, conv_norm_names, raw_rgb
from segprep.train.models.adapnet import input_scaling

__all__ = ["PUBLISHED", "Config", "build", "from_expert", "input_scaling", "scaling_of"]

_REDUCTION = 8  # of the gates between features of 256 channels, as published
_PROBE = 64  # pixels, to see which features a trunk gives
_BIAS = 0.01  # what the biases of the fusion begin with


_ADAPNET = "adapnet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What may vary in SSMA."""

    expert: str = option(_ADAPNET, help="Which network the experts are.", values=MODELS.names)
    expert_options: tuple[str, ...] = option(
        (), help='Of another expert than adapnet, as they stand in its own [model]: ["base_channels=16"].'
    )
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
        if self.expert == _ADAPNET:
            if self.expert_options:
                raise ConfigurationError("adapnet's options stand in [model] itself: leave out expert_options")
            return
        usual = Config()
        for name in ("easpp_rates", "block4_rates", "dropout", "relu_scores", "padding"):
            if getattr(self, name) != getattr(usual, name):
                raise ConfigurationError(f"{name} is of adapnet, not of the expert {self.expert!r}: see expert_options")


def scaling_of(config: Config) -> Callable[[InputColumn], InputScaling]:
    """Return what the experts want of a column's values."""
    found: Callable[[InputColumn], InputScaling] = MODELS.load(config.expert).input_scaling
    return found


def build(config: Config, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
    """Make the network with fresh weights from torch's random generator, one head per number of classes.

    Raises:
        UnknownNameError: If there is no such expert.
        ConfigurationError: If there are not two columns, or the expert has no such options or needs more
            columns itself.
    """
    pair = two_columns(columns, "one per expert", "image,hha")
    if config.expert != _ADAPNET:
        return _fused_networks(config, pair, classes)
    return Network(_Trunk(config, pair), [DecoderHead(count, relu_scores=config.relu_scores) for count in classes])


def from_expert(
    column: str, state: Mapping[str, Tensor], options: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Tensor]:
    """Return this network's tensors that a trained expert gives, for the expert of a column.

    Args:
        column: Name of the column.
        state: Of an `adapnet`, whose encoder is taken, or of the other expert, whose trunk is.
        options: Of this network.
    """
    own, theirs = f"trunk.experts.{column}.", "trunk.expert."
    if options.get("expert", _ADAPNET) != _ADAPNET:
        own, theirs = f"{own}trunk.", "trunk."
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


def _fused_networks(config: Config, columns: tuple[InputColumn, InputColumn], classes: Sequence[int]) -> Network:
    module = MODELS.load(config.expert)
    table: dict[str, Any] = {}
    for text in config.expert_options:
        table |= parse_setting(text, "base_channels=16")
    own = from_table(module.Config, table, Place("expert_options"))
    networks = [module.build(own, [column], classes) for column in columns]
    with torch.device("meta"):
        probe = module.build(own, columns[:1], classes).trunk.eval()
        features = probe(torch.zeros(1, columns[0].channels, _PROBE, _PROBE))
    experts = [_Trunked(network.trunk) for network in networks]
    if config.frozen_experts:
        for expert in experts:
            expert.freeze()
    trunk = _FusedTrunk(columns, experts, [each.shape[1] for each in features])
    return Network(trunk, list(networks[0].heads))


class _FusedTrunk(nn.Module):
    """Trunks of any network, each of whose features is fused with its like."""

    def __init__(self, columns: Sequence[InputColumn], experts: Sequence["_Trunked"], widths: Sequence[int]) -> None:
        super().__init__()
        self.channels = [column.channels for column in columns]
        self.experts = nn.ModuleDict({c.name: expert for c, expert in zip(columns, experts, strict=True)})
        self.fusions = nn.ModuleList(
            _Fusion(width, max(1, width // _REDUCTION), conv_norm(2 * width, width, 1, relu=False)) for width in widths
        )

    def forward(self, x: Tensor) -> Features:
        parts = zip(self.experts.values(), torch.split(x, self.channels, dim=1), strict=True)
        pairs = zip(*(expert(part) for expert, part in parts), strict=True)
        return tuple(fusion(pair) for fusion, pair in zip(self.fusions, pairs, strict=True))


class _Trunked(Freezable):
    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> Features:
        features: Features = self.trunk(x)
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
