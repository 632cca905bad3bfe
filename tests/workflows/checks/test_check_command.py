"""`prep check` as users type it."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.workspace import load_workspace
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def broken(ws: Path, camvid: Path, capsys: Captured) -> Path:
    """A dataset with a truncated image and a label id that no class has."""
    assert prep("init", "camvid", camvid) == 0
    image = sorted((camvid / "train").iterdir())[1]
    image.write_bytes(image.read_bytes()[:100])
    label = sorted((camvid / "valannot").iterdir())[2]
    ids = read_image(label).copy()
    ids[0, :5] = 77
    write_image(label, ids)
    capsys.readouterr()
    return camvid


def test_a_sound_dataset_exits_with_0(camvid: Path, capsys: Captured) -> None:
    prep("init", "camvid", camvid)
    capsys.readouterr()
    code = prep("check", "--workers", "0", "--json")
    found = json.loads(capsys.readouterr().out)
    assert (code, found["errors"], found["samples"], found["bad_keys"]) == (0, 0, 10, [])


def test_what_is_wrong_is_named_and_exits_with_4(broken: Path, capsys: Captured) -> None:
    assert prep("check", "--workers", "0") == 4
    out = capsys.readouterr().out
    assert "train/0001TP_007030.png" in out
    assert "77 (5 px)" in out or "77: 5" in out or "id 77" in out
    assert prep("check", "--workers", "0", "--json") == 4
    assert json.loads(capsys.readouterr().out)["bad_keys"] == ["0001TP_007030", "0016E5_007004"]


def test_a_list_without_the_bad_samples_makes_a_sound_workspace(broken: Path, tmp_path: Path, capsys: Captured) -> None:
    good = tmp_path / "good.jsonl"
    assert prep("check", "--workers", "0", "--write-list", good) == 4
    assert "good.jsonl: 8 samples" in capsys.readouterr().out
    other = tmp_path / "other"
    assert prep("init", "list", good, "--root", broken, "--classes", "prep.toml", "-C", other) == 0
    assert prep("check", "--workers", "0", "-C", other) == 0
    assert prep("resize", "--factor", "2", "--max-bad", "0", "-C", other) == 0
    neighbours = {path.stem for path in (other / "val/previous_data").iterdir()}
    assert neighbours == {"0016E5_007002", "0016E5_007006"}, "also where it is a sample that was left out"
    assert load_workspace(other).config.class_map == load_workspace(Path.cwd()).config.class_map


def test_a_selection_can_be_checked(broken: Path) -> None:
    assert prep("check", "--workers", "0", "--only", "*_007060") == 0
    assert prep("check", "--workers", "0", "--split", "val", "--limit", "2") == 0
    assert prep("check", "--workers", "0", "--split", "val") == 4
    assert prep("check", "--workers", "0", "--split", "test") == 2


def test_a_bad_place_for_the_list_is_refused_before_the_work(broken: Path, capsys: Captured) -> None:
    assert prep("check", "--workers", "0", "--write-list", "good.csv") == 2
    assert "{split}" in capsys.readouterr().err
    assert prep("check", "--workers", "0", "--write-list", broken / "good.jsonl") == 2
    assert "never written to" in capsys.readouterr().err


def test_labels_whose_classes_were_swapped_stand_out(tmp_path: Path, shared_data: Path) -> None:
    real = shared_data / "camvid"
    swapped = tmp_path / "camvid"
    (swapped / "val").mkdir(parents=True)
    for path in sorted((real / "val").iterdir())[::4]:
        (swapped / "val" / path.name).symlink_to(path)
        ids = read_image(real / "valannot" / path.name)
        write_image(swapped / "valannot" / path.name, np.choose(ids, [3, 1, 2, 0, *range(4, 12)]).astype(np.uint8))
    assert prep("init", "camvid", swapped) == 0
    assert prep("check", "--workers", "0") == 4, "sky and road are exchanged"
    assert prep("init", "camvid", real, "-C", tmp_path / "real") == 0
    assert prep("check", "--workers", "0", "--split", "val", "-C", tmp_path / "real") == 0


def test_the_dataset_must_be_there(camvid: Path) -> None:
    prep("init", "camvid", camvid)
    camvid.rename(camvid.with_name("gone"))
    assert prep("check", "--workers", "0") == 3
