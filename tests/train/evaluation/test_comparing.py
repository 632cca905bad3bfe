"""Intervals of the difference of two evaluations."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from segprep.datasets.sample import SampleKey
from segprep.train.evaluation.comparing import Evaluation, compared

_METRICS = {"split": "val", "digest": "d", "at": "network", "dataset": None}


def _evaluation(name: str, right: npt.NDArray[np.int64]) -> Evaluation:
    """Two classes of 100 pixels in each image, of which so many are predicted right."""
    images = {
        SampleKey(f"s{n:03d}"): np.array([[a, b], [100, 100], [100 + a - b, 100 + b - a]])
        for n, (a, b) in enumerate(right.tolist())
    }
    return Evaluation(Path(name), _METRICS, images, (0, 1))


def _mean_iou(right: npt.NDArray[np.int64]) -> float:
    a, b = right.sum(0)
    n = 100 * len(right)
    return float(np.mean([a / (n + n - b), b / (n + n - a)]))


def test_the_interval_is_that_of_images_drawn_alike_for_both() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(30, 90, (40, 2))
    second = first + rng.integers(-3, 9, (40, 2))
    found = compared([_evaluation("a", first), _evaluation("b", second)], draws=400, seed=1)[1]
    assert found["difference"] == pytest.approx(_mean_iou(second) - _mean_iou(first))
    own = np.random.default_rng(9)
    plain = []
    for _ in range(400):
        drawn = own.integers(0, 40, 40)
        plain.append(_mean_iou(second[drawn]) - _mean_iou(first[drawn]))
    np.testing.assert_allclose(found["interval"], np.percentile(plain, [2.5, 97.5]), atol=0.004)
    # Images differ by far more than the two evaluations of one image: unpaired, the interval would be much wider.
    unpaired = [
        _mean_iou(second[own.integers(0, 40, 40)]) - _mean_iou(first[own.integers(0, 40, 40)]) for _ in range(400)
    ]
    assert np.ptp(found["interval"]) < 0.5 * np.ptp(np.percentile(unpaired, [2.5, 97.5]))
    assert compared([_evaluation("a", first), _evaluation("b", second)], draws=400, seed=1)[1] == found
