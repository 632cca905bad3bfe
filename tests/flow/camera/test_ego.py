"""Ego flow against the exact truth of the rendered drive, and against textbook arithmetic for any camera."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Matrix, Pose, flip_x_map, scale_map
from segprep.datasets.synthetic import Frame, Motion, World, motion, render
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.se3 import inverse, rotation_exp
from support.properties import examples

WIDTH, HEIGHT = 256, 128
WORLD = World(seed=11, yaw_rate=0.1, pitch_wobble=0.01)
CAMERA = Camera(np.array([[200.0, 0, 80.2], [0, 190.0, 41.7], [0, 0, 1]]), 160, 90)


def rigid(omega: tuple[float, float, float] = (0, 0, 0), t: tuple[float, float, float] = (0, 0, 0)) -> Matrix:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_exp(np.array(omega, float)), t
    return T


def grid(width: int, height: int) -> Matrix:
    """(H, W, 2) x and y of the pixel centres."""
    return np.stack(np.meshgrid(np.arange(float(width)), np.arange(float(height))), axis=-1)


def everywhere(depth_HW: Array) -> Mask:
    return np.ones(depth_HW.shape, np.bool_)


def reprojected(xy: Matrix, depth: Matrix, K0: Matrix, T: Matrix, K1: Matrix) -> tuple[Matrix, Matrix]:
    """Displacements (..., 2) and new depths of pixels: back-project, move, project."""
    X = np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1) @ np.linalg.inv(K0).T * depth[..., None]
    q = (X @ T[:3, :3].T + T[:3, 3]) @ K1.T
    return q[..., :2] / q[..., 2:] - xy, q[..., 2]


def lengths(uv: Array) -> Array:
    return np.hypot(uv[..., 0], uv[..., 1])


@pytest.fixture(scope="module", params=[(30, 31), (30, 29), (40, 38)], ids=["next", "previous", "two back"])
def pair(request: pytest.FixtureRequest) -> tuple[Frame, Frame, Motion]:
    a, b = request.param
    return render(WORLD, a, WIDTH, HEIGHT), render(WORLD, b, WIDTH, HEIGHT), motion(WORLD, a, b, WIDTH, HEIGHT)


def test_static_pixels_have_no_residual_in_either_direction(pair: tuple[Frame, Frame, Motion]) -> None:
    a, b, truth = pair
    for dtype in (np.float32, np.float64):
        depth_HW = a.depth_HW.astype(dtype)
        ego = ego_flow(depth_HW, everywhere(depth_HW), a.camera, a.pose.motion_to(b.pose))
        assert ego.uv.dtype == np.float32
        residual_HW = lengths(truth.flow_HW2 - ego.uv)
        assert residual_HW[~truth.moving_HW & ego.valid].max() < 1e-3
        assert lengths(truth.ego_HW2 - ego.uv)[ego.valid].max() < 1e-3
        near = truth.moving_HW & ego.valid & (a.depth_HW < 30)
        assert np.median(residual_HW[near]) > 0.3


def test_valid_are_the_pixels_whose_points_stay_in_the_picture(pair: tuple[Frame, Frame, Motion]) -> None:
    a, b, truth = pair
    ego = ego_flow(a.depth_HW, everywhere(a.depth_HW), a.camera, a.pose.motion_to(b.pose))
    target = grid(WIDTH, HEIGHT) + truth.ego_HW2
    margin = np.abs(target - [(WIDTH - 1) / 2, (HEIGHT - 1) / 2]) - [WIDTH / 2, HEIGHT / 2]
    inside = truth.valid_HW & (margin <= 0).all(axis=2)
    clear = np.abs(margin).min(axis=2) > 1e-6
    np.testing.assert_array_equal(ego.valid[clear], inside[clear])
    assert 0.5 < inside.mean() < 1


@pytest.mark.parametrize("mistake", ["inverse", "transposed rotation", "opposite translation", "no rotation", "still"])
def test_every_reversed_sign_leaves_a_large_residual(pair: tuple[Frame, Frame, Motion], mistake: str) -> None:
    a, b, truth = pair
    T = a.pose.motion_to(b.pose)
    wrong = T.copy()
    if mistake == "inverse":
        wrong = b.pose.motion_to(a.pose)
    elif mistake == "transposed rotation":
        wrong[:3, :3] = T[:3, :3].T
    elif mistake == "opposite translation":
        wrong[:3, 3] *= -1
    elif mistake == "no rotation":
        wrong[:3, :3] = np.eye(3)
    else:
        wrong = np.eye(4)
    static = ~truth.moving_HW & truth.valid_HW & np.isfinite(a.depth_HW)
    ego = ego_flow(a.depth_HW, everywhere(a.depth_HW), a.camera, wrong)
    counted = static & ego.valid
    assert np.median(lengths(truth.flow_HW2 - ego.uv)[counted]) > 0.5


def test_forward_motion_expands_and_turning_left_moves_the_picture_right() -> None:
    depth_HW = np.full((90, 160), 8.0)
    forward = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, rigid(t=(0, 0, -0.2)))
    assert (forward.uv[:, 100:][forward.valid[:, 100:]][:, 0] > 0).all()
    assert (forward.uv[:, :60][forward.valid[:, :60]][:, 0] < 0).all()
    assert (forward.uv[60:][forward.valid[60:]][:, 1] > 0).all()
    # The camera moves right: the points move left. It moves down: they move up. It looks up or left: down or right.
    for T, u, v in (
        (rigid(t=(-0.2, 0, 0)), -200 * 0.2 / 8, 0),
        (rigid(t=(0, -0.2, 0)), 0, -190 * 0.2 / 8),
        (rigid((0, 0.01, 0)), 200 * 0.01, 0),
        (rigid((-0.01, 0, 0)), 0, 190 * 0.01),
    ):
        found = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, T)
        np.testing.assert_allclose(found.uv[42, 80], [u, v], atol=0.01)


def test_poses_are_camera_to_world() -> None:
    left, right = Pose(np.eye(4)), Pose(rigid(t=(1.0, 0, 0)))  # one metre to the right
    depth_HW = np.full((90, 160), 20.0)
    found = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, left.motion_to(right))
    np.testing.assert_allclose(
        found.uv[found.valid], np.broadcast_to([-10.0, 0], (int(found.valid.sum()), 2)), atol=1e-5
    )


def test_a_number_worked_by_hand() -> None:
    camera = Camera(np.array([[700.0, 0, 200], [0, 700, 100], [0, 0, 1]]), 401, 201)
    depth_HW = np.full((201, 401), 10.0)
    found = ego_flow(depth_HW, everywhere(depth_HW), camera, rigid(t=(0, 0, -0.1)))
    np.testing.assert_allclose(found.uv[100, 300], [100 * 0.1 / 9.9, 0], atol=1e-6)


def test_the_sky_moves_by_the_rotation_alone() -> None:
    sky_HW = np.full((90, 160), np.inf, np.float32)
    still = ego_flow(sky_HW, everywhere(sky_HW), CAMERA, rigid(t=(3, -2, 40)))
    assert still.valid.all()
    assert np.abs(still.uv).max() < 1e-6
    T = rigid((0.01, -0.03, 0.02), (3, -2, 1))
    turned = ego_flow(sky_HW, everywhere(sky_HW), CAMERA, T)
    H = CAMERA.K @ T[:3, :3] @ np.linalg.inv(CAMERA.K)
    q = np.concatenate([grid(160, 90), np.ones((90, 160, 1))], axis=2) @ H.T
    np.testing.assert_allclose(
        turned.uv[turned.valid], (q[..., :2] / q[..., 2:] - grid(160, 90))[turned.valid], atol=1e-4
    )
    assert turned.valid.mean() > 0.8
    far_HW = np.full((90, 160), 1e7)
    np.testing.assert_allclose(ego_flow(far_HW, everywhere(far_HW), CAMERA, T).uv, turned.uv, atol=1e-3)


def test_points_at_or_behind_the_other_camera_are_invalid() -> None:
    depth_HW = np.array([[0.5, 1.0, 1.0 + 1e-13, 2.0, np.inf]]).repeat(5, axis=0)
    camera = Camera(np.array([[5.0, 0, 2], [0, 5, 2], [0, 0, 1]]), 5, 5)
    found = ego_flow(depth_HW, everywhere(depth_HW), camera, rigid(t=(0, 0, -1)))
    np.testing.assert_array_equal(found.valid[2], [False, False, False, True, True])
    assert np.isfinite(found.uv).all()
    behind = ego_flow(depth_HW, everywhere(depth_HW), camera, rigid((0, np.pi, 0)))
    assert not behind.valid.any()


def test_pixels_reach_half_a_pixel_around_their_centres() -> None:
    depth_HW = np.full((90, 160), 10.0)
    for shift, lost in ((0.49, 0), (0.51, 1), (1.49, 1), (1.51, 2)):
        right = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, rigid(t=(shift * 10 / 200, 0, 0)))
        down = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, rigid(t=(0, shift * 10 / 190, 0)))
        left = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, rigid(t=(-shift * 10 / 200, 0, 0)))
        assert right.valid[:, : 160 - lost].all()
        assert not right.valid[:, 160 - lost :].any()
        assert left.valid[:, lost:].all()
        assert not left.valid[:, :lost].any()
        assert down.valid[: 90 - lost].all()
        assert not down.valid[90 - lost :].any()


def test_no_motion_is_no_flow_up_to_the_border() -> None:
    depth_HW = np.random.default_rng(0).uniform(0.5, 90, (90, 160))
    found = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, np.eye(4))
    assert found.valid.all()
    assert np.abs(found.uv).max() < 1e-9


def test_invalid_depth_is_invalid_flow_whatever_it_holds() -> None:
    depth_HW = np.full((90, 160), 10.0, np.float32)
    valid_HW = everywhere(depth_HW)
    depth_HW[3, :6] = [0, -2, np.nan, -np.inf, 1e-42, 10]
    valid_HW[5, :] = False
    depth_HW[5, :] = np.nan
    found = ego_flow(depth_HW, valid_HW, CAMERA, rigid(t=(0, 0, 0.1)))
    np.testing.assert_array_equal(found.valid[3, :7], [False] * 5 + [True] * 2)
    assert not found.valid[5].any()
    assert not found.uv[5].any()
    assert found.valid.sum() == 90 * 160 - 5 - 160


@examples(40)
@given(
    omega=st.tuples(*[st.floats(-0.2, 0.2)] * 3),
    t=st.tuples(*[st.floats(-2, 2)] * 3),
    focal=st.floats(50, 3000),
    skew=st.floats(-5, 5),
    seed=st.integers(0, 99),
)
def test_any_motion_is_the_textbook_reprojection(
    omega: tuple[float, float, float], t: tuple[float, float, float], focal: float, skew: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    camera = Camera(np.array([[focal, skew, 30.3], [0, 1.1 * focal, 19.2], [0, 0, 1]]), 64, 40)
    depth_HW = rng.uniform(0.3, 100, (40, 64))
    T = rigid(omega, t)
    found = ego_flow(depth_HW, everywhere(depth_HW), camera, T)
    uv, depth = reprojected(grid(64, 40), depth_HW, camera.K, T, camera.K)
    target = grid(64, 40) + uv
    inside = (np.abs(target - [31.5, 19.5]) <= [32, 20]).all(axis=2) & (depth > 0)
    np.testing.assert_array_equal(found.valid, inside)
    np.testing.assert_allclose(found.uv[inside], uv[inside], atol=1e-4)


PLANE = np.array([0.0004, 0.0011, 0.02])  # 1 / z of the pixel (x, y, 1)


@pytest.mark.parametrize(
    ("A", "size"),
    [
        (scale_map((160, 90), (80, 45)), (80, 45)),
        (scale_map((160, 90), (96, 30)), (96, 30)),
        (scale_map((160, 90), (240, 180)), (240, 180)),
        (flip_x_map(160), (160, 90)),
        (np.array([[1.0, 0, -20], [0, 1, -11], [0, 0, 1]]), (100, 70)),
        (np.array([[0.9, 0.2, 3], [-0.1, 1.1, 4], [0, 0, 1]]), (150, 100)),
    ],
    ids=["halved", "anisotropic", "enlarged", "flipped", "cropped", "rotated and sheared"],
)
def test_the_flow_of_a_warped_picture_is_the_warped_flow(A: Matrix, size: tuple[int, int]) -> None:
    T = rigid((0.01, -0.02, 0.015), (0.3, -0.1, -0.4))
    camera = CAMERA.transformed(A, *size)
    xy = grid(*size)
    source = np.concatenate([xy, np.ones((*xy.shape[:2], 1))], axis=2) @ np.linalg.inv(A).T
    depth_HW = 1 / (source @ PLANE)
    known = depth_HW > 0
    uv, _ = reprojected(source[..., :2], depth_HW, CAMERA.K, T, CAMERA.K)
    found = ego_flow(depth_HW, known, camera, T)
    assert found.valid.mean() > 0.5
    np.testing.assert_allclose(found.uv[found.valid], (uv @ A[:2, :2].T)[found.valid], atol=1e-3)


def test_flipping_and_cropping_give_the_same_vectors_to_the_pixel() -> None:
    rng = np.random.default_rng(2)
    depth_HW = rng.uniform(2, 60, (90, 160))
    T = rigid((0.01, -0.02, 0.005), (0.1, -0.1, -0.4))
    whole = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, T)
    flipped = ego_flow(depth_HW[:, ::-1], everywhere(depth_HW), CAMERA.transformed(flip_x_map(160), 160, 90), T)
    np.testing.assert_array_equal(flipped.valid, whole.valid[:, ::-1])
    np.testing.assert_allclose(flipped.uv, whole.uv[:, ::-1] * [-1, 1], atol=1e-4)
    crop = CAMERA.transformed(np.array([[1, 0, -30], [0, 1, -20], [0, 0, 1]]), 90, 50)
    cropped = ego_flow(depth_HW[20:70, 30:120], everywhere(depth_HW[20:70, 30:120]), crop, T)
    assert (whole.valid[20:70, 30:120] | ~cropped.valid).all()
    np.testing.assert_allclose(cropped.uv, np.where(cropped.valid[..., None], whole.uv[20:70, 30:120], 0), atol=1e-4)


def test_a_mirrored_motion_does_for_a_flip_what_a_negative_focal_length_does() -> None:
    depth_HW = np.random.default_rng(2).uniform(2, 60, (90, 160))
    T, F = rigid((0.01, -0.02, 0.005), (0.1, -0.1, -0.4)), np.diag([-1.0, 1, 1, 1])
    K = CAMERA.K.copy()
    K[0, 2] = 160 - 1 - K[0, 2]
    flip = CAMERA.transformed(flip_x_map(160), 160, 90)
    one = ego_flow(depth_HW, everywhere(depth_HW), flip, T)
    other = ego_flow(depth_HW, everywhere(depth_HW), Camera(K, 160, 90), F @ T @ F)
    np.testing.assert_allclose(one.uv, other.uv, atol=1e-4)


def test_the_neighbour_may_have_another_camera() -> None:
    neighbour = Camera(np.array([[300.0, 0, 210], [0, 310, 90], [0, 0, 1]]), 400, 200)
    depth_HW = np.random.default_rng(4).uniform(2, 60, (90, 160))
    T = rigid((0.01, 0.02, 0), (0.2, 0, -0.1))
    found = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, T, neighbour)
    uv, _ = reprojected(grid(160, 90), depth_HW, CAMERA.K, T, neighbour.K)
    inside = (np.abs(grid(160, 90) + uv - [199.5, 99.5]) <= [200, 100]).all(axis=2)
    np.testing.assert_array_equal(found.valid, inside)
    np.testing.assert_allclose(found.uv[inside], uv[inside], atol=1e-3)
    beyond_own_HW2 = np.abs(grid(160, 90) + uv - [79.5, 44.5]) > [80, 45]
    assert beyond_own_HW2[inside].any()


def test_a_pose_that_was_printed_with_six_digits_is_rigid_enough() -> None:
    depth_HW = np.random.default_rng(4).uniform(2, 60, (90, 160))
    T = rigid((0.02, 0.05, -0.01), (0.2, 0, -0.1))
    exact = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, T)
    rounded = ego_flow(depth_HW, everywhere(depth_HW), CAMERA, T.round(6))
    both = exact.valid & rounded.valid
    assert np.abs(exact.uv - rounded.uv)[both].max() < 1e-3


def test_each_impossible_motion_has_its_message() -> None:
    depth_HW = np.full((90, 160), 5.0)
    valid_HW = everywhere(depth_HW)

    def changed(row: int, column: int, value: float) -> Matrix:
        T = np.eye(4)
        T[row, column] = value
        return T

    for T in (changed(0, 3, np.nan), changed(2, 2, np.inf), np.full((4, 4), -np.inf)):
        with pytest.raises(MotionError, match="not finite"):
            ego_flow(depth_HW, valid_HW, CAMERA, T)
    scaled = np.diag([1.01, 1.01, 1.01, 1])
    for T in (scaled, changed(0, 0, -1), changed(0, 1, 0.1), changed(3, 0, 0.1), np.zeros((4, 4)), np.eye(4) * 1e200):
        with pytest.raises(MotionError, match="no rigid transform"):
            ego_flow(depth_HW, valid_HW, CAMERA, T)
    for shape in ((3, 4), (3, 3), (16,)):
        with pytest.raises(MotionError, match="4x4"):
            ego_flow(depth_HW, valid_HW, CAMERA, np.ones(shape))
    assert np.isfinite(ego_flow(depth_HW, valid_HW, CAMERA, changed(0, 3, 1e300)).uv).all()


def test_singular_intrinsics_are_refused_for_either_camera() -> None:
    depth_HW = np.full((90, 160), 5.0)
    for K in (np.zeros((3, 3)), np.diag([0.0, 100, 1]), np.diag([100.0, 100, 0]), np.diag([1e-12, 100, 1])):
        singular = Camera(K, 160, 90)
        with pytest.raises(MotionError, match="singular"):
            ego_flow(depth_HW, everywhere(depth_HW), singular, np.eye(4))
        with pytest.raises(MotionError, match="singular"):
            ego_flow(depth_HW, everywhere(depth_HW), CAMERA, np.eye(4), singular)


def test_depth_of_another_size_is_refused() -> None:
    for depth_shape, valid_shape in (((45, 80), (45, 80)), ((90, 160), (45, 80)), ((90, 160, 1), (90, 160))):
        with pytest.raises(SizeMismatchError, match="160"):
            ego_flow(np.ones(depth_shape), np.ones(valid_shape, np.bool_), CAMERA, np.eye(4))


def test_the_arguments_are_left_as_they_were() -> None:
    depth_HW = np.random.default_rng(4).uniform(-1, 60, (90, 160))
    valid_HW = depth_HW > 5
    before = depth_HW.copy(), valid_HW.copy()
    T = rigid((0.01, 0.02, 0), (0.2, 0, -0.1))
    first = ego_flow(depth_HW, valid_HW, CAMERA, T)
    np.testing.assert_array_equal(depth_HW, before[0])
    np.testing.assert_array_equal(valid_HW, before[1])
    np.testing.assert_array_equal(ego_flow(depth_HW, valid_HW, CAMERA, T).uv, first.uv)
    np.testing.assert_allclose(inverse(T) @ T, np.eye(4), atol=1e-15)
