import multiprocessing
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorstore
import xarray
import zarr

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import UnknownNameError
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.rows import RowInfo
from support.stores import make_plan, write_store


@pytest.mark.parametrize("codec", ["lz4", "none", "zstd"])
def test_every_column_and_mask_reads_back_as_written(
    tmp_path: Path, codec: str, blocks: dict[str, Array], specs: tuple[ArraySpec, ...]
) -> None:
    store = ShardStore.open(write_store(tmp_path / "train.zarr", make_plan(codec)))
    assert len(store) == 7
    assert dict(store.columns) == {s.name: s for s in specs}
    for spec in specs:
        for i in range(7):
            value = store.read(spec.name, i)
            assert value.dtype == np.dtype(spec.dtype)
            np.testing.assert_array_equal(value, blocks[spec.name][i])
            valid = blocks[f"{spec.name}_valid"][i] if spec.masked else np.ones((12, 20), bool)
            assert store.read_valid(spec.name, i).dtype == np.bool_
            np.testing.assert_array_equal(store.read_valid(spec.name, i), valid)


def test_everything_but_the_columns_reads_back_as_written(
    store_path: Path, infos: list[RowInfo], class_map: ClassMap
) -> None:
    store = ShardStore.open(store_path)
    assert store.split == "train"
    assert store.class_map == class_map
    assert store.provenance == {"seed": 7, "by": {"10": "b", "9": "a"}}
    assert store.keys == tuple(r.key for r in infos)
    assert store.variants.tolist() == [0, 0, 1, 0, 0, 0, 0]
    for i, info in enumerate(infos):
        assert store.source_size(i) == info.source_size
        assert store.source_paths(i) == info.source_paths
        assert store.augmentation(i) == info.augmentation
        for found, written in (
            (store.camera_K(i), info.camera_K),
            (store.pose(i), info.pose),
            (store.motion(i), info.motion),
        ):
            if written is None:
                assert found is None
            else:
                np.testing.assert_array_equal(found, written)


def test_a_batch_is_its_samples_in_the_order_asked_for(store_path: Path, blocks: dict[str, Array]) -> None:
    store = ShardStore.open(store_path)
    indices = [6, 0, 4, 4, 1]
    np.testing.assert_array_equal(store.read_batch("optical_flow", indices), blocks["optical_flow"][indices])
    out = np.empty((5, 12, 20, 3), np.uint8)
    assert store.read_batch("image", indices, out) is out
    np.testing.assert_array_equal(out, blocks["image"][indices])
    assert store.read_batch("label", []).shape == (0, 12, 20)


@pytest.mark.parametrize("out", [np.empty((2, 12, 20, 3), np.uint8), np.empty((1, 12, 20, 3), np.uint16)])
def test_a_batch_refuses_an_output_of_another_shape_or_dtype(store_path: Path, out: Array) -> None:
    with pytest.raises(ValueError, match="out must be"):
        ShardStore.open(store_path).read_batch("image", [0], out)


def test_unknown_columns_and_rows_are_refused_by_name(store_path: Path) -> None:
    store = ShardStore.open(store_path)
    with pytest.raises(UnknownNameError, match=r"'hha'.*image, label"):
        store.read("hha", 0)
    for index in (-1, 7):
        for read in (store.read, store.read_valid):
            with pytest.raises(IndexError, match=r"0\.\.6"):
                read("image", index)
        with pytest.raises(IndexError):
            store.pose(index)


def test_zarr_python_reads_the_same_values_and_knows_the_dimensions(store_path: Path, blocks: dict[str, Array]) -> None:
    group = zarr.open_group(store_path, mode="r")
    assert group.metadata.consolidated_metadata is not None
    for name, values in blocks.items():
        array = group[name]
        assert isinstance(array, zarr.Array)
        np.testing.assert_array_equal(array[:], values)
    image = group["image"]
    assert isinstance(image, zarr.Array)
    assert image.shards == (3, 12, 20, 3)
    assert image.chunks == (1, 12, 20, 3)
    assert image.metadata.to_dict()["dimension_names"] == ("sample", "y", "x", "channel_image")
    assert group["depth"].attrs["code_scale"] == [0.5]
    assert group["depth"].attrs["source"] == "of depth"


def test_xarray_reads_the_same_values_without_a_warning(store_path: Path, blocks: dict[str, Array]) -> None:
    with xarray.open_zarr(store_path) as data:
        for name, values in blocks.items():
            assert data[name].dtype == (np.uint8 if name.endswith("_valid") else values.dtype)
            np.testing.assert_array_equal(data[name].values, values)
        assert np.isnan(data["pose"].values[3]).all()
        assert data["key"].values[0].tobytes().rstrip(b"\0") == b"aachen_0"


@pytest.mark.parametrize("codec", ["lz4", "none", "zstd"])
def test_tensorstore_reads_the_same_values(tmp_path: Path, codec: str, blocks: dict[str, Array]) -> None:
    path = write_store(tmp_path / "train.zarr", make_plan(codec))
    for name, values in blocks.items():
        where = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / name)}}
        np.testing.assert_array_equal(tensorstore.open(where).result().read().result(), values)


def test_every_chunk_is_in_its_file_even_where_all_values_are_the_fill_value(store_path: Path) -> None:
    for name in ("image", "depth", "depth_valid", "instance"):
        index = np.frombuffer(
            (store_path / name / "c.1.0.0.0"[: None if name == "image" else -2]).read_bytes(), np.uint8
        )
        entries = index[-(3 * 16 + 4) : -4].view("<u8").reshape(3, 2)
        assert (entries[:, 1] < 2**32).all(), name


def test_equal_input_gives_byte_identical_trees_wherever_they_are_written(
    tmp_path: Path, store_path: Path, plan: StorePlan
) -> None:
    other = write_store(tmp_path / "elsewhere" / "val.zarr.partial", plan)
    first = {p.relative_to(store_path): p.read_bytes() for p in store_path.rglob("*") if p.is_file()}
    second = {p.relative_to(other): p.read_bytes() for p in other.rglob("*") if p.is_file()}
    assert first == second


def test_a_store_may_be_renamed(tmp_path: Path, store_path: Path, blocks: dict[str, Array]) -> None:
    moved = tmp_path / "moved.zarr"
    shutil.copytree(store_path, moved)
    np.testing.assert_array_equal(ShardStore.open(moved).read("image", 3), blocks["image"][3])


def test_a_pickled_store_reads_and_leaves_its_caches_behind(store_path: Path, blocks: dict[str, Array]) -> None:
    store = ShardStore.open(store_path)
    fresh = len(pickle.dumps(store))
    assert len(store.keys) == 7
    store.read("image", 0)
    assert len(pickle.dumps(store)) == fresh
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).read("image", 6), blocks["image"][6])


# From Python 3.12 on a fork is warned of wherever threads run, and zarr-python has one.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_a_store_that_their_parent_has_read(
    store_path: Path, blocks: dict[str, Array], method: str
) -> None:
    store = ShardStore.open(store_path)
    np.testing.assert_array_equal(store.read("image", 0), blocks["image"][0])
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.starmap_async(store.read_batch, [("image", [i, 6 - i]) for i in range(7)]).get(timeout=60)
    for i, pair in enumerate(found):
        np.testing.assert_array_equal(pair, blocks["image"][[i, 6 - i]])
