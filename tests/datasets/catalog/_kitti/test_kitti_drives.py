"""Drives of KITTI's raw data of which parts are missing or broken."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import kitti_raw
from segprep.datasets.catalog._kitti.calibration import CALIBRATION_FILES
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import read_image, write_image
from support.kitti import scan
from support.listing import scan_telling

FRAMES = 5
DATE = "2011_09_26"
DRIVE = f"{DATE}/{DATE}_drive_0001_sync"
SIZE = (192, 96)


def test_without_calibration_there_are_images_with_times(root: Path) -> None:
    for name in CALIBRATION_FILES:
        (root / DATE / name).unlink()
    records = scan(root)
    assert len(records) == FRAMES
    assert all(r.camera is None and r.pose is None for r in records)
    assert sum(r.neighbour is not None for r in records) == FRAMES - 2


@pytest.mark.parametrize("name", CALIBRATION_FILES[1:])
def test_without_the_way_to_the_unit_there_is_a_camera_and_no_pose(root: Path, name: str) -> None:
    (root / DATE / name).unlink()
    for record in scan(root):
        assert record.camera is not None
        assert record.camera.mount is None
        assert record.camera.baseline is not None
        assert record.pose is None


def test_frames_without_a_packet_or_with_an_unknown_place_have_no_pose(root: Path) -> None:
    before = scan(root)
    packets = root / DRIVE / "oxts/data"
    (packets / "0000000001.txt").unlink()
    lost = (packets / "0000000002.txt").read_text().split()
    (packets / "0000000002.txt").write_text(" ".join(["nan", *lost[1:]]))
    after = scan(root)
    assert [r.pose is None for r in after] == [False, True, True, False, False]
    assert before[3].pose is not None
    assert after[3].pose is not None
    np.testing.assert_array_equal(after[3].pose.matrix, before[3].pose.matrix)
    assert after[3].neighbour is not None
    assert after[3].neighbour.motion is None
    (packets / "0000000000.txt").unlink()
    assert [r.pose is None for r in scan(root)] == [True, True, True, False, False]


def test_without_time_stamps_ten_frames_are_a_second(root: Path) -> None:
    (root / DRIVE / "image_02/timestamps.txt").unlink()
    (root / DRIVE / "image_02/data/0000000002.png").unlink()
    records = [r for r in scan(root) if r.split == "train"]
    assert [r.time for r in records] == pytest.approx([0, 0.1, 0.3])
    assert [None if r.neighbour is None else r.neighbour.frame for r in records] == [None, 0, 1]


def test_images_may_be_jpeg_and_other_files_are_left_alone(root: Path) -> None:
    data = root / DRIVE / "image_02/data"
    write_image(data / "0000000003.jpg", read_image(data / "0000000003.png"))
    (data / "0000000003.png").unlink()
    write_image(data / "cover.png", np.zeros((2, 2), np.uint8))
    (root / DATE / f"{DATE}_drive_0009_extract").mkdir()
    (root / "devkit").mkdir()
    records = scan(root)
    assert len(records) == FRAMES
    assert records[3].sources["image"].path.endswith("0000000003.jpg")


def test_the_camera_holds_for_the_calibrated_size_and_without_one_for_the_images(root: Path) -> None:
    data = root / DRIVE / "image_02/data"
    for path in data.iterdir():
        write_image(path, np.zeros((48, 96, 3), np.uint8))
    record = scan(root)[0]
    assert record.camera is not None
    assert (record.camera.width, record.camera.height) == SIZE, "shrunk images fail for their size"
    path = root / DATE / CALIBRATION_FILES[0]
    path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines() if "S_rect" not in line))
    record = scan(root)[0]
    assert record.camera is not None
    assert (record.camera.width, record.camera.height) == (96, 48)


def test_a_folder_without_images_is_refused_with_the_layout(real: Path) -> None:
    for use in (scan, lambda r: kitti_raw.class_map(DatasetSource(r))):
        with pytest.raises(DatasetNotFoundError, match="ROOT/<date>/<date>_drive_<NNNN>_sync/image_02"):
            use(real)


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-26 13:02:25.9\n26.9.2011\n", "line 2: '26.9.2011' is no time"),
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-31 13:02:25.9\n", "line 1: '2011-09-31 13:02:25.9' is no time"),
        (f"{DATE}/calib_cam_to_cam.txt", "R_rect_00: 1 0 0 0 1 0 0 0 1\n", "has no P_rect_02"),
        (f"{DATE}/calib_cam_to_cam.txt", "P_rect_02: 0 0 9 0 0 7 4 0 0 0 1 0\n", "line 1: P_rect_02 is no projection"),
        (f"{DATE}/calib_cam_to_cam.txt", "P_rect_02 7 0 9 0\n", "line 1: 'name: numbers' is expected"),
        (f"{DATE}/calib_velo_to_cam.txt", "a: 1\nR: 1 0 0 0 1 0 0 0\n", "line 2: 9 numbers are expected, not 8"),
        (f"{DATE}/calib_imu_to_velo.txt", "R: 1 0 0 0 1 0 0 0 1\nT: 0 inf 0\n", "line 2: NaN or infinity"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(root: Path, file: str, content: str, what: str) -> None:
    (root / file).write_text(content)
    with pytest.raises(UnreadableFileError) as raised:
        scan(root)
    assert str(raised.value).startswith(str(root / file))
    assert what in str(raised.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("49 8 116 0 0\n", "line 1: 30 numbers are expected, not 5"),
        ("90 8" + " 0" * 28, "line 1: 90.0 degrees are no latitude"),
        ("", "holds 0 lines"),
    ],
)
def test_a_broken_packet_is_told_and_its_frame_has_no_pose(root: Path, content: str, what: str) -> None:
    path = root / DRIVE / "oxts/data/0000000001.txt"
    path.write_text(content)
    records, told = scan_telling(kitti_raw, root)
    assert [r.key for r in records if r.pose is None] == [records[1].key]
    (text,) = told
    assert f"the first: {path}" in text
    assert what in text


def test_frames_without_a_time_stamp_are_told_and_have_no_neighbour(root: Path) -> None:
    path = root / DRIVE / "image_02/timestamps.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    records, told = scan_telling(kitti_raw, root)
    assert len(records) == FRAMES
    assert [r.time is None for r in records[:3]] == [False, False, True]
    assert records[2].neighbour is None
    (text,) = told
    assert f"{path} has no line 3 for the frame 0000000002" in text


def test_an_image_whose_name_is_no_number_is_left_out_by_name(root: Path) -> None:
    before = scan(root)
    write_image(root / DRIVE / "image_02/data/0000000001 (copy).png", np.zeros((4, 4, 3), np.uint8))
    records, told = scan_telling(kitti_raw, root)
    assert [r.key for r in records] == [r.key for r in before]
    (text,) = told
    assert "the first is '0000000001 (copy).png'" in text
