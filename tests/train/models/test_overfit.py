"""Every registered network can learn four scenes by heart."""

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segprep.train.evaluation.metrics import ConfusionMatrix
from segprep.train.models import MODELS
from support.networks import make_segmenter

SIZE, CLASSES = 32, 3

# (learning rate, steps, side of a scene's squares): one prediction per 16 pixels cannot draw squares of 8.
_PLANS = {
    "erfnet": (3e-3, 90, 16),
    "fcn8s": (1e-3, 24, 16),
    "frrn": (1e-2, 15, 8),
    "segnet": (1e-3, 25, 8),
    "smsnet": (3e-3, 18, 16),
}
_PLAN = (5e-3, 12, 8)


def _scenes(side: int) -> tuple[Tensor, Tensor]:
    """(4, SIZE, SIZE, 6) pictures and motion images of squares, each class with its colour under noise, and the ids."""
    generator = torch.Generator().manual_seed(0)
    ids_NHW = torch.randint(0, CLASSES, (4, SIZE // side, SIZE // side), generator=generator)
    ids_NHW = ids_NHW.repeat_interleave(side, dim=1).repeat_interleave(side, dim=2)
    colors = torch.tensor([[40, 60, 200, 128, 128, 0], [200, 60, 40, 190, 110, 90], [110, 220, 110, 60, 150, 120]])
    noisy = colors[ids_NHW] + 30 * torch.randn(4, SIZE, SIZE, 6, generator=generator)
    return noisy.clamp(0, 255).to(torch.uint8), ids_NHW


def _settle(network: nn.Module, inputs_NHWC: Tensor) -> None:
    """Give every batch norm the statistics of these samples.

    Moving averages need hundreds of steps. The variance is the biased one that normalises in training: of the few
    values per channel here, torch's unbiased one would differ by some percent in each of fifty layers.
    """

    def measure(norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        norm.running_mean = inputs[0].mean((0, 2, 3))
        norm.running_var = inputs[0].var((0, 2, 3), unbiased=False)

    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(measure) for norm in norms]
    with torch.no_grad():
        network.train()(inputs_NHWC)
    for hook in hooks:
        hook.remove()


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS.names())
def test_it_learns_four_scenes_by_heart(name: str) -> None:
    rate, steps, side = _PLANS.get(name, _PLAN)
    options: dict[str, Any] = {
        f.name: 0.0 for f in dataclasses.fields(MODELS.load(name).Config) if f.name.endswith("dropout")
    }
    segmenter = make_segmenter(name, (CLASSES,), **options)
    inputs_NHWC, ids_NHW = _scenes(side)
    optimizer = torch.optim.Adam(segmenter.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / 3, (1 - step / steps) ** 0.5))
    for _ in range(steps):
        (logits,) = segmenter(inputs_NHWC)
        loss = F.cross_entropy(logits.main, ids_NHW)
        loss = loss + sum(weight * F.cross_entropy(each, ids_NHW) for weight, each in logits.auxiliary)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    _settle(segmenter, inputs_NHWC)
    with torch.inference_mode():
        predicted_NHW = segmenter.eval().logits(inputs_NHWC).argmax(1)
    confusion = ConfusionMatrix(CLASSES)
    confusion.update(predicted_NHW.numpy(), ids_NHW.numpy())
    assert confusion.mean_iou() > 0.95
