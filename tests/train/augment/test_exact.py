"""What is exact to the bit: flips, cuts, nothing, and a batch against its samples."""

from dataclasses import replace

import numpy as np
import pytest

from segprep.datasets.augmentation import draw
from segprep.datasets.augmentation.config import PRESETS
from segprep.train.augment.augmenter import BatchAugmenter
from support.augmented import a_sample, assert_identical, augmented, batch_of, whole

SIZE = (96, 72)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_twice_is_the_same_to_the_bit(seed: int) -> None:
    sample = a_sample(seed)
    (once,) = augmented([sample], [whole(flip=True)])
    for name in ("image", "nir", "label", "instance", "depth", "ndvi", "jet"):
        np.testing.assert_array_equal(once.arrays[name], sample.arrays[name][:, ::-1], err_msg=name)
    for name in ("optical_flow", "motion"):
        valid = sample.valid[name][:, ::-1]
        twice_zero = 2**16 if name == "optical_flow" else 256
        mirrored = twice_zero - sample.arrays[name][:, ::-1, 0].astype(int)
        np.testing.assert_array_equal(once.arrays[name][..., 0][valid], mirrored[valid], err_msg=name)
        np.testing.assert_array_equal(once.arrays[name][..., 1], sample.arrays[name][:, ::-1, 1], err_msg=name)
    (twice,) = augmented([once], [whole(flip=True)])
    # Normals of 8 bits are no unit vectors before they are normalised, and their codes are after once.
    assert np.abs(twice.arrays["normals"].astype(int) - sample.arrays["normals"]).max() <= 1
    arrays = {**twice.arrays, "normals": sample.arrays["normals"]}
    assert_identical(replace(twice, arrays=arrays), sample)


def test_crops_at_whole_pixels_only_cut() -> None:
    sample = a_sample(1)
    (found,) = augmented([sample], [whole((40, 30), crop=(7, 9, 40, 30))])
    for name, array in sample.arrays.items():
        if name in ("optical_flow", "normals"):  # vectors that leave the crop; vectors normalised anew
            continue
        np.testing.assert_array_equal(found.arrays[name], array[9:39, 7:47], err_msg=name)
        if name in sample.valid:
            np.testing.assert_array_equal(found.valid[name], sample.valid[name][9:39, 7:47], err_msg=name)


def test_nothing_drawn_changes_no_bit() -> None:
    sample = a_sample(2)
    assert_identical(augmented([sample], [draw(PRESETS["none"], 0, "k", 0, SIZE)])[0], sample)


def test_a_batch_is_its_samples_one_by_one_and_leaves_its_input_alone(augmenter: BatchAugmenter) -> None:
    drawn = [
        whole(),
        whole(rotation=7.0, contrast=1.3),
        whole(flip=True),
        whole(scale=0.4, gamma=0.8),
        whole(),
        whole(scale=1.3, vignette=240.0),
    ]
    samples = [a_sample(seed) for seed in range(len(drawn))]
    columns, valid = batch_of(samples)
    kept = {name: each.clone() for name, each in columns.items()}
    first, second = (augmenter.augmented(columns, valid, drawn) for _ in range(2))
    for name, each in columns.items():
        np.testing.assert_array_equal(each.numpy(), kept[name].numpy())
        np.testing.assert_array_equal(first.columns[name].numpy(), second.columns[name].numpy())
        assert not first.columns[name].requires_grad
    for found, sample, one in zip(augmented(samples, drawn), samples, drawn, strict=True):
        assert_identical(found, augmented([sample], [one])[0])
    assert first.cameras == (None,) * len(drawn)


def test_columns_may_come_with_an_axis_for_one_channel_and_masks_as_numbers(augmenter: BatchAugmenter) -> None:
    sample = a_sample(3)
    columns, valid = batch_of([sample])
    drawn = [whole(rotation=9.0)]
    wanted = augmenter.augmented(columns, valid, drawn)
    wide = {name: each if each.ndim == 4 else each[..., None] for name, each in columns.items()}
    found = augmenter.augmented(wide, {n: each.byte() for n, each in valid.items()}, drawn)
    for name, each in wanted.columns.items():
        assert found.columns[name].ndim == 4
        np.testing.assert_array_equal(found.columns[name].reshape(each.shape).numpy(), each.numpy())
    for name, mask in wanted.valid.items():
        np.testing.assert_array_equal(found.valid[name].numpy(), mask.numpy())
