from typing import Any

import pytest
import torch
from torch import nn

from segprep.datasets.errors import ConfigurationError
from segprep.train.models import frrn
from support.networks import make_column, meta_network


def _trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("options", "trunk", "head"),
    [
        ({}, 17_954_448, 8_227),
        ({"base_channels": 8}, 501_208, 1_387),
        ({"bottleneck_blocks": True}, 1_383_792, 8_227),
        ({"separable": True}, 2_399_904, 8_227),
        ({"concat_skip": False}, 16_902_384, 8_227),
        # PARIS' last norm is a batch norm without scale here, 48 weights fewer; ours is a group norm like the others.
        ({"gn_groups": 8}, 17_954_400 + 48, 8_227),
        ({"gn_channels": 6}, 17_954_400 + 48, 8_227),
    ],
)
def test_it_has_as_many_parameters_as_the_published_network(options: dict[str, Any], trunk: int, head: int) -> None:
    network = meta_network("frrn", [make_column("image")], (19,), options)
    assert (_trainable(network.trunk), _trainable(network.heads)) == (trunk, head)


def test_initial_weights_have_the_variance_of_he() -> None:
    torch.manual_seed(0)
    network = frrn.build(frrn.Config(), [make_column("image")], [19])
    weight = network.get_parameter("trunk.bottom.0.convs.0.weight")
    assert weight.var().item() == pytest.approx(2 / (384 * 9), rel=0.01)


@pytest.mark.parametrize("options", [{"gn_groups": 4}, {"gn_channels": 2}])
def test_group_norm_looks_at_one_sample_only_even_in_training(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = frrn.build(frrn.Config(base_channels=8, **options), [make_column("image")], [3])
    x_NCHW = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        (together,), (alone,) = network.train()(x_NCHW), network.eval()(x_NCHW[:1])
    torch.testing.assert_close(together.main[:1], alone.main)


def test_groups_are_of_adjacent_channels() -> None:
    network = frrn.build(frrn.Config(base_channels=8, gn_groups=4), [make_column("image")], [3])
    norm = network.get_submodule("trunk.norm")
    x_NCHW = torch.randn(1, 8, 4, 4)
    changed = x_NCHW.clone()
    changed[:, :2] *= torch.linspace(1, 9, 16).view(4, 4)  # the first group of two
    different = (norm(changed) - norm(x_NCHW)).abs().amax((0, 2, 3)) > 1e-5
    assert different.tolist() == [True, True, *[False] * 6]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_channels": 0}, "base_channels must be a whole number above 0, not 0"),
        ({"base_channels": 10, "bottleneck_blocks": True}, "multiple of 4"),
        ({"gn_groups": 4, "gn_channels": 4}, "gn_groups or gn_channels"),
        ({"gn_groups": -1}, "a number above 0"),
        ({"gn_groups": 5}, "narrowest norm has 48 channels"),
        ({"gn_groups": 8, "bottleneck_blocks": True}, "narrowest norm has 12 channels"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        frrn.Config(**options)
