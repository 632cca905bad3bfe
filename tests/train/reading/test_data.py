import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.shards import ShardStore
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Reader, prefetched
from support.scenes import make_scenes, write_store


def test_a_batch_holds_what_the_store_holds_in_the_order_of_the_inputs(shards: Path) -> None:
    store = ShardStore.open(shards / "train.zarr")
    batch = Reader(store, ["flow", "image"]).read([Row(3), Row(0)])
    np.testing.assert_array_equal(batch.inputs_NHWC[0, :, :, :3], store.read("flow", 3))
    np.testing.assert_array_equal(batch.inputs_NHWC[1, :, :, 3:], store.read("image", 0))
    np.testing.assert_array_equal(batch.labels_NHW[0], store.read("label", 3))


def test_columns_of_several_dtypes_are_joined_without_loss(tmp_path: Path) -> None:
    columns = make_scenes(range(2))
    columns["thermal"] = columns["image"][..., 0].astype(np.uint16) * 257
    batch = Reader(ShardStore.open(write_store(tmp_path / "train.zarr", columns)), ["thermal", "image"]).read([Row(1)])
    assert [tuple(c.shape[3:]) for c in batch.columns_NHWC.values()] == [(1,), (3,)]
    np.testing.assert_array_equal(batch.inputs_NHWC[0, :, :, 0], columns["thermal"][1])
    np.testing.assert_array_equal(batch.inputs_NHWC[0, :, :, 1:], columns["image"][1])


def test_a_batch_moves_whole(shards: Path) -> None:
    batch = Reader(ShardStore.open(shards / "train.zarr"), ["flow", "image"]).read([Row(3)])
    moved = batch.to(torch.device("meta"))
    assert {t.device.type for t in (*moved.columns_NHWC.values(), moved.labels_NHW, moved.inputs_NHWC)} == {"meta"}
    assert moved.inputs_NHWC.shape == batch.inputs_NHWC.shape


def test_one_column_is_joined_without_a_copy_and_is_a_channels_last_view_for_the_network(shards: Path) -> None:
    batch = Reader(ShardStore.open(shards / "train.zarr"), ["image"]).read([Row(3), Row(4)])
    assert batch.inputs_NHWC.data_ptr() == batch.columns_NHWC["image"].data_ptr()
    assert batch.inputs_NHWC.permute(0, 3, 1, 2).is_contiguous(memory_format=torch.channels_last)


def test_a_batch_that_is_kept_never_changes_and_one_that_is_not_gives_its_memory_to_later_ones(shards: Path) -> None:
    reader = Reader(ShardStore.open(shards / "train.zarr"), ["image", "flow"])
    kept, copies, addresses = [], [], []
    for number, batch in enumerate(prefetched(reader.read, [[Row(i % 5), Row(i // 5)] for i in range(20)])):
        addresses.append(batch.columns_NHWC["image"].data_ptr())
        if number % 4 == 0:
            kept.append(batch)
            copies.append([t.clone() for t in (*batch.columns_NHWC.values(), batch.labels_NHW)])
        del batch
    for batch, copy in zip(kept, copies, strict=True):
        for tensor, cloned in zip((*batch.columns_NHWC.values(), batch.labels_NHW), copy, strict=True):
            assert torch.equal(tensor, cloned)
    assert len({t.data_ptr() for t in (b.columns_NHWC["image"] for b in kept)}) == len(kept)
    assert len(set(addresses)) < 20


def test_a_missing_column_is_answered_with_those_that_exist(shards: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no column 'hha'. Its columns: flow, image, label"):
        Reader(ShardStore.open(shards / "train.zarr"), ["hha"])


def test_the_label_is_no_input(shards: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'label' .* is no input"):
        Reader(ShardStore.open(shards / "train.zarr"), ["image", "label"])


def test_prefetching_keeps_the_order_and_reads_little_ahead(shards: Path) -> None:
    reader = Reader(ShardStore.open(shards / "train.zarr"), ["image"])
    asked: list[int] = []

    def batches() -> "itertools.chain[list[Row]]":
        def one(index: int) -> list[Row]:
            asked.append(index)
            return [Row(index)]

        return itertools.chain.from_iterable([one(i)] for i in range(5))

    iterator = prefetched(reader.read, batches())
    first = next(iterator)
    assert asked == [0, 1, 2]
    rest = list(iterator)
    for index, batch in enumerate([first, *rest]):
        np.testing.assert_array_equal(batch.inputs_NHWC[0], reader.store.read("image", index))


def test_an_error_of_the_reading_thread_reaches_the_loop(shards: Path) -> None:
    reader = Reader(ShardStore.open(shards / "train.zarr"), ["image"])
    with pytest.raises(IndexError, match="row 5"):
        list(prefetched(reader.read, [[Row(0)], [Row(5)]]))
