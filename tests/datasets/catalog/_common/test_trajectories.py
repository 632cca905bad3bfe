"""Files of poses are read as what they mean: against rendered truth, against real images, and number by number."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._common.miniature import RenderedRecording, rendered_recordings
from segprep.datasets.catalog._common.recordings import listed_splits, natural_order
from segprep.datasets.catalog._common.trajectories import (
    nearest_pairs,
    quaternion_matrix,
    read_pose,
    rigid_pose,
)
from segprep.datasets.catalog._common.trajectory_forms import read_trajectory
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import read_image
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array, Matrix, Pose
from segprep.datasets.synthetic import camera_pose, make_camera, render
from support.properties import examples

FRAMES = 8
IDENTITY = "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def angle(motion: Matrix, truth: Matrix) -> float:
    """Radians between two rotations."""
    turned = motion[:3, :3] @ truth[:3, :3].T
    return math.asin(min(1.0, float(np.linalg.norm(turned - turned.T)) / math.sqrt(8)))


def scan(name: str, root: Path, direction: Direction = Direction.PREVIOUS) -> list[SampleRecord]:
    return list(CATALOG.load(name).scan(DatasetSource(root), direction))


# --- what the miniatures' records say, against what was rendered


@pytest.fixture(scope="module", params=["sevenscenes", "tum_rgbd", "rgbd"])
def miniature(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    root = tmp_path_factory.mktemp(request.param)
    CATALOG.load(request.param).write_miniature(root, FRAMES)
    return request.param, root


SIZES = {"sevenscenes": 0.2}
"""Of the world in a miniature, against the rendered street."""


def rendered_in(record: SampleRecord) -> RenderedRecording:
    return rendered_recordings(("train", "judged"), FRAMES)[record.split != "train"]


@pytest.mark.parametrize("direction", Direction)
def test_motions_to_the_neighbours_are_the_rendered_ones(miniature: tuple[str, Path], direction: Direction) -> None:
    name, root = miniature
    linked = 0
    for record in scan(name, root, direction):
        world, near = rendered_in(record).world, record.neighbour
        assert record.pose is not None
        assert record.frame is not None
        if near is None:
            continue
        assert near.motion is not None
        assert near.frame - record.frame == (-1 if direction is Direction.PREVIOUS else 1)
        assert near.time_difference == pytest.approx((near.frame - record.frame) / 30, abs=1e-5)
        truth = camera_pose(world, record.frame).motion_to(camera_pose(world, near.frame))
        assert np.abs(near.motion[:3, 3] - truth[:3, 3] * SIZES.get(name, 1)).max() < 1e-6
        assert angle(near.motion, truth) < 1e-7
        linked += 1
    assert linked == FRAMES - 2


def test_cameras_and_depth_are_those_that_were_rendered(miniature: tuple[str, Path]) -> None:
    name, root = miniature
    for record in scan(name, root):
        camera, source = record.camera, record.sources["depth"]
        assert camera is not None
        assert record.frame is not None
        truth = render(rendered_in(record).world, record.frame, camera.width, camera.height)
        np.testing.assert_array_equal(camera.K, make_camera(camera.width, camera.height).K)
        np.testing.assert_array_equal(read_image(root / record.sources["image"].path), truth.rgb_HWC)
        code = code_from_json(source.code)
        depth_HW, valid_HW = code.decode(*code.from_file(read_image(root / source.path)))
        assert valid_HW is not None
        true_HW = truth.depth_HW * SIZES.get(name, 1)
        within_HW = true_HW < 65534 * code.scale[0]
        np.testing.assert_array_equal(valid_HW, within_HW)
        assert 0.1 < within_HW.mean() < 0.9
        assert np.abs(depth_HW - true_HW)[within_HW].max() <= code.scale[0] / 2 * 1.01


# --- real recordings: the motion explains the images


def warp_error(root: Path, record: SampleRecord, motion: Matrix) -> float:
    """Mean grey-level difference to the neighbour where the motion takes the pixels, over the valid ones."""
    assert record.camera is not None
    here, there = (
        cv2.cvtColor(read_image(root / record.sources[c].path), cv2.COLOR_RGB2GRAY).astype(np.float32)
        for c in ("image", "previous")
    )
    code = code_from_json(record.sources["depth"].code)
    depth_HW, valid_HW = code.decode(*code.from_file(read_image(root / record.sources["depth"].path)))
    assert valid_HW is not None
    y, x = np.mgrid[: here.shape[0], : here.shape[1]]
    rays = np.linalg.inv(record.camera.K) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    points = motion @ np.vstack([rays * depth_HW.ravel(), np.ones(x.size)])
    u, v, w = record.camera.K @ points[:3]
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = ((c / w).reshape(here.shape).astype(np.float32) for c in (u, v))
    inside = valid_HW & (column >= 0) & (column <= x.max()) & (row >= 0) & (row <= y.max())
    assert inside.mean() > 0.3
    seen = cv2.remap(there, np.where(inside, column, 0), np.where(inside, row, 0), cv2.INTER_LINEAR)
    return float(np.abs(np.asarray(seen) - here)[inside].mean())


@pytest.mark.parametrize(
    ("name", "folder", "gain"),
    [("rgbd", "open3d_livingroom", 0.4), ("sevenscenes", "7scenes_redkitchen", 0.4), ("rgbd", "hololens", 0.2)],
)
def test_real_images_agree_with_the_motion_and_not_with_inverted_poses(
    shared_data: Path, name: str, folder: str, gain: float
) -> None:
    root = shared_data / "rgbd_pose" / folder
    records = scan(name, root)
    poses = {record.frame: record.pose for record in records}
    right, inverted, still = [], [], []
    for record in records[1:5]:
        near, pose = record.neighbour, record.pose
        assert near is not None
        assert near.motion is not None
        other = poses[near.frame]
        assert pose is not None
        assert other is not None
        right.append(warp_error(root, record, near.motion))
        inverted.append(warp_error(root, record, other.matrix @ np.linalg.inv(pose.matrix)))
        still.append(warp_error(root, record, np.eye(4)))
    assert np.mean(right) < gain * np.mean(still)
    assert np.mean(right) < gain * np.mean(inverted)


# --- matrices and quaternions


def rotation(x: float, y: float, z: float, turn: float) -> Matrix:
    """Rodrigues' formula, by OpenCV."""
    axis: Array = np.array([x, y, z]) / math.hypot(x, y, z) * turn
    R, _ = cv2.Rodrigues(axis)
    return np.asarray(R, np.float64)


unit = st.floats(-1, 1).filter(lambda value: abs(value) > 0.01)


@examples(50)
@given(unit, unit, unit, st.floats(-3, 3), st.floats(0.1, 10))
def test_quaternions_of_any_length_turn_about_their_axis(
    x: float, y: float, z: float, turn: float, size: float
) -> None:
    s = size * math.sin(turn / 2) / math.hypot(x, y, z)
    R = quaternion_matrix(x * s, y * s, z * s, size * math.cos(turn / 2))
    np.testing.assert_allclose(R, rotation(x, y, z, turn), atol=1e-12)


@examples(50)
@given(unit, unit, unit, st.floats(-3, 3), st.lists(st.floats(-1e-3, 1e-3), min_size=9, max_size=9))
def test_rounded_rotations_become_exact_ones(x: float, y: float, z: float, turn: float, noise: list[float]) -> None:
    R = rotation(x, y, z, turn)
    pose = rigid_pose(np.hstack([R + np.reshape(noise, (3, 3)), [[1], [2], [3]]]).ravel().tolist())
    assert pose is not None
    np.testing.assert_allclose(pose.matrix[:3, :3] @ pose.matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.abs(pose.matrix[:3, :3] - R).max() < 4e-3
    assert pose.matrix[:, 3].tolist() == [1, 2, 3, 1]


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
def test_poses_that_are_not_finite_are_none(lost: float) -> None:
    for place in (0, 3, 11):
        values = np.eye(4)[:3].ravel().tolist()
        values[place] = lost
        assert rigid_pose(values) is None
        assert rigid_pose([*values, 0, 0, 0, 1]) is None
    assert rigid_pose([0.0] * 16) is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda M: M.T, "transposed"),
        (lambda M: M @ np.diag([1, 1, -1, 1]), "no rotation"),
        (lambda M: M @ np.diag([1.1, 1.1, 1.1, 1]), "no rotation"),
    ],
)
def test_what_is_no_rigid_transform_is_refused(change: object, what: str) -> None:
    M = np.eye(4)
    M[:3, :3], M[:3, 3] = rotation(1, 2, 3, 0.4), (1, 2, 3)
    assert callable(change)
    with pytest.raises(ValueError, match=what):
        rigid_pose(change(M).ravel().tolist())


# --- files


def test_matrices_may_have_blanks_tabs_commas_comments_and_exponents_of_three_digits(tmp_path: Path) -> None:
    path = text(
        tmp_path / "pose.txt", "\ufeff# camera to world\n 1.0e+000\t0 0 -1.5e-001\r\n0,1,0,2\n\n0 0 1 3\n0 0 0 1"
    )
    pose = read_pose(path)
    assert pose is not None
    assert pose.matrix.tolist() == [[1, 0, 0, -0.15], [0, 1, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    assert read_pose(tmp_path / "none.txt") is None
    for lost in ("nan", "-inf", "-1.#IND", "1.#INF00", "-1.#QNAN0"):
        assert read_pose(text(path, IDENTITY.replace("1 0 0 0", f"1 0 0 {lost}"))) is None


def test_rows_hold_12_or_16_numbers(tmp_path: Path) -> None:
    path = text(tmp_path / "poses.txt", "1 0 0 5 0 1 0 6 0 0 1 7\n1 0 0 8 0 1 0 9 0 0 1 1 0 0 0 1\n" + "nan " * 12)
    first, second, third = read_trajectory(path).rows or []
    assert first is not None
    assert second is not None
    assert third is None
    assert first.matrix[:3, 3].tolist() == [5, 6, 7]
    assert second.matrix[:3, 3].tolist() == [8, 9, 1]


def test_blocks_of_a_log_belong_to_the_frame_that_their_third_number_counts_from_one(tmp_path: Path) -> None:
    block = IDENTITY.replace("1 0 0 0", "1 0 0 {}", 1)
    path = text(tmp_path / "t.log", f"7\t7\t3\n{block.format(5)}0 0 1\n{block.format('nan')}")
    poses = read_trajectory(path).numbered or {}
    assert list(poses) == [2, 0]
    assert poses[0] is None
    pose = poses[2]
    assert isinstance(pose, Pose)
    assert pose.matrix[0, 3] == 5


def test_timed_poses_have_the_scalar_last_and_need_no_unit_length(tmp_path: Path) -> None:
    path = text(tmp_path / "g.txt", "# t x y z qx qy qz qw\n5.5 1 2 3 0 0 2 2\n6.5 1 2 3 0 0 0 0\n7 nan 0 0 0 0 0 1\n")
    (time, pose), lost, unknown = read_trajectory(path).timed or []
    assert time == 5.5
    assert pose is not None
    np.testing.assert_allclose(pose.matrix @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-15)
    assert lost == (6.5, None)
    assert unknown == (7.0, None)


@pytest.mark.parametrize(
    ("reader", "content", "line", "what"),
    [
        (read_pose, "1 0 0 0\n0 1 0 0\n0 0 one 0\n0 0 0 1\n", 3, "'one' is no number"),
        (read_pose, "1 0 0 0\n0 1 0\n0 0 1 0\n0 0 0 1\n", 2, "4 numbers are expected, not 3"),
        (read_pose, "2 0 0 0\n0 2 0 0\n0 0 2 0\n0 0 0 1\n", 1, "no rotation"),
        (read_trajectory, "1 0 0 0 0 1 0 0 0 0 1 0\n1 2 3\n", 2, "16 or 12 numbers are expected, not 3"),
        (read_trajectory, "1 0 0 0 0 1 0 0 0 0 1 0 4 5 6 1\n", 1, "transposed"),
        (read_trajectory, f"0 0 0\n{IDENTITY}", 1, "count from 1"),
        (read_trajectory, f"0 0 1.5\n{IDENTITY}", 1, "no frame's number"),
        (read_trajectory, f"0 0 1\n{IDENTITY}0 0 1\n{IDENTITY}", 6, "a pose already"),
        (read_trajectory, f"0 0 1\n{IDENTITY}1 1 2\n1 0 0 0\n", 6, "truncated"),
        (read_trajectory, f"0 0 1\n{IDENTITY}{IDENTITY}", 6, "3 numbers are expected, not 4"),
        (read_trajectory, "5 1 2 3 0 0 0\n", 1, "16 numbers are expected, not 7"),
        (read_trajectory, "5 1 2 3 0 0 0 1\n6 1\n", 2, "8 numbers are expected, not 2"),
        (read_trajectory, "nan 1 2 3 0 0 0 1\n", 1, "no time"),
    ],
)
def test_broken_files_are_named_with_the_line(
    tmp_path: Path, reader: object, content: str, line: int, what: str
) -> None:
    path = text(tmp_path / "file.txt", content)
    assert callable(reader)
    with pytest.raises(UnreadableFileError) as raised:
        reader(path)
    assert str(raised.value).startswith(f"{path}, line {line}: ")
    assert what in str(raised.value)


def test_files_that_are_no_text_or_too_short_are_named(tmp_path: Path) -> None:
    path = tmp_path / "pose.txt"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(UnreadableFileError, match=r"pose\.txt is no text"):
        read_pose(path)
    with pytest.raises(UnreadableFileError, match=r"pose\.txt holds 1 lines"):
        read_pose(text(path, "1 0 0 0\n"))
    with pytest.raises(UnreadableFileError, match="is a folder where a file is needed"):
        read_pose(tmp_path)


# --- times and names


@examples(100)
@given(*(st.lists(st.integers(0, 60), max_size=12, unique=True) for _ in range(2)), st.integers(0, 6))
def test_pairs_are_one_to_one_within_the_tolerance_and_leave_no_closer_couple(
    times: list[int], others: list[int], tolerance: int
) -> None:
    pairs = nearest_pairs(times, others, tolerance)
    assert len(set(pairs.values())) == len(pairs)
    gap = {i: abs(times[i] - others[j]) for i, j in pairs.items()}
    taken = {j: gap[i] for i, j in pairs.items()}
    assert all(g <= tolerance for g in gap.values())
    for i, time in enumerate(times):
        for j, other in enumerate(others):
            if (near := abs(time - other)) <= tolerance:
                assert min(gap.get(i, math.inf), taken.get(j, math.inf)) <= near


def test_the_nearest_wins_even_if_it_comes_later() -> None:
    assert nearest_pairs([0.0, 1.0], [0.6, 5.0], 0.7) == {1: 0}
    assert nearest_pairs([3.0, 1.0], [1.1, 2.9], 0.2) == {0: 1, 1: 0}
    assert nearest_pairs([1.0], [], 0.2) == {}


def test_names_are_ordered_by_their_numbers() -> None:
    names = ["10.2", "2", "frame-10", "10.10", "frame-9", "02"]
    assert sorted(names, key=natural_order) == ["02", "2", "10.2", "10.10", "frame-9", "frame-10"]


def test_split_lists_name_recordings_and_none_twice(tmp_path: Path) -> None:
    text(tmp_path / "val.txt", "2011_09_26/drive_1/\n# kept apart\nkitchen\n")
    text(tmp_path / "test.txt", "attic\n")
    assert listed_splits(tmp_path) == {"drive_1": "val", "kitchen": "val", "attic": "test"}
    text(tmp_path / "train.txt", "cellar\nattic\n")
    with pytest.raises(UnreadableFileError, match=r"test\.txt, line 1: attic is in train\.txt already"):
        listed_splits(tmp_path)
