"""Errors of flow by hand-made numbers."""

import math

import numpy as np
import pytest

from segprep.datasets.errors import SizeMismatchError
from segprep.flow.field import FlowField
from segprep.flow.metrics import flow_errors


def field(vectors: list[list[float]], valid: list[bool]) -> FlowField:
    return FlowField(np.array([vectors], np.float32), np.array([valid]))


def test_errors_count_only_where_both_are_valid() -> None:
    truth = field([[0, 0], [10, 0], [100, 0], [100, 0], [9, 9]], [True, True, True, True, False])
    estimate = field([[3, 4], [12, 0], [104, 0], [106, 0], [0, 0]], [True] * 5)
    errors = flow_errors(estimate, truth)
    assert errors.epe_mean == pytest.approx((5 + 2 + 4 + 6) / 4)
    assert errors.epe_median == pytest.approx(4.5)
    # 5 px of 0 and 6 px of 100 are wrong; 4 px of 100 is below 5 %, 2 px is below 3 px.
    assert errors.fl_all == pytest.approx(0.5)
    assert errors.pixels == 4


def test_without_a_single_truth_there_is_no_error_and_no_zero() -> None:
    errors = flow_errors(field([[1, 1]], [True]), field([[0, 0]], [False]))
    assert errors.pixels == 0
    assert math.isnan(errors.epe_mean)
    assert math.isnan(errors.epe_median)
    assert math.isnan(errors.fl_all)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(SizeMismatchError):
        flow_errors(field([[1, 1]], [True]), field([[1, 1], [1, 1]], [True, True]))
