"""Store and workspace know one another: what has changed since a store was written is told, whoever asks."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segprep.datasets.drawing.sheet import compose
from segprep.datasets.drawing.tile import RgbPicture
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.program.command_line import run_app
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.verify import verify_store
from segprep.train.cli import app as train_app
from support.commands import make_camvid, prep, tree_bytes

Captured = pytest.CaptureFixture[str]

TRAIN, VAL = Path("shards/train.zarr"), Path("shards/val.zarr")
SMALL = ("--steps", "1", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32")


@pytest.fixture(autouse=True)
def ready(ws: Path, camvid: Path) -> Path:
    """A workspace with stores of 6 and 4 samples, uncompressed: all stores have files of the same sizes."""
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("shard", "--codec", "none") == 0
    return ws


def _notices(capsys: Captured) -> dict[str, list[str]]:
    capsys.readouterr()
    assert prep("status", "--json") == 0
    found: dict[str, list[str]] = json.loads(capsys.readouterr().out)["store_notices"]
    return found


def _told(capsys: Captured, split: str) -> str:
    return "; ".join(_notices(capsys)[split])


def test_a_store_that_holds_what_the_workspace_holds_has_no_notices(capsys: Captured) -> None:
    assert _notices(capsys) == {"train": [], "val": []}


def test_changed_cells_are_counted_by_column(capsys: Captured, camvid: Path) -> None:
    label = next((camvid / "trainannot").iterdir())
    write_image(label, np.flipud(read_image(label) * 0 + 3))
    assert prep("resize") == 0
    assert "1 of its 6 samples have changed since (label of 1): run `prep shard`" in _told(capsys, "train")
    assert prep("resize", "--factor", "2") == 0
    assert "6 of its 6 samples have changed since (image of 6, label of 6)" in _told(capsys, "train")
    assert prep("status") == 0
    assert "shards val: 4 of its 4 samples have changed since" in capsys.readouterr().out
    assert prep("shard", "--codec", "none") == 0
    assert _notices(capsys) == {"train": [], "val": []}


def test_samples_that_came_and_went_are_counted(capsys: Captured, tmp_path: Path, camvid: Path) -> None:
    shutil.rmtree(camvid)
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=8, val=3)) == 0
    assert prep("resize") == 0
    assert "2 samples more could go into it" in _told(capsys, "train")
    assert "1 of its 4 samples are not in the workspace any more" in _told(capsys, "val")


def test_an_older_store_that_was_put_back_is_told_and_not_taken_for_the_new_one(capsys: Captured) -> None:
    shutil.copytree(TRAIN, "older.zarr")
    old_labels = tree_bytes(TRAIN)["label/c.0.0.0"]
    assert prep("resize", "--labels", "nearest") == 0
    assert prep("resize", "--factor", "2") == 0
    assert prep("shard", "--codec", "none") == 0
    new = tree_bytes(TRAIN)
    shutil.rmtree(TRAIN)
    shutil.move("older.zarr", TRAIN)
    told = _told(capsys, "train")
    assert "it is not the store that the workspace wrote last" in told
    assert "6 of its 6 samples have changed since" in told
    assert prep("verify") == 0, "it is whole"
    assert "train.zarr: it is not the store that the workspace wrote last" in capsys.readouterr().err
    assert prep("shard", "--codec", "none") == 0
    assert tree_bytes(TRAIN) == new
    assert new["label/c.0.0.0"] != old_labels


def test_files_of_an_older_store_of_equal_sizes_are_not_taken_over(capsys: Captured, camvid: Path) -> None:
    """What stands there has files of the right sizes, and their content is another one."""
    shutil.copytree(TRAIN, "older.zarr")
    label = next((camvid / "trainannot").iterdir())
    write_image(label, read_image(label) * 0 + 3)
    assert prep("resize") == 0
    assert prep("shard", "--codec", "none") == 0
    new = tree_bytes(TRAIN)
    shutil.rmtree(TRAIN)
    shutil.move("older.zarr", TRAIN)
    assert prep("shard", "--codec", "none") == 0
    assert tree_bytes(TRAIN) == new
    assert verify_store(TRAIN) == []


def test_splits_that_changed_places_are_found_by_every_reader_and_put_right(capsys: Captured) -> None:
    before = tree_bytes(Path("shards"))
    TRAIN.rename("aside")
    VAL.rename(TRAIN)
    Path("aside").rename(VAL)
    assert prep("status", "--json") == 0
    stores = json.loads(capsys.readouterr().out)["stores"]
    assert "it holds split val and stands in the place of split train" in stores["train"]
    capsys.readouterr()
    assert prep("verify") == 6
    assert "it holds split val" in capsys.readouterr().out
    assert run_app(train_app, "train", ["run", *SMALL]) == 6
    assert "it holds split val and stands in the place of split train" in capsys.readouterr().err
    assert prep("verify", "--repair") == 0
    assert tree_bytes(Path("shards")) == before


def test_prep_shard_makes_splits_that_changed_places_anew() -> None:
    before = tree_bytes(Path("shards"))
    shutil.rmtree(VAL)
    shutil.copytree(TRAIN, VAL)
    assert prep("shard", "--codec", "none") == 0
    assert tree_bytes(Path("shards")) == before


def test_a_store_of_another_workspace_is_told(capsys: Captured, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_camvid(tmp_path / "more", train=3, val=2)
    for command in (("init", "camvid", tmp_path / "more"), ("resize", "--factor", "1")):
        assert prep(*command, "-C", other) == 0
    (other / "shards").mkdir()
    shutil.copytree(TRAIN, other / "shards/train.zarr")
    shutil.copytree(TRAIN, other / "shards/night.zarr")
    capsys.readouterr()
    assert prep("status", "-C", other) == 0
    told = capsys.readouterr().out
    assert "shards train: this workspace did not write it" in told
    assert "shards night: the workspace has no split of this name" in told


def test_other_classes_in_prep_toml_are_told(capsys: Captured, ws: Path) -> None:
    config = ws / "prep.toml"
    config.write_text(config.read_text().replace('name = "tree"', 'name = "wood"', 1).replace("Tree", "Wood", 1))
    assert "prep.toml has other classes than it" in _told(capsys, "train")


def test_training_and_evaluation_say_that_the_workspace_has_gone_on(capsys: Captured) -> None:
    assert run_app(train_app, "train", ["run", *SMALL]) == 0
    assert "have changed since" not in capsys.readouterr().err
    assert prep("resize", "--factor", "2") == 0
    capsys.readouterr()
    assert run_app(train_app, "train", ["run", *SMALL]) == 0
    told = capsys.readouterr().err
    assert "train.zarr: 6 of its 6 samples have changed since (image of 6, label of 6): run `prep shard`" in told
    assert "val.zarr: 4 of its 4 samples have changed since" in told
    assert run_app(train_app, "train", ["eval", "--at", "network"]) == 0
    told = capsys.readouterr().err
    assert "val.zarr: 4 of its 4 samples have changed since" in told
    assert "train.zarr" not in told


def test_a_store_says_how_many_samples_its_split_had_and_why_some_are_left_out(camvid: Path) -> None:
    assert ShardStore.open(TRAIN).provenance["selection"] == {"samples": 6, "left_out": {}}
    next((camvid / "valannot").iterdir()).write_bytes(b"")
    assert prep("resize") == 4
    assert prep("shard", "--codec", "none") == 0
    selection = ShardStore.open(VAL).provenance["selection"]
    assert selection == {"samples": 4, "left_out": {"without label (failed)": 1}}


def test_a_column_that_drops_samples_or_lacks_in_a_split_is_named_with_the_remedy(capsys: Captured) -> None:
    """Frames of train are too far apart for a motion; the first one of val has no frame before it."""
    assert prep("flow") == 0
    capsys.readouterr()
    assert prep("shard", "--codec", "none") == 0
    told = capsys.readouterr()
    assert "the splits' stores get different columns: train has no flow, optical_flow" in told.err
    assert "`prep shard --columns image,label` gives all of them the same" in told.err
    assert "1 more would go in without flow, optical_flow: `prep shard --columns image,label`" in told.out
    assert prep("shard", "--codec", "none", "--columns", "image,label") == 0
    told = capsys.readouterr()
    assert "different columns" not in told.err
    assert "more would go in" not in told.out


def test_a_store_of_before_such_traces_is_read_kept_and_grows(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, camvid: Path
) -> None:
    def older(**plan: Any) -> StorePlan:
        return StorePlan(**plan | {"traced": False})

    shutil.rmtree("shards")
    with monkeypatch.context() as patch:
        patch.setattr("segprep.workflows.stores.planning.StorePlan", older)
        assert prep("shard", "--codec", "none", "--samples-per-shard", "3", "--split", "train") == 0
    before = tree_bytes(TRAIN)
    assert not [path for path in before if path.startswith(("cell_digests", "chunk_crc32c"))]
    assert _notices(capsys)["train"] == [], "its one fingerprint is the table's"
    assert run_app(train_app, "train", ["run", *SMALL]) == 0
    assert "does not say which samples have changed" in capsys.readouterr().err
    assert prep("resize", "--labels", "nearest", "--split", "train") == 0
    assert _notices(capsys)["train"] == ["some of its samples have changed since: run `prep shard`"]
    assert prep("resize", "--labels", "vote", "--split", "train") == 0
    assert prep("shard", "--codec", "none", "--split", "train") == 0
    assert tree_bytes(TRAIN) == before
    (TRAIN / "pose/c.0.0.0").unlink()
    assert prep("verify", "--repair") == 0
    assert tree_bytes(TRAIN) == before
    shutil.rmtree(camvid)
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=8)) == 0
    assert prep("resize") == 0
    assert prep("shard", "--codec", "none", "--split", "train") == 0
    whole = {path: data for path, data in before.items() if not path.endswith("zarr.json")}
    assert tree_bytes(TRAIN).items() >= whole.items()


def test_a_shown_variant_says_that_its_cells_were_made_anew_since(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[list[str]] = []

    def noting(title: str, tiles: Any, told: list[str], *rest: Any, **options: Any) -> RgbPicture:
        notes.append(told)
        return compose(title, tiles, told, *rest, **options)

    monkeypatch.setattr("segprep.workflows.views.sample_variants.compose", noting)
    key = ShardStore.open(TRAIN).keys[0]
    assert prep("show", key, "--variant", "0") == 0
    assert prep("resize", "--labels", "nearest") == 0
    assert prep("show", key, "--variant", "0") == 0
    assert notes == [[], ["not as the store holds it: label made anew since"]]
