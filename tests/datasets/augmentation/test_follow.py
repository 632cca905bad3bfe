"""The rule of how values follow a map, on numbers that can be checked by hand."""

import numpy as np
import pytest

from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig, Span
from segprep.datasets.augmentation.follow import Follow, Turn, check_turns, follow_of, refuse_turned, settle, shown_kind
from segprep.datasets.augmentation.operations import NUMPY
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import RULES, Kind
from segprep.datasets.sample import Array

STILL = Turn([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
QUARTER = Turn([[0.0, -2.0], [2.0, 0.0]], [[0.0, -1.0], [1.0, 0.0]])  # and twice as large


def row(*values: float) -> Array:
    return np.array([values], np.float32)


def everywhere(*planes: Array) -> Array:
    return np.ones(planes[0].shape, np.bool_)


def test_a_pixel_is_valid_from_half_of_the_weight_on_and_where_the_source_is() -> None:
    covered = row(1, 1, 1, 1, 0) > 0
    planes, valid = settle(
        NUMPY,
        [row(6, 3, 3, 0, 6)],
        row(1, 0.5, 0.4999, 0, 1),
        None,
        covered,
        Follow.UNCHANGED,
        STILL,
        tolerance=1e-5,
    )
    np.testing.assert_array_equal(valid, [[True, True, False, False, False]])
    np.testing.assert_allclose(planes[0][valid], [6, 6])


def test_what_is_infinitely_far_beats_as_much_that_is_near() -> None:
    near, far = row(0.5, 0.6, 0.2, 0.1, 0.3), row(0.5, 0.4, 0.8, 0.3, 0.2)
    planes, valid = settle(
        NUMPY, [4 * near], near, far, everywhere(near), Follow.UNCHANGED, STILL, infinity=np.inf, tolerance=1e-5
    )
    np.testing.assert_array_equal(valid, [[True, True, True, False, True]])
    np.testing.assert_allclose(planes[0][valid], [np.inf, 4, np.inf, 4])


def test_a_tie_may_be_as_wide_as_rounding() -> None:
    near, far = row(0.501), row(0.499)
    for tie, expected in ((0.0, 4), (0.01, 0)):
        planes, _ = settle(
            NUMPY,
            [4 * near],
            near.copy(),
            far,
            everywhere(near),
            Follow.UNCHANGED,
            STILL,
            infinity=0.0,
            tolerance=1e-5,
            tie=tie,
        )
        assert planes[0][0, 0] == pytest.approx(expected)


def test_vectors_turn_with_the_picture_and_lengths_scale_along_rows() -> None:
    u, v = row(1, 0), row(0, 3)
    (u, v), _ = settle(NUMPY, [u, v], None, None, everywhere(u), Follow.BY_PIXELS, QUARTER, tolerance=0)
    np.testing.assert_array_equal(u, [[0, -6]])
    np.testing.assert_array_equal(v, [[2, 0]])
    wide = Turn([[1.5, 0.0], [0.0, 4.0]], STILL.axes_22)
    (width,), _ = settle(NUMPY, [row(2, 8)], None, None, everywhere(u), Follow.BY_WIDTH, wide, tolerance=0)
    np.testing.assert_array_equal(width, [[3, 12]])


def test_directions_turn_with_the_camera_and_have_length_one_or_none() -> None:
    x, y, z = row(3, 0, 0), row(0, 0, 0.5), row(4, 0, 0)
    planes, valid = settle(NUMPY, [x, y, z], None, None, everywhere(x), Follow.BY_AXES, QUARTER, tolerance=0)
    np.testing.assert_array_equal(valid, [[True, False, True]])
    np.testing.assert_allclose(np.stack(planes)[:, 0, 0], [0, 0.6, 0.8], atol=1e-7)
    np.testing.assert_allclose(np.stack(planes)[:, 0, 2], [-1, 0, 0], atol=1e-7)


def test_framed_vectors_must_end_in_the_frame_each_where_it_is_asked() -> None:
    u = np.array([[[-0.6, 0.5, 0.6]], [[-0.6, 0.5, 0.6]]], np.float32)  # two pictures of one row
    v = np.array([[[0, 0, 0]], [[0.6, 0, 0]]], np.float32)
    for framed, expected in (
        (False, [[[True] * 3]] * 2),
        (True, [[[False, True, False]], [[False, True, False]]]),
        (np.array([False, True])[:, None, None], [[[True] * 3], [[False, True, False]]]),
    ):
        _, valid = settle(NUMPY, [u, v], None, None, everywhere(u), Follow.BY_PIXELS, STILL, framed=framed, tolerance=0)
        np.testing.assert_array_equal(valid, expected)


def test_the_table_of_kinds_says_how_values_follow() -> None:
    found = {kind: follow_of(kind) for kind in RULES if kind is not Kind.CODED}
    others = {kind: follow for kind, follow in found.items() if follow is not Follow.UNCHANGED}
    assert others == {
        Kind.FLOW: Follow.BY_PIXELS,
        Kind.NORMALS: Follow.BY_AXES,
        Kind.DISPARITY: Follow.BY_WIDTH,
    }
    assert shown_kind("motion", "smsnet-flow", Kind.FLOW) is Kind.FLOW
    with pytest.raises(ConfigurationError, match=r"column 'motion' holds pictures for the eye \(the code 'plain'\)"):
        shown_kind("motion", "plain", None)


def test_only_disparity_cannot_be_turned_and_what_turns_is_named() -> None:
    others = [(kind.value, kind) for kind in Kind if kind is not Kind.DISPARITY]
    check_turns(PRESETS["ssma"], others)
    column = ("stereo", Kind.DISPARITY)
    with pytest.raises(ConfigurationError, match=r"column 'stereo' \(disparity\) cannot follow flip and rotation and"):
        check_turns(PRESETS["ssma"], [*others, column])
    with pytest.raises(ConfigurationError, match=r"cannot follow skew:"):
        check_turns(AugmentationConfig(skew=Span(0, 0.1), rotation=Span(0, 0)), [column])
    check_turns(AugmentationConfig(scale=Span(0.5, 2), rotation=Span(-9, 9, 0.0)), [column])
    with pytest.raises(ConfigurationError, match="cannot follow a flip"):
        refuse_turned(*column, ("a flip",))
