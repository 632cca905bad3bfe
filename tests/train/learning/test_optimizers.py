"""Which parameters learn, and how fast."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from segprep.datasets.errors import ConfigurationError
from segprep.train.learning.optimizers import build_optimizer, hold_frozen_statistics, set_rate
from segprep.train.learning.sections import OptimizerConfig


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3))
    return nn.Sequential(*[trunk, nn.Conv2d(4, 2, 1)])  # parameters 0.0.weight ... 0.2.bias, 1.weight, 1.bias


def _train(network: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3) -> None:
    torch.manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.randn(2, 3, 8, 8)).square().mean().backward()
        optimizer.step()


def _rates(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return {name: rate_of[id(p)] for name, p in network.named_parameters() if id(p) in rate_of}


@pytest.mark.parametrize(
    ("config", "plain"),
    [
        (OptimizerConfig(), lambda p: torch.optim.Adam(p, 0.01)),
        (
            OptimizerConfig(kind="adamw", beta1=0.8, eps=1e-6),
            lambda p: torch.optim.AdamW(p, 0.01, (0.8, 0.999), 1e-6, 0.0),
        ),
        (OptimizerConfig(kind="sgd", nesterov=True), lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, nesterov=True)),
    ],
)
def test_the_optimizer_is_that_of_torch(config: OptimizerConfig, plain: Any) -> None:
    ours, theirs = _network(), _network()
    _train(ours, build_optimizer(config, ours, 0.01))
    _train(theirs, plain(theirs.parameters()))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_groups_learn_by_their_factor_and_the_first_pattern_decides() -> None:
    network = _network()
    optimizer = build_optimizer(OptimizerConfig(groups=("0.1.*=0.5", "0.*=0.1")), network, 0.01)
    expected = {"0.0.weight": 0.001, "0.0.bias": 0.001, "0.1.weight": 0.005, "1.weight": 0.01}
    assert {name: _rates(network, optimizer)[name] for name in expected} == pytest.approx(expected)
    set_rate(optimizer, 0.1)
    assert {n: _rates(network, optimizer)[n] for n in expected} == pytest.approx(
        {n: 10 * r for n, r in expected.items()}
    )


def test_factors_survive_saving() -> None:
    network = _network()
    config = OptimizerConfig(groups=("1.*=10",))
    state = copy.deepcopy(build_optimizer(config, network, 0.01).state_dict())
    resumed = build_optimizer(config, network, 0.01)
    resumed.load_state_dict(state)
    set_rate(resumed, 0.02)
    assert _rates(network, resumed)["1.weight"] == pytest.approx(0.2)


def test_norms_and_biases_do_not_decay() -> None:
    network = _network()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = build_optimizer(OptimizerConfig(kind="adamw", weight_decay=0.5), network, 0.1)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        decays = name.endswith("weight") and name != "0.1.weight"
        torch.testing.assert_close(parameter.detach(), before[name] * (1 - 0.1 * 0.5 if decays else 1.0))


def test_what_is_frozen_stays_as_it_is_statistics_included() -> None:
    network = _network()
    optimizer = build_optimizer(OptimizerConfig(frozen=("0.*",)), network, 0.1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    hold_frozen_statistics(network)
    _train(network, optimizer)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"1.weight", "1.bias"}


def test_a_norm_that_learns_keeps_its_statistics_moving() -> None:
    network = _network()
    build_optimizer(OptimizerConfig(frozen=("0.1.bias", "0.0.*")), network, 0.1)
    network.train()
    hold_frozen_statistics(network)
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize("config", [OptimizerConfig(groups=("0.3.*=2",)), OptimizerConfig(frozen=("0.3.*",))])
def test_a_pattern_that_matches_nothing_names_what_is_near(config: OptimizerConfig) -> None:
    with pytest.raises(ConfigurationError, match=r"'0\.3\.\*' matches no parameter of the network\. Near: .*0\.\d\.\*"):
        build_optimizer(config, _network(), 0.1)


def test_a_network_that_is_all_frozen_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing is left to train"):
        build_optimizer(OptimizerConfig(frozen=("*",)), _network(), 0.1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weight_decay": -1.0}, "weight_decay must be a number of at least 0"),
        ({"clip_norm": float("nan")}, "clip_norm must be a number of at least 0"),
        ({"momentum": 1.0}, "momentum must be a number from 0 to 1"),
        ({"beta2": -0.1}, r"beta2 must be a number from 0 to 1 \(1 excluded\)"),
        ({"eps": 0.0}, "eps must be a number above 0"),
        ({"kind": "sgd", "momentum": 0.0, "nesterov": True}, "nesterov needs momentum"),
        ({"groups": ("heads.*",)}, "pattern=factor"),
        ({"groups": ("heads.*=0",)}, "pattern=factor"),
        ({"groups": ("=2",)}, "pattern=factor"),
    ],
)
def test_an_optimizer_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        OptimizerConfig(**wrong)
