"""Which things are called moving in scenes of boards: rectangles at one depth before a wall."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError, MotionError, SizeMismatchError
from segprep.datasets.made_classes import MOTION_CLASSES
from segprep.datasets.sample import Array, Camera, Mask
from segprep.datasets.synthetic import CLASSES, make_camera
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.se3 import rotation_exp
from segprep.flow.field import FlowField
from segprep.prep.motion.labels import MotionLabels, MotionState, Tolerance, label_motion
from segprep.prep.motion.parallax import find_translation
from support.properties import examples

PERSON, CAR = CLASSES.names.index("person"), CLASSES.names.index("car")
ROAD, IGNORE = 0, 255
WIDTH, HEIGHT = 512, 256
CAMERA = make_camera(WIDTH, HEIGHT)
SECONDS = 1 / 15
FORWARD = np.array([0.0, 0.0, -1.0])  # how the scene moves when the camera drives 1 m ahead


@dataclass(frozen=True)
class Board:
    """A thing: where it is seen, how far away, and by how much it moves, in metres of the camera's axes."""

    x: float
    y: float
    z: float
    moves: tuple[float, float, float] = (0.0, 0.0, 0.0)
    size: int = 40
    label: int = CAR
    instance: int = 1
    believed: float = 1.0  # what its depth is multiplied with before anybody sees it

    @property
    def area(self) -> tuple[slice, slice]:
        x, y = round(CAMERA.K[0, 2] + self.x), round(CAMERA.K[1, 2] + self.y)
        half = self.size // 2
        return slice(y - half, y + half), slice(x - half, x + half)


def _project(depth: Array, t: Array) -> Array:
    """Return the flow (H, W, 2) of points that move by t, a vector or one per pixel."""
    y, x = np.indices(depth.shape)
    rays = np.stack([x, y, np.ones_like(x)], axis=2) @ np.linalg.inv(CAMERA.K).T
    moved = (rays * depth[..., None] + t) @ CAMERA.K.T
    uv_HW2: Array = moved[..., :2] / moved[..., 2:] - np.stack([x, y], axis=2)
    return uv_HW2


def _judged(
    boards: Sequence[Board],
    camera_t: Array,
    *,
    valid: Mask | None = None,
    flow_error: Array | float = 0.0,
    instances: bool = True,
    tolerance: Tolerance | None = None,
    max_range: float | None = None,
    min_speed: float = 1.0,
    seconds: float = SECONDS,
) -> MotionLabels:
    shape = HEIGHT, WIDTH
    label, instance = np.full(shape, ROAD, np.uint8), np.zeros(shape, np.uint16)
    depth = np.broadcast_to(np.linspace(60, 15, HEIGHT)[:, None], shape).copy()
    believed, t = depth.copy(), np.broadcast_to(camera_t, (*shape, 3)).copy()
    for board in boards:
        label[board.area], instance[board.area] = board.label, board.instance
        depth[board.area], believed[board.area] = board.z, board.z * board.believed
        t[board.area] = camera_t + board.moves
    known = np.ones(shape, np.bool_)
    optical = FlowField((_project(depth, t) + flow_error).astype(np.float32), known if valid is None else valid)
    ego = FlowField(_project(believed, camera_t).astype(np.float32), known)
    return label_motion(
        label,
        instance if instances else None,
        optical,
        ego,
        believed,
        known,
        CAMERA,
        movable=(PERSON, CAR),
        seconds=seconds,
        tolerance=tolerance,
        max_range=max_range,
        min_speed=min_speed,
    )


def _states(found: MotionLabels) -> list[MotionState]:
    return [each.state for each in found.objects]


def test_the_translation_is_that_of_the_scene_and_makes_the_parallax() -> None:
    depth = np.broadcast_to(np.linspace(60, 15, HEIGHT)[:, None], (HEIGHT, WIDTH)).copy()
    depth[60:120, 300:380] = 8
    turn = np.array([[1, -0.002, 0.004], [0.002, 1, 0.003], [-0.004, -0.003, 1]])
    left, _, right = np.linalg.svd(turn)
    motion_44 = np.eye(4)
    motion_44[:3, :3], motion_44[:3, 3] = left @ right, (0.03, -0.02, -0.2)
    known = np.ones(depth.shape, np.bool_)
    ego = ego_flow(depth, known, CAMERA, motion_44)
    found = find_translation(ego, depth, known, CAMERA)
    assert found.t_3 == pytest.approx([0.03, -0.02, -0.2], abs=0.004)
    rotation = motion_44.copy()
    rotation[:3, 3] = 0
    exact = ego.uv - ego_flow(depth, known, CAMERA, rotation).uv
    y, x = np.nonzero(ego.valid)
    error = np.linalg.norm(found.parallax(x, y, depth[y, x]) - exact[y, x], axis=1)
    assert error.max() < 0.05 * np.linalg.norm(exact[y, x], axis=1).max()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("angle", [0.005, -0.005])
def test_a_camera_that_only_turns_has_no_translation(axis: int, angle: float) -> None:
    depth = np.broadcast_to(np.linspace(60, 15, HEIGHT)[:, None], (HEIGHT, WIDTH)).copy()
    depth[60:120, 300:380] = 8
    motion_44 = np.eye(4)
    motion_44[:3, :3] = rotation_exp(angle * np.eye(3)[axis])
    known = np.ones(depth.shape, np.bool_)
    found = find_translation(ego_flow(depth, known, CAMERA, motion_44), depth, known, CAMERA)
    assert found.t_3 == pytest.approx(np.zeros(3), abs=0.001)


def test_a_standing_camera_has_no_parallax() -> None:
    depth, known = np.full((HEIGHT, WIDTH), np.inf), np.ones((HEIGHT, WIDTH), np.bool_)
    ego = FlowField(np.zeros((HEIGHT, WIDTH, 2), np.float32), known)
    assert find_translation(ego, depth, known, CAMERA).t_3 == pytest.approx(np.zeros(3), abs=1e-9)
    assert _states(_judged([Board(-80, 10, 12)], np.zeros(3))) == [MotionState.STATIC]
    assert _states(_judged([Board(-80, 10, 12, moves=(0.05, 0, 0))], np.zeros(3))) == [MotionState.MOVING]


@pytest.mark.parametrize("speed", [0.3, 0.8, 1.7])  # 1.7 m per frame at 15 Hz is 92 km/h
@pytest.mark.parametrize("direction", [1, -1])
def test_parked_cars_stand_however_fast_the_camera_is(speed: float, direction: int) -> None:
    boards = [Board(-120, 20, 9), Board(100, 30, 14, instance=2)]
    found = _judged(boards, FORWARD * speed * direction)
    assert _states(found) == [MotionState.STATIC] * 2
    assert (found.label_HW != IGNORE).sum() == 2 * 40 * 40


@pytest.mark.parametrize("move", [(0.1, 0, 0), (-0.1, 0, 0), (0, 0.1, 0), (0, -0.1, 0), (0.07, 0, 0.07)])
@pytest.mark.parametrize("direction", [1, -1])
def test_what_moves_moves_in_every_direction(move: tuple[float, float, float], direction: int) -> None:
    boards = [Board(-120, 20, 9, moves=move), Board(100, 30, 14, instance=2)]
    assert _states(_judged(boards, FORWARD * 0.5 * direction)) == [MotionState.MOVING, MotionState.STATIC]


def test_a_car_that_keeps_its_distance_moves_though_it_shifts_nowhere() -> None:
    ahead = Board(0, 0, 9, moves=(0, 0, 0.6), size=80)
    found = _judged([ahead], FORWARD * 0.6)
    (car,) = found.objects
    assert car.state is MotionState.MOVING
    assert car.residual_px is not None
    assert car.residual_px < 0.3, "its median residual hides it"
    parked = replace(ahead, moves=(0, 0, 0), size=120)
    assert _states(_judged([parked], FORWARD * 0.6)) == [MotionState.STATIC]


@pytest.mark.parametrize(("distance", "state"), [(9, MotionState.STATIC), (40, MotionState.UNKNOWN)])
@pytest.mark.parametrize("speed", [0.0, 0.3, 0.8])
def test_what_stands_is_static_only_where_motion_would_show(distance: float, speed: float, state: MotionState) -> None:
    (car,) = _judged([Board(-120, 20, distance)], FORWARD * speed).objects
    assert car.state is state
    assert car.score == pytest.approx(0, abs=0.01)
    assert car.reason == ("" if state is MotionState.STATIC else "motion would not show")


def test_what_moves_slowly_far_away_is_not_static() -> None:
    walks = (0.0, 0.0, 1.3 * SECONDS)
    (far,) = _judged([Board(-60, 10, 40, moves=walks, label=PERSON, size=20)], np.zeros(3)).objects
    assert far.score is not None
    assert far.score < Tolerance().static_below, "its flow is that of what stands"
    assert (far.state, far.reason) == (MotionState.UNKNOWN, "motion would not show")


def test_a_thing_straight_ahead_shows_little_of_what_it_does() -> None:
    sizes = [each.least_score for x in (0, -60, -150) for each in _judged([Board(x, 0, 12)], np.zeros(3)).objects]
    assert sizes[0] == pytest.approx(0, abs=0.3)
    assert all(each is not None for each in sizes)
    assert sizes == sorted(sizes, key=float)  # type: ignore[arg-type]


@pytest.mark.parametrize(("min_speed", "state"), [(0.5, MotionState.UNKNOWN), (1.0, MotionState.STATIC)])
def test_the_slowest_speed_that_counts_is_said(min_speed: float, state: MotionState) -> None:
    board = Board(-80, 10, 12)
    found = _judged([board], np.zeros(3), min_speed=min_speed)
    assert _states(found) == [state]
    (slow,), (usual,) = found.objects, _judged([board], np.zeros(3)).objects
    assert slow.least_score is not None
    assert usual.least_score == pytest.approx(slow.least_score / min_speed)


def test_twice_the_time_shows_half_the_speed() -> None:
    (car,) = _judged([Board(-80, 10, 12)], np.zeros(3), seconds=-2 * SECONDS, min_speed=0.5).objects
    (same,) = _judged([Board(-80, 10, 12)], np.zeros(3)).objects
    assert car.least_score == pytest.approx(same.least_score)


@pytest.mark.parametrize("seconds", [0.0, float("nan"), float("inf")])
def test_frames_without_a_time_between_them_are_refused(seconds: float) -> None:
    with pytest.raises(MotionError, match=r"correct the times"):
        _judged([Board(-80, 10, 12)], np.zeros(3), seconds=seconds)


def test_flow_of_thin_things_is_trusted_less() -> None:
    small = (0.35 * 12 / float(CAMERA.K[0, 0]), 0.0, 0.0)
    (wide,) = _judged([Board(-80, 10, 12, moves=small)], np.zeros(3)).objects
    (thin,) = _judged([Board(-80, 10, 12, moves=small, size=8)], np.zeros(3)).objects
    assert wide.state is MotionState.MOVING
    assert thin.residual_px == pytest.approx(wide.residual_px, abs=0.02)
    assert (thin.state, thin.reason) == (MotionState.UNKNOWN, "in doubt")


def test_depth_excuses_motion_along_the_cameras_path_and_no_other() -> None:
    camera_t = FORWARD * 1.5
    beside = Board(150, 0, 15)  # its parallax is 15 px to the right
    along = replace(beside, moves=(0, 0, -0.09))  # looks like 6 % more parallax: 0.9 px
    across = replace(beside, moves=(0, 0.9 * 15 / float(CAMERA.K[1, 1]), 0))
    found = _judged([along], camera_t), _judged([across], camera_t)
    sizes = [each.objects[0].residual_px for each in found]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.3), "equally long"
    assert found[0].objects[0].state is not MotionState.MOVING
    assert found[1].objects[0].state is MotionState.MOVING


@pytest.mark.parametrize("error", [0.95, 0.97, 1.03, 1.05])
def test_a_depth_that_is_wrong_by_a_standard_deviation_moves_nothing(error: float) -> None:
    (car,) = _judged([Board(-150, 20, 10, believed=error)], FORWARD).objects
    assert car.state is not MotionState.MOVING
    assert car.score is not None
    assert car.score < 1.2
    (badly,) = _judged([Board(-150, 20, 10, believed=1.4)], FORWARD).objects
    assert badly.score is not None
    assert badly.score > 2


def test_what_errors_may_or_may_not_explain_is_unknown() -> None:
    small = 0.25 * 12 / float(CAMERA.K[0, 0])  # a quarter of a pixel; the flow's standard deviation is 0.15
    (car,) = _judged([Board(-80, 10, 12, moves=(small, 0, 0))], np.zeros(3)).objects
    assert (car.state, car.reason) == (MotionState.UNKNOWN, "in doubt")
    assert car.residual_px == pytest.approx(0.25, abs=0.02)
    assert car.score == pytest.approx(0.25 / (0.15 + 0.5 / 40), rel=0.05)
    strict = Tolerance(static_below=0.5, moving_above=1.5)
    assert _states(_judged([Board(-80, 10, 12, moves=(small, 0, 0))], np.zeros(3), tolerance=strict)) == [
        MotionState.MOVING
    ]


def test_a_restless_background_raises_the_limit() -> None:
    board = Board(-80, 10, 12, moves=(0.35 * 12 / float(CAMERA.K[0, 0]), 0, 0))
    rng = np.random.default_rng(2)
    calm = _judged([board], np.zeros(3))
    restless = _judged([board], np.zeros(3), flow_error=rng.normal(scale=0.3, size=(HEIGHT, WIDTH, 2)))
    assert restless.background_px == pytest.approx(0.3 * 1.177, rel=0.05)  # median of a Rayleigh distribution
    assert _states(calm) == [MotionState.MOVING]
    assert _states(restless) == [MotionState.UNKNOWN]


def test_flow_mixed_along_the_edge_does_not_count() -> None:
    board = Board(-80, 10, 12, size=12)
    rows, columns = board.area
    mixed = np.zeros((HEIGHT, WIDTH, 2))
    mixed[board.area] = 4.0
    mixed[rows.start + 3 : rows.stop - 3, columns.start + 3 : columns.stop - 3] = 0  # 36 of 144 pixels are right
    assert _states(_judged([board], np.zeros(3), flow_error=mixed)) == [MotionState.STATIC]
    loose = Tolerance(border_px=0)
    assert _states(_judged([board], np.zeros(3), flow_error=mixed, tolerance=loose)) == [MotionState.UNKNOWN]


def test_pixels_that_disagree_make_no_motion() -> None:
    board = Board(-80, 10, 12)
    torn = np.zeros((HEIGHT, WIDTH, 2))
    torn[board.area] = np.random.default_rng(1).normal(size=(40, 40, 2)) * 20 + [3, 0]
    (car,) = _judged([board], np.zeros(3), flow_error=torn).objects
    assert (car.state, car.reason) == (MotionState.UNKNOWN, "its pixels disagree")


@pytest.mark.parametrize(("share", "state"), [(0.05, MotionState.UNKNOWN), (0.25, MotionState.MOVING)])
def test_a_thing_is_judged_if_enough_of_it_is_valid(share: float, state: MotionState) -> None:
    board = Board(-80, 10, 12, moves=(0.1, 0, 0))
    valid = np.ones((HEIGHT, WIDTH), np.bool_)
    rows, columns = board.area
    valid[rows.start : rows.stop - round(40 * share), columns] = False
    (car,) = _judged([board], np.zeros(3), valid=valid).objects
    assert car.state is state
    assert car.reason == ("" if state is MotionState.MOVING else "too few valid pixels")


def test_tiny_things_are_unknown() -> None:
    boards = [Board(-80, 10, 12, moves=(0.1, 0, 0), size=4), Board(80, 10, 12, size=10, instance=2)]
    found = _judged(boards, np.zeros(3))
    assert _states(found) == [MotionState.UNKNOWN, MotionState.STATIC]


def test_nothing_valid_means_nothing_known() -> None:
    found = _judged([Board(-80, 10, 12)], FORWARD, valid=np.zeros((HEIGHT, WIDTH), np.bool_))
    assert (found.label_HW == IGNORE).all()
    assert found.background_px is None
    assert found.summary() == {
        "things": {"static": 0, "moving": 0, "unknown": 1},
        "unknown": {"too few valid pixels": 1},
        "background_px": None,
    }
    shape = HEIGHT, WIDTH
    none, nothing = np.zeros(shape, np.bool_), FlowField(np.zeros((*shape, 2), np.float32), np.zeros(shape, np.bool_))
    label = np.full(shape, CAR, np.uint8)
    for depth in (np.full(shape, np.nan), np.zeros(shape), np.full(shape, np.inf)):
        for valid in (none, ~none):
            blind = label_motion(
                label, None, nothing, nothing, depth, valid, CAMERA, movable=(CAR,), seconds=SECONDS, max_range=40
            )
            assert (blind.label_HW == IGNORE).all()


def test_a_frame_without_movable_things_is_all_ignored() -> None:
    found = _judged([], FORWARD)
    assert (found.label_HW == IGNORE).all()
    assert found.objects == ()
    assert found.background_px == pytest.approx(0, abs=1e-4)


def test_ignored_pixels_are_no_background() -> None:
    # The own bonnet fills most of the picture and keeps its distance.
    bonnet = [Board(x, 0, 4, moves=(0, 0, 0.5), size=240, label=IGNORE) for x in (-120, 120)]
    found = _judged([*bonnet, Board(-180, 20, 9, instance=2)], FORWARD * 0.5)
    assert found.background_px == pytest.approx(0, abs=1e-4)
    assert _states(found) == [MotionState.STATIC]


def test_a_thing_that_fills_the_picture_is_judged_without_background() -> None:
    shape = HEIGHT, WIDTH
    known = np.ones(shape, np.bool_)
    still = FlowField(np.zeros((*shape, 2), np.float32), known)
    for shift, state in ((0.0, MotionState.UNKNOWN), (2.0, MotionState.MOVING)):  # it may come straight on
        optical = FlowField(np.full((*shape, 2), shift, np.float32), known)
        found = label_motion(
            np.full(shape, CAR, np.uint8),
            None,
            optical,
            still,
            np.full(shape, 9.0),
            known,
            CAMERA,
            movable=(CAR,),
            seconds=SECONDS,
        )
        assert (_states(found), found.background_px) == ([state], None)


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
    there, back = _judged(boards, camera_t), _judged(mirrored, camera_t * [-1, 1, 1])
    for one, other in zip(there.objects, back.objects, strict=True):
        assert one.score == pytest.approx(other.score, rel=0.02, abs=0.01)


@examples(40)
@given(st.integers(0, 2**32 - 1))
def test_anything_gives_only_known_labels_on_movable_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    label = rng.choice(np.array([ROAD, PERSON, CAR, IGNORE], np.uint8), shape)
    uv = rng.normal(scale=5, size=(2, *shape, 2)).astype(np.float32)
    depth = rng.choice([0.0, 1e-9, 3.0, 50.0, np.inf, np.nan, -4.0], shape)
    masks = rng.random((3, *shape)) < rng.random((3, 1, 1))
    camera = Camera(np.array([[30, 0, shape[1] / 2], [0, 30, shape[0] / 2], [0, 0, 1.0]]), shape[1], shape[0])
    instance = rng.integers(0, 4, shape).astype(np.uint16) if rng.random() < 0.5 else None
    found = label_motion(
        label,
        instance,
        FlowField(uv[0], masks[0]),
        FlowField(uv[1], masks[1]),
        depth,
        masks[2],
        camera,
        movable=(PERSON, CAR),
        seconds=SECONDS,
        tolerance=Tolerance(min_pixels=1, min_valid=0),
    )
    assert set(np.unique(found.label_HW)) <= {0, 1, 255}
    movable = np.isin(label, (PERSON, CAR))
    assert (found.label_HW[~movable] == IGNORE).all()
    assert sum(each.thing.pixels for each in found.objects) == movable.sum()
    assert all(each.score is None or np.isfinite(each.score) for each in found.objects)


def test_sizes_must_agree() -> None:
    shape = HEIGHT, WIDTH
    known = np.ones(shape, np.bool_)
    flow = FlowField(np.zeros((*shape, 2), np.float32), known)
    label, depth = np.zeros(shape, np.uint8), np.ones(shape)
    with pytest.raises(SizeMismatchError, match="ego flow 512x256, depth 511x256"):
        label_motion(label, None, flow, flow, depth[:, 1:], known, CAMERA, movable=(CAR,), seconds=SECONDS)
    with pytest.raises(SizeMismatchError, match="instances 256x256"):
        label_motion(label, label[:, :256], flow, flow, depth, known, CAMERA, movable=(CAR,), seconds=SECONDS)
    with pytest.raises(SizeMismatchError, match="camera 256x128"):
        label_motion(label, None, flow, flow, depth, known, make_camera(256, 128), movable=(CAR,), seconds=SECONDS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flow_px", 0.0),
        ("flow_share", -0.1),
        ("thin_px", -0.1),
        ("depth_share", float("nan")),
        ("static_below", 0.0),
        ("static_below", 3.0),
        ("moving_above", float("inf")),
        ("min_pixels", 0),
        ("min_valid", 1.5),
        ("min_agreement", -0.5),
        ("border_px", -1),
        ("max_unexplained", -1.0),
    ],
)
def test_tolerances_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError):
        Tolerance(**{name: value})  # type: ignore[arg-type]


def test_the_classes_are_static_and_moving() -> None:
    assert MOTION_CLASSES.names == ("static", "moving")
    assert MOTION_CLASSES.to_train_ids(np.array([[0, 1, 255]], np.uint8)).tolist() == [[0, 1, 255]]
