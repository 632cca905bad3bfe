"""Reading a local store by mapping its files: batches, crops, threads, processes, and files that change meanwhile."""

import dataclasses
import gc
import itertools
import multiprocessing
import os
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore, open_files
from segprep.datasets.shards import local as shard_local
from segprep.datasets.shards import mapping as shard_mapping
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.metadata import ROOT_FILE, root_file
from segprep.datasets.shards.root import read_root
from support.properties import examples
from support.stores import make_plan, write_store

COLUMNS = ("image", "label", "instance", "optical_flow", "depth")  # 3, 1, 1, 2, 1 channels of 1, 1, 2, 2, 2 bytes
IMAGE = "image/c.1.0.0.0"  # rows 3, 4, 5


@pytest.fixture(scope="module", params=["lz4", "none", "zstd"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of each codec that tests only read."""
    return write_store(tmp_path_factory.mktemp("shared") / "train.zarr", make_plan(request.param))


@pytest.fixture
def own(shared: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    shutil.copytree(shared, tmp_path / "train.zarr")
    return tmp_path / "train.zarr"


@examples(25, suppress=(HealthCheck.function_scoped_fixture,))
@given(data=st.data())
def test_crops_are_the_windows_of_whole_samples(shared: Path, blocks: Mapping[str, Array], data: st.DataObject) -> None:
    store = ShardStore.open(shared)
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 20))
    corner = st.tuples(st.integers(0, 12 - height), st.integers(0, 20 - width))
    draws = data.draw(st.lists(st.tuples(st.integers(0, 6), corner), max_size=5))
    rows, corners = [row for row, _ in draws], [corner for _, corner in draws]
    for column in COLUMNS:
        found = store.read_crops(column, rows, corners, (height, width))
        assert found.shape == (len(rows), height, width, *blocks[column].shape[3:])
        assert found.dtype == blocks[column].dtype
        for each, row, (y, x) in zip(found, rows, corners, strict=True):
            np.testing.assert_array_equal(each, blocks[column][row, y : y + height, x : x + width])


@pytest.mark.parametrize(
    ("corners", "size"),
    [([(1, 0)], (12, 20)), ([(0, 1)], (12, 20)), ([(-1, 0)], (4, 4)), ([(0, 0)], (0, 4)), ([(0, 0)] * 2, (4, 4))],
)
def test_windows_that_do_not_lie_within_the_sample_are_refused(
    store_path: Path, corners: list[tuple[int, int]], size: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=r"windows of .* do not lie within samples of 20x12"):
        ShardStore.open(store_path).read_crops("image", [3], corners, size)


@pytest.mark.parametrize("column", COLUMNS)
def test_any_layout_of_the_output_is_filled(shared: Path, blocks: Mapping[str, Array], column: str) -> None:
    store, rows = ShardStore.open(shared), [5, 1, 6]
    expected = blocks[column][rows]
    wide = np.zeros((*expected.shape, 2), expected.dtype)
    outputs = {
        "every second value": wide[..., 1],
        "Fortran's order": np.zeros(expected.shape, expected.dtype, order="F"),
        "backwards": np.zeros_like(expected)[::-1],
    }
    for _ in range(2):  # the first time a chunk is read its checksum is compared, too
        for name, out in outputs.items():
            out[...] = 0
            assert store.read_batch(column, rows, out) is out
            np.testing.assert_array_equal(out, expected, name)
    assert not wide[..., 0].any()


def test_a_batch_with_a_damaged_sample_names_it_and_the_others_stay_readable(
    own: Path, blocks: Mapping[str, Array]
) -> None:
    _flip_bit(own / IMAGE, 5)  # in the chunk of row 3
    store = ShardStore.open(own)
    for _ in range(2):
        with pytest.raises(DamagedStoreError, match=r"image/c\.1.*checksum.*sample aachen_3 \(row 3\)"):
            store.read_batch("image", [0, 4, 3, 5])
        with pytest.raises(DamagedStoreError, match="row 3"):
            store.read_crops("image", [4, 3], [(0, 0), (11, 19)], (1, 1))
        np.testing.assert_array_equal(store.read_batch("image", [4, 5, 0]), blocks["image"][[4, 5, 0]])


@pytest.mark.parametrize("place", range(0, 48 + 4, 3))
def test_every_byte_of_the_index_is_protected(own: Path, place: int) -> None:
    _flip_bit(own / IMAGE, -1 - place)
    with pytest.raises(DamagedStoreError, match=r"image/c\.1.*row 5"):
        ShardStore.open(own).read("image", 5)


def test_a_chunk_that_is_damaged_after_it_was_read_is_found(own: Path, blocks: Mapping[str, Array]) -> None:
    store = ShardStore.open(own)
    np.testing.assert_array_equal(store.read_batch("image", range(7)), blocks["image"])
    _flip_bit(own / IMAGE, 5)
    os.utime(own / IMAGE, ns=(1, 1))  # else the change may fall into the same tick of the clock
    with pytest.raises(DamagedStoreError, match="checksum"):
        store.read("image", 3)
    np.testing.assert_array_equal(store.read("image", 4), blocks["image"][4])


def test_a_file_that_is_replaced_is_read_anew(own: Path, shared: Path, blocks: Mapping[str, Array]) -> None:
    _flip_bit(own / IMAGE, 5)
    store = ShardStore.open(own)
    with pytest.raises(DamagedStoreError):
        store.read("image", 3)
    shutil.copy(shared / IMAGE, own / "repaired")
    (own / "repaired").replace(own / IMAGE)
    np.testing.assert_array_equal(store.read("image", 3), blocks["image"][3])


def test_a_store_that_is_replaced_while_it_is_open_is_not_mixed_with_the_new_one(
    own: Path, shared: Path, tmp_path: Path, blocks: Mapping[str, Array]
) -> None:
    store = ShardStore.open(own)
    np.testing.assert_array_equal(store.read("image", 0), blocks["image"][0])
    root = read_root(own)
    other = dataclasses.replace(root, provenance={"seed": 8})
    own.rename(tmp_path / "old")
    shutil.copytree(shared, own)
    np.testing.assert_array_equal(store.read_batch("image", [0, 4]), blocks["image"][[0, 4]])  # the same once more
    own.rename(tmp_path / "older")
    shutil.copytree(shared, own)
    (own / ROOT_FILE).write_bytes(root_file(other.plan, other.to_attributes()))
    for read in (store.read, store.read_valid):
        for row in (0, 6):  # whose files were mapped, or not
            with pytest.raises(DamagedStoreError, match=r"train\.zarr was written anew since it was opened"):
                read("depth", row)
    np.testing.assert_array_equal(ShardStore.open(own).read("image", 6), blocks["image"][6])


def test_a_chunk_of_a_right_checksum_but_another_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = shard_mapping.MappedShard.__init__

    def wider(shard: Any, *arguments: Any) -> None:
        make(shard, *arguments)
        shard._sample_bytes += 3  # as if the store's attributes promised more than its files hold

    monkeypatch.setattr(shard_mapping.MappedShard, "__init__", wider)
    for codec in ("none", "lz4"):
        store = ShardStore.open(write_store(tmp_path / codec, make_plan(codec)))
        with pytest.raises(DamagedStoreError, match="holds 720 bytes of values instead of 723"):
            store.read("image", 0)


def test_more_files_than_may_be_mapped_at_a_time(
    shared: Path, specs: tuple[ArraySpec, ...], blocks: Mapping[str, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_files, "most_mapped", lambda: 2)
    store = ShardStore.open(shared)
    before = _open_files()
    for _ in range(2):
        for spec, row in itertools.product(specs, (6, 0, 3)):
            np.testing.assert_array_equal(store.read(spec.name, row), blocks[spec.name][row])
    assert _open_files() - before <= 2 * 2


def test_a_store_that_is_let_go_leaves_no_file_open(shared: Path) -> None:
    gc.collect()
    before = _open_files()
    store = ShardStore.open(shared)
    store.read_batch("image", range(7))
    assert _open_files() > before
    del store
    assert _open_files() == before


def test_samples_that_have_left_the_memory_are_asked_for_at_once(
    shared: Path, blocks: Mapping[str, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    waits = itertools.count()

    def ask_for(snapshot: shard_mapping.Snapshot, place: int) -> None:
        asked.append(place)
        shard_mapping.ask_for(snapshot, place)

    monkeypatch.setattr(shard_local, "ask_for", ask_for)
    monkeypatch.setattr(shard_local, "disk_waits", lambda: 0)
    store = ShardStore.open(shared)

    def places_asked_for() -> list[int]:
        asked.clear()
        np.testing.assert_array_equal(store.read_batch("image", [2, 3, 4]), blocks["image"][2:5])
        return list(asked)

    assert places_asked_for() == [2, 0, 1]  # never read before
    assert places_asked_for() == []
    monkeypatch.setattr(shard_local, "disk_waits", lambda: next(waits))
    assert places_asked_for() == []  # while it finds out
    assert places_asked_for() == [2, 0, 1]


def test_threads_share_a_store(shared: Path, specs: tuple[ArraySpec, ...], blocks: Mapping[str, Array]) -> None:
    store = ShardStore.open(shared)
    start = threading.Barrier(8)

    def read(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        start.wait()
        same = True
        for _ in range(30):
            name = specs[rng.integers(len(specs))].name
            rows = rng.integers(0, 7, 4).tolist()
            same &= np.array_equal(store.read_batch(name, rows), blocks[name][rows])
            same &= store.keys[rows[0]] == store.keys[rows[0]]
        return same

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [True] * 8


# From Python 3.12 on a fork is warned of wherever threads run.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_read_while_threads_of_their_parent_read(
    store_path: Path, blocks: Mapping[str, Array], method: str
) -> None:
    """A forked process inherits the store with its mapped files; the others get path and attributes."""
    store = ShardStore.open(store_path)
    store.read_batch("image", [0, 3])
    done = threading.Event()
    pause_seconds = 0 if method == "fork" else 0.01  # others take seconds to start, and inherit no state of a thread

    def keep_reading() -> None:
        while not done.wait(pause_seconds):
            store.read_batch("image", range(7))

    threads = [threading.Thread(target=keep_reading) for _ in range(2)]
    for thread in threads:
        thread.start()
    context = multiprocessing.get_context(method)
    try:
        with ProcessPoolExecutor(2, context, initializer=_inherit, initargs=(store,)) as pool:
            batches = [[0, 3, 6], [6, 1], [2, 2], [5]]
            for rows, found in zip(batches, pool.map(_read_inherited, batches), strict=True):
                np.testing.assert_array_equal(found, blocks["image"][rows])
    finally:
        done.set()
        for thread in threads:
            thread.join()


_inherited: list[ShardStore] = []


def _inherit(store: ShardStore) -> None:
    _inherited.append(store)


def _read_inherited(rows: list[int]) -> Array:
    return _inherited[0].read_batch("image", rows)


def _flip_bit(file: Path, byte: int) -> None:
    content = bytearray(file.read_bytes())
    content[byte] ^= 0x10
    file.write_bytes(content)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
