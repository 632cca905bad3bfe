"""Validations of short runs mean something."""

from pathlib import Path

import pytest
import torch
from torch import nn

from segprep.train.learning.beginning import fresh_segmenter
from segprep.train.learning.config import parse_config
from segprep.train.learning.loop import Training
from segprep.train.learning.moving_statistics import MovingStatistics
from segprep.train.reading.sources import open_sources
from segprep.train.runs.folder import create_run
from segprep.train.runs.processes import Processes

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


def test_the_beginning_is_forgotten_at_once() -> None:
    norm, values = _seen(4)
    assert norm.running_var is not None
    assert norm.running_var.item() == pytest.approx(1 / 10 * 2 / 11 * 3 / 12 * 4 / 13)  # it began as 1
    assert norm.running_mean is not None
    expected = 0.0
    for step, value in enumerate(values):
        expected += 9 / (10 + step) * (value - expected)
    assert norm.running_mean.item() == pytest.approx(expected, abs=1e-6)


def test_later_batches_count_as_the_network_says() -> None:
    norm, _ = _seen(900)
    assert norm.momentum == _MOMENTUM
    assert _seen(800)[0].momentum == pytest.approx(9 / 809)


def test_a_norm_that_takes_the_mean_of_all_batches_is_left_alone() -> None:
    norm = nn.BatchNorm2d(1, momentum=None)
    MovingStatistics(norm).begin_step(3)
    assert norm.momentum is None


@pytest.mark.parametrize(("start", "counts"), [("", 9 / 12), ("another run", 0.1)])
def test_a_run_begins_so_unless_its_statistics_were_trained(shards: Path, start: str, counts: float) -> None:
    table = {
        "steps": 3,
        "data": {"batch_size": 2},
        "model": {"base_channels": 2, "precision": "fp32", "start": start},
    }
    config = parse_config(table, "the test")
    sources = open_sources([shards], config.data.inputs)
    training = Training(config, sources, fresh_segmenter(config, sources, Processes()))
    training.train(create_run(shards.parent / "runs", "short", ""))
    found = {each.momentum for each in training.segmenter.modules() if isinstance(each, nn.BatchNorm2d)}
    assert found == {counts}
