"""The check of flow there and back."""

import numpy as np
import pytest

from segprep.datasets.errors import SizeMismatchError
from segprep.flow.consistency import consistent, lands_inside


def constant(u: float, v: float, shape: tuple[int, int] = (20, 30)) -> np.typing.NDArray[np.float32]:
    return np.broadcast_to(np.array([u, v], np.float32), (*shape, 2)).copy()


def test_opposite_motion_agrees_wherever_it_stays_inside() -> None:
    agree = consistent(constant(4, -3), constant(-4, 3))
    expected = np.zeros((20, 30), np.bool_)
    expected[3:, :26] = True
    np.testing.assert_array_equal(agree, expected)


def test_motion_that_does_not_come_back_is_rejected() -> None:
    assert not consistent(constant(4, 0), constant(4, 0)).any()
    assert not consistent(constant(4, 0), constant(0, 0)).any()


def test_the_tolerance_grows_with_the_motion() -> None:
    # |f + b| = 1: more than 0.01 (9 + 4) + 0.5, less than 0.01 (81 + 64) + 0.5
    assert not consistent(constant(3, 0), constant(-2, 0)).any()
    assert consistent(constant(9, 0), constant(-8, 0))[:, :21].all()


def test_the_way_back_is_looked_up_where_the_way_there_ends() -> None:
    forward, backward = constant(0, 0), constant(0, 0)
    forward[:, 5] = [10, 0]  # column 5 moves onto column 15, which comes back
    backward[:, 15] = [-10, 0]
    agree = consistent(forward, backward)
    assert agree[:, 5].all()
    assert not agree[:, 15].any()  # it stays, but what is seen there afterwards came from elsewhere


def test_vectors_that_are_no_numbers_are_rejected() -> None:
    forward = constant(0, 0)
    forward[3, 4] = np.nan
    agree = consistent(forward, constant(0, 0))
    assert not agree[3, 4]
    assert agree.sum() == agree.size - 1


def test_a_target_on_the_border_is_inside_and_one_beyond_is_not() -> None:
    """The frame of two pixels reaches from -0.5 to 1.5, as ego flow has it."""
    uv = np.array([[[1.5, 0], [0.51, 0]], [[-0.5, -1.5], [0, 0.51]]], np.float32)
    np.testing.assert_array_equal(lands_inside(uv), [[True, False], [True, False]])


def test_fields_of_different_sizes_are_refused() -> None:
    with pytest.raises(SizeMismatchError):
        consistent(constant(0, 0), constant(0, 0, (20, 31)))
