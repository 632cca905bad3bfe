"""Gravity found in normals of floors and walls, and told by a camera's mount."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.catalog._cityscapes.calibration import camera_mount
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Camera, Matrix
from segprep.datasets.synthetic import make_camera
from segprep.flow.camera.se3 import rotation_exp
from segprep.prep.depth.gravity import IMAGE_DOWN, MAX_TURN_DEG, estimate_gravity, mount_down
from support.properties import examples

K = np.diag([50.0, 50, 1])
AXES = ((0, 1, 0), (1, 0, 0), (0, 0, 1))


def normals(directions: tuple[tuple[float, float, float], ...], noise: float = 0.0, each: int = 3000) -> Matrix:
    """(3, H, W) unit normals, `each` of every direction with random sign."""
    rng = np.random.default_rng(1)
    all_N3 = np.repeat(np.array(directions, float), each, axis=0)
    all_N3 *= rng.choice([-1.0, 1.0], (len(all_N3), 1))
    all_N3 += rng.normal(0, noise, all_N3.shape) if noise else 0
    all_N3 /= np.linalg.norm(all_N3, axis=1, keepdims=True)
    return all_N3.T.reshape(3, len(directions), each)


def degrees_between(a: Matrix, b: Matrix) -> float:
    return math.degrees(math.acos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


@examples(30)
@given(st.floats(-40, 40), st.floats(-25, 25), st.sampled_from([0.0, 0.02]))
def test_gravity_of_a_tilted_room_is_found(pitch: float, roll: float, noise: float) -> None:
    R = rotation_exp(np.array([math.radians(pitch), 0, 0])) @ rotation_exp(np.array([0, 0, math.radians(roll)]))
    if degrees_between(R @ IMAGE_DOWN, np.array(IMAGE_DOWN)) > 40:
        return
    turned = np.tensordot(R, normals(AXES, noise), 1)
    assert degrees_between(estimate_gravity(turned), R @ IMAGE_DOWN) < (0.1 if noise else 1e-4)


def test_furniture_and_pixels_without_normal_do_not_pull_gravity_away() -> None:
    R = rotation_exp(np.array([math.radians(20), 0, 0]))
    room = np.tensordot(R, normals(AXES, 0.01), 1)
    tilted = np.tensordot(R, normals(((0, 0.85, 0.53),), 0.01, each=9000), 1)[:, :, :3000]
    found = estimate_gravity(np.concatenate([room, tilted, np.zeros((3, 1, 3000))], axis=1))
    assert degrees_between(found, R @ IMAGE_DOWN) < 0.3


def test_a_wall_alone_keeps_what_it_leaves_open_and_corrects_the_rest() -> None:
    prior = np.array([0.1, 1.0, 0.2])
    found = estimate_gravity(normals(((0, 0, 1),), 0.01), prior)
    assert degrees_between(found, np.array([0.1, 1.0, 0])) < 0.2


def test_a_floor_alone_is_enough() -> None:
    tilt = np.array([0.2, 1.0, -0.3])
    assert degrees_between(estimate_gravity(normals((tuple(tilt),), 0.01)), tilt) < 0.1


def test_normals_that_are_neither_floor_nor_wall_leave_the_direction_alone() -> None:
    np.testing.assert_allclose(estimate_gravity(np.zeros((3, 4, 4)), (0, 3, 3)), [0, 0.5**0.5, 0.5**0.5])


def test_the_search_starts_at_the_prior() -> None:
    R = rotation_exp(np.array([math.radians(60), 0, 0]))  # as far as the image's columns are from a wall
    turned = np.tensordot(R, normals(AXES), 1)
    assert degrees_between(estimate_gravity(turned), R @ IMAGE_DOWN) > 80
    assert degrees_between(estimate_gravity(turned, 5 * R @ np.array([0, 1, 0.4])), R @ IMAGE_DOWN) < 1e-4


def test_an_estimate_far_from_its_prior_is_refused() -> None:
    unequal = np.concatenate(
        [normals(AXES[:1], each=9000), normals(AXES[1:], each=3000).reshape(3, 1, -1)[..., :4000]], 2
    )
    with pytest.raises(CodeRangeError, match=f"gravity was found 5[0-9] degrees away.*more than {MAX_TURN_DEG:.0f}"):
        estimate_gravity(unequal, (1, 1.1, 1))


def test_down_is_where_the_mount_says() -> None:
    assert mount_down(Camera(K, 4, 4)) is None
    ahead = mount_down(Camera(K, 4, 4, mount=camera_mount(yaw=0.3, pitch=0, roll=0, x=1, y=2, z=1.2)))
    assert ahead is not None
    np.testing.assert_allclose(ahead, IMAGE_DOWN, atol=1e-12)
    street = mount_down(make_camera(64, 32))
    assert street is not None
    assert street[2] == pytest.approx(math.sin(0.045))  # it looks slightly down: gravity points a little ahead
    assert street[0] == pytest.approx(0)
    left_low = mount_down(Camera(K, 4, 4, mount=camera_mount(yaw=0, pitch=0, roll=-0.2, x=0, y=0, z=1)))
    assert left_low is not None
    np.testing.assert_allclose(left_low, [-math.sin(0.2), math.cos(0.2), 0], atol=1e-12)
