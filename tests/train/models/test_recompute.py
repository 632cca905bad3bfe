"""Gradient checkpointing keeps less and changes nothing."""

import copy

import pytest
import torch
from torch import Tensor

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.train.models import MODELS
from segprep.train.models._recompute import Recomputable
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import Segmenter
from support.networks import make_column, make_segmenter, meta_network

_INPUTS = torch.randint(0, 256, (2, 32, 32, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _trained(segmenter: Segmenter) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor, int]:
    """Return gradients, buffers, the state of the generator afterwards, and how many values were kept."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    weights = {p.untyped_storage().data_ptr() for p in segmenter.parameters()}
    torch.manual_seed(5)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        (output,) = segmenter.train()(_INPUTS)
        held = sum(count for place, count in kept.items() if place not in weights)
    assert output is not None
    total = output.main.square().mean() + sum((each.square().mean() for _, each in output.auxiliary), torch.zeros(()))
    total.backward()
    gradients = {name: p.grad for name, p in segmenter.named_parameters() if p.grad is not None}
    return gradients, dict(segmenter.network.named_buffers()), torch.get_rng_state(), held


@pytest.mark.parametrize("name", MODELS.names())
def test_every_network_has_blocks(name: str) -> None:
    network = meta_network(name, [make_column("image"), make_column("flow", kind=Kind.CODED)], (3,))
    assert any(isinstance(each, Recomputable) for each in network.modules())


@pytest.mark.parametrize(
    "name", ["adapnet", "erfnet", "fcn8s", "frrn", "segnet"]
)  # ssma and smsnet are made of their blocks
def test_gradients_statistics_and_random_numbers_are_those_of_a_network_that_keeps_everything(name: str) -> None:
    plain = make_segmenter(name)
    thrifty = copy.deepcopy(plain)
    blocks = [each for each in thrifty.modules() if isinstance(each, Recomputable)]
    for block in blocks:
        block.recompute()
    expected, found = _trained(plain), _trained(thrifty)
    for ours, theirs in zip(expected[:2], found[:2], strict=True):
        assert ours.keys() == theirs.keys()
        assert [each for each in ours if not torch.equal(ours[each], theirs[each])] == []
    assert torch.equal(expected[2], found[2])
    assert found[3] < 0.6 * expected[3]
    assert not any(each.startswith("forward") for each in thrifty.state_dict())


def test_compiling_and_checkpointing_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="leave out compile or gradient_checkpointing"):
        NetworkConfig(compile=True, gradient_checkpointing=True)
