"""Resizing fields of vectors: places by areas, values by the ratio of each axis, invalid vectors never enter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import scale_map
from segprep.flow.field import FlowField
from segprep.flow.grid import resize_valid, resize_values
from support.properties import examples

SIDES = st.integers(1, 24)


def full(uv: np.typing.NDArray[np.float32]) -> FlowField:
    return FlowField(uv, np.ones(uv.shape[:2], np.bool_))


@given(width=SIDES, height=SIDES, to_width=SIDES, to_height=SIDES)
@examples(60)
def test_a_constant_field_is_scaled_by_the_exact_ratios(width: int, height: int, to_width: int, to_height: int) -> None:
    uv = np.broadcast_to(np.array([3.0, -7.0], np.float32), (height, width, 2))
    resized = full(uv).resized(to_width, to_height)
    assert resized.size == (to_width, to_height)
    assert resized.valid.all()
    np.testing.assert_allclose(resized.uv[..., 0], 3 * to_width / width, rtol=1e-6)
    np.testing.assert_allclose(resized.uv[..., 1], -7 * to_height / height, rtol=1e-6)


def test_resizing_to_the_same_size_changes_no_bit() -> None:
    uv = np.random.default_rng(0).normal(size=(7, 9, 2)).astype(np.float32)
    np.testing.assert_array_equal(full(uv).resized(9, 7).uv, uv)


def test_invalid_vectors_never_enter_a_mean() -> None:
    uv = np.full((4, 4, 2), 2.0, np.float32)
    uv[0, 0], uv[0, 1] = np.nan, 1.7e9
    valid = np.ones((4, 4), np.bool_)
    valid[0, :2] = False
    valid[2:, 2:] = False
    valid[2, 2] = True
    resized = FlowField(uv, valid).resized(2, 2)
    np.testing.assert_array_equal(resized.valid, [[True, True], [True, False]])
    np.testing.assert_allclose(resized.uv[resized.valid], 1.0)
    np.testing.assert_array_equal(resized.uv[1, 1], [0, 0])


@pytest.mark.parametrize("size", [(30, 20), (45, 30), (25, 13), (60, 17), (120, 80)])
def test_a_field_that_depends_on_place_keeps_pixel_centres(size: tuple[int, int]) -> None:
    # A field that zooms about a point: resized, it is the same zoom seen on the other grid.
    source = (60, 40)
    y, x = np.mgrid[0 : source[1], 0 : source[0]].astype(np.float32)
    resized = full(np.dstack([0.1 * (x - 20), 0.2 * (y - 10)])).resized(*size)
    to_target = scale_map(source, size)
    centre = to_target @ np.array([20, 10, 1.0])
    y_new, x_new = np.mgrid[0 : size[1], 0 : size[0]]
    inner = (slice(2, -2), slice(2, -2))  # linear enlarging continues the border
    expected = np.dstack([0.1 * (x_new - centre[0]), 0.2 * (y_new - centre[1])])
    error = (resized.uv - expected)[inner]
    # A source pixel that two cells share counts with one value in both; wrong pixel centres would shift all of them.
    assert np.abs(error).max() < 0.013
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.001


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(SizeMismatchError):
        FlowField(np.zeros((3, 4, 2), np.float32), np.ones((4, 3), np.bool_))
    with pytest.raises(SizeMismatchError):
        FlowField(np.zeros((3, 4, 3), np.float32), np.ones((3, 4), np.bool_))


def test_vectors_that_are_no_numbers_are_invalid_and_zero() -> None:
    uv = np.array([[[1, 1], [np.nan, 0], [np.inf, 0]]], np.float32)
    field = FlowField(uv, np.array([[False, True, True]]))
    np.testing.assert_array_equal(field.uv, np.zeros((1, 3, 2)))
    assert not field.valid.any()


def box_shares(source: int, target: int) -> np.typing.NDArray[np.float64]:
    low = np.maximum(np.arange(source) * target, (np.arange(target) * source)[:, None])
    high = np.minimum(np.arange(1, source + 1) * target, (np.arange(1, target + 1) * source)[:, None])
    shares: np.typing.NDArray[np.float64] = np.maximum(high - low, 0) / source
    return shares


@given(data=st.data(), width=SIDES, height=SIDES, seed=st.integers(0, 99))
@examples(60)
def test_shrinking_takes_the_exact_mean_over_the_covered_area(
    data: st.DataObject, width: int, height: int, seed: int
) -> None:
    to_width, to_height = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    rng = np.random.default_rng(seed)
    values, valid = rng.normal(size=(height, width)), rng.random((height, width)) < 0.6
    rows, columns = box_shares(height, to_height), box_shares(width, to_width)
    np.testing.assert_allclose(resize_values(values, (to_width, to_height)), rows @ values @ columns.T, atol=1e-5)
    share = rows @ valid @ columns.T
    means, mask = resize_valid(np.where(valid, values, np.nan), valid, (to_width, to_height))
    clear = np.abs(share - 0.5) > 1e-5
    np.testing.assert_array_equal(mask[clear], (share >= 0.5)[clear])
    expected = rows @ np.where(valid, values, 0) @ columns.T / np.where(share > 0, share, 1)
    np.testing.assert_allclose(means[mask], expected[mask], atol=1e-5)


def test_when_one_axis_shrinks_and_the_other_grows_each_has_its_own_rule() -> None:
    values = np.array([[0.0, 4.0, 8.0, 12.0], [100.0, 104.0, 108.0, 112.0]])
    resized = resize_values(values, (2, 4))
    np.testing.assert_allclose(resized, [[2, 10], [27, 35], [77, 85], [102, 110]])
