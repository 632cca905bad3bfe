"""The camera's motion from flow and depth, against the rendered drive's true poses; and when it must refuse."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Matrix, flip_x_map, scale_map
from segprep.datasets.synthetic import World, motion, render
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.odometry import Correction, MotionEstimate, OdometryConfig, estimate_motion
from segprep.flow.camera.robust import spread_sample
from segprep.flow.camera.se3 import inverse, rotation_degrees, rotation_exp
from segprep.flow.consistency import consistent
from segprep.flow.estimators import dis
from segprep.flow.field import FlowField

WIDTH, HEIGHT = 512, 256
WORLD = World(seed=3, yaw_rate=0.1, pitch_wobble=0.01)
ANY_SHARE = OdometryConfig(min_inlier_share=0.0)


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame and where its pixels are in another one, with 5 % noise on its depth."""

    depth_HW: Array
    valid_HW: Mask
    camera: Camera
    T: Matrix
    exact: FlowField
    dis: FlowField
    moving_HW: Mask
    seconds: float


def make_pair(world: World, frame: int, other: int) -> Pair:
    a, b = render(world, frame, WIDTH, HEIGHT), render(world, other, WIDTH, HEIGHT)
    truth = motion(world, frame, other, WIDTH, HEIGHT)
    uv = dis.estimate(a.rgb_HWC, b.rgb_HWC)
    noise_HW = 1 + 0.05 * np.random.default_rng(frame).standard_normal(a.depth_HW.shape)
    return Pair(
        (a.depth_HW * noise_HW).astype(np.float32),
        a.depth_HW > 0,
        a.camera,
        a.pose.motion_to(b.pose),
        FlowField(truth.flow_HW2.astype(np.float32), truth.valid_HW),
        FlowField(uv, consistent(uv, dis.estimate(b.rgb_HWC, a.rgb_HWC))),
        truth.moving_HW,
        b.time - a.time,
    )


@pytest.fixture(scope="module", params=[(20, 21), (20, 19), (45, 44)], ids=["next", "previous", "previous too"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return make_pair(WORLD, *request.param)


@pytest.fixture(scope="module")
def ahead() -> Pair:
    return make_pair(WORLD, 20, 21)


def rigid(omega: tuple[float, float, float] = (0, 0, 0), t: tuple[float, float, float] = (0, 0, 0)) -> Matrix:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_exp(np.array(omega, float)), t
    return T


def distance(found: MotionEstimate | Matrix, truth: Matrix) -> tuple[float, float]:
    """Degrees and metres."""
    matrix = found.matrix if isinstance(found, MotionEstimate) else found
    return rotation_degrees(matrix @ inverse(truth)), float(np.linalg.norm(matrix[:3, 3] - truth[:3, 3]))


def assert_near(found: MotionEstimate | Matrix, truth: Matrix, degrees: float, metres: float) -> None:
    by = distance(found, truth)
    assert by[0] < degrees
    assert by[1] < metres


def moved_by(pair: Pair, T: Matrix, depth_HW: Array | None = None) -> FlowField:
    """The exact flow that a motion makes of a pair's static scene."""
    return ego_flow(pair.depth_HW if depth_HW is None else depth_HW, pair.valid_HW, pair.camera, T)


def with_mover(pair: Pair, flow: FlowField, share: float, at: float) -> tuple[FlowField, Mask]:
    """Let a block of the picture's lower part move by itself; `share` of all pixels move then."""
    region = np.zeros((HEIGHT, WIDTH), np.bool_)
    region[HEIGHT // 4 :, round(at * WIDTH) :] = True
    columns = np.cumsum((region & ~pair.moving_HW).sum(axis=0))
    region[:, int(np.searchsorted(columns, (share - pair.moving_HW.mean()) * region.size)) + 1 :] = False
    mover = moved_by(pair, pair.T @ rigid((0, 0.01, 0), (0.5, 0.05, -0.6)))
    still = moved_by(pair, pair.T)
    known = region & mover.valid & still.valid
    uv = np.where(known[..., None], flow.uv + mover.uv - still.uv, flow.uv)
    moving = pair.moving_HW | region
    return FlowField(uv, flow.valid & (known | ~region)), moving


@pytest.mark.parametrize("at", [0.0, 0.4, 0.65])
def test_a_fifth_of_moving_pixels_and_noisy_depth_leave_the_motion_exact(pair: Pair, at: float) -> None:
    for clean in (pair.exact, pair.dis):
        flow, moving_HW = with_mover(pair, clean, 0.2, at)
        assert 0.18 < moving_HW.mean() < 0.25
        found = estimate_motion(flow, pair.depth_HW, pair.valid_HW, pair.camera, seconds=pair.seconds)
        assert_near(found, pair.T, 0.05, 0.02)
        assert found.inlier_share > 0.55
        assert found.residual_px < 2
        assert 5_000 < found.pixels <= 20_100


def test_a_reversed_motion_is_far_from_the_one_found(pair: Pair) -> None:
    found = estimate_motion(pair.exact, pair.depth_HW, pair.valid_HW, pair.camera)
    transposed, opposite = pair.T.copy(), pair.T.copy()
    transposed[:3, :3] = pair.T[:3, :3].T
    opposite[:3, 3] *= -1
    degrees, metres = distance(found, pair.T)
    assert distance(found, inverse(pair.T))[0] > 10 * degrees
    assert distance(found, inverse(pair.T))[1] > 10 * metres
    assert distance(found, transposed)[0] > 10 * degrees
    assert distance(found, opposite)[1] > 10 * metres


def test_flow_back_in_time_gives_the_motion_back() -> None:
    there, back = make_pair(WORLD, 20, 21), make_pair(WORLD, 21, 20)
    one, other = (estimate_motion(p.dis, p.depth_HW, p.valid_HW, p.camera).matrix for p in (there, back))
    assert_near(one @ other, np.eye(4), 0.03, 0.03)
    assert one[2, 3] < -0.4  # 8 m/s at 15 Hz: what is ahead comes 0.53 m nearer
    assert other[2, 3] > 0.4


def test_a_camera_that_stands_does_not_move(ahead: Pair) -> None:
    flow, _ = with_mover(ahead, FlowField(np.zeros_like(ahead.exact.uv), ahead.valid_HW), 0.2, 0.4)
    found = estimate_motion(flow, ahead.depth_HW, ahead.valid_HW, ahead.camera)
    assert_near(found, np.eye(4), 0.003, 0.003)
    assert found.residual_px < 0.02


def test_turning_alone_is_no_translation(ahead: Pair) -> None:
    for omega in ((0.0, 0.05, 0.0), (-0.03, 0.0, 0.0), (0.01, -0.02, 0.06)):
        T = rigid(omega)
        found = estimate_motion(moved_by(ahead, T), ahead.depth_HW, ahead.valid_HW, ahead.camera)
        assert_near(found, T, 1e-3, 1e-3)


def test_large_motions_are_found_from_nothing(ahead: Pair) -> None:
    for T in (rigid((0, 0.15, 0), (0.2, 0, -1.5)), rigid((0.1, -0.1, 0.1), (0, 0.1, 1.0)), rigid(t=(1.0, 0, 0))):
        true_depth = ahead.depth_HW / (1 + 0.05 * np.random.default_rng(1).standard_normal(ahead.depth_HW.shape))
        flow = moved_by(ahead, T, true_depth)
        found = estimate_motion(flow, ahead.depth_HW, ahead.valid_HW, ahead.camera)
        assert_near(found, T, 0.05, 0.03)


def test_a_single_plane_is_enough() -> None:
    camera = Camera(np.array([[400.0, 0, 159.5], [0, 400, 119.5], [0, 0, 1]]), 320, 240)
    y, x = np.mgrid[0:240, 0:320]
    T = rigid((0.01, -0.02, 0.005), (0.05, -0.03, -0.2))
    for plane in ((0.0, 0.0, 0.2), (0.0, 0.001, 0.02), (0.0005, 0.0003, 0.05)):
        depth_HW = 1 / (plane[0] * x + plane[1] * y + plane[2])
        valid_HW = np.ones(depth_HW.shape, np.bool_)
        found = estimate_motion(ego_flow(depth_HW, valid_HW, camera, T), depth_HW, valid_HW, camera)
        assert_near(found, T, 1e-3, 1e-3)


def test_mirrored_and_resized_pictures_give_the_same_motion(ahead: Pair) -> None:
    plain = estimate_motion(ahead.exact, ahead.depth_HW, ahead.valid_HW, ahead.camera)
    flipped = FlowField(
        np.ascontiguousarray(ahead.exact.uv[:, ::-1] * np.array([-1, 1], np.float32)), ahead.exact.valid[:, ::-1]
    )
    camera = ahead.camera.transformed(flip_x_map(WIDTH), WIDTH, HEIGHT)
    mirrored = estimate_motion(flipped, ahead.depth_HW[:, ::-1], ahead.valid_HW[:, ::-1], camera)
    assert_near(mirrored, plain.matrix, 0.02, 0.02)
    half = ahead.camera.transformed(scale_map((WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2)), WIDTH // 2, HEIGHT // 2)
    depth_HW = cv2.resize(ahead.depth_HW, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_NEAREST)
    small = estimate_motion(ahead.exact.resized(WIDTH // 2, HEIGHT // 2), depth_HW, depth_HW > 0, half)
    assert_near(small, ahead.T, 0.05, 0.05)


def test_the_neighbour_may_have_another_camera(ahead: Pair) -> None:
    neighbour = Camera(ahead.camera.K @ np.diag([1.1, 1.1, 1]), WIDTH, HEIGHT)
    flow = ego_flow(ahead.depth_HW, ahead.valid_HW, ahead.camera, ahead.T, neighbour)
    found = estimate_motion(flow, ahead.depth_HW, ahead.valid_HW, ahead.camera, neighbour_camera=neighbour)
    assert_near(found, ahead.T, 1e-3, 1e-3)
    assert found.residual_px < 0.01
    own = estimate_motion(flow, ahead.depth_HW, ahead.valid_HW, ahead.camera, config=ANY_SHARE)
    assert own.residual_px > 0.1


@pytest.mark.parametrize("depths", [(1e-30, 1e-20), (0.001, 0.01), (0.1, 0.5), (500.0, 1e6)])
def test_a_tenth_of_absurd_depths_does_not_matter(ahead: Pair, depths: tuple[float, float]) -> None:
    rng = np.random.default_rng(1)
    absurd = rng.random(ahead.depth_HW.shape) < 0.1
    depth_HW = np.where(absurd, rng.uniform(*depths, ahead.depth_HW.shape), ahead.depth_HW)
    for flow in (ahead.exact, ahead.dis):
        assert_near(estimate_motion(flow, depth_HW, ahead.valid_HW, ahead.camera), ahead.T, 0.05, 0.02)


def test_labels_help_where_most_of_the_picture_moves_and_a_pose_shows_the_error(ahead: Pair) -> None:
    flow, moving_HW = with_mover(ahead, ahead.exact, 0.6, 0.0)
    flow = FlowField(flow.uv, flow.valid & (moving_HW | (np.arange(WIDTH) < 400)))
    arrays = flow, ahead.depth_HW, ahead.valid_HW, ahead.camera
    assert_near(estimate_motion(*arrays, static_HW=~moving_HW), ahead.T, 0.05, 0.02)
    with pytest.raises(MotionError, match="differs from the pose"):
        estimate_motion(*arrays, ahead.T, correction=Correction())
    assert distance(estimate_motion(*arrays, config=ANY_SHARE), ahead.T)[1] > 0.3


def test_a_measured_pose_is_freed_of_its_pitch_error(pair: Pair) -> None:
    # 0.5 degrees per second at 17 Hz, which a car's speed and yaw rate do not show.
    error = rigid((np.deg2rad(0.5) / 17, 0, 0))
    measured = error @ pair.T
    assert distance(measured, pair.T)[0] == pytest.approx(0.5 / 17)
    for flow in (pair.exact, pair.dis):
        found = estimate_motion(
            flow, pair.depth_HW, pair.valid_HW, pair.camera, measured, correction=Correction(), seconds=pair.seconds
        )
        assert_near(found, pair.T, 0.015, 0.02)
        pitch = cv2.Rodrigues(found.matrix[:3, :3] @ pair.T[:3, :3].T)[0][0, 0]
        assert abs(np.rad2deg(pitch)) < 0.25 * 0.5 / 17


def test_corrections_beyond_the_limit_are_refused(ahead: Pair) -> None:
    def refine(measured: Matrix, correction: Correction) -> MotionEstimate:
        return estimate_motion(
            ahead.exact, ahead.depth_HW, ahead.valid_HW, ahead.camera, measured, correction=correction
        )

    turned, shifted = rigid((0, np.deg2rad(0.5), 0)) @ ahead.T, rigid(t=(0, 0, 0.2)) @ ahead.T
    for measured in (turned, shifted):
        assert_near(refine(measured, Correction(1.0, 0.3)), ahead.T, 0.05, 0.02)
    with pytest.raises(MotionError, match=r"differs from the pose by 0\.\d\d degrees"):
        refine(turned, Correction(0.4, 0.3))
    with pytest.raises(MotionError, match=r"0\.\d\d m"):
        refine(shifted, Correction(1.0, 0.1))
    with pytest.raises(MotionError, match="differs from the pose"):
        refine(inverse(ahead.T), Correction())  # poses read the wrong way round
    with pytest.raises(ValueError, match="initial"):
        estimate_motion(ahead.exact, ahead.depth_HW, ahead.valid_HW, ahead.camera, correction=Correction())


def test_flow_that_no_motion_explains_is_refused(ahead: Pair) -> None:
    rng = np.random.default_rng(0)
    blocks = rng.normal(0, 15, (8, 16, 2)).astype(np.float32).repeat(32, axis=0).repeat(32, axis=1)
    for uv in (rng.normal(0, 10, (HEIGHT, WIDTH, 2)).astype(np.float32), blocks):
        with pytest.raises(MotionError, match="no motion of the camera explains the flow"):
            estimate_motion(FlowField(uv, ahead.valid_HW), ahead.depth_HW, ahead.valid_HW, ahead.camera)
    with pytest.raises(MotionError, match="no motion of the camera"):
        estimate_motion(FlowField(ahead.exact.uv[::-1], ahead.valid_HW), ahead.depth_HW, ahead.valid_HW, ahead.camera)


def test_implausible_motions_are_refused(ahead: Pair) -> None:
    def estimate(T: Matrix, seconds: float | None = None, config: OdometryConfig | None = None) -> MotionEstimate:
        flow = moved_by(ahead, T)
        return estimate_motion(
            flow, ahead.depth_HW, ahead.valid_HW, ahead.camera, seconds=seconds, config=config or OdometryConfig()
        )

    forward = rigid(t=(0, 0, -1))
    assert estimate(forward, -1 / 50).matrix[2, 3] == pytest.approx(-1, abs=0.01)
    with pytest.raises(MotionError, match=r"100 m/s \(at most 70\)"):
        estimate(forward, 1 / 100)
    with pytest.raises(MotionError, match=r"100 m/s"):
        estimate(forward, -1 / 100)
    turn = rigid((0, 0.1, 0))
    assert estimate(turn).pixels > 0
    with pytest.raises(MotionError, match=r"5\.7 degrees between the frames \(at most 5\)"):
        estimate(turn, config=OdometryConfig(max_rotation=5))


@pytest.mark.parametrize("seconds", [0.0, -0.0, np.nan, np.inf])
def test_frames_without_a_time_difference_are_refused(ahead: Pair, seconds: float) -> None:
    with pytest.raises(MotionError, match="time between the two frames"):
        estimate_motion(ahead.exact, ahead.depth_HW, ahead.valid_HW, ahead.camera, seconds=seconds)


def test_too_little_to_go_by_is_refused(ahead: Pair) -> None:
    nothing = np.zeros((HEIGHT, WIDTH), np.bool_)
    corner = nothing.copy()
    corner[:60, :60] = True
    few = nothing.copy()
    few[::32, ::32] = True
    for valid_HW, message in ((nothing, "^0 pixels"), (few, "^128 pixels"), (corner, "of the picture only")):
        with pytest.raises(MotionError, match=message):
            estimate_motion(ahead.exact, np.ones((HEIGHT, WIDTH)), valid_HW, ahead.camera)
        with pytest.raises(MotionError, match=message):
            estimate_motion(FlowField(ahead.exact.uv, valid_HW), np.ones((HEIGHT, WIDTH)), ahead.valid_HW, ahead.camera)
        with pytest.raises(MotionError, match=message):
            estimate_motion(ahead.exact, np.ones(valid_HW.shape), ahead.valid_HW, ahead.camera, static_HW=valid_HW)
    sky = np.full((HEIGHT, WIDTH), np.inf)
    with pytest.raises(MotionError, match=r"^0 pixels"):
        estimate_motion(ahead.exact, sky, ahead.valid_HW, ahead.camera)


def test_bad_poses_intrinsics_and_sizes_are_refused(ahead: Pair) -> None:
    arrays = (ahead.exact, ahead.depth_HW, ahead.valid_HW)
    with pytest.raises(MotionError, match="not finite"):
        estimate_motion(*arrays, ahead.camera, np.full((4, 4), np.nan))
    with pytest.raises(MotionError, match="no rigid transform"):
        estimate_motion(*arrays, ahead.camera, np.diag([2.0, 2, 2, 1]))
    singular = Camera(np.zeros((3, 3)), WIDTH, HEIGHT)
    with pytest.raises(MotionError, match="singular"):
        estimate_motion(*arrays, singular)
    with pytest.raises(MotionError, match="singular"):
        estimate_motion(*arrays, ahead.camera, neighbour_camera=singular)
    for wrong in (
        (ahead.exact.resized(64, 32), ahead.depth_HW, ahead.valid_HW),
        (ahead.exact, ahead.depth_HW[1:], ahead.valid_HW),
        (ahead.exact, ahead.depth_HW, ahead.valid_HW[:, 1:]),
    ):
        with pytest.raises(SizeMismatchError):
            estimate_motion(*wrong, ahead.camera)
    with pytest.raises(SizeMismatchError):
        estimate_motion(*arrays, ahead.camera, static_HW=ahead.valid_HW[1:])


def test_equal_arrays_give_equal_motions_and_invalid_pixels_do_not_count(ahead: Pair) -> None:
    before = ahead.depth_HW.copy(), ahead.dis.uv.copy()
    first = estimate_motion(ahead.dis, ahead.depth_HW, ahead.valid_HW, ahead.camera)
    np.random.default_rng(5).normal(size=100)
    second = estimate_motion(ahead.dis, ahead.depth_HW, ahead.valid_HW, ahead.camera)
    np.testing.assert_array_equal(first.matrix, second.matrix)
    np.testing.assert_array_equal(ahead.depth_HW, before[0])
    np.testing.assert_array_equal(ahead.dis.uv, before[1])
    valid_HW = ahead.valid_HW.copy()
    valid_HW[100:140, 200:300] = False
    results = []
    for junk in (np.nan, 0.0, -5.0, 3.0):
        depth_HW = ahead.depth_HW.copy()
        depth_HW[100:140, 200:300] = junk
        results.append(estimate_motion(ahead.dis, depth_HW, valid_HW, ahead.camera).matrix)
    for each in results[1:]:
        np.testing.assert_array_equal(results[0], each)


def test_an_initial_motion_helps_and_cannot_mislead(ahead: Pair) -> None:
    for initial in (ahead.T, inverse(ahead.T), rigid((0, 3.0, 0), (50, 0, 0))):
        found = estimate_motion(ahead.exact, ahead.depth_HW, ahead.valid_HW, ahead.camera, initial)
        assert_near(found, ahead.T, 0.05, 0.02)


def test_samples_are_spread_over_the_picture_and_never_repeat() -> None:
    usable = np.zeros((120, 160), np.bool_)
    usable[60:] = True
    usable[5, 5] = True
    at, share = spread_sample(usable, 1000)
    assert len(set(at.tolist())) == at.size
    assert usable.ravel()[at].all()
    assert 500 < at.size <= 192 * 6
    assert 5 * 160 + 5 in at
    assert share == pytest.approx((96 + 1) / 192)
    columns = np.bincount(at % 160 // 10, minlength=16)
    assert columns.min() > 0.8 * columns.max()
    everything, _ = spread_sample(usable, 10**6)
    np.testing.assert_array_equal(np.sort(everything), np.flatnonzero(usable))


@pytest.mark.parametrize("omega", [(0.0, 0.0, 0.0), (1e-9, 0, 0), (1e-4, -2e-4, 0), (0.3, 0.5, -0.2), (0, 3.1, 0)])
def test_rotations_are_rodrigues(omega: tuple[float, float, float]) -> None:
    R = rotation_exp(np.array(omega))
    np.testing.assert_allclose(R, cv2.Rodrigues(np.array(omega, float))[0], atol=1e-12)
    assert rotation_degrees(rigid(omega, (1, 2, 3))) == pytest.approx(np.rad2deg(np.linalg.norm(omega)), abs=1e-12)


def test_pictures_smaller_than_the_grid_of_samples_work() -> None:
    at, share = spread_sample(np.ones((5, 7), np.bool_), 1000)
    np.testing.assert_array_equal(np.sort(at), np.arange(35))
    assert 0 < share <= 1
    assert replace(OdometryConfig(), samples=10).samples == 10
