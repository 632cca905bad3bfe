"""One bit flipped anywhere in a store is found, and nothing that a reader hands out is wrong."""

import dataclasses
import itertools
import json
import random
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.errors import ZarrUserWarning
from zarr.storage import MemoryStore

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.metadata import ROOT_FILE, encode_root
from segprep.datasets.shards.rows import RowInfo
from segprep.datasets.shards.verify import Damage, verify_store
from support.stores import make_plan, write_store

FLIPS = 100  # of each codec's store
ROOT_FLIPS = 40
COLUMNS = ("image", "label", "depth")


@pytest.fixture(scope="module", params=["lz4", "none", "zstd"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of each codec with columns of every sort; a test that damages it mends it, too."""
    plan = make_plan(request.param)
    plan = dataclasses.replace(plan, specs=tuple(spec for spec in plan.specs if spec.name in COLUMNS))
    return write_store(tmp_path_factory.mktemp("bits") / "train.zarr", plan)


def _flipped(content: bytes, generator: random.Random) -> bytes:
    bad = bytearray(content)
    bad[generator.randrange(len(bad))] ^= 1 << generator.randrange(8)
    return bytes(bad)


def _reads_as_written(path: Path, blocks: Mapping[str, Array]) -> bool:
    """Return whether a store hands out all columns, as they were written; False if it refuses."""
    try:
        opened = ShardStore.open(path)
        for name in opened.columns:
            np.testing.assert_array_equal(opened.read_batch(name, range(len(opened))), blocks[name])
    except DamagedStoreError:
        return False
    return True


def _is_named(damages: list[Damage], file: str, infos: list[RowInfo]) -> None:
    """Check that the damages are just this file's, and that those of a shard tell its number and samples."""
    assert [damage.file for damage in damages] == [file]
    if not file.endswith(ROOT_FILE):
        (damage,) = damages
        shard = int(file.split("/c.")[1].split(".")[0])
        rows = range(3 * shard, min(3 * shard + 3, len(infos)))
        own = {f"row {row}" for row in rows} if file.startswith("key/") else {infos[row].key for row in rows}
        assert damage.shard == shard
        assert damage.keys
        assert set(damage.keys) <= own


def test_a_flipped_bit_of_any_file_is_found_and_never_read(
    store: Path, blocks: Mapping[str, Array], infos: list[RowInfo]
) -> None:
    generator = random.Random(7)
    files = [path for path in sorted(store.rglob("*")) if path.is_file()]
    assert verify_store(store) == []
    for _ in range(FLIPS):
        path = generator.choice(files)
        whole = path.read_bytes()
        path.write_bytes(_flipped(whole, generator))
        file = path.relative_to(store).as_posix()
        _is_named(verify_store(store), file, infos)
        if path.parent.name in COLUMNS and path.name != ROOT_FILE:
            assert not _reads_as_written(store, blocks), file
        path.write_bytes(whole)
    assert verify_store(store) == []


def test_a_flipped_bit_of_the_root_is_found_whatever_it_means(store: Path, blocks: Mapping[str, Array]) -> None:
    """Attributes have a digest; what is beside them says what other programs read, and even spelling counts."""
    path = store / ROOT_FILE
    whole = path.read_bytes()
    ends = whole.index(b'"zarr_format"')
    generator = random.Random(3)
    sampled = [generator.sample(part, ROOT_FLIPS) for part in (range(ends), range(ends, len(whole)))]
    places = [(place, 1 << generator.randrange(8)) for place in itertools.chain(*sampled)]
    for name in (b'"digest"', b'"files"', b'"schema_version": 1', b'"zarr_format": 3', b'"node_type"', b'"inline"'):
        start = whole.index(name)
        places += [(place, 1 << bit) for place in range(start, start + len(name)) for bit in (0, 1, 5)]
    for place, bit in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        found = [damage.file for damage in verify_store(store, fast=True)]
        assert found == [ROOT_FILE], (place, bit)
        if place < ends:
            _reads_as_written(store, blocks)
    path.write_bytes(whole)
    assert verify_store(store) == []


def test_another_spelling_of_the_same_root_is_found(store: Path) -> None:
    path = store / ROOT_FILE
    whole = path.read_bytes()
    for other in (whole + b"\n", whole.replace(b": 0.5", b": 5E-1", 1), json.dumps(json.loads(whole)).encode()):
        assert other != whole
        path.write_bytes(other)
        assert [damage.file for damage in verify_store(store)] == [ROOT_FILE]
    path.write_bytes(whole)


def test_the_root_is_spelled_as_zarr_python_spells_it(store: Path) -> None:
    attributes = {"\u00fc": [1, 2.5e-7, None], "a": {"b": "\ud800"}}
    copy = MemoryStore()
    group = zarr.create_group(copy, zarr_format=3, attributes=attributes)
    names = ("key", "image")
    for name in names:
        group.create_array(name, shape=(3, 2), dtype="uint8")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata", ZarrUserWarning)
        zarr.consolidate_metadata(copy, zarr_format=3)
    files = {path: buffer.to_bytes() for path, buffer in copy._store_dict.items()}
    arrays = {name: json.loads(files[f"{name}/{ROOT_FILE}"]) for name in names}
    assert encode_root(attributes, arrays) == files[ROOT_FILE]
