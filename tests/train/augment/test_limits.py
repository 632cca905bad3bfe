"""What is refused by name, and the same on a GPU."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from segprep.datasets.codes import PlainCode
from segprep.datasets.errors import CodeRangeError, ConfigurationError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.workspace.cells import Column
from segprep.train.augment.augmenter import BatchAugmenter
from support.augmented import a_sample, assert_alike, augmented, batch_of, spec_of, whole

Columns = Mapping[str, Column]
Specs = tuple[ArraySpec, ...]


def test_what_cannot_be_augmented_is_named(augmenter: BatchAugmenter, all_columns: Columns) -> None:
    sample = a_sample(0)
    columns, valid = batch_of([sample])
    with pytest.raises(ConfigurationError, match="column 'image' is missing"):
        augmenter.augmented({n: each for n, each in columns.items() if n != "image"}, valid, [whole()])
    with pytest.raises(SizeMismatchError, match="drawn for 1 samples of 90x72"):
        augmenter.augmented(columns, valid, [whole(source=(90, 72))])
    with pytest.raises(SizeMismatchError, match="drawn for 2 samples"):
        augmenter.augmented(columns, valid, [whole(), whole()])
    with pytest.raises(SizeMismatchError, match="the mask of depth is"):
        augmenter.augmented(columns, {**valid, "depth": valid["depth"][:, 1:]}, [whole()])
    with pytest.raises(SizeMismatchError, match="one size before and one after"):
        augmenter.augmented(columns, valid, [whole(), whole((48, 32))])
    with pytest.raises(SizeMismatchError, match="1 samples cannot have 2 cameras"):
        augmenter.augmented(columns, valid, [whole()], [None, None])
    with pytest.raises(ConfigurationError, match="'colours' holds pictures for the eye"):
        BatchAugmenter([spec_of(Column("colours", Kind.CODED, PlainCode(masked=True)))])
    with pytest.raises(CodeRangeError, match="column depth: there is no code called 'old'"):
        BatchAugmenter([replace(spec_of(all_columns["depth"]), code={"name": "old"})])
    with pytest.raises(CodeRangeError, match="column nir: pictures of 8 or 16 bits"):
        BatchAugmenter([replace(spec_of(all_columns["nir"]), dtype="int16")])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_the_same_without_waiting_for_it(augmenter: BatchAugmenter, all_specs: Specs) -> None:
    drawn = [whole(), whole(rotation=7.0, contrast=1.3, hue=20.0), whole(flip=True), whole(scale=0.4, gamma=0.8)]
    samples = [a_sample(seed) for seed in range(len(drawn))]
    columns, valid = batch_of(samples, "cuda")
    augmenter = BatchAugmenter(all_specs, "cuda")
    augmenter.augmented(columns, valid, drawn)
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = augmenter.augmented(columns, valid, drawn)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    for row, expected in enumerate(augmented([replace(each, camera=None) for each in samples], drawn)):
        arrays = {name: each[row].cpu().numpy() for name, each in found.columns.items()}
        masks = {name: each[row].cpu().numpy() for name, each in found.valid.items()}
        assert_alike(replace(expected, arrays=arrays, valid=masks), expected)
