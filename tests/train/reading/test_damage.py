"""Damaged samples are refused, never trained on: not as zeros and not as anything else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.program.command_line import run_app
from segprep.datasets.shards import ShardStore
from segprep.train.cli import app
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Reader

Damage = Callable[[Path], object]

SMALL = ("--steps", "3", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32")


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)


def _rename_split(root: Path) -> None:
    root.write_text(root.read_text().replace('"split": "', '"split": "x', 1))


def _damages() -> dict[str, tuple[str, Damage, str]]:
    """Return which file, what happens to it, and what the message says."""
    return {
        "bit of an image": ("image/c.0.0.0.0", _flip, "checksum"),
        "bit of a label": ("label/c.0.0.0", _flip, "checksum"),
        "image deleted": ("image/c.0.0.0.0", Path.unlink, "missing"),
        "label emptied": ("label/c.0.0.0", lambda p: p.write_bytes(b""), "0 bytes instead of"),
        "label truncated": ("label/c.0.0.0", lambda p: p.write_bytes(p.read_bytes()[:-1]), "bytes instead of"),
        "metadata of an array": ("image/zarr.json", _flip, "not what was written"),
        "metadata of the store": ("zarr.json", _flip, "not readable"),
        "attributes": ("zarr.json", _rename_split, "digest differs"),
    }


@pytest.mark.parametrize(
    ("split", "damage"),
    [*(("train", damage) for damage in _damages()), ("val", "bit of a label"), ("val", "attributes")],
)
def test_a_run_on_a_damaged_store_exits_with_6_and_names_the_file(
    workspace: Path, capfd: pytest.CaptureFixture[str], damage: str, split: str
) -> None:
    file, change, reason = _damages()[damage]
    store = workspace / "shards" / f"{split}.zarr"
    change(store / file)
    assert run_app(app, "train", ["run", "-C", str(workspace), *SMALL]) == 6
    message = capfd.readouterr().err
    for part in (str(store), file, reason):
        assert part in message


def test_a_store_of_a_newer_schema_is_not_trained_on(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = workspace / "shards" / "train.zarr" / "zarr.json"
    text = root.read_text().replace('"schema_version": 1', '"schema_version": 7').replace('"digest": "', '"digest": "x')
    root.write_text(text)
    assert run_app(app, "train", ["run", "-C", str(workspace), *SMALL]) == 6
    assert "schema version 7; this program reads up to 1. Update segprep" in capfd.readouterr().err


@pytest.mark.parametrize("column", ["image", "label", "flow"])
def test_a_batch_with_a_damaged_sample_is_refused_whole_and_others_are_right(shards: Path, column: str) -> None:
    store = ShardStore.open(shards / "train.zarr")
    whole = Reader(store, ["image", "flow"]).read([Row(1), Row(4)])
    _flip(next((shards / "train.zarr" / column).glob("c.*")))  # in the first sample
    damaged = Reader(ShardStore.open(shards / "train.zarr"), ["image", "flow"])
    for rows in ([Row(0)], [Row(1), Row(0)], [Row(0), Row(1)]):
        with pytest.raises(DamagedStoreError, match=rf"{column}/c\.0.*sample s000 \(row 0\)"):
            damaged.read(rows)
    again = damaged.read([Row(1), Row(4)])
    np.testing.assert_array_equal(again.labels_NHW, whole.labels_NHW)
    np.testing.assert_array_equal(again.inputs_NHWC, whole.inputs_NHWC)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["deleted", "emptied"])
def test_a_shard_that_goes_while_a_run_reads_is_refused(shards: Path, change: Damage) -> None:
    reader = Reader(ShardStore.open(shards / "train.zarr"), ["image"])
    reader.read([Row(0), Row(1)])
    change(shards / "train.zarr/image/c.0.0.0.0")
    with pytest.raises(DamagedStoreError, match=r"image/c\.0.*sample s00[01] "):
        reader.read([Row(0), Row(1)])
