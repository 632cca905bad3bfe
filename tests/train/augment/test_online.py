"""Augmentation between the reader and the network."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig, Span
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.shards import ShardStore
from segprep.train.augment.online import OnlineAugmentation
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Batch, Reader
from support.scenes import make_scenes, write_store

_CPU = torch.device("cpu")
_FLIP = AugmentationConfig(flip=1.0)


def _reader(shards: Path, *inputs: str) -> Reader:
    return Reader(ShardStore.open(shards / "train.zarr"), inputs or ("image",), masks=True)


def _augmented(reader: Reader, config: AugmentationConfig, rows: list[Row], seed: int = 0) -> Batch:
    return OnlineAugmentation(reader, config, seed, None, _CPU).augmented(reader.read(rows))


def test_a_flip_mirrors_images_and_labels_together_and_negates_the_motion(shards: Path) -> None:
    reader = _reader(shards, "image", "flow")
    batch = _augmented(reader, _FLIP, [Row(1), Row(2)])
    for number, index in enumerate((1, 2)):
        store = reader.store
        np.testing.assert_array_equal(batch.columns_NHWC["image"][number], store.read("image", index)[:, ::-1])
        np.testing.assert_array_equal(batch.labels_NHW[number], store.read("label", index)[:, ::-1])
        mirrored_HWC = store.read("flow", index)[:, ::-1].astype(int)
        # The third channel of this store is no length, so that the code's own check of it does not hold.
        np.testing.assert_array_equal(batch.columns_NHWC["flow"][number, ..., 0], 256 - mirrored_HWC[..., 0])
        np.testing.assert_array_equal(batch.columns_NHWC["flow"][number, ..., 1], mirrored_HWC[..., 1])


def test_what_is_drawn_depends_on_seed_sample_and_pass_alone(shards: Path) -> None:
    reader, config = _reader(shards), PRESETS["ssma"]
    rows = [Row(0), Row(1), Row(2), Row(3), Row(4)]
    together = _augmented(reader, config, rows)
    for row in rows:
        alone = _augmented(_reader(shards), config, [row])
        assert torch.equal(alone.columns_NHWC["image"][0], together.columns_NHWC["image"][row.index])
        assert torch.equal(alone.labels_NHW[0], together.labels_NHW[row.index])
    for other in (
        _augmented(reader, config, rows, seed=1),
        _augmented(reader, config, [Row(i, 0, 1) for i in range(5)]),
    ):
        assert not torch.equal(other.columns_NHWC["image"], together.columns_NHWC["image"])


def test_stored_variants_of_a_sample_get_draws_of_their_own(tmp_path: Path) -> None:
    columns = {name: np.repeat(values, 2, 0) for name, values in make_scenes(range(8)).items()}
    path = write_store(tmp_path / "train.zarr", columns, variants=(0, 1) * 8)
    store = ShardStore.open(path)
    store._keys = tuple(key for key in store.keys[:8] for _ in (0, 1))
    reader = Reader(store, ["image"])
    batch = OnlineAugmentation(reader, AugmentationConfig(flip=0.5), 0, None, _CPU).augmented(
        reader.read([Row(i) for i in range(16)])
    )
    labels = batch.labels_NHW.view(8, 2, *batch.labels_NHW.shape[1:])
    assert any(not torch.equal(pair[0], pair[1]) for pair in labels)


def test_samples_get_the_size_that_is_asked_for(shards: Path) -> None:
    reader = _reader(shards, "image", "flow")
    for config, size, expected in (
        (AugmentationConfig(scale=Span(0.5, 2.0)), (16, 12), (16, 12)),
        (AugmentationConfig(crop_size=(10, 8)), None, (10, 8)),
        (AugmentationConfig(), (14, 10), (14, 10)),
    ):
        online = OnlineAugmentation(reader, config, 0, size, _CPU)
        batch = online.augmented(reader.read([Row(0), Row(3)]))
        assert batch.labels_NHW.shape == (2, expected[1], expected[0])
        assert batch.inputs_NHWC.shape == (2, expected[1], expected[0], 6)
        assert set(np.unique(batch.labels_NHW).tolist()) <= {0, 1, 2, 255}


def test_nothing_to_do_gives_the_same_batch(shards: Path) -> None:
    reader = _reader(shards)
    batch = reader.read([Row(0)])
    assert OnlineAugmentation(reader, PRESETS["none"], 0, None, _CPU).augmented(batch) is batch


def test_a_crop_that_does_not_fit_is_refused_at_the_start(shards: Path) -> None:
    with pytest.raises(SizeMismatchError, match="a crop of 448x192 does not fit into the 28x20 samples of"):
        OnlineAugmentation(_reader(shards), PRESETS["paris"], 0, None, _CPU)


def test_threads_may_share_one(shards: Path) -> None:
    reader = _reader(shards)
    online = OnlineAugmentation(reader, PRESETS["ssma"], 0, None, _CPU)
    expected = [online.augmented(reader.read([Row(i % 5, 0, i)])).inputs_NHWC for i in range(12)]
    found: dict[int, torch.Tensor] = {}

    def work(numbers: range) -> None:
        for i in numbers:
            found[i] = online.augmented(reader.read([Row(i % 5, 0, i)])).inputs_NHWC

    threads = [threading.Thread(target=work, args=(range(first, 12, 3),)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[i], expected[i]) for i in range(12))
