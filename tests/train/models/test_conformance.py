"""What every registered network promises, and that the checks find a network that does not."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segprep.datasets.errors import UnknownNameError
from segprep.train.conformance import (
    NETWORK_CHECKS,
    NetworkCase,
    NetworkMember,
    check_evaluation,
    check_gradients,
    check_logits,
    check_network,
    check_saving,
    check_single,
)
from segprep.train.models import MODELS
from segprep.train.models._network import Features, InputColumn, InputScaling, Logits, Network, eight_bit_scaling
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import build_segmenter
from support.networks import SMALL, make_column, meta_network

_MOBILE = {"encoder": "mobilenet_v3_large"}


@lru_cache(maxsize=1)
def _mobile_case() -> NetworkCase:
    return NetworkCase(MODELS.load("fcn8s"), _MOBILE)


@lru_cache(maxsize=1)  # a network that was drawn takes much memory
def _case(name: str) -> NetworkCase:
    return NetworkCase(MODELS.load(name), SMALL.get(name, {}))


@pytest.mark.parametrize("check", NETWORK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS.names())
def test_members_keep_what_they_promise(name: str, check: Callable[[NetworkCase], None]) -> None:
    check(_case(name))


@pytest.mark.parametrize("check", [check_logits, check_gradients, check_evaluation, check_single, check_saving])
def test_the_other_encoder_of_fcn8s_keeps_it_too(check: Callable[[NetworkCase], None]) -> None:
    check(_mobile_case())


def test_the_other_encoder_of_fcn8s_takes_any_size() -> None:
    for size in ((1, 1), (13, 21), (375, 1242)):
        network = meta_network("fcn8s", [make_column("image")], (7,), _MOBILE).eval()
        (output,) = network(torch.zeros(1, 3, *size, device="meta"))
        assert tuple(output.main.shape) == (1, 7, *size)


def test_an_unknown_network_is_answered_with_the_known_ones() -> None:
    options: dict[str, Any] = {}
    with pytest.raises(UnknownNameError, match="adapnet, erfnet, fcn8s, frrn"):
        build_segmenter(NetworkConfig(name="fcn", options=options, precision="fp32"), [], [3])


# -- what the checks find ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig:
    width: int = 4


@dataclass
class LooseConfig:
    width: int = 4


class Trunk(nn.Module):
    def __init__(self, channels: int, width: int, spoiled: str) -> None:
        super().__init__()
        self.spoiled = spoiled
        self.first = nn.Conv2d(channels, width, 3, padding=1, stride=2 if spoiled == "stride" else 1)
        self.idle = nn.Parameter(torch.zeros(1)) if spoiled == "idle" else None
        if spoiled == "seed":
            nn.init.constant_(self.first.weight, random.random())
        if spoiled == "saving":
            self.hidden = torch.rand(1)

    def forward(self, x_NCHW: Tensor) -> Features:
        y = self.first(x_NCHW)
        if self.spoiled == "batch":
            y = y - y.mean(dim=(0, 2, 3), keepdim=True)
        if self.spoiled == "saving":
            y = y + self.hidden.to(y.device)
        return (y.relu(),)


class Head(nn.Module):
    def __init__(self, width: int, classes: int, spoiled: str) -> None:
        super().__init__()
        self.spoiled = spoiled
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        logits = self.last(features[0])
        if self.spoiled == "gradient":
            logits = logits.detach() + 0 * logits
        return Logits(logits, ((0.5, logits),) if self.spoiled == "auxiliary" else ())


class Tiny(NetworkMember):
    """A network of two layers, to be spoiled."""

    def __init__(self, spoiled: str = "") -> None:
        self._spoiled = spoiled
        self.Config = LooseConfig if spoiled == "config" else TinyConfig

    def input_scaling(self, column: InputColumn) -> InputScaling:
        scaling = eight_bit_scaling(column)
        return InputScaling(scaling.centre, (0.0,) * column.channels) if self._spoiled == "scaling" else scaling

    def build(self, config: Any, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:
        trunk = Trunk(sum(column.channels for column in columns), config.width, self._spoiled)
        return Network(trunk, [Head(config.width, count, self._spoiled) for count in classes])


@pytest.mark.parametrize("columns", [1, 2])
def test_a_good_network_passes(columns: int) -> None:
    case = NetworkCase(Tiny(), {"width": 3})
    check_network(NetworkCase(Tiny(), {"width": 3}, case.columns[:columns]))


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        ("config", "needs kw_only=True"),
        ("stride", r"images of \(32, 32\) have logits of \(2, 5, 16, 16\)"),
        ("auxiliary", "an evaluated network has auxiliary logits"),
        ("idle", r"weights without a finite gradient: \['network.trunk.idle'\]"),
        ("gradient", "convolutions whose gradient is zero"),
        ("batch", "with the other samples of the batch"),
        ("seed", "weights that torch's seed does not decide"),
        ("saving", "with the saved weights gives other logits"),
        ("scaling", "is not above 0|finite"),
    ],
)
def test_what_is_wrong_with_a_network_is_said(spoiled: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_network(NetworkCase(Tiny(spoiled)))
