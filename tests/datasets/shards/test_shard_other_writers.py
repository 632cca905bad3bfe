"""Stores that zarr-python wrote, in other layouts and codecs, and stores at a URL."""

import functools
import json
import multiprocessing
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import Crc32cCodec, GzipCodec, ZstdCodec

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.metadata import ROOT_FILE
from segprep.datasets.shards.rows import RowInfo

Rewrite = Callable[[Path, str], Path]

# Shapes that divide 7 samples of 12 x 20 pixels evenly or not at all.
LAYOUTS: dict[str, dict[str, Any]] = {
    "shards of 4, tiles, zstd": {
        "chunks": lambda shape: (1, 4, 5, *shape[3:]),
        "shards": lambda shape: (4, 12, 20, *shape[3:]),
        "compressors": [ZstdCodec(level=3), Crc32cCodec()],
    },
    "chunks of 2, gzip": {
        "chunks": lambda shape: (2, 12, 20, *shape[3:]),
        "shards": lambda shape: None,
        "compressors": [GzipCodec()],
    },
    "one chunk of all, no codec": {"chunks": lambda shape: shape, "shards": lambda shape: None, "compressors": None},
}


@pytest.fixture(scope="session")
def rewrite(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Rewrite:
    """Copy our store with zarr-python, columns and masks in another layout, without what only our writer records."""

    @functools.cache
    def rewritten(layout: str) -> Path:
        path = tmp_path_factory.mktemp("rewritten") / "train.zarr"
        source = zarr.open_group(store_path, mode="r", use_consolidated=False)
        attributes = {k: v for k, v in source.attrs.asdict().items() if k not in ("files", "digest")}
        target = zarr.create_group(path, zarr_format=3, attributes=attributes)
        how = LAYOUTS[layout]
        for name, array in source.arrays():
            column = array.shape[1:3] == (12, 20)
            made = target.create_array(
                name,
                shape=array.shape,
                dtype=array.dtype,
                chunks=how["chunks"](array.shape) if column else array.shape,
                shards=how["shards"](array.shape) if column else None,
                compressors=how["compressors"] if column else "auto",
                fill_value=array.fill_value,
                attributes=array.attrs.asdict(),
                config={"write_empty_chunks": True},
            )
            made[:] = array[:]
        return path

    return lambda path, layout: shutil.copytree(rewritten(layout), path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_store_of_zarr_python_reads_like_ours(
    tmp_path: Path, rewrite: Rewrite, layout: str, store_path: Path, specs: tuple[ArraySpec, ...],
    blocks: Mapping[str, Array], infos: list[RowInfo], class_map: ClassMap,
) -> None:  # fmt: skip
    ours, store = ShardStore.open(store_path), ShardStore.open(rewrite(tmp_path / "train.zarr", layout))
    assert dict(store.columns) == {s.name: s for s in specs}
    assert (store.split, len(store), store.class_map) == ("train", 7, class_map)
    assert (store.statistics, store.provenance) == (ours.statistics, ours.provenance)
    assert store.keys == tuple(r.key for r in infos)
    assert store.variants.tolist() == [0, 0, 1, 0, 0, 0, 0]
    for spec in specs:
        np.testing.assert_array_equal(store.read_batch(spec.name, range(7)), blocks[spec.name])
        crops = store.read_crops(spec.name, [6, 2], [(0, 3), (5, 11)], (7, 9))
        expected = [blocks[spec.name][6][0:7, 3:12], blocks[spec.name][2][5:12, 11:20]]
        np.testing.assert_array_equal(crops, expected)
    for i in range(7):
        np.testing.assert_array_equal(store.read_valid("depth", i), blocks["depth_valid"][i])
        assert store.source_paths(i) == ours.source_paths(i)
        np.testing.assert_array_equal(store.pose(i) if store.pose(i) is not None else 0, ours.pose(i) if i != 3 else 0)


def _remove(file: Path) -> None:
    file.unlink()


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def _flip(file: Path) -> None:
    content = np.frombuffer(file.read_bytes(), np.uint8).copy()
    content[: len(content) * 3 // 4 : 20] ^= 4  # in every chunk, but not in the index behind them
    file.write_bytes(content.tobytes())


@pytest.mark.parametrize("damage", [_remove, _empty, _cut, _flip])
def test_damage_of_a_store_of_zarr_python_is_an_error_and_never_fill_values(
    tmp_path: Path, rewrite: Rewrite, damage: Callable[[Path], None], blocks: Mapping[str, Array]
) -> None:
    path = rewrite(tmp_path / "train.zarr", "shards of 4, tiles, zstd")
    damage(path / "image" / "c" / "1" / "0" / "0" / "0")  # rows 4, 5, 6
    store = ShardStore.open(path)
    with pytest.raises(DamagedStoreError, match=r"array image is damaged.*sample aachen_4 \(row 4\)") as caught:
        store.read_batch("image", [0, 4])
    assert str(path) in str(caught.value)
    np.testing.assert_array_equal(store.read("image", 3), blocks["image"][3])
    damage(path / "pose" / "c" / "0" / "0" / "0")
    with pytest.raises(DamagedStoreError, match="Lost of pose: sample aachen_0"):
        ShardStore.open(path).pose(0)


def test_chunks_that_a_shard_declares_empty_are_fill_values_and_missing_files_are_explained(
    tmp_path: Path, rewrite: Rewrite
) -> None:
    path = rewrite(tmp_path / "train.zarr", "shards of 4, tiles, zstd")
    array = zarr.open_array(path / "label", mode="r+")  # as zarr-python writes unless told otherwise
    array[0], array[1:4] = 255, 1  # 255 is the fill value
    assert set(ShardStore.open(path).read_batch("label", [0, 1]).ravel().tolist()) == {1, 255}
    array[4:] = 255
    assert not (path / "label" / "c" / "1" / "0" / "0").exists()
    with pytest.raises(DamagedStoreError, match=r"label/c/1/0/0 is missing.*write_empty_chunks.*row 5"):
        ShardStore.open(path).read("label", 5)


def _change_attributes(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    root = json.loads((path / ROOT_FILE).read_bytes())
    change(root["attributes"])
    (path / ROOT_FILE).write_text(json.dumps(root))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda a: a.update(schema_version=9), "schema version 9.*Update segprep", id="newer"),
        pytest.param(lambda a: a.update(schema_version="1"), "schema version", id="no-number"),
        pytest.param(lambda a: a.pop("class_map"), "make no sense.*class_map", id="without-classes"),
        pytest.param(lambda a: a.update(rows=6), r"array image is \(7, 12, 20, 3\).*should be \(6,", id="rows"),
        pytest.param(lambda a: a.pop("schema_version"), "unfinished", id="unfinished"),
    ],
)
def test_attributes_of_another_writer_that_do_not_suit_are_refused(
    tmp_path: Path, rewrite: Rewrite, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    path = rewrite(tmp_path / "train.zarr", "one chunk of all, no codec")
    _change_attributes(path, change)
    with pytest.raises(DamagedStoreError, match=reason) as caught:
        ShardStore.open(path)
    assert str(path) in str(caught.value)


def test_an_array_that_is_absent_is_named(tmp_path: Path, rewrite: Rewrite) -> None:
    path = rewrite(tmp_path / "train.zarr", "one chunk of all, no codec")
    shutil.rmtree(path / "depth_valid")
    with pytest.raises(DamagedStoreError, match="depth_valid"):
        ShardStore.open(path)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # zarr-python has a thread
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_read_a_store_of_zarr_python(
    tmp_path: Path, rewrite: Rewrite, blocks: Mapping[str, Array], method: str
) -> None:
    store = ShardStore.open(rewrite(tmp_path / "train.zarr", "chunks of 2, gzip"))
    np.testing.assert_array_equal(store.read("image", 0), blocks["image"][0])
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.starmap_async(store.read_batch, [("image", [i, 6 - i]) for i in range(7)]).get(timeout=60)
    for i, pair in enumerate(found):
        np.testing.assert_array_equal(pair, blocks["image"][[i, 6 - i]])


def test_our_store_reads_alike_at_a_url(
    tmp_path: Path, store_path: Path, specs: tuple[ArraySpec, ...], blocks: Mapping[str, Array]
) -> None:
    copy = tmp_path / "train.zarr"
    shutil.copytree(store_path, copy)
    url = f"file://{copy}"
    store = pickle.loads(pickle.dumps(ShardStore.open(url)))
    assert store.path == url
    assert store.keys == ShardStore.open(store_path).keys
    for spec in specs:
        np.testing.assert_array_equal(store.read_batch(spec.name, [6, 0]), blocks[spec.name][[6, 0]])
    np.testing.assert_array_equal(store.read_crops("flow", [5], [(1, 2)], (3, 4))[0], blocks["flow"][5][1:4, 2:6])
    _empty(copy / "image" / "c.1.0.0.0")
    with pytest.raises(DamagedStoreError, match=r"file://.*image/c\.1\.0\.0\.0 is empty.*sample aachen_4 \(row 4\)"):
        store.read("image", 4)
    _change_attributes(copy, lambda a: a.update(split="val"))
    with pytest.raises(DamagedStoreError, match="digest differs"):
        ShardStore.open(url)


def test_a_url_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedStoreError, match=r"no finished shard store at file://"):
        ShardStore.open(f"file://{tmp_path}/none.zarr")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("image", lambda m: m["chunk_grid"]["configuration"].update(chunk_shape=[0, 0, 0, 0]), id="zero"),
        pytest.param("image", lambda m: m.update(attributes="DEEP"), id="nested"),
        pytest.param("image", lambda m: m.update(codecs=5), id="codecs"),
        pytest.param("", lambda m: m["attributes"].update(more="DEEP"), id="nested root"),
    ],
)
def test_metadata_that_make_no_sense_are_damage(
    tmp_path: Path, rewrite: Rewrite, name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    store = rewrite(tmp_path / "train.zarr", "one chunk of all, no codec")
    file = store / name / ROOT_FILE
    metadata = json.loads(file.read_bytes())
    change(metadata)
    file.write_text(json.dumps(metadata).replace('"DEEP"', "[" * 2000 + "]" * 2000))
    with pytest.raises(DamagedStoreError):
        ShardStore.open(store).read("image", 0)


def test_keys_that_are_no_unicode_are_damage(tmp_path: Path, rewrite: Rewrite) -> None:
    store = rewrite(tmp_path / "train.zarr", "one chunk of all, no codec")
    keys = zarr.open_array(store / "key", mode="r+")
    keys[0, :2] = 0xFF
    with pytest.raises(DamagedStoreError, match="its keys are no UTF-8"):
        len(ShardStore.open(store).keys)
