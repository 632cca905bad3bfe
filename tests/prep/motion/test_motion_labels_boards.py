"""Which things are called moving, static or unknown in scenes of boards."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.made_classes import MOTION_CLASSES
from segprep.flow.field import FlowField
from segprep.prep.motion.labels import MotionState, Tolerance
from segprep.prep.motion.parallax import find_translation
from support.boards import CAMERA, FORWARD, HEIGHT, PERSON, SECONDS, WIDTH, Board, judge, states
from support.properties import examples


def test_a_standing_camera_has_no_parallax() -> None:
    depth, known = np.full((HEIGHT, WIDTH), np.inf), np.ones((HEIGHT, WIDTH), np.bool_)
    ego = FlowField(np.zeros((HEIGHT, WIDTH, 2), np.float32), known)
    assert find_translation(ego, depth, known, CAMERA).t_3 == pytest.approx(np.zeros(3), abs=1e-9)
    assert states(judge([Board(-80, 10, 12)], np.zeros(3))) == [MotionState.STATIC]
    assert states(judge([Board(-80, 10, 12, moves=(0.05, 0, 0))], np.zeros(3))) == [MotionState.MOVING]


@pytest.mark.parametrize("speed", [0.3, 0.8, 1.7])  # 1.7 m per frame at 15 Hz is 92 km/h
@pytest.mark.parametrize("direction", [1, -1])
def test_parked_cars_stand_however_fast_the_camera_is(speed: float, direction: int) -> None:
    boards = [Board(-120, 20, 9), Board(100, 30, 14, instance=2)]
    found = judge(boards, FORWARD * speed * direction)
    assert states(found) == [MotionState.STATIC] * 2
    assert (found.label_HW != IGNORE_ID).sum() == 2 * 40 * 40


@pytest.mark.parametrize("move", [(0.1, 0, 0), (-0.1, 0, 0), (0, 0.1, 0), (0, -0.1, 0), (0.07, 0, 0.07)])
@pytest.mark.parametrize("direction", [1, -1])
def test_what_moves_moves_in_every_direction(move: tuple[float, float, float], direction: int) -> None:
    boards = [Board(-120, 20, 9, moves=move), Board(100, 30, 14, instance=2)]
    assert states(judge(boards, FORWARD * 0.5 * direction)) == [MotionState.MOVING, MotionState.STATIC]


def test_a_car_that_keeps_its_distance_moves_though_it_shifts_nowhere() -> None:
    ahead = Board(0, 0, 9, moves=(0, 0, 0.6), size=80)
    found = judge([ahead], FORWARD * 0.6)
    (car,) = found.objects
    assert car.state is MotionState.MOVING
    assert car.residual_px is not None
    assert car.residual_px < 0.3, "its median residual hides it"
    parked = replace(ahead, moves=(0, 0, 0), size=120)
    assert states(judge([parked], FORWARD * 0.6)) == [MotionState.STATIC]


@pytest.mark.parametrize(("distance", "state"), [(9, MotionState.STATIC), (40, MotionState.UNKNOWN)])
@pytest.mark.parametrize("speed", [0.0, 0.3, 0.8])
def test_what_stands_is_static_only_where_motion_would_show(distance: float, speed: float, state: MotionState) -> None:
    (car,) = judge([Board(-120, 20, distance)], FORWARD * speed).objects
    assert car.state is state
    assert car.score == pytest.approx(0, abs=0.01)
    assert car.reason == ("" if state is MotionState.STATIC else "motion would not show")


def test_what_moves_slowly_far_away_is_not_static() -> None:
    walks = (0.0, 0.0, 1.3 * SECONDS)
    (far,) = judge([Board(-60, 10, 40, moves=walks, label=PERSON, size=20)], np.zeros(3)).objects
    assert far.score is not None
    assert far.score < Tolerance().static_below, "its flow is that of what stands"
    assert (far.state, far.reason) == (MotionState.UNKNOWN, "motion would not show")


def test_a_thing_straight_ahead_shows_little_of_what_it_does() -> None:
    sizes = [each.least_score for x in (0, -60, -150) for each in judge([Board(x, 0, 12)], np.zeros(3)).objects]
    assert sizes[0] == pytest.approx(0, abs=0.3)
    assert all(each is not None for each in sizes)
    assert sizes == sorted(sizes, key=float)  # type: ignore[arg-type]


@pytest.mark.parametrize(("min_speed", "state"), [(0.5, MotionState.UNKNOWN), (1.0, MotionState.STATIC)])
def test_the_slowest_speed_that_counts_is_said(min_speed: float, state: MotionState) -> None:
    board = Board(-80, 10, 12)
    found = judge([board], np.zeros(3), min_speed=min_speed)
    assert states(found) == [state]
    (slow,), (usual,) = found.objects, judge([board], np.zeros(3)).objects
    assert slow.least_score is not None
    assert usual.least_score == pytest.approx(slow.least_score / min_speed)


def test_twice_the_time_shows_half_the_speed() -> None:
    (car,) = judge([Board(-80, 10, 12)], np.zeros(3), seconds=-2 * SECONDS, min_speed=0.5).objects
    (same,) = judge([Board(-80, 10, 12)], np.zeros(3)).objects
    assert car.least_score == pytest.approx(same.least_score)


@examples(10)
@given(st.integers(0, 2**32 - 1))
def test_a_mirrored_scene_gives_mirrored_labels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boards = [
        Board(-140, 20, float(rng.uniform(7, 20)), moves=(float(rng.normal(scale=0.1)), 0, 0)),
        Board(-40, -10, float(rng.uniform(7, 20)), moves=(0, float(rng.normal(scale=0.1)), 0), instance=2),
        Board(90, 30, float(rng.uniform(7, 20)), moves=(0, 0, float(rng.normal(scale=0.5))), instance=3),
    ]
    camera_t = FORWARD * rng.uniform(-1, 1) + [rng.normal(scale=0.05), 0, 0]
    mirrored = [replace(b, x=-b.x, moves=(-b.moves[0], *b.moves[1:])) for b in boards]
    there, back = judge(boards, camera_t), judge(mirrored, camera_t * [-1, 1, 1])
    for one, other in zip(there.objects, back.objects, strict=True):
        assert one.score == pytest.approx(other.score, rel=0.02, abs=0.01)


def test_the_classes_are_static_and_moving() -> None:
    assert MOTION_CLASSES.names == ("static", "moving")
    assert MOTION_CLASSES.to_train_ids(np.array([[0, 1, 255]], np.uint8)).tolist() == [[0, 1, 255]]
