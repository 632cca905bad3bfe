"""Every kind of damage to a store: named by the command, and undone byte by byte."""

import json
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.verify import verify_store
from support.commands import make_camvid, prep, tree_bytes

Captured = pytest.CaptureFixture[str]
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a store of five samples in shards of two.

    The options of the last run do not tell how it was made, and the workspace has got one more sample since.
    """
    place = tmp_path_factory.mktemp("damage")

    def run(*arguments: object) -> None:
        assert prep(*arguments, "-C", place / "ws") == 0

    make_camvid(place / "camvid", train=5, val=1)
    run("init", "camvid", place / "camvid")
    run("resize", "--factor", "4", "--split", "train")
    run("shard", "--samples-per-shard", "2", "--split", "train", "--seed", "4")
    run("shard", "--split", "train")
    shutil.rmtree(place / "camvid")
    make_camvid(place / "camvid", train=6, val=1)
    run("init", "camvid", place / "camvid")
    run("resize", "--split", "train")
    return place / "ws"


@pytest.fixture
def workspace(whole: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    shutil.copytree(whole, tmp_path / "ws")
    return tmp_path / "ws"


def _flip(file: str, place: int) -> Damage:
    def damage(store: Path) -> None:
        content = bytearray((store / file).read_bytes())
        content[place] ^= 1 << 3
        _replace(store / file, bytes(content))

    return damage


def _replace(path: Path, content: bytes) -> None:
    path.unlink()  # the file may have a second name
    path.write_bytes(content)


def _change_root(change: Callable[[dict[str, object]], object]) -> Damage:
    def damage(store: Path) -> None:
        root = json.loads((store / "zarr.json").read_bytes())
        change(root)
        _replace(store / "zarr.json", json.dumps(root, indent=2).encode())

    return damage


def _put_file_in_place_of_labels(store: Path) -> None:
    shutil.rmtree(store / "label")
    (store / "label").write_bytes(b"x")


def _delete_everything(store: Path) -> None:
    shutil.rmtree(store)
    store.mkdir()


def _root_and_bit(store: Path) -> None:
    (store / "zarr.json").unlink()
    _flip("image/c.0.0.0.0", 70)(store)


DAMAGES: Mapping[str, Damage] = {
    "a bit of a chunk": _flip("image/c.1.0.0.0", 70),
    "a bit of an index": _flip("label/c.2.0.0", -20),
    "a bit of the keys": _flip("key/c.0.0", 40),
    "a bit of an array's metadata": _flip("image/zarr.json", 100),
    "a bit of the attributes": _flip("zarr.json", 900),
    "a bit of the consolidated metadata": _flip("zarr.json", -900),
    "a shard deleted": lambda s: (s / "image/c.1.0.0.0").unlink(),
    "a shard truncated": lambda s: _replace(s / "image/c.2.0.0.0", (s / "image/c.2.0.0.0").read_bytes()[:-9]),
    "a shard emptied": lambda s: _replace(s / "label/c.0.0.0", b""),
    "a shard of another place": lambda s: shutil.copy(s / "key/c.0.0", s / "key/c.1.0"),
    "a folder deleted": lambda s: shutil.rmtree(s / "label"),
    "a folder that is a file": _put_file_in_place_of_labels,
    "an array's metadata deleted": lambda s: (s / "pose/zarr.json").unlink(),
    "an array's metadata emptied": lambda s: _replace(s / "pose/zarr.json", b""),
    "the root deleted": lambda s: (s / "zarr.json").unlink(),
    "the root truncated": lambda s: _replace(s / "zarr.json", (s / "zarr.json").read_bytes()[:-99]),
    "the root emptied": lambda s: _replace(s / "zarr.json", b""),
    "the attributes gone": _change_root(lambda root: root["attributes"].clear()),  # type: ignore[attr-defined]
    "the consolidated metadata gone": _change_root(lambda root: root.pop("consolidated_metadata")),
    "the root deleted, and a bit": _root_and_bit,
    "everything deleted": _delete_everything,
    "a stray file": lambda s: (s / "image" / "c.9.0.0.0").write_bytes(b"x"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_repair_undoes_every_damage_to_the_byte(workspace: Path, damage: Damage) -> None:
    store = workspace / "shards/train.zarr"
    before = tree_bytes(workspace / "shards")
    damage(store)
    assert tree_bytes(workspace / "shards") != before
    assert verify_store(store)
    assert prep("verify", "--repair", "-C", workspace) == 0
    assert tree_bytes(workspace / "shards") == before
    assert verify_store(store) == []


def test_many_damages_at_once_are_undone(workspace: Path) -> None:
    store = workspace / "shards/train.zarr"
    before = tree_bytes(workspace / "shards")
    generator = random.Random(11)
    files = sorted(path for path in store.rglob("*") if path.is_file())
    for path in generator.sample(files, len(files) // 2):
        how = generator.randrange(4)
        content = path.read_bytes()
        path.unlink()
        if how:
            path.write_bytes((content[:-3], b"", content + b"x")[how - 1])
    assert prep("verify", "--repair", "-C", workspace) == 0
    assert tree_bytes(workspace / "shards") == before


@pytest.mark.parametrize(
    ("damage", "named", "samples"),
    [
        ("a bit of a chunk", "image/c.1.0.0.0", [2]),
        ("a shard deleted", "image/c.1.0.0.0", [2, 3]),
        ("a shard truncated", "image/c.2.0.0.0", [4]),
        ("a shard emptied", "label/c.0.0.0", [0, 1]),
        ("the root truncated", "zarr.json", []),
    ],
)
def test_the_command_names_store_shard_and_samples(
    workspace: Path, capsys: Captured, damage: str, named: str, samples: list[int]
) -> None:
    store = workspace / "shards/train.zarr"
    keys = ShardStore.open(store).keys
    DAMAGES[damage](store)
    capsys.readouterr()
    assert prep("verify", store, "--json") == 6
    ((path, (found,)),) = json.loads(capsys.readouterr().out).items()
    assert (path, found["file"], found["keys"]) == (str(store), named, [keys[row] for row in samples])
    assert prep("verify", "-C", workspace) == 6
    text = capsys.readouterr().out
    for part in (str(store), named, *found["keys"]):
        assert part in text


def test_a_damaged_file_that_a_killed_run_took_over_is_not_taken_for_the_repaired_one(workspace: Path) -> None:
    """What was to be the next store shares its files with this one, and so the damage."""
    store = workspace / "shards/train.zarr"
    before = tree_bytes(store)
    partial = store.with_name("train.zarr.partial")
    shutil.copytree(store, partial)
    _flip("image/c.1.0.0.0", 70)(store)
    shutil.copy(store / "image/c.1.0.0.0", partial / "image/c.1.0.0.0")
    assert prep("verify", "--repair", "-C", workspace) == 0
    assert tree_bytes(workspace / "shards") == {f"train.zarr/{name}": content for name, content in before.items()}


def test_other_versions_of_the_libraries_repair_a_store_as_it_was(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree_bytes(workspace / "shards")
    DAMAGES["a shard deleted"](workspace / "shards/train.zarr")
    monkeypatch.setattr("segprep.workflows.stores.planning.version", lambda name: "99.0")
    assert prep("verify", "--repair", "-C", workspace) == 0
    assert tree_bytes(workspace / "shards") == before
