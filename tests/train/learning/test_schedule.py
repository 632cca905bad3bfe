"""Learning rates by step, and the plateau's memory."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import json_of
from segprep.train.learning.schedule import Plateau, learning_rate
from segprep.train.learning.sections import ScheduleConfig
from segprep.train.learning.typed_json import typed_dataclass
from support.properties import examples


def test_poly_ends_at_the_end_rate_and_never_below_it() -> None:
    config = ScheduleConfig(lr=0.01, end_lr=0.001, power=2.0)
    assert [learning_rate(config, s, 10) for s in (0, 5, 10)] == pytest.approx([0.01, 0.00325, 0.001])


def test_cosine_falls_by_half_a_wave_to_the_end_rate() -> None:
    config = ScheduleConfig(kind="cosine", lr=0.01, end_lr=0.002)
    rates = [learning_rate(config, s, 12) for s in (0, 4, 6, 8, 12)]
    assert rates == pytest.approx([0.01, 0.008, 0.006, 0.004, 0.002])


def test_a_schedule_that_would_rise_is_refused() -> None:
    # TensorFlow's polynomial decay goes up to its end rate of 1e-4 from a lower first rate.
    with pytest.raises(ConfigurationError, match=r"the rate would grow: end_lr is 0\.0001, lr 1e-05"):
        ScheduleConfig(lr=1e-5, end_lr=1e-4)


def test_exponential_from_a_step_is_that_from_the_share() -> None:
    by_step = ScheduleConfig(kind="exponential", decay_start_step=40_000)
    by_share = ScheduleConfig(kind="exponential", decay_start=4 / 7)
    for step in (0, 39_999, 40_001, 55_000, 69_999):
        assert learning_rate(by_step, step, 70_000) == pytest.approx(learning_rate(by_share, step, 70_000), rel=1e-9)
    assert learning_rate(by_step, 40_000, 70_000) == 1e-3


@pytest.mark.parametrize("steps", [40, 100])
def test_an_exponential_that_begins_after_the_end_stays_constant(steps: int) -> None:
    config = ScheduleConfig(kind="exponential", decay_start_step=100)
    assert {learning_rate(config, step, steps) for step in range(steps + 1)} == {1e-3}


@pytest.mark.parametrize("kind", ["poly", "cosine", "exponential", "plateau", "constant"])
def test_the_warm_up_grows_in_a_line_and_then_leaves_the_schedule_alone(kind: Any) -> None:
    cold, warm = ScheduleConfig(kind=kind), ScheduleConfig(kind=kind, warmup_steps=4)
    ratios = [learning_rate(warm, s, 20) / learning_rate(cold, s, 20) for s in range(6)]
    assert ratios == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_a_plateau_halves_whatever_the_step() -> None:
    config = ScheduleConfig(kind="plateau", lr=0.008)
    assert {learning_rate(config, step, 10, halvings=3) for step in range(10)} == {0.001}
    assert learning_rate(ScheduleConfig(kind="constant", lr=0.008), 9, 10) == 0.008


def _states(metrics: list[float], config: ScheduleConfig) -> list[Plateau]:
    states = [Plateau()]
    for metric in metrics:
        states.append(states[-1].updated(metric, config))
    return states[1:]


def test_the_plateau_is_that_of_fcn8s() -> None:
    states = _states([0.5, 0.4, 0.6, 0.6, 0.5, 0.4], ScheduleConfig(kind="plateau"))
    assert [s.halvings for s in states] == [0, 1, 1, 2, 3, 4]
    assert [s.fruitless for s in states] == [0, 1, 0, 1, 2, 3]
    assert [s.stop for s in states] == [False] * 5 + [True]
    assert states[-1].best == 0.6


def test_patience_waits_before_each_halving() -> None:
    config = ScheduleConfig(kind="plateau", patience=2, fruitless_halvings=2)
    states = _states([0.5] * 5, config)
    assert [s.halvings for s in states] == [0, 0, 1, 1, 2]
    assert [s.stop for s in states] == [False] * 4 + [True]


def test_a_validation_without_a_number_changes_nothing() -> None:
    state = Plateau(0.5, 2, 1)
    assert state.updated(float("nan"), ScheduleConfig()) == state


@examples(30)
@given(st.lists(st.floats(0, 1), max_size=12), st.integers(0, 12), st.integers(1, 3))
def test_a_plateau_that_was_saved_goes_on_as_if_it_had_not_been(metrics: list[float], cut: int, patience: int) -> None:
    config = ScheduleConfig(kind="plateau", patience=patience)
    resumed = Plateau()
    for metric in metrics[:cut]:
        resumed = resumed.updated(metric, config)
    resumed = typed_dataclass(Plateau, json.loads(json.dumps(json_of(resumed))))
    for metric in metrics[cut:]:
        resumed = resumed.updated(metric, config)
    assert resumed == [Plateau(), *_states(metrics, config)][-1]


@pytest.mark.parametrize(
    "wrong", [{"decay_start_step": -1}, {"warmup_steps": -1}, {"patience": 0}, {"fruitless_halvings": 0}]
)
def test_counts_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number of at least"):
        ScheduleConfig(**wrong)  # type: ignore[arg-type]
