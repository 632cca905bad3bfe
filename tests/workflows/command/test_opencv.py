"""Optical flow of another OpenCV: the number that tells them apart decides what is made again, and nothing else is."""

import json
from pathlib import Path

import pytest

from segprep.datasets.synthetic import write_drive
from support.commands import prep
from support.opencv import opencv_like

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def drive(ws: Path, tmp_path: Path) -> None:
    """A workspace of resized frames with depth and poses, so that there is ego flow, too."""
    write_drive(tmp_path / "drive", splits={"train": 2}, width=128, height=64)
    assert prep("init", "synthetic", tmp_path / "drive") == 0
    assert prep("resize", "--factor", "1") == 0


def _times() -> dict[str, int]:
    return {path.as_posix(): path.stat().st_mtime_ns for path in Path().glob("train/*_data/*")}


def _stale(capsys: Captured) -> dict[str, str]:
    """Column to why it is stale."""
    capsys.readouterr()
    assert prep("status", "--json") == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    return {each["column"]: why for each in columns for why in each["reasons"] if why.startswith("stale")}


@pytest.mark.usefixtures("drive")
@pytest.mark.parametrize(("before", "now"), [(4, 5), (5, 4)])
def test_only_the_flow_and_what_follows_from_it_are_made_again(capsys: Captured, before: int, now: int) -> None:
    with opencv_like(before):
        assert prep("flow") == 0
        made = _times()
        assert {name.split("/")[1] for name in made} >= {"optical_flow_data", "ego_flow_data", "flow_data"}
        assert prep("flow") == 0
        assert _stale(capsys) == {}
    with opencv_like(now):
        assert _stale(capsys) == {"optical_flow": f"stale: parameters changed: opencv {before} -> {now}"}
        assert prep("shard") == 5
        assert "opencv" in capsys.readouterr().err
        assert prep("flow") == 0
        again = {name.split("/")[1] for name, time in _times().items() if made[name] != time}
        assert again == {"optical_flow_data", "flow_data"}
        assert _stale(capsys) == {}


@pytest.mark.usefixtures("drive")
def test_an_opencv_that_is_not_known_makes_no_flow_and_all_else(capsys: Captured) -> None:
    assert prep("flow") == 0
    with opencv_like(None):
        assert _stale(capsys) == {}
        assert prep("check", "--workers", "0") == 0
        assert prep("shard") == 0
        assert prep("modality", "normals") == 0
        capsys.readouterr()
        assert prep("flow", "--preset", "fine") == 2
        assert "pip install 'opencv-python-headless==5.0.*'" in capsys.readouterr().err
        assert prep("flow", "--preset", "ultrafast") == 0


@pytest.mark.usefixtures("drive")
def test_flow_that_does_not_rest_on_it_stays_with_any_opencv(capsys: Captured) -> None:
    with opencv_like(4):
        assert prep("flow", "--estimator", "farneback") == 0
    made = _times()
    with opencv_like(5):
        assert _stale(capsys) == {}
        assert prep("flow") == 0
    assert _times() == made
