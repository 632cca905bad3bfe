"""Which things of the rendered drive are called moving, against their exact motion."""

from dataclasses import dataclass

import numpy as np
import pytest

from segprep.datasets.sample import Array, Mask, Matrix
from segprep.datasets.synthetic import CLASSES, Frame, Motion, World, camera_pose, drive_world, motion, render
from segprep.flow.camera.ego import ego_flow
from segprep.flow.camera.se3 import inverse
from segprep.flow.consistency import consistent
from segprep.flow.estimators import dis
from segprep.flow.field import FlowField
from segprep.prep.motion.labels import MotionLabels, MotionState, ObjectMotion, Tolerance, label_motion
from segprep.prep.motion.optical import compute_optical_flow
from segprep.prep.motion.parallax import find_translation

PERSON, CAR = CLASSES.names.index("person"), CLASSES.names.index("car")
ROAD, IGNORE = 0, 255
WIDTH, HEIGHT = 512, 256


@dataclass(frozen=True)
class Pair:
    """A frame and the exact motion to its neighbour."""

    frame: Frame
    truth: Motion

    @property
    def label(self) -> Array:
        return CLASSES.to_train_ids(self.frame.label_HW)

    @property
    def movable(self) -> Mask:
        return np.asarray(np.isin(self.label, (PERSON, CAR)))

    @property
    def optical(self) -> FlowField:
        return FlowField(self.truth.flow_HW2.astype(np.float32), self.truth.valid_HW)

    @property
    def ego(self) -> FlowField:
        return FlowField(self.truth.ego_HW2.astype(np.float32), self.truth.valid_HW)

    def labelled(
        self,
        optical: FlowField | None = None,
        ego: FlowField | None = None,
        *,
        depth: Array | None = None,
        instances: bool = True,
        max_range: float | None = None,
        tolerance: Tolerance | None = None,
    ) -> MotionLabels:
        return label_motion(
            self.label,
            self.frame.instance_HW if instances else None,
            optical or self.optical,
            ego or self.ego,
            self.frame.depth_HW if depth is None else depth,
            np.ones(self.label.shape, np.bool_),
            self.frame.camera,
            movable=(PERSON, CAR),
            seconds=1 / World().frame_rate,
            max_range=max_range,
            tolerance=tolerance,
        )

    def shows(self, each: ObjectMotion) -> Mask:
        """Return the pixels of a thing."""
        shown: Mask = (self.frame.instance_HW == each.thing.instance) & (self.label == each.thing.label)
        return shown

    def truly(self, each: ObjectMotion) -> tuple[bool, float, float]:
        """Return whether a thing moves, its true residual and its parallax, in pixels."""
        shown = self.shows(each)
        residual = np.median(np.linalg.norm(self.truth.flow_HW2 - self.truth.ego_HW2, axis=2)[shown])
        return bool(self.truth.moving_HW[shown].mean() > 0.5), float(residual), float(self._parallax()[shown].mean())

    def _parallax(self) -> Array:
        y, x = np.indices(self.label.shape)
        known = np.ones(self.label.shape, np.bool_)
        found = find_translation(self.ego, self.frame.depth_HW, known, self.frame.camera)
        parallax = found.parallax(x.ravel(), y.ravel(), self.frame.depth_HW.ravel())
        length: Array = np.hypot(*parallax.T).reshape(x.shape)
        return length


def _pair(world: World, frame: int, other: int, width: int = WIDTH, height: int = HEIGHT) -> Pair:
    return Pair(render(world, frame, width, height), motion(world, frame, other, width, height))


@pytest.fixture(scope="module", params=[-1, 1], ids=["to the frame before", "to the frame after"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return _pair(drive_world(0, 1), 9, 9 + request.param)


@pytest.fixture(scope="module")
def before() -> Pair:
    return _pair(drive_world(0, 0), 7, 6)


def _motion_of(pair: Pair) -> Matrix:
    """Return the motion of `before` to the frame before."""
    return pair.frame.pose.motion_to(camera_pose(drive_world(0, 0), 6))


def _counts(found: Array, truth: Array, where: Mask) -> Array:
    """Return pixel counts [truly moving][label], labels in the order static, moving, unknown."""
    return np.array([[np.count_nonzero(where & (truth == t) & (found == k)) for k in (0, 1, 255)] for t in (0, 1)])


def _iou(counts: Array, *, strict: bool) -> float:
    """Intersection over union of "moving"; strictly, what is unknown counts as missed."""
    missed = counts[1, 0] + (counts[1, 2] if strict else 0)
    return float(counts[1, 1] / (counts[1, 1] + counts[0, 1] + missed))


def test_exact_flow_shows_exactly_what_clearly_moves(pair: Pair) -> None:
    found = pair.labelled()
    assert found.background_px is not None
    assert found.background_px < 1e-3
    seen = {True: 0, False: 0}
    for each in found.objects:
        if each.state is MotionState.UNKNOWN:
            continue
        moves, residual, parallax = pair.truly(each)
        if not moves:
            assert each.state is MotionState.STATIC
        elif residual > 0.4 + 0.15 * parallax:
            assert each.state is MotionState.MOVING, each
        else:
            continue
        seen[moves] += 1
    assert seen[True] >= 3
    assert seen[False] >= 1
    counts = _counts(found.label_HW, pair.truth.moving_HW, pair.movable)
    assert counts[0, 1] == 0, "no parked car moves"
    assert _iou(counts, strict=False) > 0.93
    assert _iou(counts, strict=True) > 0.85


def test_every_thing_has_one_label_and_the_rest_has_none(pair: Pair) -> None:
    found = pair.labelled()
    assert found.label_HW.dtype == np.uint8
    assert set(np.unique(found.label_HW)) == {0, 1, 255}
    assert (found.label_HW[~pair.movable] == IGNORE).all()
    for each in found.objects:
        shown = pair.shows(each)
        assert np.count_nonzero(shown) == each.thing.pixels
        expected = {MotionState.STATIC: 0, MotionState.MOVING: 1, MotionState.UNKNOWN: 255}[each.state]
        assert (found.label_HW[shown] == expected).all()
        assert bool(each.reason) == (each.state is MotionState.UNKNOWN)


def test_estimated_flow_of_the_papers_size_finds_what_moves() -> None:
    total = np.zeros((2, 3), int)
    for seed, frame in ((0, 7), (1, 19)):
        pair = _pair(drive_world(seed, 0), frame, frame - 1, 768, 384)
        first, second = pair.frame.rgb_HWC, render(drive_world(seed, 0), frame - 1, 768, 384).rgb_HWC
        there = dis.estimate(first, second, dis.PRESETS["fine"])
        back = dis.estimate(second, first, dis.PRESETS["fine"])
        found = pair.labelled(FlowField(there, consistent(there, back)))
        total += _counts(found.label_HW, pair.truth.moving_HW, pair.movable)
    assert total.sum(axis=1).min() > 5000
    assert _iou(total, strict=True) >= 0.8
    assert _iou(total, strict=False) >= 0.92
    assert total[0, 1] <= 0.03 * total[0].sum(), "parked cars"
    assert total[0, 0] >= 0.8 * total[0].sum()


@pytest.mark.parametrize("estimated", [False, True])
def test_what_is_called_static_does_not_move_however_far_it_is(estimated: bool) -> None:
    far = still = hidden = 0
    for sequence, frame in ((0, 5), (0, 25), (1, 15)):
        world = drive_world(0, sequence)
        pair = _pair(world, frame, frame - 1)
        images = pair.frame.rgb_HWC, render(world, frame - 1, WIDTH, HEIGHT).rgb_HWC
        found = pair.labelled(compute_optical_flow(*images) if estimated else None)
        for each in found.objects:
            moves = bool(pair.truth.moving_HW[pair.shows(each)].mean() > 0.5)
            assert each.depth_m is not None
            far += moves and each.depth_m > 40
            still += not moves and each.state is MotionState.STATIC
            hidden += moves and each.reason == "motion would not show"
            assert not (moves and each.state is MotionState.STATIC), each
    assert far >= 50
    assert still >= 2
    assert hidden >= 5, "their flow is that of what stands"


def test_noisy_depth_makes_no_parked_car_move(before: Pair) -> None:
    rng = np.random.default_rng(5)
    noisy = before.frame.depth_HW * (1 + 0.05 * rng.standard_normal(before.label.shape))
    motion_44 = _motion_of(before)
    ego = ego_flow(noisy, np.ones(noisy.shape, np.bool_), before.frame.camera, motion_44)
    found = before.labelled(ego=ego, depth=noisy)
    counts = _counts(found.label_HW, before.truth.moving_HW, before.movable)
    assert counts[0, 1] == 0
    assert counts[0, 0] > 0.8 * counts[0].sum()
    assert _iou(counts, strict=False) > 0.85


def test_without_instances_areas_are_judged(before: Pair) -> None:
    found = before.labelled(instances=False)
    assert {each.thing.instance for each in found.objects} == {0}
    counts = _counts(found.label_HW, before.truth.moving_HW, before.movable)
    assert _iou(counts, strict=False) > 0.85  # cars beside one another, at one depth, are one area


def test_a_small_error_of_rotation_changes_little(before: Pair) -> None:
    angle = 0.002  # about 0.9 px
    turned = np.eye(4)
    turned[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    known = np.ones(before.label.shape, np.bool_)
    ego = ego_flow(before.frame.depth_HW, known, before.frame.camera, turned @ _motion_of(before))
    exact, found = before.labelled(), before.labelled(ego=ego)
    assert found.background_px is not None
    assert found.background_px < 0.2
    decided = (exact.label_HW != IGNORE) & (found.label_HW != IGNORE)
    assert decided.sum() > 0.9 * (exact.label_HW != IGNORE).sum()
    assert np.array_equal(exact.label_HW[decided], found.label_HW[decided])


@pytest.mark.parametrize("wrong", ["read backwards", "forgotten", "of another pair"])
def test_nothing_is_known_if_the_ego_motion_does_not_fit(before: Pair, wrong: str) -> None:
    right = _motion_of(before)
    motions: dict[str, Matrix] = {
        "read backwards": inverse(right),
        "forgotten": np.eye(4),
        "of another pair": right @ right,
    }
    known = np.ones(before.label.shape, np.bool_)
    found = before.labelled(ego=ego_flow(before.frame.depth_HW, known, before.frame.camera, motions[wrong]))
    assert (found.label_HW == IGNORE).all()
    assert set(found.summary()["unknown"]) == {"ego flow does not fit"}
    assert found.background_px is not None
    assert found.background_px > 2
    trusting = before.labelled(
        ego=ego_flow(before.frame.depth_HW, known, before.frame.camera, motions[wrong]),
        tolerance=Tolerance(max_unexplained=10),
    )
    counts = _counts(trusting.label_HW, before.truth.moving_HW, before.movable)
    assert counts[0, 0] + counts[1, 1] < 0.5 * counts.sum(), "which would be wrong"


def test_the_range_makes_far_things_unknown(before: Pair) -> None:
    everything, near = before.labelled(), before.labelled(max_range=20)
    assert [each.thing for each in near.objects] == [each.thing for each in everything.objects]
    far = 0
    for each, unlimited in zip(near.objects, everything.objects, strict=True):
        assert unlimited.depth_m is not None
        if unlimited.depth_m > 20:
            far += unlimited.state is not MotionState.UNKNOWN
            assert (each.state, each.reason) == (MotionState.UNKNOWN, "beyond the range")
        else:
            assert each == unlimited
    assert far >= 3
    assert near.summary()["unknown"]["beyond the range"] >= far
