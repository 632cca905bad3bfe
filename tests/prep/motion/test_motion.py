"""Optical flow with its check, and the residual without the camera's motion."""

import cv2
import numpy as np
import pytest

from segprep.datasets.errors import SizeMismatchError, UnknownNameError
from segprep.datasets.sample import Array
from segprep.flow.field import FlowField
from segprep.prep.motion.optical import compute_optical_flow, motion_residual


def scene(right: int) -> Array:
    """A textured (120, 160, 3) background with a textured square that stands `right` pixels further."""
    rng = np.random.default_rng(1)
    background, thing = (
        cv2.GaussianBlur(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8), (0, 0), 1.5) for _ in "ab"
    )
    picture: Array = background.copy()
    picture[30:90, 40 + right : 100 + right] = thing[30:90, 40:100]
    return cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload, no-any-return]


def test_a_moving_thing_has_its_motion_and_the_background_has_none() -> None:
    found = compute_optical_flow(scene(0), scene(6))
    np.testing.assert_allclose(np.median(found.uv[45:75, 55:85], axis=(0, 1)), [6, 0], atol=0.2)
    np.testing.assert_allclose(np.median(found.uv[5:20, 5:150], axis=(0, 1)), [0, 0], atol=0.1)
    assert found.valid[45:75, 55:85].mean() > 0.9


def test_the_check_rejects_what_becomes_covered_and_can_be_left_out() -> None:
    first, second = scene(0), scene(12)
    checked, unchecked = compute_optical_flow(first, second), compute_optical_flow(first, second, check=False)
    covered = (slice(40, 80), slice(102, 110))  # background that the thing moves onto
    assert checked.valid[covered].mean() < 0.5 < checked.valid.mean()
    assert unchecked.valid.sum() > checked.valid.sum()
    assert unchecked.valid[covered].all(), "without the check only what leaves the picture is invalid"
    np.testing.assert_array_equal(checked.uv[checked.valid], unchecked.uv[checked.valid])


def test_unknown_estimators_are_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownNameError, match="dis"):
        compute_optical_flow(scene(0), scene(0), "flownet9")


def test_the_residual_is_optical_minus_ego_flow_where_both_are_known() -> None:
    optical = FlowField(np.array([[[5, 1], [2, 2], [3, 3]]], np.float32), np.array([[True, True, False]]))
    ego = FlowField(np.array([[[4, 1], [2, 2], [1, 1]]], np.float32), np.array([[True, False, True]]))
    residual = motion_residual(optical, ego)
    np.testing.assert_array_equal(residual.valid, [[True, False, False]])
    np.testing.assert_array_equal(residual.uv, [[[1, 0], [0, 0], [0, 0]]])


def test_without_ego_flow_the_residual_is_the_optical_flow() -> None:
    optical = FlowField(np.ones((2, 2, 2), np.float32), np.ones((2, 2), np.bool_))
    assert motion_residual(optical, None) is optical


def test_fields_of_different_sizes_are_refused() -> None:
    small, large = (FlowField(np.zeros((n, n, 2), np.float32), np.ones((n, n), np.bool_)) for n in (2, 3))
    with pytest.raises(SizeMismatchError):
        motion_residual(small, large)
