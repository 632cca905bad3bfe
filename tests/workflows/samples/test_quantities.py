"""`prep init` says which depth it saw and what looks wrong, and refuses what cannot be; others repeat it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes.depth_units import with_depth_unit
from segprep.datasets.imageio import write_image
from segprep.datasets.notices import About
from segprep.datasets.record import Direction
from segprep.workflows.samples.quantities import examine_quantities
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]


def recording(root: Path, **files: str) -> Path:
    """Write a recording of one's own with depth in millimetres, and text files beside it."""
    metres = np.tile(np.linspace(4.0, 1.2, 48)[:, None], (1, 64))
    for index in range(3):
        write_image(root / f"images/{index}.png", np.full((48, 64, 3), 40 * index, np.uint8))
        write_image(root / f"depth/{index}.png", np.rint(1000 * (metres + 0.01 * index)).astype(np.uint16))
    for name, text in files.items():
        (root / f"{name}.txt").write_text(text)
    return root


def notices(capsys: Captured, *arguments: object) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert prep("init", *arguments, "--json") == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["notices"]
    return found


def suspects(capsys: Captured, root: Path) -> list[str]:
    return [each["text"] for each in notices(capsys, "rgbd", root) if each["about"] == "suspect"]


def test_the_range_of_depth_is_said_at_init_in_status_and_in_check(tmp_path: Path, capsys: Captured) -> None:
    root = recording(tmp_path / "data", K="60 60 31.5 23.5")
    assert suspects(capsys, root) == []
    prep("init", "rgbd", root)
    said = "depth: 1.2 to 4.02 m (1st to 99th percentile of 3 files), medians 2.6 to 2.62 m, read as mm"
    assert said in capsys.readouterr().out.replace("\n", " ")
    prep("status")
    assert said in capsys.readouterr().out.replace("\n", " ")
    prep("check", "--workers", "0")
    assert said in capsys.readouterr().out.replace("\n", " ")
    prep("check", "--workers", "0", "--json")
    assert said.endswith(json.loads(capsys.readouterr().out)["depth_m"]["depth"]["text"])


def test_a_unit_that_nobody_says_is_a_guess_until_it_is_said(tmp_path: Path, capsys: Captured) -> None:
    root = recording(tmp_path / "data")
    for options, about in (((), "guessed"), (("--depth-unit", "mm"), "seen")):
        found = notices(capsys, "rgbd", root, *options)
        assert {each["about"] for each in found if each["subject"] == "depth"} == {about}


def test_frames_without_a_neighbour_inside_a_recording_are_said(tmp_path: Path, capsys: Captured) -> None:
    root = recording(tmp_path / "data", timestamps="0\n0.1\n0.6\n")
    (text,) = [each["text"] for each in notices(capsys, "rgbd", root) if each["subject"] == "neighbour"]
    assert text == "1 of 3 frames have none: frames more than 0.2 s apart are taken for no pair"


@pytest.mark.parametrize(("factor", "text"), [(5, "`--depth-unit tum`"), (10, "`--depth-unit 1/10000`")])
def test_another_unit_is_told_at_init_and_by_check(tmp_path: Path, capsys: Captured, factor: int, text: str) -> None:
    root = recording(tmp_path / "data", K="60 60 31.5 23.5")
    for path in (root / "depth").iterdir():
        rows = np.linspace(4000, 1200, 48).astype(np.uint16) * factor
        write_image(path, np.tile(rows[:, None], (1, 64)))
    (found,) = suspects(capsys, root)
    assert text in found
    prep("check", "--workers", "0", "--json")
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [f["severity"] for f in findings if text in f["message"]] == ["warning"]


def test_depth_that_cannot_be_is_refused_and_nothing_is_written(tmp_path: Path, capsys: Captured) -> None:
    root = recording(tmp_path / "data")
    assert prep("init", "rgbd", root, "--depth-unit", "m") == 2
    error = capsys.readouterr().err.replace("\n", " ")
    assert "times 0.1 or 0.01 or 0.001 it would be plausible" in error
    assert "--depth-unit" in error
    assert not Path("prep.toml").exists()


@pytest.mark.parametrize(
    ("files", "exit_code", "text"),
    [
        ({"K": "120 120 63.5 47.5"}, 0, "as if K were that of pictures of about 127x95"),
        ({"K": "0.9 0.9 0.5 0.5"}, 2, "shares of width and height"),
        ({"timestamps": "0\n33.3\n66.6\n"}, 0, "are these milliseconds?"),
        ({"poses": "".join(f"1 0 0 {9 * i} 0 1 0 0 0 0 1 0\n" for i in range(3))}, 0, "are positions in millimetres"),
    ],
)
def test_cameras_times_and_poses_are_looked_at(
    tmp_path: Path, capsys: Captured, files: dict[str, str], exit_code: int, text: str
) -> None:
    root = recording(tmp_path / "data", **files)
    assert prep("init", "rgbd", root, "--json") == exit_code
    captured = capsys.readouterr()
    assert text in captured.out + captured.err.replace("\n", " ")
    if exit_code == 0:
        prep("check", "--workers", "0", "--json")
        assert text in capsys.readouterr().out


def test_times_in_nanoseconds_are_read_and_said(tmp_path: Path, capsys: Captured) -> None:
    root = recording(tmp_path / "data", timestamps="0\n33333333\n66666666\n")
    assert any("nanoseconds" in each["text"] for each in notices(capsys, "rgbd", root))


def test_near_infrared_of_twelve_bits_in_files_of_sixteen_is_told(tmp_path: Path, capsys: Captured) -> None:
    root = tmp_path / "data"
    write_image(root / "a.png", np.zeros((8, 12, 3), np.uint8))
    write_image(root / "n.png", np.linspace(0, 4000, 96).astype(np.uint16).reshape(8, 12))
    (root / "train.csv").write_text("image,nir\na.png,n.png\n")
    (text,) = [each["text"] for each in notices(capsys, "list", root / "train.csv") if each["subject"] == "nir"]
    assert "`--bands nir=nir/4095,...`" in text


@pytest.mark.parametrize("dataset", ["kitti_raw", "kitti_object"])
def test_the_range_of_laser_points_is_said(tmp_path: Path, capsys: Captured, dataset: str) -> None:
    found = notices(capsys, dataset, "--miniature", tmp_path / "kitti", "--frames", "2")
    assert [(each["about"], each["subject"]) for each in found] == [("seen", "points")]
    assert found[0]["text"].startswith("5.25 to 160 m")


def test_files_that_cannot_be_read_as_the_unit_says_are_told(tmp_path: Path, capsys: Captured) -> None:
    root = recording(tmp_path / "data")
    found = notices(capsys, "rgbd", root, "--depth-unit", "kinect")
    (text,) = [each["text"] for each in found if each["about"] == "suspect"]
    assert "none of 3 files can be read so" in text


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ("sevenscenes", "rgbd_pose/7scenes_redkitchen"),
        ("rgbd", "rgbd_pose/hololens"),
        ("rgbd", "rgbd_pose/open3d_livingroom"),
        ("kitti_object", "kitti/lidar_frame_000007"),
        ("camvid", "camvid"),
        ("cityscapes", "cityscapes"),
    ],
)
def test_nothing_is_suspected_of_real_recordings(shared_data: Path, member: str, place: str) -> None:
    root = shared_data / place
    found = CATALOG.load(member)
    records = list(found.scan(DatasetSource(root), Direction.PREVIOUS))
    notices = examine_quantities(records, root, found.SPEC, said=False)
    assert About.SUSPECT not in {notice.about for notice in notices}
    assert ("depth" in {notice.subject for notice in notices}) == place.startswith("rgbd_pose")


def test_nothing_is_suspected_of_real_rendered_depth_and_of_distances_it_is(tmp_path: Path, shared_data: Path) -> None:
    files = sorted((shared_data / "catalog/tartanair/depth_left").glob("*.npy"))
    x_HW, y_HW = np.meshgrid((np.arange(640) - 320) / 320, (np.arange(480) - 240) / 320)
    for name, factor in (("axis", 1.0), ("ray", np.sqrt(1 + x_HW**2 + y_HW**2))):
        root = tmp_path / name
        for index, path in enumerate(files):
            write_image(root / f"images/{index}.png", np.zeros((480, 640, 3), np.uint8))
            (root / "depth").mkdir(exist_ok=True)
            np.save(root / f"depth/{index}.npy", (np.load(path) * factor).astype(np.float32))
        (root / "K.txt").write_text("320 320 320 240")
        rgbd = CATALOG.load("rgbd")
        records = [with_depth_unit(r, "m") for r in rgbd.scan(DatasetSource(root), Direction.PREVIOUS)]
        found = examine_quantities(records, root, rgbd.SPEC, said=True)
        suspected = [notice.text for notice in found if notice.about is About.SUSPECT]
        assert len(suspected) == (name == "ray")
        assert all("divide them by the length of the ray" in text for text in suspected)
