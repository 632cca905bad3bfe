"""The blocks that networks share, against plain formulas."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.datasets.kinds import Kind
from segprep.train.models import MODELS
from segprep.train.models._decoder import DecoderHead
from segprep.train.models._layers import BatchNorm, Freezable, GroupNorm, SplitConv2d, enlarge, make_bilinear
from segprep.train.models._network import InputScaling, imagenet_scaling
from segprep.train.models.smsnet import input_scaling as smsnet_scaling
from support.networks import make_column, make_segmenter


@pytest.mark.parametrize("stride", [1, 2])
def test_the_halves_of_a_split_convolution_have_their_own_dilation(stride: int) -> None:
    torch.manual_seed(0)
    layer = SplitConv2d(3, 4, (1, 3), stride, bias=True)
    x_NCHW = torch.randn(1, 3, 9, 11)
    first = F.conv2d(x_NCHW, layer.weight[:2], layer.bias[:2] if layer.bias is not None else None, stride, 1, 1)
    second = F.conv2d(x_NCHW, layer.weight[2:], layer.bias[2:] if layer.bias is not None else None, stride, 3, 3)
    torch.testing.assert_close(layer(x_NCHW), torch.cat([first, second], dim=1))


def test_equal_rates_are_one_dilated_convolution() -> None:
    layer = SplitConv2d(3, 4, (2, 2))
    x_NCHW = torch.randn(1, 3, 9, 11)
    torch.testing.assert_close(layer(x_NCHW), F.conv2d(x_NCHW, layer.weight, None, 1, 2, 2))


@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_bilinear_layers_enlarge_as_interpolation_does_away_from_the_border(factor: int) -> None:
    layer = enlarge(3, 3, factor, bias=True)
    make_bilinear(layer)
    x_NCHW = torch.randn(1, 3, 5, 6)
    expected = F.interpolate(x_NCHW, scale_factor=factor, mode="bilinear")
    inner = (..., slice(factor, -factor), slice(factor, -factor))
    assert layer(x_NCHW).shape == expected.shape
    torch.testing.assert_close(layer(x_NCHW)[inner], expected[inner])


def test_the_mean_of_a_single_picture_is_normalised_by_the_moving_statistics() -> None:
    layer = BatchNorm(2).train()
    assert layer.running_mean is not None
    layer.running_mean.fill_(3.0)
    x_NCHW = torch.tensor([5.0, 4.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(layer(x_NCHW).flatten(), torch.tensor([2.0, 1.0]), atol=1e-4, rtol=0)
    assert layer.running_mean.tolist() == [3.0, 3.0]
    layer(torch.zeros(2, 2, 1, 1))
    assert layer.running_mean.tolist() == pytest.approx([2.97, 2.97])


def test_groups_of_a_single_value_become_the_bias() -> None:
    layer = GroupNorm(2, 2).train()
    x_NCHW = torch.tensor([5.0, 4.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(layer(x_NCHW), torch.zeros(1, 2, 1, 1), atol=1e-3, rtol=0)
    wider_NCHW = torch.arange(12.0).view(1, 2, 2, 3)
    assert torch.equal(layer(wider_NCHW), torch.nn.GroupNorm(2, 2)(wider_NCHW))


@pytest.mark.parametrize("name", MODELS.names())
def test_one_picture_of_16_pixels_can_be_learned(name: str) -> None:
    segmenter = make_segmenter(name)
    batch_NHWC = torch.zeros(1, 16, 16, 6, dtype=torch.uint8)
    (logits,) = segmenter.train()(batch_NHWC)
    assert logits is not None
    assert logits.main.shape == (1, 5, 16, 16)
    logits.main.sum().backward()


@pytest.mark.parametrize(
    ("name", "options", "frozen"),
    [
        ("smsnet", {"frozen_image": True}, {"trunk.image"}),
        ("ssma", {"frozen_experts": True}, {"trunk.experts.image", "trunk.experts.flow"}),
    ],
)
def test_frozen_parts_stay_as_they_are_in_training(name: str, options: dict[str, Any], frozen: set[str]) -> None:
    network = make_segmenter(name, **options).network.train()
    parts = {part for part, module in network.named_modules() if isinstance(module, Freezable) and module.frozen}
    assert parts == frozen
    before = {k: v.clone() for k, v in network.state_dict().items()}
    (output,) = network(torch.randn(2, 6, 32, 32))
    output.main.square().mean().backward()
    torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1).step()
    held = tuple(f"{part}." for part in frozen)
    after = network.state_dict()
    assert [k for k in before if k.startswith(held) and not torch.equal(before[k], after[k])] == []
    assert all(p.grad is None for n, p in network.named_parameters() if n.startswith(held))
    norms = [n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d) and m.training]
    assert norms
    assert not any(n.startswith(held) for n in norms)
    moved = [k for k in before if k.endswith("running_mean") and not torch.equal(before[k], after[k])]
    assert {n.removesuffix(".running_mean") for n in moved} == set(norms)


def test_auxiliary_logits_have_the_published_weights_and_scores_may_be_cut_at_0() -> None:
    torch.manual_seed(0)
    features: tuple[Tensor, ...] = (
        torch.randn(2, 256, 8, 8),
        torch.randn(2, 256, 8, 8),
        torch.randn(2, 256, 4, 4),
    )
    head = DecoderHead(3, auxiliary=(0.6, 0.5))
    assert [weight for weight, _ in head(features, (31, 32)).auxiliary] == [0.6, 0.5]
    seen: list[Tensor] = []
    for relu in (False, True):
        head = DecoderHead(3, relu_scores=relu)
        head.scores.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        head(features, (31, 32))
    assert seen[0].min() < 0
    assert seen[1].min() == 0


def test_scalings_of_images_and_of_motion_images() -> None:
    image, motion = make_column("image"), make_column("flow", kind=Kind.CODED)
    assert imagenet_scaling(image).centre == pytest.approx((0.485 * 255, 0.456 * 255, 0.406 * 255))
    assert imagenet_scaling(image).spread == pytest.approx((0.229 * 255, 0.224 * 255, 0.225 * 255))
    assert imagenet_scaling(motion) == InputScaling((128.0,) * 3, (128.0,) * 3)
    assert smsnet_scaling(image) == imagenet_scaling(image)
    assert smsnet_scaling(motion) == InputScaling((128.0, 128.0, 0.0), (128.0,) * 3)
