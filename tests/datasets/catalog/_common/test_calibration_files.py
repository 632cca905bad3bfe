"""A file that says the camera wins under any usual name; what is assumed or not read is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._common.calibration_files import AssumedCamera, find_camera
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.imageio import write_image
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import Direction
from segprep.datasets.sample import Camera

ASSUMED = AssumedCamera(Camera(np.array([[585.0, 0, 320], [0, 585, 240], [0, 0, 1]]), 640, 480), "the published one")
OPEN3D = json.dumps({"width": 6, "height": 4, "intrinsic_matrix": [10, 0, 0, 0, 11, 0, 2.5, 1.5, 1]})


def found(*places: Path, assumed: AssumedCamera | None = ASSUMED) -> tuple[Camera, list[Notice]]:
    image = places[0] / "image.png"
    write_image(image, np.zeros((4, 6, 3), np.uint8))
    notices: list[Notice] = []
    camera = find_camera(places, [image], notices, assumed)
    assert camera is not None
    return camera, notices


@pytest.mark.parametrize(
    "name",
    ["K.txt", "camera-intrinsics.txt", "intrinsics.txt", "intrinsics.K.txt", "intrinsic.txt", "camera.txt",
     "calibration.txt", "calib.txt", "Calib.txt", "intrinsic/intrinsic_color.txt", "intrinsic_color.txt"],
)  # fmt: skip
def test_intrinsics_count_under_each_usual_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("10 0 2.5\n0 11 1.5\n0 0 1\n")
    camera, notices = found(tmp_path)
    assert camera.K.tolist() == [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (6, 4)
    assert notices == []


def test_json_counts_under_its_usual_names(tmp_path: Path) -> None:
    for name in ("camera_primesense.json", "color_intrinsic.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text(OPEN3D)
        assert found(folder)[0].K[0, 0] == 10


def test_an_assumed_camera_is_said_with_its_numbers(tmp_path: Path) -> None:
    camera, (notice,) = found(tmp_path)
    assert camera is ASSUMED.camera
    assert (notice.about, notice.subject) == (About.GUESSED, "camera")
    assert "the published one: fx 585, fy 585, cx 320, cy 240 for 640x480" in notice.text
    assert "K.txt" in notice.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("calibration.txt", "Camera.fx: 525.0\n"),
        ("calib.txt", "525 525 319.5 239.5 0.1 0.2 0 0\n"),
        ("camera_info.yaml", "K: [525, 0, 319.5]\n"),
        ("sensor.intrinsics.yml", "x"),
        ("cam0.yaml", "x"),
        ("camera.xml", "<x/>"),
        ("k.npy", "x"),
        ("depth_intrinsics.json", "{}"),
        ("calib/rig.calibration.toml", "x"),
    ],
)
def test_what_sounds_like_a_calibration_and_is_not_read_is_said(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    camera, notices = found(tmp_path)
    assert camera is ASSUMED.camera
    assert [n.about for n in notices] == [About.SUSPECT, About.GUESSED]
    assert f"{tmp_path / name} looks like a calibration and was not used: " in notices[0].text
    assert 'Write "fx fy cx cy" or a 3x3 matrix, for these images, into K.txt' in notices[0].text
    (tmp_path / "K.txt").write_text("10 11 2.5 1.5")
    assert found(tmp_path)[0].K[0, 0] == 10


def test_poses_and_times_of_a_camera_are_no_calibration(tmp_path: Path) -> None:
    for name in ("camera_poses.txt", "camera_timestamps.csv", "extrinsics_camera.yaml", "frames.txt", "k1.txt"):
        (tmp_path / name).write_text("x")
    assert [n.about for n in found(tmp_path)[1]] == [About.GUESSED]


def test_the_nearest_folder_counts(tmp_path: Path) -> None:
    inner = tmp_path / "recording"
    inner.mkdir()
    (tmp_path / "K.txt").write_text("20 20 3 2")
    assert found(inner, tmp_path)[0].K[0, 0] == 20
    (inner / "K.txt").write_text("10 10 3 2")
    assert found(inner, tmp_path)[0].K[0, 0] == 10


def test_a_file_beats_what_is_assumed_even_if_no_image_tells_the_size(tmp_path: Path) -> None:
    (tmp_path / "K.txt").write_text("20 20 3 2")
    notices: list[Notice] = []
    assert find_camera([tmp_path], [], notices, ASSUMED) is None


def guesses(member: str, root: Path) -> set[str]:
    source = DatasetSource(root)
    assert list(CATALOG.load(member).scan(source, Direction.PREVIOUS))
    assert all(notice.about is About.GUESSED for notice in source.notices)
    return {f"{notice.subject}: {notice.text.partition(';')[0]}" for notice in source.notices}


def test_members_say_what_they_assume(tmp_path: Path) -> None:
    for member in ("sevenscenes", "tum_rgbd", "rgbd", "kitti_raw", "camvid"):
        CATALOG.load(member).write_miniature(tmp_path / member, 4)
    rate = "times: no file says them: 30 frames per second are taken"
    assert guesses("sevenscenes", tmp_path / "sevenscenes") == {rate}
    assert guesses("rgbd", tmp_path / "rgbd") == {"times: there is no timestamps.txt: 30 frames per second are taken"}
    assert guesses("camvid", tmp_path / "camvid") == {rate}
    assert guesses("tum_rgbd", tmp_path / "tum_rgbd") == guesses("kitti_raw", tmp_path / "kitti_raw") == set()
    for name in ("K.txt", "camera-intrinsics.txt", "timestamps.txt"):
        for path in tmp_path.rglob(name):
            path.unlink()
    assert "camera: no file says it" in guesses("sevenscenes", tmp_path / "sevenscenes")
    assert guesses("tum_rgbd", tmp_path / "tum_rgbd") == {"camera: no file says it"}
    assert guesses("kitti_raw", tmp_path / "kitti_raw") == {
        "times: there is no timestamps.txt: 10 frames per second are taken"
    }


def test_times_of_another_clock_are_said(tmp_path: Path) -> None:
    CATALOG.load("tum_rgbd").write_miniature(tmp_path, 4)
    truth = next(tmp_path.rglob("groundtruth.txt"))
    lines = [line.split() for line in truth.read_text().splitlines() if not line.startswith("#")]
    truth.write_text("".join(" ".join([str(float(t) + 1000), *rest]) + "\n" for t, *rest in lines))
    source = DatasetSource(tmp_path)
    list(CATALOG.load("tum_rgbd").scan(source, Direction.PREVIOUS))
    (notice,) = source.notices
    assert notice.about is About.SUSPECT
    assert "0 of 1 images have a pose" in notice.text
    assert "groundtruth.txt" in notice.text
    assert "of the same clock?" in notice.text
