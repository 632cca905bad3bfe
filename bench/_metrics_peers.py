"""The same numbers by cityscapesScripts, scikit-learn and torchmetrics: `_metrics_peers.py DIR`, in their environment.

Reads the files of `_metrics_maps.py` and prints a JSON object. Knows nothing of segprep.
"""

import contextlib
import importlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

_Ids = npt.NDArray[np.uint8]
_Numbers = npt.NDArray[np.float64]


def cityscapes(folder: Path, names: list[str]) -> dict[str, Any]:
    evaluation = importlib.import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    evaluation.args.JSONOutput = False
    evaluation.args.quiet = True
    files = [[str(folder / f"{name}_{what}.png") for name in names] for what in ("pred", "gtFine_labelIds")]
    with contextlib.redirect_stdout(io.StringIO()):
        found = evaluation.evaluateImgLists(*files, evaluation.args)
    return {
        "iou": found["classScores"],
        "instance_iou": found["classInstScores"],
        "category_iou": found["categoryScores"],
        "category_instance_iou": found["categoryInstScores"],
        "mean_iou": found["averageScoreClasses"],
        "mean_instance_iou": found["averageScoreInstClasses"],
    }


def flat(folder: Path, names: list[str]) -> tuple[_Ids, _Ids, _Numbers, list[str]]:
    """Return labels, predictions (train ids) and probabilities of all pixels that count, and the classes."""
    labels = importlib.import_module("cityscapesscripts.helpers.labels").labels
    table = np.full(256, 255, np.uint8)
    classes = [""] * 19
    for each in labels:
        if 0 <= each.trainId < 19:
            table[each.id], classes[each.trainId] = each.trainId, each.name
    read = [
        [np.asarray(Image.open(folder / f"{name}_{what}.png")).ravel() for name in names]
        for what in ("gtFine_labelIds", "pred", "sure")
    ]
    label, prediction, sure = (np.concatenate(each) for each in read)
    label, prediction = table[label], table[prediction]
    counted = label != 255
    return label[counted], prediction[counted], (sure[counted] + 0.5) / 256, classes


def sklearn_scores(label: _Ids, prediction: _Ids, classes: list[str]) -> dict[str, Any]:
    metrics = importlib.import_module("sklearn.metrics")
    ids = list(range(len(classes)))
    present = sorted(set(label.tolist()))
    either = sorted(set(label.tolist()) | set(prediction.tolist()))

    def by_class(function: Callable[..., Iterable[float]]) -> dict[str, float]:
        values = function(label, prediction, labels=ids, average=None, zero_division=np.nan)
        return dict(zip(classes, map(float, values), strict=True))

    return {
        "precision": by_class(metrics.precision_score),
        "recall": by_class(metrics.recall_score),
        "pixel_accuracy": float(metrics.accuracy_score(label, prediction)),
        "mean_class_accuracy": float(metrics.recall_score(label, prediction, labels=present, average="macro")),
        "mean_iou": float(metrics.jaccard_score(label, prediction, labels=either, average="macro")),
        "frequency_weighted_iou": float(metrics.jaccard_score(label, prediction, labels=either, average="weighted")),
    }


def torchmetrics_scores(label: _Ids, prediction: _Ids, sure: _Numbers, classes: list[str]) -> dict[str, Any]:
    import torch

    scores = importlib.import_module("torchmetrics.functional.classification")
    number = len(classes)
    probabilities = np.repeat(((1 - sure) / (number - 1))[:, None], number, 1)
    probabilities[np.arange(len(sure)), prediction] = sure
    guess, truth = torch.from_numpy(probabilities), torch.from_numpy(label.astype(np.int64))
    given = torch.from_numpy(prediction.astype(np.int64))
    iou = scores.multiclass_jaccard_index(given, truth, number, average="none", zero_division=math.nan)
    return {
        "iou": dict(zip(classes, iou.tolist(), strict=True)),
        "calibration_error": float(scores.multiclass_calibration_error(guess, truth, number, n_bins=15, norm="l1")),
    }


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def main(folder: Path) -> None:
    from importlib.metadata import version

    names = sorted(path.name.removesuffix("_pred.png") for path in folder.glob("*_pred.png"))
    label, prediction, sure, classes = flat(folder, names)
    found = {
        "cityscapesScripts": cityscapes(folder, names),
        "scikit-learn": sklearn_scores(label, prediction, classes),
        "torchmetrics": torchmetrics_scores(label, prediction, sure, classes),
    }
    versions = {name: version(name) for name in found}
    print(json.dumps(_plain({"versions": versions, **found}), indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
