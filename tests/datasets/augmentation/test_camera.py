"""Cameras, poses and motions under affine maps: every point is seen where its pixel went."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.camera import camera_turn, keeps_rows, warped_camera, warped_motion, warped_pose
from segprep.datasets.sample import Camera, Matrix, Pose, flip_x_map, scale_map
from segprep.datasets.synthetic import make_camera
from segprep.flow.camera.se3 import checked_motion, rotation_exp
from segprep.prep.depth.gravity import mount_down
from support.properties import examples

SIZE = (160, 90)
CAMERA = Camera(np.array([[200.0, 0, 80.2], [0, 190.0, 41.7], [0, 0, 1]]), *SIZE, 0.2, make_camera(*SIZE).mount)
F = np.diag([-1.0, 1, 1])
augmentations = st.builds(
    lambda flip, scale, rotation, skew, left, output: Augmentation(
        source=SIZE, output=output, crop=(left, -left, 120, 80), flip=flip, scale=scale, rotation=rotation, skew=skew
    ),
    st.booleans(),
    st.floats(0.3, 3),
    st.floats(-180, 180),
    st.floats(-0.5, 0.5),
    st.floats(-50, 50),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
)


def rigid(omega: tuple[float, float, float], t: tuple[float, float, float]) -> Matrix:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_exp(np.array(omega)), t
    return T


def seen(K: Matrix, X_3N: Matrix) -> Matrix:
    q = K @ X_3N
    return np.asarray(q[:2] / q[2])


POINTS_3N = np.random.default_rng(0).uniform([[-3], [-2], [2]], [[3], [2], [9]], (3, 40))
MOTION = rigid((0.02, -0.1, 0.05), (0.3, -0.1, 0.5))
POSE = Pose(rigid((0.7, 0.2, -0.4), (10, -5, 2)))


@given(augmentations)
@examples(80)
def test_points_are_seen_where_their_pixels_went(augmentation: Augmentation) -> None:
    A = augmentation.affine()
    S = camera_turn(A, CAMERA.K)
    camera = warped_camera(CAMERA, A, augmentation.output)
    assert (camera.width, camera.height) == augmentation.output
    assert camera.K[0, 0] > 0
    assert camera.K[1, 1] > 0
    np.testing.assert_array_equal(camera.K[[1, 2, 2], [0, 0, 1]], 0)
    np.testing.assert_allclose(S @ S.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(S) == pytest.approx(-1 if augmentation.flip else 1)
    expected = (A @ np.vstack([seen(CAMERA.K, POINTS_3N), np.ones(40)]))[:2]
    np.testing.assert_allclose(seen(camera.K, S @ POINTS_3N), expected, atol=1e-8)

    moved = MOTION[:3, :3] @ POINTS_3N + MOTION[:3, 3:]
    motion = warped_motion(MOTION, S)
    checked_motion(motion)
    np.testing.assert_allclose(motion[:3, :3] @ S @ POINTS_3N + motion[:3, 3:], S @ moved, atol=1e-9)


@given(augmentations)
@examples(40)
def test_poses_and_mounts_stay_rigid_and_agree_with_the_motion(augmentation: Augmentation) -> None:
    A = augmentation.affine()
    S = camera_turn(A, CAMERA.K)
    other = Pose(POSE.matrix @ np.linalg.inv(MOTION))
    here, there = warped_pose(POSE, S), warped_pose(other, S)
    checked_motion(here.matrix)
    np.testing.assert_allclose(here.motion_to(there), warped_motion(POSE.motion_to(other), S), atol=1e-9)
    camera = warped_camera(CAMERA, A, augmentation.output)
    assert camera.mount is not None
    checked_motion(camera.mount)
    down, before = mount_down(camera), mount_down(CAMERA)
    assert down is not None
    assert before is not None
    np.testing.assert_allclose(down, S @ before, atol=1e-9)
    # The vehicle of both, which stands in the mirrored world if the picture is mirrored.
    vehicle = here.matrix @ np.linalg.inv(camera.mount)
    mirrored = -1.0 if augmentation.flip else 1.0
    mirror_world, mirror_vehicle = np.diag([mirrored, 1, 1, 1]), np.diag([1, mirrored, 1, 1])
    assert CAMERA.mount is not None
    expected = mirror_world @ POSE.matrix @ np.linalg.inv(CAMERA.mount) @ mirror_vehicle
    np.testing.assert_allclose(vehicle, expected, atol=1e-9)


def test_a_flip_is_the_mirror_of_textbooks() -> None:
    A = flip_x_map(160)
    np.testing.assert_array_equal(camera_turn(A, CAMERA.K), F)
    camera = warped_camera(CAMERA, A, SIZE)
    np.testing.assert_allclose(camera.K, np.array([[200, 0, 159 - 80.2], [0, 190, 41.7], [0, 0, 1]]))
    motion = warped_motion(MOTION, F)
    np.testing.assert_allclose(motion[:3, :3], F @ MOTION[:3, :3] @ F)
    np.testing.assert_allclose(motion[:3, 3], F @ MOTION[:3, 3])
    back = warped_camera(camera, A, SIZE)
    np.testing.assert_allclose(back.K, CAMERA.K, atol=1e-12)
    np.testing.assert_allclose(np.asarray(back.mount), np.asarray(CAMERA.mount), atol=1e-12)
    np.testing.assert_allclose(warped_pose(warped_pose(POSE, F), F).matrix, POSE.matrix, atol=1e-12)
    # A camera to the left of the vehicle's middle is to its right in the mirror.
    assert CAMERA.mount is not None
    left = np.array(CAMERA.mount)
    left[1, 3] = 0.3
    mirrored = warped_camera(Camera(CAMERA.K, *SIZE, mount=left), A, SIZE).mount
    assert mirrored is not None
    np.testing.assert_allclose(mirrored[:3, 3], left[:3, 3] * [1, -1, 1])


def test_crops_and_scales_leave_the_axes_alone() -> None:
    A = scale_map(SIZE, (50, 60)) @ [[1, 0, -7.5], [0, 1, 3], [0, 0, 1]]
    np.testing.assert_array_equal(camera_turn(A, CAMERA.K), np.eye(3))
    camera = warped_camera(CAMERA, A, (50, 60))
    np.testing.assert_allclose(camera.K, CAMERA.transformed(A, 50, 60).K)
    assert camera.baseline == 0.2
    np.testing.assert_array_equal(np.asarray(camera.mount), np.asarray(CAMERA.mount))


def test_a_rotation_rolls_the_camera_and_ends_the_stereo_pair() -> None:
    A = Augmentation(source=SIZE, output=SIZE, crop=(0, 0, *SIZE), rotation=10.0).affine()
    square = Camera(np.array([[200.0, 0, 80], [0, 200, 40], [0, 0, 1]]), *SIZE, 0.2)
    camera = warped_camera(square, A, SIZE)
    np.testing.assert_allclose(camera.K[:2, :2], [[200, 0], [0, 200]], atol=1e-9)
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    np.testing.assert_allclose(camera_turn(A, square.K), [[c, -s, 0], [s, c, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(camera_turn(A), camera_turn(A, square.K), atol=1e-12)
    assert camera.baseline is None
    assert warped_camera(square, flip_x_map(160), SIZE).baseline is None
    assert not keeps_rows(A)
    assert not keeps_rows(flip_x_map(160))
    assert keeps_rows(scale_map(SIZE, (30, 500)))


def test_a_skew_stays_in_the_intrinsics() -> None:
    A = Augmentation(source=SIZE, output=SIZE, crop=(0, 0, *SIZE), skew=0.1).affine()
    np.testing.assert_allclose(camera_turn(A, CAMERA.K), np.eye(3), atol=1e-12)
    assert warped_camera(CAMERA, A, SIZE).K[0, 1] == pytest.approx(19)
