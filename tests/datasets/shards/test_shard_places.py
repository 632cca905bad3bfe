"""Files and stores that are whole but stand in another place than their own: found by every way of reading."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.verify import verify_store
from support.stores import infos, make_plan, write_store

Read = Callable[[ShardStore], object]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Uncompressed, so that all files of an array but the last one have the same size and index."""
    return write_store(tmp_path_factory.mktemp("traced") / "train.zarr", make_plan("none", traced=True))


@pytest.fixture
def own(traced: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(traced, tmp_path / "train.zarr"))


def _swap(store: Path, one: str, other: str) -> None:
    assert (store / one).stat().st_size == (store / other).stat().st_size
    (store / one).rename(store / "aside")
    (store / other).rename(store / one)
    (store / "aside").rename(store / other)


READS: dict[str, Read] = {
    "one": lambda store: store.read("label", 5),
    "batch": lambda store: store.read_batch("label", [0, 5]),
    "crops": lambda store: store.read_crops("label", [5], [(2, 3)], (5, 6)),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize("remote", [False, True], ids=["mapped", "by zarr"])
@pytest.mark.parametrize(
    ("one", "other"),
    [("label/c.0.0.0", "label/c.1.0.0"), ("label/c.1.0.0", "depth_valid/c.1.0.0")],
    ids=["another shard", "another column"],
)
def test_shard_files_that_changed_places_are_found(own: Path, read: Read, remote: bool, one: str, other: str) -> None:
    _swap(own, one, other)
    store = ShardStore.open(own.as_uri() if remote else own)
    with pytest.raises(DamagedStoreError, match=r"label.*not what was written here"):
        read(store)


@pytest.mark.parametrize("remote", [False, True], ids=["read", "by zarr"])
@pytest.mark.parametrize("kept", [False, True], ids=["old store", "new store"])
def test_poses_and_motions_that_changed_places_are_found(
    store_path: Path, traced: Path, tmp_path: Path, kept: bool, remote: bool
) -> None:
    """Also in stores that do not trace their rows: small files have always had digests."""
    own = Path(shutil.copytree(traced if kept else store_path, tmp_path / "train.zarr"))
    _swap(own, "pose/c.0.0.0", "motion/c.0.0.0")
    store = ShardStore.open(own.as_uri() if remote else own)
    with pytest.raises(DamagedStoreError, match=r"pose.*not what was written here"):
        store.pose(0)


@pytest.mark.parametrize("remote", [False, True], ids=["mapped", "by zarr"])
@pytest.mark.parametrize("codec", ["lz4", "none"])
def test_a_traced_store_reads_as_others_do(tmp_path: Path, blocks: dict[str, Array], codec: str, remote: bool) -> None:
    path = write_store(tmp_path / "train.zarr", make_plan(codec, traced=True))
    store = ShardStore.open(path.as_uri() if remote else path)
    for name in ("image", "depth"):
        np.testing.assert_array_equal(store.read_batch(name, range(7)), blocks[name])
    np.testing.assert_array_equal(store.read_valid("depth", 6), blocks["depth_valid"][6])
    np.testing.assert_array_equal(store.pose(5), infos()[5].pose)
    assert verify_store(path) == []


def test_a_traced_store_says_from_which_cells_its_rows_were_made(traced: Path, store_path: Path) -> None:
    store = ShardStore.open(traced)
    digests = store.cell_digests
    assert digests is not None
    assert digests.shape == (7, len(store.cells), 8)
    image, camera = store.cells.index("image"), store.cells.index("camera")
    assert digests[5, image].tobytes().hex() == infos()[5].cells["image"][:16]
    assert digests[5, camera].tobytes().hex() == infos()[5].cells["camera"][:16]
    assert not digests[3, camera].any(), "row 3 has no camera"
    assert ShardStore.open(store_path).cell_digests is None


@pytest.mark.parametrize("name", ["val.zarr", "test.zarr"])
def test_a_store_of_another_split_is_refused_where_its_name_says_one(own: Path, name: str) -> None:
    own.rename(own.with_name(name))
    with pytest.raises(DamagedStoreError, match=r"it holds split train and stands in the place of split (val|test)"):
        ShardStore.open(own.with_name(name))
    (damage,) = verify_store(own.with_name(name))
    assert "it holds split train" in damage.reason


def test_other_names_say_nothing_unless_the_reader_does(own: Path) -> None:
    own.rename(own.with_name("backup.zarr"))
    assert len(ShardStore.open(own.with_name("backup.zarr"))) == 7
    with pytest.raises(DamagedStoreError, match="in the place of split night"):
        ShardStore.open(own.with_name("backup.zarr"), split="night")
