"""What every registered network promises."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from segprep.datasets.errors import UnknownNameError
from segprep.datasets.kinds import Kind
from segprep.train.models import MODELS
from segprep.train.models._network import InputColumn, Logits, Network
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import Segmenter, build_segmenter

every_model = pytest.mark.parametrize("name", MODELS.names())
MakeSegmenter = Callable[..., Segmenter]


def _inputs(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _all_logits(outputs: tuple[Logits | None, ...]) -> list[Tensor]:
    return [each for output in outputs if output is not None for each in (output.main, *(x for _, x in output[1]))]


@every_model
def test_its_config_is_a_frozen_slotted_dataclass_of_keywords_with_defaults(name: str) -> None:
    kind = MODELS.load(name).Config
    config = kind()
    assert all(field.kw_only for field in dataclasses.fields(config))
    assert hasattr(kind, "__slots__")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, 1)


@every_model
@pytest.mark.parametrize("size", [(32, 32), (29, 45)])
def test_logits_have_the_size_of_the_input(name: str, size: tuple[int, int], make_segmenter: MakeSegmenter) -> None:
    segmenter = make_segmenter(name)
    (trained,) = segmenter(_inputs(2, *size, 6))
    (judged,) = segmenter.eval()(_inputs(2, *size, 6))
    assert {each.shape for each in _all_logits((trained,))} == {(2, 5, *size)}
    assert judged.main.shape == (2, 5, *size)
    assert judged.main.dtype == torch.float32
    assert judged.auxiliary == ()


@every_model
@pytest.mark.parametrize("channels", [(1, 2), (4, 3)])
def test_any_size_and_any_number_of_channels_will_do(
    name: str,
    channels: tuple[int, int],
    make_column: Callable[..., InputColumn],
    meta_network: Callable[..., Network],
) -> None:
    columns = [make_column("image", channels[0]), make_column("depth", channels[1], Kind.DEPTH, "uint16")]
    network = meta_network(name, columns, (7,)).eval()
    for size in ((1, 1), (13, 21), (375, 1242)):
        (output,) = network(torch.zeros(1, sum(channels), *size, device="meta"))
        assert output is not None
        assert output.main.shape == (1, 7, *size)


@every_model
def test_every_weight_gets_a_gradient_from_several_heads(name: str, make_segmenter: MakeSegmenter) -> None:
    segmenter = make_segmenter(name, classes=(2, 5))
    outputs = segmenter(_inputs(3, 32, 32, 6), [1, 2])
    assert [output.main.shape[:2] for output in outputs] == [(1, 2), (2, 5)]
    total = torch.stack([each.square().mean() for each in _all_logits(outputs)]).sum()
    total.backward()  # type: ignore[no-untyped-call]
    missing = [n for n, p in segmenter.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert missing == []
    convolutions = (m for m in segmenter.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
    assert all(bool(m.weight.grad.any()) for m in convolutions if m.weight.grad is not None)


@every_model
def test_a_data_set_without_samples_has_no_logits(name: str, make_segmenter: MakeSegmenter) -> None:
    segmenter = make_segmenter(name, classes=(2, 5)).eval()
    with torch.inference_mode():
        first, second = segmenter(_inputs(1, 32, 32, 6), [0, 1])
    assert first is None
    assert second.main.shape == (1, 5, 32, 32)


@every_model
def test_a_sample_is_judged_alone_when_evaluated(name: str, make_segmenter: MakeSegmenter) -> None:
    segmenter, inputs_NHWC = make_segmenter(name).eval(), _inputs(3, 32, 32, 6)
    with torch.inference_mode():
        together, alone = segmenter.logits(inputs_NHWC)[1:2], segmenter.logits(inputs_NHWC[1:2])
    # Kernels differ with the batch size; batch statistics would differ by the size of the logits.
    assert (together - alone).abs().max() < 0.01 * together.abs().max()


@every_model
def test_a_single_sample_can_be_trained_on(name: str, make_segmenter: MakeSegmenter) -> None:
    segmenter = make_segmenter(name)
    assert all(each.isfinite().all() for each in _all_logits(segmenter(_inputs(1, 32, 32, 6))))


@every_model
def test_equal_seeds_give_equal_weights(name: str, fresh_segmenter: MakeSegmenter) -> None:
    first, second, third = (fresh_segmenter(name, (5,), seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], third[k]) for k in first)


@every_model
def test_saved_weights_make_the_same_network(name: str, make_segmenter: MakeSegmenter) -> None:
    network = make_segmenter(name).network
    saved = safetensors.torch.save({k: v.contiguous() for k, v in network.state_dict().items()})
    other = make_segmenter(name, seed=1).network
    other.load_state_dict(safetensors.torch.load(saved))
    x_NCHW = torch.randn(1, 6, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        (expected,), (found,) = network.eval()(x_NCHW), other.eval()(x_NCHW)
    assert torch.equal(expected.main, found.main)


@every_model
def test_its_input_normalisation_is_applied_per_column(
    name: str, make_segmenter: MakeSegmenter, make_column: Callable[..., InputColumn]
) -> None:
    segmenter = make_segmenter(name).eval()
    scaling = MODELS.load(name).input_scaling(make_column("flow", kind=Kind.CODED))
    seen: list[Tensor] = []
    segmenter.network.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
    inputs_NHWC = _inputs(1, 32, 32, 6)
    segmenter(inputs_NHWC)
    expected_HWC = (inputs_NHWC[0, :, :, 3:] - torch.tensor(scaling.centre)) / torch.tensor(scaling.spread)
    torch.testing.assert_close(seen[0][0, 3:].permute(1, 2, 0), expected_HWC)


@every_model
@pytest.mark.parametrize(("kind", "dtype"), [(Kind.DEPTH, "uint16"), (Kind.INDEX, "uint8"), (Kind.NIR, "float32")])
def test_every_kind_of_column_has_a_finite_scaling(
    name: str, kind: Kind, dtype: str, make_column: Callable[..., InputColumn]
) -> None:
    scaling = MODELS.load(name).input_scaling(make_column("any", 2, kind, dtype))
    assert len(scaling.centre) == len(scaling.spread) == 2
    assert torch.tensor([*scaling.centre, *scaling.spread]).isfinite().all()
    assert min(scaling.spread) > 0


def test_an_unknown_network_is_answered_with_the_known_ones() -> None:
    options: dict[str, Any] = {}
    with pytest.raises(UnknownNameError, match="adapnet, fcn8s, frrn"):
        build_segmenter(NetworkConfig(name="fcn", options=options, precision="fp32"), [], [3])
