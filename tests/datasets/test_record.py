"""Records are linked to their nearest neighbours in time, with the motion between, and survive JSON exactly."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.codes import DepthCode, PlainCode
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, Neighbour, SampleRecord, SourceFile, link_neighbours
from segprep.datasets.sample import Camera, Pose, SampleKey
from support.properties import examples

RATE = 30.0


def _frame(frame: int, split: str = "train", sequence: str = "a", *, pose: Pose | None = None) -> SampleRecord:
    name = f"{sequence}_{frame:04d}"
    image = SourceFile(f"{split}/{name}.png", Kind.IMAGE, PlainCode().to_json())
    return SampleRecord(
        SampleKey(name), split, {"image": image}, sequence=sequence, frame=frame, time=frame / RATE, pose=pose
    )


def _pose(place: float) -> Pose:
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(place), -np.sin(place)], [np.sin(place), np.cos(place)]]
    matrix[2, 3] = place
    return Pose(matrix)


def _neighbours(records: list[SampleRecord]) -> dict[str, int | None]:
    return {r.key: None if r.neighbour is None else r.neighbour.frame for r in records}


@pytest.mark.parametrize(
    ("direction", "expected"),
    [(Direction.PREVIOUS, [None, 1, 3, 4]), (Direction.NEXT, [3, 4, 8, None])],
)
def test_the_nearest_earlier_or_later_frame_is_the_neighbour(direction: Direction, expected: list[int | None]) -> None:
    records = [_frame(n) for n in (1, 3, 4, 8)]
    linked = link_neighbours(records, direction, max_gap=1.0)
    assert list(_neighbours(linked).values()) == expected
    for record in linked:
        if record.neighbour is None:
            assert set(record.sources) == {"image"}
            continue
        assert record.neighbour.direction is direction
        assert (record.neighbour.time_difference < 0) == (direction is Direction.PREVIOUS)
        assert record.frame is not None
        assert record.neighbour.time_difference == pytest.approx((record.neighbour.frame - record.frame) / RATE)
        assert record.sources[direction.value].path == f"train/a_{record.neighbour.frame:04d}.png"


def test_frames_that_are_too_far_apart_are_no_pair_and_the_largest_gap_is() -> None:
    linked = link_neighbours([_frame(0), _frame(6), _frame(13)], Direction.PREVIOUS, max_gap=0.2)
    assert _neighbours(linked) == {"a_0000": None, "a_0006": 0, "a_0013": None}


def test_the_neighbour_may_be_in_another_split_but_not_in_another_sequence() -> None:
    records = [_frame(1, "val"), _frame(2, "train"), _frame(2, "train", "b"), _frame(3, "test")]
    linked = link_neighbours(records, Direction.PREVIOUS, max_gap=1.0)
    assert _neighbours(linked) == {"a_0001": None, "a_0002": 1, "b_0002": None, "a_0003": 2}
    assert linked[1].sources["previous"].path == "val/a_0001.png"
    assert [r.split for r in linked] == ["val", "train", "train", "test"]


def test_frames_of_the_same_time_are_not_before_or_after_one_another() -> None:
    left, right = _frame(5), replace(_frame(5), key=SampleKey("a_0005_right"))
    earlier = _frame(4)
    for records in ([earlier, left, right], [right, left, earlier]):
        linked = {r.key: r for r in link_neighbours(records, Direction.PREVIOUS, max_gap=1.0)}
        assert _neighbours(list(linked.values())) == {"a_0004": None, "a_0005": 4, "a_0005_right": 4}
        ahead = link_neighbours(records, Direction.NEXT, max_gap=1.0)
        assert _neighbours(ahead) == {"a_0004": 5, "a_0005": None, "a_0005_right": None}


def test_records_without_time_or_sequence_or_image_stay_as_they_are() -> None:
    no_time, no_sequence = replace(_frame(2), time=None), replace(_frame(3), sequence=None)
    no_image = replace(_frame(4), sources={"label": SourceFile("l.png", Kind.LABEL, {})})
    records = [_frame(1), no_time, no_sequence, no_image, _frame(5)]
    linked = link_neighbours(records, Direction.PREVIOUS, max_gap=1.0)
    assert list(_neighbours(linked).values()) == [None, None, None, None, 1]
    assert linked[1:4] == [no_time, no_sequence, no_image]


def test_a_single_frame_has_no_neighbour_and_no_record_gives_none() -> None:
    assert _neighbours(link_neighbours([_frame(1)], Direction.NEXT, max_gap=9)) == {"a_0001": None}
    assert link_neighbours([], Direction.NEXT, max_gap=9) == []


@examples(60)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), unique=True, max_size=25),
    st.sampled_from(Direction),
    st.integers(1, 12),
)
def test_no_closer_frame_was_overlooked(names: list[tuple[str, int]], direction: Direction, frames_apart: int) -> None:
    records = [_frame(frame, "train", sequence) for sequence, frame in names]
    linked = link_neighbours(records, direction, max_gap=frames_apart / RATE)
    assert [r.key for r in linked] == [r.key for r in records], "in the given order"
    sign = -1 if direction is Direction.PREVIOUS else 1
    for record, (sequence, frame) in zip(linked, names, strict=True):
        distances = [sign * (other - frame) for place, other in names if place == sequence]
        near = [d for d in distances if 0 < d <= frames_apart]
        expected = frame + sign * min(near) if near else None
        assert (None if record.neighbour is None else record.neighbour.frame) == expected


@pytest.mark.parametrize("direction", Direction)
def test_the_motion_takes_points_of_this_camera_to_the_neighbours(direction: Direction) -> None:
    records = [_frame(n, pose=_pose(n / 10)) for n in range(3)]
    here, there = (1, 0) if direction is Direction.PREVIOUS else (1, 2)
    neighbour = link_neighbours(records, direction, max_gap=1.0)[here].neighbour
    assert neighbour is not None
    assert neighbour.motion is not None
    point = np.array([1.0, 2.0, 10.0, 1.0])
    np.testing.assert_allclose(
        _pose(there / 10).matrix @ neighbour.motion @ point, _pose(here / 10).matrix @ point, atol=1e-12
    )


def test_there_is_no_motion_where_a_pose_is_unknown() -> None:
    linked = link_neighbours([_frame(1), _frame(2, pose=_pose(1)), _frame(3)], Direction.PREVIOUS, max_gap=1.0)
    assert [r.neighbour.motion if r.neighbour else "alone" for r in linked] == ["alone", None, None]


_numbers = st.floats(-1e6, 1e6, allow_nan=False)
_matrices = st.lists(st.lists(_numbers, min_size=4, max_size=4), min_size=4, max_size=4).map(np.array)


@examples(40)
@given(st.none() | _matrices, st.none() | _matrices, st.none() | _numbers, st.sampled_from(Direction))
def test_records_survive_json_to_the_last_bit(
    pose: np.ndarray | None, motion: np.ndarray | None, time: float | None, direction: Direction
) -> None:
    sources = {
        "image": SourceFile("train/ä b.png", Kind.IMAGE, PlainCode().to_json()),
        "depth": SourceFile("d/1.png", Kind.DEPTH, DepthCode(0.005, far_code=False).to_json()),
    }
    camera = Camera(np.array([[1 / 3, 0, 0.1], [0, 2 / 3, 0.2], [0, 0, 1]]), 7, 5, 0.1 + 0.2)
    record = SampleRecord(SampleKey("ä"), "train", sources, "s", 4, time, camera, None if pose is None else Pose(pose))
    record = replace(record, neighbour=Neighbour(direction, 3, -1 / 30, motion))
    text = json.dumps(record.to_json())
    read = SampleRecord.from_json(json.loads(text))
    assert json.dumps(read.to_json()) == text
    assert dict(read.sources) == sources
    assert read.neighbour is not None
    assert read.neighbour.direction is direction
    if motion is not None:
        assert read.neighbour.motion is not None
        assert read.neighbour.motion.tobytes() == motion.astype(np.float64).tobytes()
    bare = SampleRecord(SampleKey("x"), "val", {})
    assert SampleRecord.from_json(json.loads(json.dumps(bare.to_json()))).to_json() == bare.to_json()
