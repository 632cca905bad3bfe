"""The general RGB-D layout: every variant of its files, and that rows never go to the wrong image."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import rgbd
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Camera

OPEN3D = {"width": 6, "height": 4, "intrinsic_matrix": [10, 0, 0, 0, 11, 0, 2.5, 1.5, 1]}


def scan(root: Path) -> dict[str, SampleRecord]:
    records = list(rgbd.scan(DatasetSource(root), Direction.PREVIOUS))
    assert len({r.key for r in records}) == len(records)
    return {str(r.key): r for r in records}


def recording(folder: Path, *stems: str, pictures: str = "images", suffix: str = ".png") -> Path:
    for stem in stems:
        write_image(folder / pictures / f"{stem}{suffix}", np.zeros((4, 6, 3), np.uint8))
    return folder


def row(x: float, length: int = 12) -> str:
    values = [1, 0, 0, x, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    return " ".join(map(str, values[:length])) + "\n"


def block(x: float, number: int) -> str:
    return f"{number - 1} {number - 1} {number}\n1 0 0 {x}\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"


def places(root: Path) -> dict[str, float | None]:
    """Return key to x of the pose."""
    return {key: None if r.pose is None else float(r.pose.matrix[0, 3]) for key, r in scan(root).items()}


def camera_of(root: Path) -> Camera:
    camera = next(iter(scan(root).values())).camera
    assert camera is not None
    return camera


# --- which recordings and images there are


def test_the_root_or_its_folders_are_recordings(tmp_path: Path) -> None:
    recording(tmp_path / "a", "1", pictures="color", suffix=".jpg")
    recording(tmp_path / "b", "1", pictures="rgb")
    (tmp_path / "c/images").mkdir(parents=True)
    (tmp_path / "test.txt").write_text("b\n")
    assert [(key, r.split, r.sequence, r.sources["image"].path) for key, r in scan(tmp_path).items()] == [
        ("a_1", "train", "a", "a/color/1.jpg"),
        ("b_1", "test", "b", "b/rgb/1.png"),
    ]
    (alone,) = scan(tmp_path / "a").values()
    assert (alone.key, alone.sources["image"].path) == ("1", "color/1.jpg")


def test_a_missing_file_is_promised_where_the_folder_exists(tmp_path: Path) -> None:
    recording(tmp_path, "1", "2")
    assert all(set(r.sources) - {"previous"} == {"image"} for r in scan(tmp_path).values())
    write_image(tmp_path / "depth/2.png", np.ones((4, 6), np.uint16))
    write_image(tmp_path / "depth/3.png", np.ones((4, 6), np.uint16))
    records = scan(tmp_path)
    assert {key: (r.sources["image"].path, r.sources["depth"].path) for key, r in records.items()} == {
        "1": ("images/1.png", "depth/1.png"),
        "2": ("images/2.png", "depth/2.png"),
        "3": ("images/3.png", "depth/3.png"),
    }


def test_labels_bring_classes_and_without_them_there_is_one_that_nothing_uses(tmp_path: Path) -> None:
    recording(tmp_path, "1")
    assert len(rgbd.class_map(DatasetSource(tmp_path)).classes) == 1
    write_image(tmp_path / "labels/1.png", np.array([[3, 7, 255, 3, 3, 3]] * 4, np.uint8))
    assert [c.raw_ids for c in rgbd.class_map(DatasetSource(tmp_path)).classes] == [(3,), (7,)]
    assert scan(tmp_path)["1"].sources["label"].path == "labels/1.png"
    (tmp_path / "labels/1.png").write_bytes(b"broken")
    with pytest.raises(DatasetNotFoundError, match="none of the 1 labels"):
        rgbd.class_map(DatasetSource(tmp_path))


def test_other_folders_are_refused_with_the_layout(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(DatasetNotFoundError, match="ROOT/<recording>/images"):
        scan(tmp_path)


# --- poses and times


def test_rows_belong_to_the_images_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    recording(tmp_path, "10", "9", "100")
    (tmp_path / "poses.txt").write_text(row(0.1) + row(0.2, 16) + row(0.3))
    assert places(tmp_path) == {"9": 0.1, "10": 0.2, "100": 0.3}
    records = scan(tmp_path)
    assert [r.frame for r in records.values()] == [9, 10, 100]
    assert [r.time for r in records.values()] == pytest.approx([0, 1 / 30, 2 / 30])


def test_frames_txt_says_what_the_rows_are_about(tmp_path: Path) -> None:
    recording(tmp_path, "a", "b", "c", "d")
    (tmp_path / "frames.txt").write_text("images/d.png\nb.png\na\n")
    (tmp_path / "poses.txt").write_text(row(0.1) + row(float("nan")) + row(0.3))
    (tmp_path / "timestamps.txt").write_text("50.5\n50.25\n50.125\n")
    assert places(tmp_path) == {"a": 0.3, "b": None, "c": None, "d": 0.1}
    assert [r.time for r in scan(tmp_path).values()] == [-0.375, -0.25, None, 0]
    neighbours = {key: r.neighbour for key, r in scan(tmp_path).items()}
    assert [key for key, near in neighbours.items() if near is not None] == ["b"]
    (tmp_path / "frames.txt").write_text("d\nb\nb\n")
    with pytest.raises(UnreadableFileError, match=r"frames\.txt, line 3: b stands in the list twice"):
        scan(tmp_path)


def test_blocks_of_a_log_may_leave_images_out(tmp_path: Path) -> None:
    recording(tmp_path, "000001", "000002", "000003")
    (tmp_path / "trajectory.log").write_text(block(0.3, 3) + block(0.1, 1))
    assert places(tmp_path) == {"000001": 0.1, "000002": None, "000003": 0.3}
    (tmp_path / "poses.txt").write_text(row(1) + row(2) + row(3))
    assert places(tmp_path)["000002"] == 2, "rows come first"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("poses.txt", row(1)),
        ("poses.txt", row(1) * 3),
        ("timestamps.txt", "1\n"),
        ("trajectory.log", block(0.1, 1) + block(0.2, 3)),
    ],
)
def test_other_numbers_of_rows_than_images_are_refused(tmp_path: Path, name: str, content: str) -> None:
    recording(tmp_path, "5", "6")
    (tmp_path / name).write_text(content)
    with pytest.raises(UnreadableFileError, match=rf"{name} is about . images, but there are 2: .*frames\.txt"):
        scan(tmp_path)


def test_names_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    recording(tmp_path, "left-2", "left-10")
    assert {key: r.frame for key, r in scan(tmp_path).items()} == {"left-2": 0, "left-10": 1}
    shutil.rmtree(tmp_path / "images")
    recording(tmp_path, "1", "01", "2")
    assert {key: r.frame for key, r in scan(tmp_path).items()} == {"01": 0, "1": 1, "2": 2}


# --- intrinsics


@pytest.mark.parametrize("name", ["K.txt", "camera-intrinsics.txt", "intrinsics.txt"])
@pytest.mark.parametrize(
    "content",
    ["10 11 2.5 1.5\n", "10\n11\n2.5\n1.5\n", "10 0 2.5\n0 11 1.5\n0 0 1\n", "10 0 2.5 0 0 11 1.5 0 0 0 1 0 0 0 0 1"],
)
def test_intrinsics_in_text_hold_for_the_images_size(tmp_path: Path, name: str, content: str) -> None:
    recording(tmp_path, "1", "2")
    (tmp_path / "images/1.png").write_bytes(b"broken")
    assert all(r.camera is None for r in scan(tmp_path).values())
    (tmp_path / name).write_text(content)
    camera = camera_of(tmp_path)
    assert camera.K.tolist() == [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (6, 4)


def test_open3ds_json_is_column_by_column_and_has_its_own_size(tmp_path: Path) -> None:
    recording(tmp_path, "1")
    path = tmp_path / "camera_primesense.json"
    path.write_text(json.dumps(OPEN3D | {"width": 640}))
    camera = camera_of(tmp_path)
    assert camera.K.tolist() == [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (640, 4), "the sample fails later, for its size"
    (tmp_path / "camera_2.json").write_text(json.dumps(OPEN3D))
    with pytest.raises(UnreadableFileError, match=r"camera_2\.json, camera_primesense\.json"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{}", "width"),
        ("[]", "no camera of Open3D"),
        ("{", "no camera of Open3D"),
        (json.dumps(OPEN3D | {"width": 0}), "above 0"),
        (json.dumps(OPEN3D | {"width": True}), "above 0"),
        (json.dumps(OPEN3D | {"height": 4.5}), "whole numbers"),
        (json.dumps(OPEN3D | {"intrinsic_matrix": [1, 2]}), "nine numbers"),
        (json.dumps(OPEN3D | {"intrinsic_matrix": None}), "nine numbers"),
        (json.dumps(OPEN3D | {"intrinsic_matrix": ["a"] * 9}), "no camera of Open3D"),
        (json.dumps(OPEN3D | {"intrinsic_matrix": [10, 0, 2.5, 0, 11, 1.5, 0, 0, 1]}), "0 0 1"),
        (json.dumps(OPEN3D | {"intrinsic_matrix": [0, 0, 0, 0, 11, 0, 2.5, 1.5, 1]}), "positive focal lengths"),
        (json.dumps(OPEN3D | {"intrinsic_matrix": [float("nan")] * 9}), "NaN is no number"),
    ],
)
def test_a_broken_json_is_named_with_what_is_wrong(tmp_path: Path, content: str, what: str) -> None:
    recording(tmp_path, "1")
    (tmp_path / "camera.json").write_text(content)
    with pytest.raises(UnreadableFileError) as raised:
        scan(tmp_path)
    assert str(raised.value).startswith(str(tmp_path / "camera.json"))
    assert what in str(raised.value)


# --- real data


@pytest.mark.parametrize(
    ("folder", "frames", "K", "size", "valid"),
    [
        ("hololens", range(4, 13), (495.568, 495.482, 269.503, 169.194), (540, 360), (0.55, 0.8)),
        ("open3d_livingroom", range(5), (525, 525, 319.5, 239.5), (640, 480), (0.8, 0.95)),
    ],
)
def test_real_recordings_are_read_as_they_are(
    shared_data: Path,
    folder: str,
    frames: range,
    K: tuple[float, ...],
    size: tuple[int, int],
    valid: tuple[float, float],
) -> None:
    root = shared_data / "rgbd_pose" / folder
    records = list(scan(root).values())
    assert [r.frame for r in records] == list(frames)
    for record in records:
        camera = record.camera
        assert camera is not None
        np.testing.assert_allclose(camera.K[[0, 1, 0, 1], [0, 1, 2, 2]], K, atol=1e-3)
        assert (camera.width, camera.height) == size
        code = code_from_json(record.sources["depth"].code)
        depth, valid_HW = code.decode(*code.from_file(read_image(root / record.sources["depth"].path)))
        assert valid_HW is not None
        assert valid[0] < valid_HW.mean() < valid[1]
        assert 0.5 < depth[valid_HW].min() < depth[valid_HW].max() < 9
        near = record.neighbour
        assert (near is None) == (record.frame == frames[0])
        if near is not None:
            assert near.motion is not None
            assert near.frame == (record.frame or 0) - 1
            assert 0.001 < np.linalg.norm(near.motion[:3, 3]) < 0.1


def test_a_real_trajectory_and_its_copy_as_rows_say_the_same(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "rgbd_pose" / "open3d_livingroom"
    shutil.copytree(source / "color", tmp_path / "color")
    lines = (source / "trajectory.log").read_text().splitlines()
    rows = [" ".join(lines[start + 1 : start + 5]) for start in range(0, len(lines), 5)]
    (tmp_path / "poses.txt").write_text("\n".join(rows))
    for record, copy in zip(scan(source).values(), scan(tmp_path).values(), strict=True):
        assert record.pose is not None
        assert copy.pose is not None
        np.testing.assert_array_equal(record.pose.matrix, copy.pose.matrix)
