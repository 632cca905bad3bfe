"""Validations of short runs mean something."""

import pytest
import torch
from torch import nn

from segprep.train.moving_statistics import MovingStatistics

_MOMENTUM = 0.01


def _seen(batches: int) -> tuple[nn.BatchNorm2d, list[float]]:
    """A norm that saw so many batches of one value each, and these values."""
    norm = nn.BatchNorm2d(1, momentum=_MOMENTUM)
    statistics = MovingStatistics(nn.Sequential(norm))
    values = torch.randn(batches, generator=torch.Generator().manual_seed(0)).tolist()
    for step, value in enumerate(values):
        statistics.begin_step(step)
        norm(torch.full((2, 1, 2, 2), value))
    return norm, values


@pytest.mark.parametrize("batches", [1, 2, 100])
def test_at_first_every_batch_counts_alike_and_the_beginning_does_not(batches: int) -> None:
    norm, values = _seen(batches)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.running_mean.item() == pytest.approx(sum(values) / batches, abs=1e-6)
    assert norm.running_var.item() == pytest.approx(0, abs=1e-6)  # of each batch; it began as 1


def test_later_batches_count_as_the_network_says() -> None:
    norm, values = _seen(130)
    expected = sum(values[:100]) / 100
    for value in values[100:]:
        expected += _MOMENTUM * (value - expected)
    assert norm.running_mean is not None
    assert norm.running_mean.item() == pytest.approx(expected, abs=1e-6)


def test_a_norm_that_takes_the_mean_of_all_batches_is_left_alone() -> None:
    norm = nn.BatchNorm2d(1, momentum=None)
    MovingStatistics(norm).begin_step(3)
    assert norm.momentum is None
