"""`prep peek` and `prep stats`: what a store holds, in numbers and in a picture."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image
from segprep.datasets.shards import ShardStore
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def store(ws: Path, camvid: Path, capsys: Captured) -> Path:
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("shard") == 0
    capsys.readouterr()
    return Path("shards/val.zarr")


def _peek(capsys: Captured, *arguments: object) -> dict[str, object]:
    assert prep("peek", *arguments, "--json") == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_peek_prints_and_draws_the_row_that_is_meant(store: Path, capsys: Captured) -> None:
    keys = ShardStore.open(store).keys
    found = _peek(capsys, store, keys[2])
    assert (found["row"], found["key"], found["variant"]) == (2, keys[2], 0)
    assert found["source_size"] == [48, 36]
    columns = found["columns"]
    assert isinstance(columns, dict)
    image = ShardStore.open(store).read("image", 2)
    assert (columns["image"]["smallest"], columns["image"]["largest"]) == (image.min(), image.max())
    picture = read_image(Path(str(found["picture"])))
    assert picture.shape[2] == 3
    np.testing.assert_array_equal(picture[100, 100], image[(100 - 58) * 36 // 360, (100 - 10) * 48 // 480])


def test_a_glob_or_a_rows_number_will_do_and_no_workspace_is_needed(
    store: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ShardStore.open(store).keys
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(store, elsewhere / "val.zarr")
    monkeypatch.chdir(elsewhere)
    assert _peek(capsys, "val.zarr", f"*{keys[1][-4:]}", "--out", "row.png")["key"] == keys[1]
    assert Path("row.png").is_file()
    assert _peek(capsys, "val.zarr", "3")["key"] == keys[3]
    assert prep("peek", "val.zarr", "3") == 0
    assert keys[3] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("shards/val.zarr", "nobody"), 2, "has no sample 'nobody'"),
        (("shards/val.zarr", "99"), 2, "has no sample '99'"),
        (("shards/val.zarr", "0", "--variant", "4"), 2, "has no variant 4 here; it has [0]"),
        (("shards/test.zarr", "0"), 3, "no such folder"),
    ],
)
def test_what_a_store_does_not_hold_is_told(
    store: Path, capsys: Captured, arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert prep("peek", *arguments) == code
    assert message in capsys.readouterr().err


def test_stats_agree_with_the_pixels(store: Path, capsys: Captured) -> None:
    assert prep("stats", store, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out).values()
    opened = ShardStore.open(store)
    labels = np.stack([opened.read("label", row) for row in range(len(opened))])
    images = np.stack([opened.read("image", row) for row in range(len(opened))]).reshape(-1, 3).astype(float)
    assert found["samples"] == len(labels)
    assert found["columns"]["label"]["pixels"] == [int((labels == i).sum()) for i in range(11)]
    assert found["columns"]["label"]["ignored"] == int((labels == 255).sum())
    channels = found["columns"]["image"]["channels"]
    assert [c["mean"] for c in channels] == pytest.approx(images.mean(axis=0).tolist())
    assert [c["std"] for c in channels] == pytest.approx(images.std(axis=0).tolist())


def test_stats_without_a_store_are_refused(camvid: Path, capsys: Captured) -> None:
    assert prep("init", "camvid", camvid) == 0
    assert prep("stats") != 0
    assert "run `prep shard` first" in capsys.readouterr().err
