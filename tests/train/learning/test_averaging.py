"""The moving average of weights."""

import pytest
import torch
from torch import nn

from segprep.datasets.errors import ConfigurationError
from segprep.train.learning.averaging import MovingAverage


def _network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def _wander(network: nn.Module, average: MovingAverage, first: int, last: int) -> None:
    """Change the weights and statistics as training would, in a way that only the number of the update decides."""
    for update in range(first, last + 1):
        torch.manual_seed(update)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
            network(torch.randn(2, 3, 4, 4))
        average.update(network, update)


def test_it_is_the_average_that_the_formula_says() -> None:
    network = _network()
    average = MovingAverage(network, 0.5)
    expected = network.get_parameter("0.weight").detach().double()
    for update in range(1, 13):
        _wander(network, average, update, update)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * network.get_parameter("0.weight").detach().double()
    torch.testing.assert_close(average.state()["0.weight"].double(), expected, rtol=1e-5, atol=1e-6)
    assert average.state()["1.num_batches_tracked"] == 12
    assert not torch.equal(average.state()["1.running_mean"], network.get_buffer("1.running_mean"))


def test_a_resumed_average_goes_on_to_the_same_bits() -> None:
    network = _network()
    whole = MovingAverage(network, 0.9)
    _wander(network, whole, 1, 6)

    network = _network()
    half = MovingAverage(network, 0.9)
    _wander(network, half, 1, 3)
    state = {name: tensor.clone() for name, tensor in half.state().items()}
    resumed = MovingAverage(_network(seed=5), 0.9)
    resumed.load(state)
    _wander(network, resumed, 4, 6)
    assert all(torch.equal(value, resumed.state()[name]) for name, value in whole.state().items())


def test_a_network_has_the_averages_inside_the_block_only_even_after_an_error() -> None:
    network = _network()
    average = MovingAverage(network, 0.9)
    _wander(network, average, 1, 3)
    own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weight = network.get_parameter("0.weight")

    def fail() -> None:
        with average.applied(network):
            assert network.get_parameter("0.weight") is weight
            assert all(torch.equal(v, average.state()[n]) for n, v in network.state_dict().items())
            raise RuntimeError("the validation failed")

    with pytest.raises(RuntimeError, match="the validation failed"):
        fail()
    assert not torch.equal(own["0.weight"], average.state()["0.weight"])
    assert all(torch.equal(value, own[name]) for name, value in network.state_dict().items())


def test_the_averages_of_another_network_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="the averaged weights cannot be loaded into this network"):
        MovingAverage(_network(), 0.9).load(nn.Conv2d(3, 4, 1).state_dict())


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_makes_no_sense_is_refused(decay: float) -> None:
    with pytest.raises(ConfigurationError, match=r"must lie in 0\.\.1"):
        MovingAverage(_network(), decay)
