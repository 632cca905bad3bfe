"""The step of ego flow: what can move by its label does not steer the camera's motion."""

import json
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Sample, SampleKey
from segprep.datasets.synthetic import CLASSES, RawId, drive_world, motion, render
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.se3 import rotation_exp
from segprep.prep.motion.ego_steps import EgoFlow, EgoMode
from segprep.prep.motion.movable import Movable, movable_classes
from segprep.prep.step import Input, Origin

KEY = SampleKey("a")
WIDTH, HEIGHT = 256, 128
CAR = CLASSES.names.index("car")
MOVABLE = Movable(movable_classes(CLASSES))
LABEL = Input("label", Origin.COLUMN, optional=True)
ESTIMATED: tuple[EgoMode, ...] = ("refine", "odometry", "homography")


def _behind_a_bus(*, turning: bool = False) -> tuple[Sample, Array]:
    """Return a sample most of whose picture is one thing that moves, and the true ego flow.

    The camera drives with the drive, or only turns, so that a homography explains all that stands.
    """
    world = drive_world(0, 0)
    frame, truth = render(world, 5, WIDTH, HEIGHT), motion(world, 5, 4, WIDTH, HEIGHT)
    motion_44 = frame.pose.motion_to(render(world, 4, 16, 8).pose)
    known = np.ones((HEIGHT, WIDTH), np.bool_)
    ego, valid = truth.ego_HW2.astype(np.float32), truth.valid_HW
    if turning:
        motion_44 = np.eye(4)
        motion_44[:3, :3] = rotation_exp(np.array([0.002, 0.01, 0.0]))
        found = ego_flow(frame.depth_HW, known, frame.camera, motion_44)
        ego, valid = found.uv, found.valid
    label, flow = CLASSES.to_train_ids(frame.label_HW), ego.copy()
    depth = frame.depth_HW.astype(np.float32)
    label[8:120, 30:226], depth[8:120, 30:226] = CAR, 6.0
    ego_of_bus = ego_flow(depth, known, frame.camera, motion_44)
    bus = np.zeros(known.shape, np.bool_)
    bus[8:120, 30:226] = True
    ego[bus] = ego_of_bus.uv[bus]
    flow[bus] = ego[bus] + np.array([7.0, 0.5], np.float32)  # across, and all of it alike
    valid = valid & ego_of_bus.valid
    sample = Sample(
        KEY,
        {"optical_flow": flow, "depth": depth, "label": label},
        {"optical_flow": Kind.FLOW, "depth": Kind.DEPTH, "label": Kind.LABEL},
        {"optical_flow": valid, "depth": known},
        frame.camera,
        meta={"neighbour": {"direction": "previous", "time_difference": -1 / 15, "motion": motion_44.tolist()}},
    )
    return sample, ego


def _error_px(sample: Sample, exact: Array, mode: EgoMode, movable: Movable | None) -> float:
    cell = EgoFlow(mode, movable=movable)(sample)["ego_flow"]
    assert isinstance(cell.values, np.ndarray)
    assert cell.valid is not None
    where = cell.valid & (sample.arrays["label"] != CAR)
    return float(np.median(np.linalg.norm(cell.values - exact, axis=2)[where]))


@pytest.mark.parametrize("mode", ESTIMATED)
def test_a_thing_that_fills_most_of_the_picture_does_not_steer_the_camera(mode: EgoMode) -> None:
    sample, exact = _behind_a_bus(turning=mode == "homography")
    assert (sample.arrays["label"] == CAR).mean() > 0.6
    assert _error_px(sample, exact, mode, MOVABLE) < 0.1
    with suppress(MotionError):  # or nothing is found
        assert _error_px(sample, exact, mode, None) > 0.5


@pytest.mark.parametrize("mode", ["odometry", "homography"])
def test_samples_without_labels_are_estimated_from_all_pixels(mode: EgoMode) -> None:
    sample, _ = _behind_a_bus(turning=True)
    calm = replace(sample, arrays={**sample.arrays, "optical_flow": sample.arrays["optical_flow"] * 0})
    bare = replace(calm, arrays={name: each for name, each in calm.arrays.items() if name != "label"})
    found, other = (EgoFlow(mode, movable=m)(bare)["ego_flow"].values for m in (MOVABLE, None))
    np.testing.assert_array_equal(np.asarray(found), np.asarray(other))


@pytest.mark.parametrize("mode", ["odometry", "homography"])
def test_a_picture_that_is_all_movable_shows_no_motion_of_the_camera(mode: EgoMode) -> None:
    sample, _ = _behind_a_bus()
    full = replace(sample, arrays={**sample.arrays, "label": np.full((HEIGHT, WIDTH), CAR, np.uint8)})
    with pytest.raises(MotionError, match="may be static"):
        EgoFlow(mode, movable=MOVABLE)(full)


@pytest.mark.parametrize("mode", ESTIMATED)
def test_an_estimate_says_how_good_it_is_and_on_how_many_pixels_it_rests(mode: EgoMode) -> None:
    sample, _ = _behind_a_bus(turning=mode == "homography")
    some, all_of_it = (EgoFlow(mode, movable=m)(sample)["ego_flow"].facts for m in (MOVABLE, None))
    assert {"inlier_share", "residual_px", "pixels"} <= set(some)
    assert some["inlier_share"] > 0.95 > all_of_it["inlier_share"]
    assert 300 <= some["pixels"] < all_of_it["pixels"]


def test_ignored_pixels_and_raw_ids_are_understood() -> None:
    sample, exact = _behind_a_bus()
    raw_HW = CLASSES.to_raw_ids(sample.arrays["label"])
    raw = replace(sample, arrays={**sample.arrays, "label": raw_HW})
    cell = EgoFlow("odometry", movable=Movable(MOVABLE.train_ids, CLASSES))(raw)["ego_flow"]
    same = EgoFlow("odometry", movable=MOVABLE)(sample)["ego_flow"]
    np.testing.assert_array_equal(np.asarray(cell.values), np.asarray(same.values))
    void = replace(sample, arrays={**sample.arrays, "label": np.where(sample.arrays["label"] == CAR, CAR, 255)})
    assert _error_px(void, exact, "odometry", MOVABLE) < 0.1


def test_labels_of_another_size_are_refused() -> None:
    sample, _ = _behind_a_bus()
    small = replace(sample, arrays={**sample.arrays, "label": sample.arrays["label"][::2, ::2]})
    for mode in ESTIMATED:
        with pytest.raises(SizeMismatchError, match=r"static|masks"):
            EgoFlow(mode, movable=MOVABLE)(small)


def test_known_poses_keep_their_fingerprint_and_estimates_get_a_new_one() -> None:
    pose = EgoFlow("pose", movable=MOVABLE)
    assert (pose.version, pose.inputs, pose.parameters) == (2, EgoFlow("pose").inputs, EgoFlow("pose").parameters)
    assert pose.parameters == {"mode": "pose", "direction": "previous"}
    for mode in ESTIMATED:
        step, blind = EgoFlow(mode, movable=MOVABLE), EgoFlow(mode)
        assert step.version == blind.version == 3
        assert LABEL in step.inputs
        assert LABEL not in blind.inputs
        assert json.loads(json.dumps(step.parameters))["movable"] == sorted(MOVABLE.train_ids)


def test_what_can_move_is_known_by_its_usual_name() -> None:
    assert {CLASSES.names[i] for i in movable_classes(CLASSES)} == {"person", "car"}
    assert CLASSES.train_ids_of(np.array([[RawId.CAR]], np.uint8))[0, 0] in movable_classes(CLASSES)
    assert movable_classes(CLASSES, ["road"]) == (CLASSES.names.index("road"),)
    named = replace(CLASSES, classes=tuple(replace(each, name=each.name.upper()) for each in CLASSES.classes))
    assert movable_classes(named) == movable_classes(CLASSES)
