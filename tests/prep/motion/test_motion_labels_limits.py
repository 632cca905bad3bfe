"""Motion labels of things and pictures of which little or nothing can be known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Camera
from segprep.datasets.synthetic import make_camera
from segprep.flow.field import FlowField
from segprep.prep.motion.labels import MotionState, Tolerance, label_motion
from support.boards import CAMERA, CAR, FORWARD, HEIGHT, PERSON, SECONDS, WIDTH, Board, judge, states
from support.properties import examples


@pytest.mark.parametrize(("share", "state"), [(0.05, MotionState.UNKNOWN), (0.25, MotionState.MOVING)])
def test_a_thing_is_judged_if_enough_of_it_is_valid(share: float, state: MotionState) -> None:
    board = Board(-80, 10, 12, moves=(0.1, 0, 0))
    valid = np.ones((HEIGHT, WIDTH), np.bool_)
    rows, columns = board.area
    valid[rows.start : rows.stop - round(40 * share), columns] = False
    (car,) = judge([board], np.zeros(3), valid=valid).objects
    assert car.state is state
    assert car.reason == ("" if state is MotionState.MOVING else "too few valid pixels")


def test_tiny_things_are_unknown() -> None:
    boards = [Board(-80, 10, 12, moves=(0.1, 0, 0), size=4), Board(80, 10, 12, size=10, instance=2)]
    found = judge(boards, np.zeros(3))
    assert states(found) == [MotionState.UNKNOWN, MotionState.STATIC]


def test_nothing_valid_means_nothing_known() -> None:
    found = judge([Board(-80, 10, 12)], FORWARD, valid=np.zeros((HEIGHT, WIDTH), np.bool_))
    assert (found.label_HW == IGNORE_ID).all()
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
            assert (blind.label_HW == IGNORE_ID).all()


def test_a_frame_without_movable_things_is_all_ignored() -> None:
    found = judge([], FORWARD)
    assert (found.label_HW == IGNORE_ID).all()
    assert found.objects == ()
    assert found.background_px == pytest.approx(0, abs=1e-4)


def test_ignored_pixels_are_no_background() -> None:
    # The own bonnet fills most of the picture and keeps its distance.
    bonnet = [Board(x, 0, 4, moves=(0, 0, 0.5), size=240, label=IGNORE_ID) for x in (-120, 120)]
    found = judge([*bonnet, Board(-180, 20, 9, instance=2)], FORWARD * 0.5)
    assert found.background_px == pytest.approx(0, abs=1e-4)
    assert states(found) == [MotionState.STATIC]


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
        assert (states(found), found.background_px) == ([state], None)


@examples(40)
@given(st.integers(0, 2**32 - 1))
def test_anything_gives_only_known_labels_on_movable_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    label = rng.choice(np.array([0, PERSON, CAR, IGNORE_ID], np.uint8), shape)
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
    assert (found.label_HW[~movable] == IGNORE_ID).all()
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


@pytest.mark.parametrize("seconds", [0.0, float("nan"), float("inf")])
def test_frames_without_a_time_between_them_are_refused(seconds: float) -> None:
    with pytest.raises(MotionError, match=r"correct the times"):
        judge([Board(-80, 10, 12)], np.zeros(3), seconds=seconds)
