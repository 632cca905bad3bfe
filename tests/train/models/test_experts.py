"""SSMA over other networks than AdapNet++."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.train.conformance import NetworkCase, check_evaluation, check_gradients, check_logits, check_saving
from segprep.train.models import frrn, ssma
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import build_segmenter
from segprep.train.network.weights import load_expert
from support.networks import make_column, meta_network

_COLUMNS = [make_column("image"), make_column("flow", kind=Kind.CODED)]
_SMALL: dict[str, Any] = {"expert": "frrn", "expert_options": ("base_channels=8",)}
_CASE = NetworkCase(ssma, _SMALL)


@pytest.mark.parametrize("check", [check_logits, check_gradients, check_evaluation, check_saving])
def test_it_keeps_what_networks_promise(check: Callable[[NetworkCase], None]) -> None:
    check(_CASE)


@pytest.mark.parametrize("expert", ["erfnet", "fcn8s", "frrn", "segnet"])
def test_every_network_of_one_column_can_be_the_expert(expert: str) -> None:
    network = meta_network("ssma", _COLUMNS, (7,), {"expert": expert}).eval()
    (output,) = network(torch.zeros(1, 6, 45, 29, device="meta"))
    assert tuple(output.main.shape) == (1, 7, 45, 29)


def test_an_expert_that_was_trained_alone_fills_its_column(tmp_path: Path) -> None:
    torch.manual_seed(3)
    alone = frrn.build(frrn.Config(base_channels=8), [make_column("any")], [7])
    safetensors.torch.save_file(alone.state_dict(), tmp_path / "weights.safetensors")
    network = ssma.build(ssma.Config(**_SMALL, frozen_experts=True), _COLUMNS, [3])
    report = load_expert(network, ssma, "flow", tmp_path / "weights.safetensors", _SMALL)
    assert (report.unused, report.missing, report.mismatched) == ((), (), ())
    expert = network.get_submodule("trunk.experts.flow.trunk")
    assert all(torch.equal(value, expert.state_dict()[name]) for name, value in alone.trunk.state_dict().items())
    assert not any(p.requires_grad for p in expert.parameters())
    assert not any(module.training for module in network.train().get_submodule("trunk.experts.flow").modules())


def test_experts_get_the_scaling_that_they_know() -> None:
    scaling = ssma.scaling_of(ssma.Config(expert="fcn8s"))(_COLUMNS[0])
    assert scaling.centre == (123.675, 116.28, 103.53)
    assert ssma.scaling_of(ssma.Config())(_COLUMNS[0]).centre == (128.0, 128.0, 128.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expert": "frrn", "dropout": 0.5}, "dropout is of adapnet, not of the expert 'frrn'"),
        ({"expert_options": ("easpp_rates=[1]",)}, "leave out expert_options"),
        ({"expert": "frrn", "expert_options": ("base_chanels=4",)}, "Did you mean 'base_channels'"),
        ({"expert": "smsnet"}, "it takes two input columns"),
    ],
)
def test_what_no_expert_can_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build_segmenter(NetworkConfig(name="ssma", options=options, precision="fp32"), _COLUMNS, [3])


def test_an_expert_that_nobody_knows_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no network called 'erfnett'"):
        build_segmenter(NetworkConfig(name="ssma", options={"expert": "erfnett"}, precision="fp32"), _COLUMNS, [3])
