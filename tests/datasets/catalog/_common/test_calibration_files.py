"""A file that says the camera wins under any usual name; what is assumed or not read is said."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._common.calibration import Distortion
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
    truth.write_text("".join(" ".join([str(float(t) * 1000), *rest]) + "\n" for t, *rest in lines))
    source = DatasetSource(tmp_path)
    list(CATALOG.load("tum_rgbd").scan(source, Direction.PREVIOUS))
    (notice,) = source.notices
    assert notice.about is About.SUSPECT
    assert "only 0 of" in notice.text
    assert "groundtruth.txt" in notice.text


# --- forms in YAML and JSON, and what is told of them

ROS = """image_width: 6
image_height: 4
camera_name: rgb
camera_matrix: {rows: 3, cols: 3, data: [10, 0, 2.5, 0, 11, 1.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.0, 0, 0, 0, 0]}
projection_matrix: {rows: 3, cols: 4, data: [9, 0, 2, 0, 0, 9, 1, 0, 0, 0, 1, 0]}
"""
ROS_MESSAGE = "height: 4\nwidth: 6\nd: [0.0]\nk: [10, 0, 2.5, 0, 11, 1.5, 0, 0, 1]\n"
KALIBR = """cam0:
  camera_model: pinhole
  intrinsics: [10, 11, 2.5, 1.5]
  distortion_model: radtan
  distortion_coeffs: [0, 0, 0, 0]
  resolution: [6, 4]
cam1: {camera_model: omni, intrinsics: [1, 20, 21, 3, 2], resolution: [6, 4]}
"""
OPENCV = """%YAML:1.0
---
image_width: 6
image_height: 4
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 10., 0., 2.5, 0., 11., 1.5, 0., 0., 1. ]
"""
ORB = "%YAML:1.0\nCamera.type: PinHole\nCamera.fx: 10\nCamera.fy: 11\nCamera.cx: 2.5\nCamera.cy: 1.5\nCamera.k1: 0.0\n"
REALSENSE = {"width": 6, "height": 4, "ppx": 2.5, "ppy": 1.5, "fx": 10, "fy": 11, "model": "none", "coeffs": [0] * 5}
NERF = {"w": 6, "h": 4, "fl_x": 10, "fl_y": 11, "cx": 3.0, "cy": 2.0, "frames": []}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("camera_info.yaml", ROS),
        ("ost.yaml", ROS),
        ("calibration.yml", ROS_MESSAGE),
        ("camchain-flat.yaml", KALIBR),
        ("calib/sensor.yaml", "camera_model: pinhole\nintrinsics: [10, 11, 2.5, 1.5]\nresolution: [6, 4]\n"),
        ("intrinsics.yaml", OPENCV),
        ("camera.yaml", ORB),
        ("color_intrinsics.json", json.dumps(REALSENSE)),
        ("rs_calibration.json", json.dumps({"depth": {"fx": 3}, "color": REALSENSE})),
        ("camera.json", json.dumps({"K": [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]})),
        ("calib.json", json.dumps({"camera_matrix": {"type_id": "opencv-matrix", "data": [10, 0, 2.5, 0, 11, 1.5, 0, 0, 1]}})),
        ("transforms.json", json.dumps(NERF)),
        ("cameras.txt", "# CAMERA_ID, MODEL, ...\n1 PINHOLE 6 4 10 11 3 2\n"),
        ("sparse/0/cameras.txt", "1 OPENCV 6 4 10 11 3 2 0 0 0 0\n"),
    ],
)  # fmt: skip
def test_each_form_says_the_camera(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / name).write_text(content)
    camera, notices = found(tmp_path)
    assert camera.K.tolist() == [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (6, 4)
    assert notices == []


def test_a_file_that_opencv_writes_is_read(tmp_path: Path) -> None:
    K = np.array([[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]])
    for name in ("camera.yml", "camera.json"):
        folder = tmp_path / name.partition(".")[2]
        folder.mkdir()
        storage = cv2.FileStorage(str(folder / name), cv2.FILE_STORAGE_WRITE)
        storage.write("camera_matrix", K)
        storage.write("distortion_coefficients", np.array([[0.1, 0, 0, 0, 0]]))
        storage.release()
        camera, (notice,) = found(folder)
        np.testing.assert_array_equal(camera.K, K)
        assert "the lens bends (no model named: 0.1, 0, 0, 0, 0)" in notice.text


@pytest.mark.parametrize(
    ("content", "shift"),
    [
        ("distortion_model: plumb_bob\ndistortion_coefficients: {data: [-0.2, 0.05, 0.001, 0.002, 0]}\n", "by up to "),
        ("distortion_model: equidistant\ndistortion_coefficients: {data: [0.01, 0.002, 0, 0]}\n", "by up to "),
        ("distortion_model: fov\ndistortion_coefficients: {data: [0.9]}\n", "by an unknown distance"),
    ],
)
def test_a_lens_that_bends_is_told_with_what_it_does(tmp_path: Path, content: str, shift: str) -> None:
    (tmp_path / "camera_info.yaml").write_text(
        f"K: [500, 0, 320, 0, 500, 240, 0, 0, 1]\n{content}width: 6\nheight: 4\n"
    )
    _, (notice,) = found(tmp_path)
    assert notice.about is About.SUSPECT
    assert shift in notice.text
    assert "nothing is undone" in notice.text


def test_the_largest_shift_is_where_a_pinhole_would_see_the_ray() -> None:
    """With k1 alone a ray at radius r is seen at r (1 + k1 r^2): 0.45 (1 - 0.1 * 0.45^2) = 0.4408875."""
    K = np.array([[1000.0, 0, 0], [0, 1000, 0], [0, 0, 1]])
    shift = Distortion("plumb_bob", (-0.1, 0, 0, 0)).largest_shift(K, (441, 1))
    assert shift == pytest.approx(9.1, abs=0.1)


def test_k_is_scaled_where_the_pictures_were_resized_and_not_where_their_shape_is_another(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text("K: [20, 0, 5.5, 0, 22, 3.5, 0, 0, 1]\nwidth: 12\nheight: 8\n")
    camera, (notice,) = found(tmp_path)
    assert camera.K.tolist() == [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (6, 4)
    assert "is for 12x8, and the pictures are 6x4: K is scaled" in notice.text
    (tmp_path / "camera.yaml").write_text("K: [20, 0, 5.5, 0, 22, 3.5, 0, 0, 1]\nwidth: 12\nheight: 9\n")
    camera, (notice,) = found(tmp_path)
    assert (camera.width, camera.height) == (12, 9)
    assert (notice.about, "of another shape" in notice.text) == (About.SUSPECT, True)


def test_the_colour_cameras_file_counts_and_another_camera_is_told(tmp_path: Path) -> None:
    (tmp_path / "camera_depth.yaml").write_text("K: [30, 0, 2.5, 0, 30, 1.5, 0, 0, 1]\n")
    (tmp_path / "camera_rgb.yaml").write_text("K: [10, 0, 2.5, 0, 11, 1.5, 0, 0, 1]\n")
    camera, (notice,) = found(tmp_path)
    assert camera.K[0, 0] == 10
    assert "camera_depth.yaml" in notice.text
    assert "camera_rgb.yaml counts, and this one says another camera" in notice.text


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("camera.yaml", "K: &a [1, *a]\n", "it has an alias"),
        ("camera.yaml", "K: !!python/object/apply:os.system [ls]\n", "no YAML of plain values"),
        ("camera.yaml", "K: " + "[" * 5000, "nested more than"),
        ("camera.yaml", "K: [1, 2\n", "no YAML of plain values"),
        ("camera.yaml", "\tK: 3", "no YAML of plain values"),
        ("camera.yaml", "", "no camera_matrix"),
        ("camera.yaml", "K: [1, 2, 3]\n", "4 numbers"),
        ("camera.yaml", "K: [a, 0, 3, 0]\n", "numbers are expected"),
        ("camera.yaml", "K: [.nan, 1, 1, 1]\n", "numbers are expected"),
        ("camera.yaml", "K: [-5, 1, 1, 1]\n", "make no camera"),
        ("camera.yaml", "fx: 5\nfy: 5\ncx: 3\ncy: 2\nwidth: 6.5\nheight: 4\n", "whole numbers"),
        ("camera.yaml", "#" * (2**20 + 1), "no more than 1 MB"),
        ("camera.yaml", "camera_model: omni\nintrinsics: [1, 5, 3, 2]\n", "camera model omni is no pinhole"),
        ("cameras.txt", "1 THIN_PRISM_FISHEYE 6 4 10 11 3 2 0 0 0 0 0 0 0 0\n", "the camera is none of"),
        ("cameras.txt", "1 PINHOLE 6 4 10 11 3 2\n2 PINHOLE 6 4 10 11 3 2\n", "holds 2 cameras"),
        ("cameras.txt", "1 PINHOLE 6 4 10 11\n", "6 numbers are expected, not 4"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_the_reason(tmp_path: Path, name: str, content: str, what: str) -> None:
    (tmp_path / name).write_text(content)
    camera, notices = found(tmp_path)
    assert camera is ASSUMED.camera
    assert [n.about for n in notices] == [About.SUSPECT, About.GUESSED]
    assert what in notices[0].text
