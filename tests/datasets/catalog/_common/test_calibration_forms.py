"""Calibrations in YAML, JSON and COLMAP's text say the camera; lenses that bend, sizes and other cameras are told."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from segprep.datasets.catalog._common.calibration import Distortion
from segprep.datasets.catalog._common.calibration_files import AssumedCamera, find_camera
from segprep.datasets.imageio import write_image
from segprep.datasets.notices import About, Notice
from segprep.datasets.sample import Camera

ASSUMED = AssumedCamera(Camera(np.array([[585.0, 0, 320], [0, 585, 240], [0, 0, 1]]), 640, 480), "the published one")
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
ORB = "%YAML:1.0\nCamera.type: PinHole\nCamera.fx: 10\nCamera.fy: 11\nCamera.cx: 2.5\nCamera.cy: 1.5\nCamera.k1: 0.0\n"
REALSENSE = {"width": 6, "height": 4, "ppx": 2.5, "ppy": 1.5, "fx": 10, "fy": 11, "model": "none", "coeffs": [0] * 5}
NERF = {"w": 6, "h": 4, "fl_x": 10, "fl_y": 11, "cx": 3.0, "cy": 2.0, "frames": []}


def found(place: Path) -> tuple[Camera, list[Notice]]:
    image = place / "image.png"
    write_image(image, np.zeros((4, 6, 3), np.uint8))
    notices: list[Notice] = []
    camera = find_camera([place], [image], notices, ASSUMED)
    assert camera is not None
    return camera, notices


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("camera_info.yaml", ROS),
        ("ost.yaml", ROS),
        ("calibration.yml", ROS_MESSAGE),
        ("camchain-flat.yaml", KALIBR),
        ("calib/sensor.yaml", "camera_model: pinhole\nintrinsics: [10, 11, 2.5, 1.5]\nresolution: [6, 4]\n"),
        ("camera.yaml", ORB),
        ("color_intrinsics.json", json.dumps(REALSENSE)),
        ("rs_calibration.json", json.dumps({"depth": {"fx": 3}, "color": REALSENSE})),
        ("camera.json", json.dumps({"K": [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]})),
        ("transforms.json", json.dumps(NERF)),
        ("cameras.txt", "# CAMERA_ID, MODEL, ...\n1 PINHOLE 6 4 10 11 3 2\n"),
        ("sparse/0/cameras.txt", "1 OPENCV 6 4 10 11 3 2 0 0 0 0\n"),
    ],
)
def test_each_form_says_the_camera(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / name).write_text(content)
    camera, notices = found(tmp_path)
    assert camera.K.tolist() == [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (6, 4)
    assert notices == []


@pytest.mark.parametrize("name", ["camera.yml", "camera.json"])
def test_a_file_that_opencv_writes_is_read(tmp_path: Path, name: str) -> None:
    K = np.array([[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]])
    storage = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_WRITE)
    storage.write("camera_matrix", K)
    storage.write("distortion_coefficients", np.array([[0.25, 0, 0, 0, 0]]))
    storage.release()
    camera, (notice,) = found(tmp_path)
    np.testing.assert_array_equal(camera.K, K)
    assert "the lens bends (no model named: 0.25, 0, 0, 0, 0)" in notice.text


@pytest.mark.parametrize(
    ("content", "shift"),
    [
        ("distortion_model: plumb_bob\ndistortion_coefficients: {data: [-0.2, 0.05, 0.001, 0.002, 0]}\n", "by up to "),
        ("distortion_model: equidistant\ndistortion_coefficients: {data: [0.01, 0.002, 0, 0]}\n", "by up to "),
        ("distortion_model: fov\ndistortion_coefficients: {data: [0.9]}\n", "by an unknown distance"),
    ],
)
def test_a_lens_that_bends_is_told_with_what_it_does(tmp_path: Path, content: str, shift: str) -> None:
    head = "K: [500, 0, 320, 0, 500, 240, 0, 0, 1]\nwidth: 6\nheight: 4\n"
    (tmp_path / "camera_info.yaml").write_text(head + content)
    _, (notice,) = found(tmp_path)
    assert notice.about is About.SUSPECT
    assert shift in notice.text
    assert "nothing is undone" in notice.text


def test_the_largest_shift_is_to_where_a_pinhole_sees_the_ray() -> None:
    """With k1 alone the ray at radius r is seen at r (1 + k1 r^2): 0.45 at 0.45 (1 - 0.1 * 0.45^2) = 0.4408875."""
    K = np.array([[1000.0, 0, 0], [0, 1000, 0], [0, 0, 1]])
    shift = Distortion("plumb_bob", (-0.1, 0, 0, 0)).largest_shift(K, (441, 1))
    assert shift == pytest.approx(9.1, abs=0.1)


def test_k_is_scaled_where_pictures_were_resized_and_not_where_their_shape_is_another(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text("K: [20, 0, 5.5, 0, 22, 3.5, 0, 0, 1]\nwidth: 12\nheight: 8\n")
    camera, (notice,) = found(tmp_path)
    assert camera.K.tolist() == [[10, 0, 2.5], [0, 11, 1.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (6, 4)
    assert "is for 12x8, and the pictures are 6x4: K is scaled" in notice.text
    (tmp_path / "camera.yaml").write_text("K: [20, 0, 5.5, 0, 22, 3.5, 0, 0, 1]\nwidth: 12\nheight: 12\n")
    camera, (notice,) = found(tmp_path)
    assert (camera.width, camera.height) == (12, 12)
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
    ids=range(15),
)
def test_what_cannot_be_read_is_said_with_the_reason(tmp_path: Path, name: str, content: str, what: str) -> None:
    (tmp_path / name).write_text(content)
    camera, notices = found(tmp_path)
    assert camera is ASSUMED.camera
    assert [n.about for n in notices] == [About.SUSPECT, About.GUESSED]
    assert what in notices[0].text
