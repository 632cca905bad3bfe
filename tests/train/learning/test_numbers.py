"""Losses, metrics and schedules against what can be computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segprep.datasets.errors import ConfigurationError
from segprep.train.evaluation.metrics import ConfusionMatrix
from segprep.train.learning.schedule import learning_rate
from segprep.train.learning.sections import ScheduleConfig
from support.properties import examples

_CLASSES = 4
_targets = arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 2, 3, 255]))
_guesses = arrays(np.uint8, (5, 6), elements=st.integers(0, _CLASSES - 1))


@examples(50)
@given(_guesses, _targets, _guesses, _targets)
def test_scores_equal_those_counted_pixel_by_pixel(
    guess: np.ndarray, target: np.ndarray, other_guess: np.ndarray, other_target: np.ndarray
) -> None:
    matrix, part = ConfusionMatrix(_CLASSES), ConfusionMatrix(_CLASSES)
    matrix.update(guess, target)
    part.update(other_guess, other_target)
    matrix.merge(part)
    pairs = [
        (int(g), int(t))
        for g, t in zip([*guess.flat, *other_guess.flat], [*target.flat, *other_target.flat], strict=True)
        if t != 255
    ]
    expected = []
    for c in range(_CLASSES):
        union = [(g, t) for g, t in pairs if c in (g, t)]
        expected.append(sum(g == t for g, t in union) / len(union) if union else math.nan)
    np.testing.assert_allclose(matrix.iou(), expected)
    assert matrix.pixels == len(pairs)
    if pairs:
        judged = [v for v in expected if not math.isnan(v)]
        assert matrix.mean_iou() == pytest.approx(sum(judged) / len(judged))
        present = [expected[c] for c in {t for _, t in pairs}]
        assert matrix.mean_iou_of_present() == pytest.approx(sum(present) / len(present))
        assert matrix.pixel_accuracy() == pytest.approx(sum(g == t for g, t in pairs) / len(pairs))
    else:
        assert math.isnan(matrix.mean_iou())
        assert math.isnan(matrix.pixel_accuracy())


def test_a_class_that_is_only_predicted_is_absent_and_counts_as_0() -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 2, 1]), np.array([0, 0, 0, 1]))
    np.testing.assert_array_equal(matrix.present, [True, True, False])
    np.testing.assert_allclose(matrix.iou(), [2 / 3, 1, 0])
    assert matrix.mean_iou() == pytest.approx(5 / 9)
    assert matrix.mean_iou_of_present() == pytest.approx(5 / 6)


@pytest.mark.parametrize(("guess", "target"), [([3], [0]), ([0], [3]), ([-1], [0])])
def test_ids_that_are_no_class_are_refused(guess: list[int], target: list[int]) -> None:
    with pytest.raises(ValueError, match=r"outside 0\.\.2"):
        ConfusionMatrix(3).update(np.array(guess), np.array(target))


def test_poly_begins_at_lr_and_ends_at_zero() -> None:
    config = ScheduleConfig(kind="poly", lr=0.01, power=0.9)
    assert learning_rate(config, 0, 100) == 0.01
    assert learning_rate(config, 50, 100) == pytest.approx(0.01 * 0.5**0.9)
    assert learning_rate(config, 100, 100) == 0


def test_exponential_follows_the_published_run() -> None:
    config = ScheduleConfig(kind="exponential", lr=1e-3)
    assert [learning_rate(config, s, 70_000) for s in (0, 39_999)] == [1e-3, 1e-3]
    assert learning_rate(config, 55_000, 70_000) == pytest.approx(1e-3 * 1e-3**0.5)
    assert learning_rate(config, 70_000, 70_000) == pytest.approx(1e-6)


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"power": -1.0}, {"decay_start": 1.0}, {"decay_multiplier": 0.0}])
def test_a_schedule_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} must be a number"):
        ScheduleConfig(**wrong)  # type: ignore[arg-type]
