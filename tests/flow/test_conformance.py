"""The checks for authors of estimators find what is wrong, and say it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array
from segprep.flow.conformance import EstimatorMember, check_estimator
from segprep.flow.estimators import farneback

Estimate = Callable[[Array, Array, farneback.Config], npt.NDArray[Any]]


class Spoiled(EstimatorMember):
    """Farneback's estimator with another function in its place."""

    Config = farneback.Config
    PRESETS = farneback.PRESETS

    def __init__(self, estimate: Estimate) -> None:
        self._estimate = estimate

    def config_from(self, preset: str | None) -> farneback.Config:
        return farneback.config_from(preset)

    def estimate(
        self,
        first_rgb_HWC: Array,
        second_rgb_HWC: Array,
        config: farneback.Config = farneback.Config(),  # noqa: B008
    ) -> npt.NDArray[np.float32]:
        return self._estimate(first_rgb_HWC, second_rgb_HWC, config)


class Superb(Spoiled):
    def config_from(self, preset: str | None) -> farneback.Config:
        return farneback.Config()


class Unclear(Spoiled):
    def rests_on_opencv(self, config: farneback.Config) -> str:
        return "perhaps"


def _takes_all(first: Array, second: Array, config: farneback.Config) -> Array:
    try:
        return farneback.estimate(first, second, config)
    except SizeMismatchError:
        return np.zeros((*first.shape[:2], 2), np.float32)


def _paints(first: Array, second: Array, config: farneback.Config) -> Array:
    found = farneback.estimate(first, second, config)
    first[0, 0] += 1
    return found


def test_a_good_estimator_passes() -> None:
    check_estimator(Spoiled(farneback.estimate))


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (lambda first, second, config: farneback.estimate(first, second, config) * np.float32(-1), "is found as"),
        (lambda first, second, config: farneback.estimate(first, second, config)[..., ::-1], "is found as"),
        (lambda first, second, config: -farneback.estimate(second, first, config), "forward it is wrong|zoom|the flow"),
        (lambda first, second, config: farneback.estimate(first, second, config).astype(np.float64), "is float64"),
        (lambda first, second, config: farneback.estimate(first, second, config) + np.float32(0.2), "equal images"),
        (_takes_all, "must raise SizeMismatchError, and was accepted"),
        (_paints, "is not estimate"),
    ],
    ids=["backward", "y before x", "on the other grid", "float64", "moves what stands", "takes all", "paints"],
)
def test_what_is_wrong_with_an_estimator_is_said(estimate: Estimate, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_estimator(Spoiled(estimate))


def test_presets_that_do_not_exist_must_be_refused() -> None:
    with pytest.raises(AssertionError, match=r"config_from\('superb'\) must raise ConfigurationError"):
        check_estimator(Superb(farneback.estimate))


def test_what_it_says_of_opencv_must_be_a_yes_or_a_no() -> None:
    with pytest.raises(AssertionError, match="'perhaps' in place of a yes or a no"):
        check_estimator(Unclear(farneback.estimate))
