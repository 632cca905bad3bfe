"""Metrics by name."""

import math

import numpy as np
import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.train.evaluation.metrics import ConfusionMatrix, check_metric, metric_names

_CLASSES = ("road", "car", "sky")


def _matrix() -> ConfusionMatrix:
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 2, 1]), np.array([0, 0, 0, 1]))
    return matrix


def test_every_name_gives_its_number() -> None:
    found = {name: _matrix().named(name, _CLASSES) for name in metric_names(_CLASSES)}
    assert found == pytest.approx(
        {
            "mean_iou": 5 / 9,  # sky is in no target, but predicted
            "mean_iou_of_present": 5 / 6,
            "pixel_accuracy": 3 / 4,
            "iou/road": 2 / 3,
            "iou/car": 1.0,
            "iou/sky": 0.0,
        }
    )


def test_a_class_that_is_neither_true_nor_predicted_is_in_no_mean() -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert math.isnan(matrix.named("iou/sky", _CLASSES))
    assert matrix.mean_iou() == matrix.mean_iou_of_present() == 0.5


@pytest.mark.parametrize(("wrong", "near"), [("mean_IoU", "mean_iou"), ("iou/raod", "iou/road")])
def test_an_unknown_metric_names_those_that_exist(wrong: str, near: str) -> None:
    for ask in (lambda: check_metric(wrong, _CLASSES), lambda: _matrix().named(wrong, _CLASSES)):
        with pytest.raises(
            ConfigurationError, match=f"Did you mean '{near}'.*There are: mean_iou, mean_iou_of_present, pi"
        ):
            ask()
