"""`--label-ids void0`: files as SMSnet and SSMA read them, and everything else as with train ids."""

import json
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from support.commands import prep, prepared_drive

Captured = pytest.CaptureFixture[str]

_SIZE = {"splits": {"train": 3, "val": 2}, "width": 96, "height": 48, "truth": True}
_MOVABLE = {"person": 10, "car": 11}  # train ids 9 and 10, in files one more


@pytest.fixture(scope="module")
def train_ids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("train_ids")
    return prepared_drive(place, ["shard", "--columns", "image,label"], **_SIZE)


@pytest.fixture(scope="module")
def void_first(train_ids: Path) -> Path:
    place, drive = train_ids.with_name("void_first"), train_ids.with_name("drive")
    for path in drive.glob("*/*/truth/moving/*.png"):
        split, sequence, *_ = path.relative_to(drive).parts
        write_image(drive / "given" / f"{split}_{sequence}_{path.name}", read_image(path))
    annotations = ("--annotations", "given/{key}.png", "--annotation-map", "static=0,moving=255")
    for command in (
        ("init", "synthetic", drive),
        ("resize", "--factor", "1", "--label-ids", "void0"),
        ("motion-labels", *annotations, "--movable", ",".join(_MOVABLE), "--label-ids", "void0", "--max-bad", "0.9"),
    ):
        assert prep(*command, "-C", place) == 0
    assert prep("shard", "--columns", "image,label", "-C", place) == 0
    return place


def _files(place: Path, column: str = "label") -> dict[str, Array]:
    return {path.name: read_image(path) for path in sorted(place.glob(f"*/{column}_data/*.png"))}


def test_files_hold_void_at_0_and_classes_from_1(train_ids: Path, void_first: Path) -> None:
    usual, shifted = _files(train_ids), _files(void_first)
    assert usual.keys() == shifted.keys()
    assert any((label == 255).any() for label in usual.values())
    for name, label in usual.items():
        np.testing.assert_array_equal(shifted[name], np.where(label == 255, 0, label + 1))


def test_shards_hold_the_same_as_ever(train_ids: Path, void_first: Path) -> None:
    for split in ("train", "val"):
        usual, shifted = (ShardStore.open(place / "shards" / f"{split}.zarr") for place in (train_ids, void_first))
        assert usual.columns["label"] == shifted.columns["label"]
        assert usual.statistics == shifted.statistics
        for row in range(len(usual)):
            np.testing.assert_array_equal(usual.read("label", row), shifted.read("label", row))


def test_pictures_show_the_same(train_ids: Path, void_first: Path, tmp_path: Path) -> None:
    outs = tmp_path / "usual.png", tmp_path / "shifted.png"
    for place, out in zip((train_ids, void_first), outs, strict=True):
        assert prep("peek", place / "shards" / "val.zarr", "0", "--out", out) == 0
    np.testing.assert_array_equal(read_image(outs[0]), read_image(outs[1]))
    assert prep("show", "val*0", "--augment", "2", "-C", void_first, "--out", tmp_path / "variants.png") == 0


def test_the_workspace_is_fresh_and_right(void_first: Path, capsys: Captured) -> None:
    assert prep("check", "--workers", "0", "-C", void_first) == 0
    capsys.readouterr()
    assert prep("status", "--json", "-C", void_first) == 0
    assert "stale" not in capsys.readouterr().out


def test_motion_labels_are_those_of_smsnet(void_first: Path) -> None:
    labels = _files(void_first, "motion_label")
    kinds = _files(void_first)
    assert {int(i) for label in labels.values() for i in np.unique(label)} <= {0, 1, 2}
    assert any((label == 2).any() for label in labels.values())
    for name, label in labels.items():
        np.testing.assert_array_equal(label != 0, np.isin(kinds[name], list(_MOVABLE.values())))


def test_lists_state_the_ids(train_ids: Path, void_first: Path, tmp_path: Path, capsys: Captured) -> None:
    for place, ids in ((train_ids, "train"), (void_first, "void0")):
        out = tmp_path / f"{ids}.jsonl"
        assert prep("list", out, "--prepared", "--columns", "image,label", "-C", place) == 0
        assert {json.loads(line)["label"]["ids"] for line in out.read_text().splitlines()} == {ids}
        capsys.readouterr()
        assert prep("list", tmp_path / "{split}.txt", "--prepared", "-C", place) == 0
        told = capsys.readouterr().out
        assert "SMSnet and SSMA read" in told
        assert ("255" in told) == (ids == "train")
        assert ("as SMSnet and SSMA read them" in told) == (ids == "void0")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_list_with_its_description_makes_the_same_labels_again(
    train_ids: Path, void_first: Path, tmp_path: Path, suffix: str
) -> None:
    listed, classes, again = tmp_path / f"val.{suffix}", tmp_path / "classes.json", tmp_path / "again"
    options = ("--prepared", "--split", "val", "--columns", "image,label", "--description", classes)
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    assert prep("list", listed, *options, "-C", void_first) == 0
    assert prep("init", "list", listed, "--root", void_first, "--classes", classes, "-C", again) == 0
    assert prep("resize", "--factor", "1", "-C", again) == 0
    expected = {name: label for name, label in _files(train_ids).items() if name.startswith("val")}
    found = _files(again)
    assert found.keys() == expected.keys()
    for name, label in expected.items():
        np.testing.assert_array_equal(found[name], label)
