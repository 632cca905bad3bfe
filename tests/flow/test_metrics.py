"""Errors of flow by hand-made numbers."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Array
from segprep.flow.field import FlowField
from segprep.flow.metrics import FlowErrors, angular_error, endpoint_error, flow_errors
from support.properties import examples

FIELDS = st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(
        *[hnp.arrays(np.float32, (*shape, 2), elements=st.floats(-100, 100, width=32)) for _ in range(2)]
    )
)


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
    assert errors.over_1px == 1
    assert errors.over_3px == pytest.approx(0.75)
    assert errors.over_5px == pytest.approx(0.25)
    assert errors.pixels == 4
    assert errors.known_pixels == 4
    assert errors.coverage == 1


def test_what_an_estimate_leaves_out_is_told() -> None:
    truth = field([[0, 0], [50, 0], [0, 0]], [True, True, False])
    errors = flow_errors(field([[0, 0], [0, 0], [0, 0]], [True, False, True]), truth)
    assert errors.epe_mean == 0
    assert errors.pixels == 1
    assert errors.known_pixels == 2
    assert errors.coverage == 0.5


def test_limits_themselves_are_not_exceeded() -> None:
    truth = field([[0, 0], [0, 0], [0, 0], [60, 0]], [True] * 4)
    errors = flow_errors(field([[1, 0], [3, 0], [0, 5], [63.5, 0]], [True] * 4), truth)
    assert errors.over_1px == 0.75
    assert errors.over_3px == 0.5
    assert errors.over_5px == 0
    assert errors.fl_all == 0.5  # 5 px of nothing and 3.5 px of 60; 5 % of 60 are 3 px


def test_angles_are_those_of_vectors_in_space_and_time() -> None:
    uv = np.array([[[1, 0], [0, -1], [3, 4], [1, 0], [2, -1]]], np.float32)
    truth = np.array([[[0, 0], [0, 0], [0, 0], [-1, 0], [2, -1]]], np.float32)
    np.testing.assert_allclose(angular_error(uv, truth), [[45, 45, math.degrees(math.atan(5)), 90, 0]], atol=1e-12)
    errors = flow_errors(FlowField(uv, np.ones((1, 5), np.bool_)), FlowField(truth, np.array([[1, 1, 0, 1, 1]], bool)))
    assert errors.angular_mean == pytest.approx((45 + 45 + 90 + 0) / 4)


@given(pair=FIELDS)
@examples(60)
def test_angles_agree_with_the_published_formula(pair: tuple[Array, Array]) -> None:
    a, b = (np.dstack([uv.astype(np.float64), np.ones(uv.shape[:2])]) for uv in pair)
    cosine = (a * b).sum(axis=2) / np.linalg.norm(a, axis=2) / np.linalg.norm(b, axis=2)
    found = angular_error(*pair)
    np.testing.assert_allclose(np.cos(np.deg2rad(found)), cosine, atol=1e-12)
    np.testing.assert_allclose(angular_error(pair[1], pair[0]), found, atol=1e-9)
    np.testing.assert_array_equal(angular_error(pair[0], pair[0]), 0)


def test_angles_of_tiny_errors_are_not_lost() -> None:
    truth = np.array([[[10.0, 0.0]]])
    found = angular_error(truth + np.array([0, 1e-9]), truth)
    np.testing.assert_allclose(found, np.rad2deg(1e-9 / math.sqrt(101)), rtol=1e-6)


@given(pair=FIELDS, turn=st.sampled_from([1, 2, 3]))
@examples(40)
def test_errors_do_not_depend_on_the_direction_of_the_axes(pair: tuple[Array, Array], turn: int) -> None:
    quarter = np.linalg.matrix_power(np.array([[0, -1], [1, 0]], np.float32), turn)
    for measure in (endpoint_error, angular_error):
        np.testing.assert_allclose(measure(pair[0] @ quarter, pair[1] @ quarter), measure(*pair), atol=1e-9)
        np.testing.assert_allclose(measure(pair[0] * [-1, 1], pair[1] * [-1, 1]), measure(*pair), atol=1e-9)


def test_without_a_single_truth_there_is_no_error_and_no_zero() -> None:
    errors = flow_errors(field([[1, 1]], [True]), field([[0, 0]], [False]))
    assert errors.pixels == 0
    figures = errors.to_json()
    assert {name for name, value in figures.items() if value is None} == {*figures} - {"pixels", "known_pixels"}
    assert all(math.isnan(getattr(errors, name)) for name, value in figures.items() if value is None)


def test_errors_become_json_with_all_their_figures() -> None:
    errors = flow_errors(field([[4, 0], [0, 0]], [True, True]), field([[0, 0], [0, 0]], [True, True]))
    figures = json.loads(json.dumps(errors.to_json(), allow_nan=False))
    assert set(figures) == {*FlowErrors.__dataclass_fields__, "coverage"}
    assert figures["epe_mean"] == 2
    assert figures["pixels"] == 2
    assert figures["coverage"] == 1


def test_other_sizes_are_refused() -> None:
    with pytest.raises(SizeMismatchError):
        flow_errors(field([[1, 1]], [True]), field([[1, 1], [1, 1]], [True, True]))
    for measure in (endpoint_error, angular_error):
        with pytest.raises(SizeMismatchError):
            measure(np.zeros((2, 3, 2)), np.zeros((3, 2, 2)))
