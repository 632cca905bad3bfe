"""The motion truth of the rendered world: flow, ego flow, moving and occluded pixels, each against other arithmetic."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.sample import Array, Pose
from segprep.datasets.synthetic import (
    Frame,
    Motion,
    RawId,
    World,
    camera_pose,
    follow,
    make_camera,
    motion,
    render,
    things_near,
    trace,
)
from support.properties import examples

WIDTH, HEIGHT = 256, 128
WORLD = World(seed=11, pitch_wobble=0.01)
PAIRS = [(30, 31), (30, 29), (77, 76), (-40, -39)]
PAIRS_BY_OTHER = {b: a for a, b in PAIRS}


@pytest.fixture(scope="module", params=PAIRS, ids=lambda p: f"{p[0]}to{p[1]}")
def pair(request: pytest.FixtureRequest) -> tuple[Frame, Frame, Motion, int]:
    a, b = request.param
    return (
        render(WORLD, a, WIDTH, HEIGHT),
        render(WORLD, b, WIDTH, HEIGHT),
        motion(WORLD, a, b, WIDTH, HEIGHT),
        b,
    )


def pixels(width: int = WIDTH, height: int = HEIGHT) -> Array:
    """(H, W, 2) x and y of the pixel centres."""
    return np.stack(np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float)), axis=-1)


def to_world(frame_pose: Pose, xy: Array, depth: Array) -> Array:
    """(N, 3) world points of image points (N, 2) at depths (N,)."""
    camera = make_camera(WIDTH, HEIGHT)
    X = np.concatenate([xy, np.ones((len(xy), 1))], axis=1) @ np.linalg.inv(camera.K).T * depth[:, None]
    world: Array = X @ frame_pose.matrix[:3, :3].T + frame_pose.matrix[:3, 3]
    return world


def test_ego_flow_is_the_textbook_reprojection_of_the_rendered_depth(pair: tuple[Frame, Frame, Motion, int]) -> None:
    a, b, truth, _ = pair
    K = a.camera.K
    T = np.linalg.inv(b.pose.matrix) @ a.pose.matrix
    rows = []
    for y in range(0, HEIGHT, 3):
        for x in range(0, WIDTH, 3):
            p = np.array([x, y, 1.0])
            q = K @ T[:3, :3] @ np.linalg.inv(K) @ p + K @ T[:3, 3] / a.depth_HW[y, x]
            rows.append(q[:2] / q[2] - p[:2] - truth.ego_HW2[y, x])
    assert np.abs(rows).max() < 1e-3


def test_flow_is_ego_flow_where_nothing_moves_and_another_where_something_does(
    pair: tuple[Frame, Frame, Motion, int],
) -> None:
    a, _, truth, _ = pair
    difference = np.linalg.norm(truth.flow_HW2 - truth.ego_HW2, axis=2)
    moving = truth.moving_HW & truth.valid_HW
    assert moving.sum() > 50
    assert difference[~truth.moving_HW].max() < 1e-9
    assert difference[moving].min() > 1e-9
    near_cars = moving & (a.depth_HW < 30) & (a.label_HW == RawId.CAR)
    assert near_cars.any()
    assert np.median(difference[near_cars]) > 0.5


def test_looking_again_at_the_target_finds_the_same_point(pair: tuple[Frame, Frame, Motion, int]) -> None:
    a, _, truth, other = pair
    seen = ~truth.occluded_HW
    assert seen.mean() > 0.7
    start = pixels()[seen]
    target = start + truth.flow_HW2[seen]
    there = trace(WORLD, other, a.camera, target[:, 0], target[:, 1])
    back = follow(there, PAIRS_BY_OTHER[other])
    assert np.abs(back.flow_HW2 + truth.flow_HW2[seen]).max() < 1e-3
    assert (back.moving_HW == truth.moving_HW[seen]).all()


def test_what_is_hidden_has_something_nearer_in_front_of_it(pair: tuple[Frame, Frame, Motion, int]) -> None:
    a, b, truth, other = pair
    target = pixels() + truth.flow_HW2
    inside = (np.abs(target - [(WIDTH - 1) / 2, (HEIGHT - 1) / 2]) <= [WIDTH / 2, HEIGHT / 2]).all(axis=2)
    assert truth.occluded_HW[~inside].all()
    static = ~truth.moving_HW & np.isfinite(a.depth_HW) & (a.depth_HW < 200)
    hidden = truth.occluded_HW & inside & static & truth.valid_HW
    assert hidden.any()
    there = trace(WORLD, other, a.camera, target[hidden][:, 0], target[hidden][:, 1])
    world = to_world(a.pose, pixels()[hidden], a.depth_HW[hidden])
    expected = (world - b.pose.matrix[:3, 3]) @ b.pose.matrix[:3, 2]
    assert (1 / there.inverse_depth < expected).all()


def test_going_there_and_back_leads_to_the_start(pair: tuple[Frame, Frame, Motion, int]) -> None:
    _, _, truth, other = pair
    back = motion(WORLD, other, PAIRS_BY_OTHER[other], WIDTH, HEIGHT)
    target = (pixels() + truth.flow_HW2).astype(np.float32)
    returned = cv2.remap(back.flow_HW2.astype(np.float32), target[..., 0], target[..., 1], cv2.INTER_LINEAR)
    error = np.linalg.norm(returned + truth.flow_HW2, axis=2)[~truth.occluded_HW]
    assert np.median(error) < 0.01
    assert np.mean(error > 0.5) < 0.06  # interpolating across the edges of things


def test_warping_the_other_picture_by_the_flow_gives_this_one(pair: tuple[Frame, Frame, Motion, int]) -> None:
    a, b, truth, _ = pair
    target = (pixels() + truth.flow_HW2).astype(np.float32)
    seen = ~truth.occluded_HW
    for mine, others in ((a.rgb_HWC, b.rgb_HWC), (a.nir_HW, b.nir_HW)):
        warped = cv2.remap(others, target[..., 0], target[..., 1], cv2.INTER_LINEAR)
        unwarped = np.abs(others[seen].astype(float) - mine[seen]).mean()
        assert np.abs(warped[seen].astype(float) - mine[seen]).mean() < 0.4 * unwarped


def test_an_instance_moves_as_a_whole_or_not_at_all(pair: tuple[Frame, Frame, Motion, int]) -> None:
    a, _, truth, _ = pair
    moving = set(np.unique(a.instance_HW[truth.moving_HW]).tolist())
    standing = set(np.unique(a.instance_HW[~truth.moving_HW]).tolist())
    assert 0 not in moving
    assert not moving & standing


def test_moving_things_keep_their_speed_along_a_straight_road() -> None:
    world = World(seed=2, bend=0.0, traffic_speed=9.0)
    a, other = 12, 13
    frame, truth = render(world, a, WIDTH, HEIGHT), motion(world, a, other, WIDTH, HEIGHT)
    seen = ~truth.occluded_HW & np.isfinite(frame.depth_HW) & (frame.depth_HW < 100)
    target = (pixels() + truth.flow_HW2)[seen]
    there = trace(world, other, frame.camera, target[:, 0], target[:, 1])
    before = to_world(frame.pose, pixels()[seen], frame.depth_HW[seen])
    after = to_world(camera_pose(world, other), target, 1 / there.inverse_depth)
    velocity = (after - before) * world.frame_rate
    ids, moving = frame.instance_HW[seen], truth.moving_HW[seen]
    expected = np.zeros(len(ids))
    expected[(ids > 20000) & (ids <= 30000)] = -9.0
    expected[(ids > 30000) & (ids <= 40000)] = 0.6 * 9.0
    expected[(ids > 40000) & (ids <= 46000)] = 1.3
    expected[ids > 46000] = -1.3
    assert {-9.0, 0.6 * 9.0, 0.0} <= set(expected)
    assert np.abs(velocity[:, 0] - expected).max() < 1e-5
    assert np.abs(velocity[:, 1:]).max() < 1e-5
    assert (moving == (expected != 0)).all()


def test_dense_traffic_moves_more_of_the_picture_and_overlaps_nowhere() -> None:
    usual, dense = World(seed=2, bend=0.0), World(seed=2, bend=0.0, traffic_density=3.0)
    shares = [motion(world, 5, 4, WIDTH, HEIGHT).moving_HW.mean() for world in (usual, dense)]
    assert shares[1] > 2 * shares[0]
    cars = [thing for thing in things_near(dense, 0.0, 1.0) if thing.speed and 20000 < thing.instance <= 40000]
    for speed in {car.speed for car in cars}:
        stations = sorted(car.station for car in cars if car.speed == speed)
        assert min(np.diff(stations)) > 4.9, "a car is as long as that"


def test_driving_forward_makes_the_picture_expand() -> None:
    truth = motion(World(bend=0.0), 0, 1, WIDTH, HEIGHT)
    u, v = truth.ego_HW2[..., 0], truth.ego_HW2[..., 1]
    assert (u[40:, -40:] > 0).all()
    assert (u[40:, :40] < 0).all()
    assert (v[-30:] > 0).all()
    backwards = motion(World(bend=0.0), 0, -1, WIDTH, HEIGHT)
    assert (backwards.ego_HW2[-30:, :, 1] < 0).all()


def test_turning_left_moves_the_background_right() -> None:
    truth = motion(World(speed=0.0, bend=0.0, yaw_rate=0.2), 0, 1, WIDTH, HEIGHT)
    u = truth.ego_HW2[..., 0]
    assert u.min() > 0
    # In the middle a turn by phi moves the picture by about f phi.
    assert u[HEIGHT // 2, WIDTH // 2] == pytest.approx(make_camera(WIDTH, HEIGHT).K[0, 0] * 0.2 / 15, rel=1e-2)


def test_nodding_moves_the_picture_up_and_down() -> None:
    world = World(speed=0.0, bend=0.0, pitch_wobble=0.02)
    pitch = [np.arcsin(camera_pose(world, i).matrix[2, 2]) for i in range(8)]
    for i in range(7):
        v = motion(world, i, i + 1, 64, 32).ego_HW2[..., 1]
        assert (np.sign(v) == np.sign(pitch[i + 1] - pitch[i])).all()


def test_the_sky_moves_by_rotation_alone() -> None:
    straight = render(World(bend=0.0), 3, WIDTH, HEIGHT)
    sky = np.isinf(straight.depth_HW)
    assert sky.any()
    assert np.abs(motion(World(bend=0.0), 3, 4, WIDTH, HEIGHT).ego_HW2[sky]).max() < 1e-9

    turning = World(yaw_rate=0.3)
    frame, truth = render(turning, 3, WIDTH, HEIGHT), motion(turning, 3, 4, WIDTH, HEIGHT)
    R = camera_pose(turning, 4).matrix[:3, :3].T @ frame.pose.matrix[:3, :3]
    H = frame.camera.K @ R @ np.linalg.inv(frame.camera.K)
    sky = np.isinf(frame.depth_HW)
    q = np.concatenate([pixels(), np.ones((HEIGHT, WIDTH, 1))], axis=2)[sky] @ H.T
    assert np.abs(q[:, :2] / q[:, 2:] - pixels()[sky] - truth.ego_HW2[sky]).max() < 1e-9
    assert not truth.moving_HW[sky].any()


def test_points_that_come_behind_the_camera_are_marked() -> None:
    truth = motion(World(speed=8.0), 0, 60, WIDTH, HEIGHT)  # 32 m ahead
    assert 0.1 < np.mean(~truth.valid_HW) < 0.9
    assert truth.occluded_HW[~truth.valid_HW].all()
    assert not truth.flow_HW2[~truth.valid_HW].any()
    assert np.isfinite(truth.flow_HW2).all()


def test_a_frame_does_not_move_against_itself() -> None:
    truth = motion(WORLD, 5, 5, WIDTH, HEIGHT)
    assert np.abs(truth.flow_HW2).max() < 1e-9
    assert not truth.occluded_HW.any()
    assert truth.valid_HW.all()


def test_nothing_moves_when_the_traffic_stands() -> None:
    truth = motion(replace(WORLD, traffic_speed=0.0), 5, 6, WIDTH, HEIGHT)
    assert not truth.moving_HW.any()
    assert (truth.flow_HW2 == truth.ego_HW2).all()


def test_optical_flow_can_follow_the_textures() -> None:
    a, b = render(WORLD, 50), render(WORLD, 51)
    truth = motion(WORLD, 50, 51)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor(f.rgb_HWC, cv2.COLOR_RGB2GRAY) for f in (a, b)]
    found = dis.calc(gray[0], gray[1], np.zeros((256, 512, 2), np.float32))
    static = ~truth.occluded_HW & ~truth.moving_HW
    error = np.linalg.norm(found - truth.flow_HW2, axis=2)[static]
    length = np.linalg.norm(truth.flow_HW2, axis=2)[static]
    assert np.median(length) > 2
    assert np.median(error) < 0.5


@examples(12)
@given(
    world=st.builds(
        World,
        seed=st.integers(0, 2**32 - 1),
        start=st.floats(-1e4, 1e4),
        bend=st.floats(0, 0.3),
        yaw_rate=st.floats(-1, 1),
        pitch_wobble=st.floats(-0.05, 0.05),
    ),
    frame=st.integers(-100, 100),
    step=st.sampled_from([-2, -1, 1, 3]),
)
def test_every_world_has_consistent_truth(world: World, frame: int, step: int) -> None:
    truth = motion(world, frame, frame + step, 64, 32)
    seen = ~truth.occluded_HW
    target = pixels(64, 32)[seen] + truth.flow_HW2[seen]
    back = follow(trace(world, frame + step, make_camera(64, 32), target[:, 0], target[:, 1]), frame)
    assert np.abs(back.flow_HW2 + truth.flow_HW2[seen]).max(initial=0) < 1e-3
    assert np.abs(back.ego_HW2 + truth.ego_HW2[seen])[~back.moving_HW].max(initial=0) < 1e-3
