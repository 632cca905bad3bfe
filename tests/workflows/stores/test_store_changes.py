"""Stores that grow, and stores that are repaired: what is there stays as it is, what comes back is the same."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import WriteFailedError
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.verify import verify_store
from segprep.workflows.ledger.database import Ledger
from segprep.workflows.stores.order import ordered
from support.commands import make_camvid, prep, tree_bytes

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]

STORE = Path("shards/train.zarr")


@pytest.fixture
def ready(ws: Path, tmp_path: Path) -> None:
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=10, val=2)) == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("shard", "--samples-per-shard", "4") == 0


def _pixels(path: Path = STORE) -> dict[str, tuple[bytes, bytes]]:
    store = ShardStore.open(path)
    return {
        key: (store.read("image", row).tobytes(), store.read("label", row).tobytes())
        for row, key in enumerate(store.keys)
    }


def _grow(tmp_path: Path, train: int) -> None:
    shutil.rmtree(tmp_path / "camvid")
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=train, val=2)) == 0
    assert prep("resize") == 0


@pytest.mark.usefixtures("ready")
def test_new_samples_go_behind_the_old_ones_and_whole_shards_stay(tmp_path: Path) -> None:
    before, pixels = ShardStore.open(STORE).keys, _pixels()
    whole = {path: (path.stat().st_ino, path.read_bytes()) for path in STORE.glob("image/c.[01].*")}
    assert len(whole) == 2
    _grow(tmp_path, 15)
    assert prep("shard") == 0
    after = ShardStore.open(STORE)
    assert after.keys[: len(before)] == before
    assert len(after) == 15
    assert after.samples_per_shard == 4
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in whole} == whole
    assert _pixels().items() >= pixels.items()
    assert verify_store(STORE) == []


def test_a_small_store_grows_into_usual_shards(tmp_path: Path) -> None:
    """The only shard of a store is its last one: it may take more samples in."""
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=3, val=2)) == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("shard") == 0
    before = ShardStore.open(STORE).keys
    _grow(tmp_path, 9)
    assert prep("shard") == 0
    after = ShardStore.open(STORE)
    assert (after.samples_per_shard, after.keys[:3]) == (9, before)


@pytest.mark.usefixtures("ready")
def test_a_sample_that_is_gone_leaves_the_others_in_order(tmp_path: Path) -> None:
    before = ShardStore.open(STORE).keys
    _grow(tmp_path, 7)
    assert prep("shard") == 0
    after = ShardStore.open(STORE).keys
    assert len(after) == 7
    assert after == tuple(key for key in before if key in after)
    _grow(tmp_path, 10)
    assert prep("shard") == 0
    assert ShardStore.open(STORE).keys == before


@pytest.mark.usefixtures("ready")
def test_the_order_is_shuffled_by_the_seed(capsys: Captured) -> None:
    first, files = ShardStore.open(STORE).keys, tree_bytes(STORE)
    assert first != tuple(sorted(first))
    assert prep("shard", "--seed", "3") == 0
    third = ShardStore.open(STORE).keys
    assert sorted(third) == sorted(first)
    assert third != first
    assert prep("shard") == 0
    assert ShardStore.open(STORE).keys == third
    assert prep("shard", "--seed", "0") == 0
    assert tree_bytes(STORE) == files


def test_the_order_depends_on_nothing_but_seed_and_keys() -> None:
    keys = [SampleKey(f"k{i}") for i in range(20)]
    assert ordered([], 0, keys, None) == ordered([], 0, keys[::-1], None)
    grown = ordered(ordered([], 0, keys[:9], None).keys, 0, keys, None)
    assert grown.keys[:9] == ordered([], 0, keys[:9], None).keys
    assert set(grown.keys) == set(keys)


def _damage(path: Path, generator: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = generator.randrange(len(data))
    data[place] ^= 1 << generator.randrange(8)
    path.unlink()  # the file may have a second name
    path.write_bytes(data)


@pytest.mark.usefixtures("ready")
def test_repair_brings_identical_bytes_back(capsys: Captured) -> None:
    assert prep("shard", "--augment", "2", "--split", "train", "--columns", "image,label") == 0
    before = tree_bytes(Path("shards"))
    generator = random.Random(5)
    _damage(next(STORE.glob("image/c.1.*")), generator)
    next(STORE.glob("label/c.0.*")).unlink()
    next(STORE.glob("key/c.2*")).write_bytes(b"")
    (STORE / "image" / "stray").write_bytes(b"x")
    _damage(STORE / "label" / "zarr.json", generator)
    val = Path("shards/val.zarr/zarr.json")
    val.write_bytes(val.read_bytes()[:-100])
    _damage(next(Path("shards/val.zarr").glob("image/c.0*")), generator)
    assert prep("verify") == 6
    capsys.readouterr()
    assert prep("verify", "--repair") == 0
    assert tree_bytes(Path("shards")) == before
    assert "is repaired" in capsys.readouterr().err


@pytest.mark.usefixtures("ready")
def test_repair_is_refused_where_the_workspace_holds_something_else(capsys: Captured, tmp_path: Path) -> None:
    next(STORE.glob("image/c.1.*")).unlink()
    damaged = tree_bytes(Path("shards"))
    assert prep("resize", "--labels", "nearest", "--factor", "2") == 0
    assert prep("verify", "--repair") == 5
    assert "no longer holds what it was made from" in capsys.readouterr().err
    assert tree_bytes(Path("shards")) == damaged
    shutil.copytree(STORE, tmp_path / "elsewhere" / "train.zarr")
    assert prep("verify", tmp_path / "elsewhere" / "train.zarr", "--repair") == 2
    assert "is no store of the workspace" in capsys.readouterr().err


@pytest.mark.usefixtures("ready")
def test_statistics_stay_right_when_a_store_grows(tmp_path: Path) -> None:
    _grow(tmp_path, 13)
    assert prep("shard") == 0
    grown = ShardStore.open(STORE)
    labels = np.stack([grown.read("label", row) for row in range(len(grown))])
    found = grown.statistics["label"]
    assert found.to_json()["pixels"] == [int((labels == i).sum()) for i in range(11)]


def test_shards_of_runs_that_never_finished_are_not_mixed(camvid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run recorded its shard, the next wrote others of the same size over it and was killed before it said so."""
    shard = ("shard", "--codec", "none", "--split", "train")

    def killed(*_: object) -> None:
        raise WriteFailedError("killed")

    def killed_at_record(ledger: Ledger, split: str, place: int, fingerprint: str, report: JsonDict) -> None:
        if fingerprint:
            killed()
        record(ledger, split, place, fingerprint, report)

    record = Ledger.record_shard
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "4", "--split", "train") == 0
    assert prep(*shard) == 0
    first = tree_bytes(STORE)
    shutil.rmtree(STORE)
    with monkeypatch.context() as patch:
        patch.setattr("segprep.workflows.stores.writing.finish_store", killed)
        assert prep(*shard) == 3
    label = Path("shards/train.zarr.partial/label/c.0.0.0").read_bytes()
    assert prep("resize", "--labels", "nearest", "--split", "train") == 0
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "record_shard", killed_at_record)
        assert prep(*shard) == 3
    assert Path("shards/train.zarr.partial/label/c.0.0.0").read_bytes() != label
    assert prep("resize", "--labels", "vote", "--split", "train") == 0
    assert prep(*shard) == 0
    assert verify_store(STORE) == []
    assert tree_bytes(STORE) == first


@pytest.mark.usefixtures("ready")
def test_a_column_that_failed_everywhere_is_not_left_out_in_silence(capsys: Captured, tmp_path: Path) -> None:
    before = tree_bytes(STORE)
    for path in (tmp_path / "camvid/trainannot").iterdir():
        path.write_bytes(b"")
    assert prep("resize", "--split", "train") == 4
    capsys.readouterr()
    assert prep("shard", "--split", "train") == 5
    message = capsys.readouterr().err
    assert "no sample of split train has every one of the columns image, label: 10 without label (failed)" in message
    assert tree_bytes(STORE) == before
    assert prep("shard", "--split", "train", "--columns", "image") == 0
