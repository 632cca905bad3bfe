"""Weights of classes from the sums that a store keeps: worked numbers, and classes that no pixel has."""

import numpy as np
import pytest

from segprep.datasets.shards.statistics import LabelStatistics


def _statistics(*counts: dict[int, int]) -> LabelStatistics:
    counts_N256 = np.zeros((len(counts), 256), np.int64)
    for row, each in enumerate(counts):
        for train_id, pixels in each.items():
            counts_N256[row, train_id] = pixels
    return LabelStatistics.of(counts_N256, 4)


def test_the_median_frequency_counts_only_samples_that_show_the_class() -> None:
    """Class 1 fills half of the one sample of 80 labelled pixels that shows it, class 0 40 + 60 of 160."""
    found = _statistics({0: 40, 1: 40, 255: 20}, {0: 60, 2: 20, 255: 20})
    frequencies = 100 / 160, 40 / 80, 20 / 80
    assert found.median_frequency_weights == pytest.approx([*(0.5 / f for f in frequencies), 0])


def test_enet_weights_follow_the_share_in_labelled_pixels() -> None:
    found = _statistics({0: 50, 1: 1, 2: 49, 255: 900})
    assert found.shares == pytest.approx((0.5, 0.01, 0.49, 0))
    assert found.enet_weights == pytest.approx((2.390, 33.81, 2.4282, 0), rel=1e-3)


def test_nothing_labelled_gives_no_weights_and_no_warning() -> None:
    found = _statistics({255: 10})
    assert np.isnan(found.shares).all()
    assert found.median_frequency_weights == found.enet_weights == (0, 0, 0, 0)
