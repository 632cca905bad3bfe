import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.shard_columns import ArraySpec
from segprep.datasets.shards import ShardStore
from segprep.train.data import Config, Reader, Row, prefetched, training_rows
from segprep.train.flips import flip_x_of


def _flow_column(kind: Kind = Kind.CODED, code: str = "smsnet-flow") -> ArraySpec:
    smsnet = SmsnetFlowCode()
    return ArraySpec(
        "flow",
        kind,
        (4, 6, 3),
        "uint8",
        smsnet.channels,
        smsnet.to_json() | {"name": code},
        smsnet.scale,
        smsnet.offset,
        True,
    )


@settings(max_examples=30, deadline=None)
@given(samples=st.integers(1, 40), batch=st.integers(1, 7), seed=st.integers(0, 2**63 - 1))
def test_every_epoch_shows_every_sample_once_whatever_the_batch(samples: int, batch: int, seed: int) -> None:
    config = Config(batch_size=batch)
    steps = -(-3 * samples // batch)
    drawn = [row.index for step in range(steps) for row in training_rows(config, seed, samples, step)]
    for epoch in range(3):
        assert sorted(drawn[epoch * samples : (epoch + 1) * samples]) == list(range(samples))


def test_the_order_and_the_flips_change_with_the_epoch_and_the_seed() -> None:
    config = Config(batch_size=50)
    epochs = [training_rows(config, seed, 50, epoch) for seed, epoch in itertools.product((0, 1), (0, 1))]
    assert len({tuple(r.index for r in rows) for rows in epochs}) == 4
    assert len({tuple(r.flip for r in rows) for rows in epochs}) == 4
    assert all(10 < sum(r.flip for r in rows) < 40 for rows in epochs)


def test_no_sample_is_flipped_when_flips_are_off() -> None:
    rows = training_rows(Config(batch_size=50, flip=False), 0, 50, 0)
    assert not any(row.flip for row in rows)


def test_a_batch_holds_what_the_store_holds_in_the_order_of_the_inputs(shards: Path) -> None:
    store = ShardStore.open(shards / "train.zarr")
    batch = Reader(store, ["flow", "image"]).read([Row(3), Row(0)])
    np.testing.assert_array_equal(batch.inputs_NHWC[0, :, :, :3], store.read("flow", 3))
    np.testing.assert_array_equal(batch.inputs_NHWC[1, :, :, 3:], store.read("image", 0))
    np.testing.assert_array_equal(batch.labels_NHW[0], store.read("label", 3))


def test_columns_of_several_dtypes_are_joined_without_loss(
    tmp_path: Path, write_store: Callable[..., Path], make_scenes: Callable[[range], dict[str, Array]]
) -> None:
    columns = make_scenes(range(2))
    columns["thermal"] = columns["image"][..., 0].astype(np.uint16) * 257
    batch = Reader(ShardStore.open(write_store(tmp_path / "train.zarr", columns)), ["thermal", "image"]).read([Row(1)])
    assert [tuple(c.shape[3:]) for c in batch.columns_NHWC] == [(1,), (3,)]
    np.testing.assert_array_equal(batch.inputs_NHWC[0, :, :, 0], columns["thermal"][1])
    np.testing.assert_array_equal(batch.inputs_NHWC[0, :, :, 1:], columns["image"][1])


def test_a_batch_moves_whole(shards: Path) -> None:
    batch = Reader(ShardStore.open(shards / "train.zarr"), ["flow", "image"]).read([Row(3)])
    moved = batch.to(torch.device("meta"))
    assert {t.device.type for t in (*moved.columns_NHWC, moved.labels_NHW, moved.inputs_NHWC)} == {"meta"}
    assert moved.inputs_NHWC.shape == batch.inputs_NHWC.shape


def test_one_column_is_joined_without_a_copy_and_is_a_channels_last_view_for_the_network(shards: Path) -> None:
    batch = Reader(ShardStore.open(shards / "train.zarr"), ["image"]).read([Row(3), Row(4)])
    assert batch.inputs_NHWC.data_ptr() == batch.columns_NHWC[0].data_ptr()
    assert batch.inputs_NHWC.permute(0, 3, 1, 2).is_contiguous(memory_format=torch.channels_last)


def test_a_batch_that_is_kept_never_changes_and_one_that_is_not_gives_its_memory_to_later_ones(shards: Path) -> None:
    reader = Reader(ShardStore.open(shards / "train.zarr"), ["image", "flow"])
    kept, copies, addresses = [], [], []
    for number, batch in enumerate(prefetched(reader.read, [[Row(i % 5), Row(i // 5)] for i in range(20)])):
        addresses.append(batch.columns_NHWC[0].data_ptr())
        if number % 4 == 0:
            kept.append(batch)
            copies.append([t.clone() for t in (*batch.columns_NHWC, batch.labels_NHW)])
        del batch
    for batch, copy in zip(kept, copies, strict=True):
        for tensor, cloned in zip((*batch.columns_NHWC, batch.labels_NHW), copy, strict=True):
            assert torch.equal(tensor, cloned)
    assert len({t.data_ptr() for t in (b.columns_NHWC[0] for b in kept)}) == len(kept)
    assert len(set(addresses)) < 20


def test_a_flip_mirrors_images_and_labels_together(shards: Path) -> None:
    store = ShardStore.open(shards / "train.zarr")
    batch = Reader(store, ["image"], flip=True).read([Row(1, flip=True), Row(2)])
    np.testing.assert_array_equal(batch.inputs_NHWC[0], store.read("image", 1)[:, ::-1])
    np.testing.assert_array_equal(batch.labels_NHW[0], store.read("label", 1)[:, ::-1])
    np.testing.assert_array_equal(batch.inputs_NHWC[1], store.read("image", 2))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-19, 19), min_size=12, max_size=12))
def test_a_flipped_motion_image_is_the_image_of_the_flipped_motion(values: list[float]) -> None:
    uv_HW2 = np.array(values, np.float32).reshape(2, 3, 2)
    mirrored_HW2 = uv_HW2[:, ::-1] * np.array([-1, 1], np.float32)
    code, flip = SmsnetFlowCode(), flip_x_of(_flow_column())
    np.testing.assert_array_equal(flip(code.encode(uv_HW2, None).stored), code.encode(mirrored_HW2, None).stored)


def test_the_zero_of_a_motion_image_stays_and_its_lower_end_is_clipped() -> None:
    stored_HWC = np.array([[[128, 128, 0], [0, 7, 9], [1, 7, 9]]], np.uint8)
    flipped_HWC = flip_x_of(_flow_column())(stored_HWC)
    np.testing.assert_array_equal(flipped_HWC, [[[255, 7, 9], [255, 7, 9], [128, 128, 0]]])


@pytest.mark.parametrize("column", [_flow_column(code="another"), _flow_column(kind=Kind.DISPARITY)])
def test_a_column_that_cannot_be_flipped_is_named(column: ArraySpec) -> None:
    with pytest.raises(ConfigurationError, match=r"column 'flow' .* cannot be flipped: train with --no-flip"):
        flip_x_of(column)


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
