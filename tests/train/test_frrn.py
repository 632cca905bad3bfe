import pytest
import torch
from torch import nn

from segprep.train.models import frrn


def _trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def test_the_full_network_has_as_many_parameters_as_the_published_one() -> None:
    network = frrn.build(frrn.Config(base_channels=48), in_channels=3, classes=19)
    assert _trainable(network) == 17_962_675


def test_the_reduced_network_has_as_many_parameters_as_the_published_one() -> None:
    network = frrn.build(frrn.Config(base_channels=8), in_channels=3, classes=19)
    assert _trainable(network) - _trainable(network.head) == 501_208


def test_initial_weights_have_the_variance_of_he() -> None:
    torch.manual_seed(0)
    network = frrn.build(frrn.Config(base_channels=48), in_channels=3, classes=19)
    weight = network.get_parameter("bottom.0.conv1.weight")
    assert weight.var().item() == pytest.approx(2 / (384 * 9), rel=0.01)


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (16, 16), (17, 33)])
def test_the_output_has_the_size_of_the_input_whatever_it_is(size: tuple[int, int]) -> None:
    network = frrn.build(frrn.Config(base_channels=2), in_channels=4, classes=5).eval()
    assert network(torch.zeros(2, 4, *size)).shape == (2, 5, *size)
