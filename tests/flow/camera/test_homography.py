"""Background motion as a homography: exact for turning cameras and planes, robust, and open about its limits."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.datasets.synthetic import World, motion
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.homography import HomographyConfig, estimate_homography, homography_flow
from segprep.flow.camera.se3 import rotation_exp
from segprep.flow.consistency import consistent
from segprep.flow.estimators import dis
from segprep.flow.field import FlowField

WIDTH, HEIGHT = 320, 200
CAMERA = Camera(np.array([[300.0, 0, 170], [0, 310, 90], [0, 0, 1]]), WIDTH, HEIGHT)
EVERYWHERE = np.ones((HEIGHT, WIDTH), np.bool_)


def rigid(omega: tuple[float, float, float], t: tuple[float, float, float]) -> Matrix:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_exp(np.array(omega, float)), t
    return T


def lengths(uv: Array) -> Array:
    return np.hypot(uv[..., 0], uv[..., 1])


def sky_flow(omega: tuple[float, float, float]) -> FlowField:
    return ego_flow(np.full((HEIGHT, WIDTH), np.inf), EVERYWHERE, CAMERA, rigid(omega, (1, 1, 1)))


TURN = (0.02, -0.04, 0.03)


def test_a_turning_camera_is_exact_and_so_is_the_homography() -> None:
    flow = sky_flow(TURN)
    found = estimate_homography(flow)
    H = CAMERA.K @ rigid(TURN, (0, 0, 0))[:3, :3] @ np.linalg.inv(CAMERA.K)
    np.testing.assert_allclose(found.matrix, H / H[2, 2], rtol=1e-3, atol=1e-5)
    assert found.matrix[2, 2] == 1
    assert found.inlier_share == 1
    assert found.residual_px < 1e-3
    background = homography_flow(found.matrix, (WIDTH, HEIGHT))
    np.testing.assert_allclose(
        background.uv[flow.valid & background.valid], flow.uv[flow.valid & background.valid], atol=2e-3
    )
    assert (background.valid == flow.valid).mean() > 0.999


@pytest.mark.parametrize("plane", [(0.0, 0.0, 0.1), (0.0, 0.001, 0.02), (0.0003, 0.0004, 0.05)])
def test_a_plane_is_exact_whatever_the_motion(plane: tuple[float, float, float]) -> None:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    depth_HW = 1 / (plane[0] * x + plane[1] * y + plane[2])
    flow = ego_flow(depth_HW, EVERYWHERE, CAMERA, rigid((0.01, -0.02, 0.01), (0.1, -0.05, -0.3)))
    background = homography_flow(estimate_homography(flow).matrix, flow.size)
    assert lengths(background.uv - flow.uv)[background.valid & flow.valid].max() < 0.01


def test_the_inverse_does_not_explain_the_flow() -> None:
    flow = sky_flow(TURN)
    back = homography_flow(np.linalg.inv(estimate_homography(flow).matrix).astype(np.float64), flow.size)
    both = flow.valid & back.valid
    assert np.median(lengths(flow.uv - back.uv)[both]) > 1.9 * np.median(lengths(flow.uv)[both])


@pytest.mark.parametrize("columns", [slice(0, 130), slice(100, 230), slice(190, 320)])
def test_things_that_move_by_themselves_are_left_over(columns: slice) -> None:
    flow = sky_flow(TURN)
    uv = flow.uv + np.random.default_rng(0).normal(0, 0.2, flow.uv.shape).astype(np.float32)
    uv[:, columns] += np.array([5, -3], np.float32)
    found = estimate_homography(FlowField(uv, flow.valid))
    assert 0.5 < found.inlier_share < 0.65
    background = homography_flow(found.matrix, flow.size)
    both = flow.valid & background.valid
    assert lengths(background.uv - flow.uv)[both].max() < 0.15
    both[:, : columns.start], both[:, columns.stop :] = False, False
    np.testing.assert_allclose(np.median((uv - background.uv)[both], axis=0), [5, -3], atol=0.05)


def test_labels_can_say_what_is_static() -> None:
    flow = sky_flow(TURN)
    moving = np.zeros((HEIGHT, WIDTH), np.bool_)
    moving[:, :240] = True
    uv = flow.uv + np.where(moving[..., None], [5, -3], 0).astype(np.float32)
    found = estimate_homography(FlowField(uv, flow.valid), ~moving)
    background = homography_flow(found.matrix, flow.size)
    both = flow.valid & background.valid
    assert lengths(background.uv - flow.uv)[both].max() < 0.05


def test_driving_leaves_the_parallax_of_a_street() -> None:
    # The limit of the method: nothing but the camera moves, and yet near things keep a residual.
    truth = motion(World(seed=3, traffic_speed=0.0), 5, 6, 384, 192)
    flow = FlowField(truth.flow_HW2.astype(np.float32), truth.valid_HW)
    found = estimate_homography(flow)
    residual_HW = lengths(flow.uv - homography_flow(found.matrix, flow.size).uv)[flow.valid]
    assert np.median(residual_HW) < 0.5 * np.median(lengths(flow.uv)[flow.valid])
    assert np.percentile(residual_HW, 90) > 1
    assert found.inlier_share < 0.9


def test_pixels_that_leave_the_picture_are_invalid() -> None:
    shift = np.array([[1.0, 0, 4], [0, 1, -3], [0, 0, 1]])
    background = homography_flow(shift, (20, 10))
    expected = np.zeros((10, 20), np.bool_)
    expected[3:, :16] = True
    np.testing.assert_array_equal(background.valid, expected)
    np.testing.assert_array_equal(background.uv[5, 5], [4, -3])
    horizon = homography_flow(np.array([[1.0, 0, 0], [0, 1, 0], [0, -0.2, 1]]), (20, 10))
    assert not horizon.valid[5:].any()
    assert np.isfinite(horizon.uv).all()


def test_no_flow_is_the_identity() -> None:
    still = FlowField(np.zeros((HEIGHT, WIDTH, 2), np.float32), EVERYWHERE)
    np.testing.assert_allclose(estimate_homography(still).matrix, np.eye(3), atol=1e-12)


def some(rows: slice, columns: slice) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[rows, columns] = True
    return mask


def test_flow_without_a_homography_is_refused() -> None:
    rng = np.random.default_rng(0)
    for seed_uv in (rng.normal(0, 20, (HEIGHT, WIDTH, 2)), rng.normal(0, 15, (10, 16, 2)).repeat(20, 0).repeat(20, 1)):
        with pytest.raises(MotionError, match="no homography explains the flow"):
            estimate_homography(FlowField(seed_uv.astype(np.float32), EVERYWHERE))
    flow = sky_flow(TURN)
    with pytest.raises(MotionError, match="no homography explains the flow: 100%"):
        estimate_homography(flow, config=HomographyConfig(min_inlier_share=1.01))
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    mirrored = np.stack([WIDTH - 1 - 2.0 * x, 0 * y], axis=2).astype(np.float32)
    with pytest.raises(MotionError, match="no homography"):
        estimate_homography(FlowField(mirrored, EVERYWHERE))


def test_too_little_flow_is_refused() -> None:
    flow = sky_flow(TURN)
    for mask in (
        some(slice(0), slice(0)),
        some(slice(0, 30), slice(0, 30)),
        some(slice(0, 200, 16), slice(0, 320, 16)),
    ):
        with pytest.raises(MotionError, match="takes at least"):
            estimate_homography(flow, mask)
        with pytest.raises(MotionError, match="takes at least"):
            estimate_homography(FlowField(flow.uv, mask))
    with pytest.raises(SizeMismatchError):
        estimate_homography(flow, EVERYWHERE[1:])


def test_equal_flow_gives_equal_homographies() -> None:
    flow = sky_flow(TURN)
    uv = flow.uv + np.random.default_rng(0).normal(0, 1, flow.uv.shape).astype(np.float32)
    noisy = FlowField(uv, flow.valid)
    first = estimate_homography(noisy)
    np.random.default_rng(1).normal(size=10)
    np.testing.assert_array_equal(first.matrix, estimate_homography(noisy).matrix)


def test_a_real_drive_keeps_a_third_of_its_flow(shared_data: Path) -> None:
    folder = shared_data / "camvid" / "val"
    ratios = []
    for number in (7959, 8031, 8103, 8151):
        first, second = (read_image(folder / f"0016E5_{n:05}.png") for n in (number, number + 2))
        uv = dis.estimate(first, second)
        flow = FlowField(uv, consistent(uv, dis.estimate(second, first)))
        found = estimate_homography(flow)
        assert found.inlier_share > 0.35
        background = homography_flow(found.matrix, flow.size)
        both = flow.valid & background.valid
        ratios.append(np.median(lengths(flow.uv - background.uv)[both]) / np.median(lengths(flow.uv)[both]))
    assert max(ratios) < 0.4
