"""`prep init` on folders whose files cannot become samples: bad input with the file's name, and no bug."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.imageio import write_image
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


def _folder(root: Path, *names: str) -> Path:
    for name in names:
        write_image(root / "image_data" / name, np.zeros((8, 8, 3), np.uint8))
        write_image(root / "label_data" / Path(name).with_suffix(".png").name, np.zeros((8, 8), np.uint8))
    return root


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a.png", "a.jpg"), "has both a.jpg and a.png: keep one of them"),
        (("道路" * 12 + ".png",), "can be made from the name '道路"),
        (("x" * 210 + ".png",), "rename it"),
    ],
    ids=["two files of one name", "long name of many bytes", "long name"],
)
def test_files_that_cannot_become_samples_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], message: str
) -> None:
    assert prep("init", "folder", _folder(tmp_path / "data", *names)) == 3
    error = capsys.readouterr().err
    assert message in error
    assert "bug" not in error
    assert not Path("prep.toml").exists()


def test_one_bad_name_is_left_out_by_name_and_the_rest_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _folder(tmp_path / "data", "a.png", "x" * 210 + ".png")
    shutil.copy(data / "image_data/a.png", data / "image_data" / os.fsdecode(b"\xff.png"))
    assert prep("init", "folder", data, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["splits"] == {"train": {"samples": 1, "image": 1, "label": 1}}
    images = next(n["text"] for n in found["notices"] if n["subject"] == "image_data")
    assert "2 files of" in images
    assert "xxx" in images


@pytest.mark.parametrize("suffix", ["bmp", "tif", "webp"])
def test_pictures_of_formats_that_are_not_read_are_told_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    data = _folder(tmp_path / "data", "a.png", "b.PNG", "c.JPEG")
    Image.new("RGB", (8, 8)).save(data / f"image_data/d.{suffix}")
    write_image(data / "label_data/d.png", np.zeros((8, 8), np.uint8))
    assert prep("init", "folder", data, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["splits"] == {"train": {"samples": 4, "image": 4, "label": 4}}
    assert found["missing"] == []
    (notice,) = (each for each in found["notices"] if each["subject"] == "image")
    assert f"1 files end in .{suffix}, and the first cannot be used" in notice["text"]
    assert "convert it to PNG" in notice["text"]
    assert prep("resize", "--factor", "2", "--json") == 4
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert {each["key"] for each in failed} == {"d"}
    assert all("convert it to PNG" in each["reason"] for each in failed)


def test_a_folder_whose_files_are_no_pictures_says_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/image_data").mkdir(parents=True)
    (tmp_path / "data/image_data/a.raw").write_bytes(b"abc")
    assert prep("init", "folder", tmp_path / "data") == 3
    text = " ".join(capsys.readouterr().err.split())
    assert "holds 1 files, such as 'a.raw', none of which ends in .png" in text


def test_a_broken_camera_file_is_told_and_its_sample_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prep("init", "synthetic", "--miniature", tmp_path / "drive", "--frames", "2", "-C", tmp_path / "first") == 0
    camera = next((tmp_path / "drive").rglob("camera/*.json"))
    good = camera.read_text()
    for broken, what in (
        (good[:50], "Expecting value"),
        (json.dumps(json.loads(good) | {"K": [[1, 2], [3, 4]]}), "K must be a finite 3x3 matrix"),
    ):
        camera.write_text(broken)
        capsys.readouterr()
        assert prep("init", "synthetic", tmp_path / "drive", "--json") == 0
        notices = json.loads(capsys.readouterr().out)["notices"]
        (notice,) = (each for each in notices if each["subject"] == "camera")
        assert what in notice["text"]


def test_names_with_any_characters_become_keys_and_keep_their_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _folder(tmp_path / "data", "Straße 1%.png", ".hidden.png", "a b.png", "道.png")
    assert prep("init", "folder", data) == 0
    capsys.readouterr()
    assert prep("resize", "--factor", "2") == 0
    made = {path.name for path in Path("train/image_data").iterdir()}
    assert made == {"Stra%C3%9Fe%201%25.png", "a%20b.png", "%E9%81%93.png"}, "hidden files are no samples"


def test_poses_are_counted_apart_from_the_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    for index in range(4):
        write_image(data / f"color/{1000000000 + index / 10:.6f}.png", np.zeros((8, 8, 3), np.uint8))
    (data / "intrinsics.K.txt").write_text("8 0 3.5\n0 8 3.5\n0 0 1\n")
    (data / "CameraTrajectory.txt").write_text(
        "".join(f"{1000000000.05 + k / 10:.6f} {k} 0 0 0 0 0 1\n" for k in range(3))
    )
    assert prep("init", "rgbd", data, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["splits"] == {"train": {"samples": 4, "image": 4, "camera": 4, "poses": 2, "previous": 3}}
    said = {(n["about"], n["subject"]): n["text"] for n in found["notices"]}
    assert said["guessed", "times"] == "the names of the images are taken for times in seconds, 10 images per second"
    assert "2 of 4 images have a pose" in said["seen", "poses"]
    (data / "CameraTrajectory.txt").write_text("1 2 3\n")
    assert prep("init", "rgbd", data) == 3
    assert "CameraTrajectory.txt, line 1: four rows of a matrix must follow" in capsys.readouterr().err
    (data / "CameraTrajectory.txt").unlink()
    assert prep("init", "rgbd", data, "--json") == 0
    assert json.loads(capsys.readouterr().out)["splits"]["train"]["poses"] == 0
