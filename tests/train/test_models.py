"""What every registered network promises."""

import dataclasses

import pytest
import torch
from torch import nn

from segprep.datasets.errors import ConfigurationError, UnknownNameError
from segprep.datasets.kinds import Kind
from segprep.datasets.shard_columns import ArraySpec
from segprep.train.models import MODELS
from segprep.train.network import Config, Segmenter, build_segmenter

every_model = pytest.mark.parametrize("name", MODELS.names())


def _column(name: str, dtype: str, *channels: str) -> ArraySpec:
    shape, names = ((8, 8, len(channels)), channels) if channels else ((8, 8), ("value",))
    ones = (1.0,) * len(names)
    return ArraySpec(name, Kind.IMAGE, shape, dtype, names, {"name": "plain"}, ones, ones, False)


def _segmenter(name: str, classes: int = 5) -> Segmenter:
    torch.manual_seed(0)
    columns = [_column("image", "uint8", "r", "g", "b"), _column("nir", "uint8")]
    return build_segmenter(Config(name=name, options={}, precision="fp32"), columns, classes)


def _inputs(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@every_model
def test_its_config_is_a_frozen_dataclass_with_defaults(name: str) -> None:
    config = MODELS.load(name).Config()
    assert dataclasses.is_dataclass(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, 1)


@every_model
@pytest.mark.parametrize("size", [(16, 16), (13, 21)])
def test_logits_have_the_size_of_the_input(name: str, size: tuple[int, int]) -> None:
    logits_NCHW = _segmenter(name)(_inputs(2, *size, 4))
    assert logits_NCHW.shape == (2, 5, *size)
    assert logits_NCHW.dtype == torch.float32


@every_model
def test_every_weight_gets_a_gradient(name: str) -> None:
    segmenter = _segmenter(name)
    segmenter(_inputs(2, 32, 32, 4)).square().mean().backward()
    assert [n for n, p in segmenter.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    assert all(
        bool(m.weight.grad.any()) for m in segmenter.modules() if isinstance(m, nn.Conv2d) and m.weight.grad is not None
    )


@every_model
def test_a_sample_is_judged_alone_when_evaluated(name: str) -> None:
    segmenter, inputs_NHWC = _segmenter(name).eval(), _inputs(3, 16, 16, 4)
    with torch.inference_mode():
        together, alone = segmenter(inputs_NHWC)[1:2], segmenter(inputs_NHWC[1:2])
    # Kernels differ with the batch size; batch statistics would differ by the size of the logits.
    assert (together - alone).abs().max() < 0.01 * together.abs().max()


@every_model
def test_equal_seeds_give_equal_weights(name: str) -> None:
    first, second = _segmenter(name).state_dict(), _segmenter(name).state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)


@every_model
def test_its_input_normalisation_is_applied_per_column(name: str) -> None:
    segmenter = _segmenter(name).eval()
    centre, spread = MODELS.load(name).input_scaling(_column("image", "uint8", "r", "g", "b"))
    seen: list[torch.Tensor] = []
    segmenter.network.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
    inputs_NHWC = _inputs(1, 16, 16, 4)
    segmenter(inputs_NHWC)
    torch.testing.assert_close(seen[0][0, 1], (inputs_NHWC[0, :, :, 1].float() - centre) / spread)


def test_a_column_that_a_network_cannot_take_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="'frrn' cannot take column 'depth': it takes 8-bit columns, not uint16"
    ):
        build_segmenter(Config(name="frrn", options={}, precision="fp32"), [_column("depth", "uint16")], 3)


def test_an_unknown_network_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="frrn"):
        build_segmenter(Config(name="fcn", options={}, precision="fp32"), [], 3)
