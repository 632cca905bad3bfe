"""Several evaluations of the same pictures beside each other, and whether their difference is more than chance."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.documents import read_json
from segprep.datasets.errors import ConfigurationError, ConflictError, MissingInputError, UnreadableFileError
from segprep.datasets.json_values import finite_or_none
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.train.evaluation.images import IMAGES_FILE, class_names, read_images
from segprep.train.evaluation.subject import METRICS_FILE

__all__ = ["DRAWS", "Evaluation", "compared", "read_evaluation"]

_Numbers = npt.NDArray[np.float64]

DRAWS: Final = 2000
"""How often images are drawn for an interval."""

_AT_ONCE: Final = 200  # draws
_PERCENTILES: Final = (2.5, 97.5)

# What must be the same, and what it was before it stood in the file.
_SAME: Final[dict[str, Any]] = {"split": None, "digest": None, "at": None, "dataset": None, "only_classes": []}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What an evaluation left in its folder.

    Attributes:
        folder: Where.
        metrics: What `metrics.json` holds.
        images: (3, classes) counts by key, see `ImageCounts`.
        judged: Ids of the classes that means are over.
    """

    folder: Path
    metrics: JsonDict
    images: dict[SampleKey, npt.NDArray[np.int64]]
    judged: tuple[int, ...]


def read_evaluation(folder: Path) -> Evaluation:
    """Read what `train eval` wrote.

    Raises:
        MissingInputError: If it is not there, or was written by an earlier version.
        UnreadableFileError: If a file is damaged.
    """
    path = folder / METRICS_FILE
    try:
        metrics = read_json(path)
        names = class_names(folder / IMAGES_FILE)
        images = read_images(folder / IMAGES_FILE, names)
        judged = tuple(names.index(each["name"]) for each in metrics["classes"])
    except FileNotFoundError as error:
        raise MissingInputError(f"{error.filename} does not exist: run `train eval` (again) for it") from error
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UnreadableFileError(f"{path} is not what `train eval` writes: {error}") from error
    return Evaluation(folder, metrics, images, judged)


def compared(evaluations: Sequence[Evaluation], draws: int = DRAWS, seed: int = 0) -> list[JsonDict]:
    """Return for each evaluation its mean IoU, and of all but the first what it is above the first's.

    The interval is a paired bootstrap over images: as many images as there are are drawn with replacement, the same
    for all evaluations; their counts are summed, and mean IoU and its difference made of them as of the whole. The
    2.5th and 97.5th percentiles of the differences are the interval. Source: Efron, Tibshirani: An introduction to the
    bootstrap. 1993, chapter 13. Images of one drive are alike, so that the true interval is rather wider.

    Args:
        evaluations: At least two, of the same pictures.
        draws: How many times.
        seed: Of the draws.

    Raises:
        ConflictError: If they are of different pictures, sizes or classes.
    """
    if len(evaluations) < 2:
        raise ConfigurationError("two evaluations or more can be compared: name them")
    first = evaluations[0]
    for other in evaluations[1:]:
        _check_same(first, other)
    keys = sorted(first.images)
    judged = list(first.judged)
    counts = [np.stack([each.images[key][:, judged] for key in keys]).astype(np.float64) for each in evaluations]
    whole = [float(_mean_iou(each.sum(0)[None])[0]) for each in counts]
    differences = _differences(counts, draws, np.random.default_rng(seed))
    rows: list[JsonDict] = [{"folder": str(first.folder), "mean_iou": finite_or_none(whole[0])}]
    for other, mean, found in zip(evaluations[1:], whole[1:], differences, strict=True):
        low, high = np.nanpercentile(found, _PERCENTILES) if np.isfinite(found).any() else (np.nan, np.nan)
        rows.append(
            {
                "folder": str(other.folder),
                "mean_iou": finite_or_none(mean),
                "difference": finite_or_none(mean - whole[0]),
                "interval": [finite_or_none(float(low)), finite_or_none(float(high))],
                "better_in": float((found > 0).mean()),
                "draws": draws,
                "seed": seed,
                "images": len(keys),
            }
        )
    return rows


def _check_same(first: Evaluation, other: Evaluation) -> None:
    for key, before in _SAME.items():
        here, there = (each.metrics.get(key, before) for each in (first, other))
        if here != there:
            raise ConflictError(
                f"{other.folder} cannot be compared with {first.folder}: {key} is {there}, of the other it is {here}"
            )
    if first.images.keys() != other.images.keys() or first.judged != other.judged:
        raise ConflictError(f"{first.folder} and {other.folder} are of different images or classes")


def _differences(counts: Sequence[_Numbers], draws: int, rng: np.random.Generator) -> list[_Numbers]:
    """Return (draws,) differences of mean IoU of all but the first, given (images, 3, classes) counts of each."""
    images = len(counts[0])
    found: list[list[_Numbers]] = [[] for _ in counts[1:]]
    for start in range(0, draws, _AT_ONCE):
        some = min(_AT_ONCE, draws - start)
        times = rng.multinomial(images, np.full(images, 1 / images), some).astype(np.float64)
        means = [_mean_iou((times @ each.reshape(images, -1)).reshape(some, *each.shape[1:])) for each in counts]
        for collected, mean in zip(found, means[1:], strict=True):
            collected.append(mean - means[0])
    return [np.concatenate(each) for each in found]


def _mean_iou(counts_N3C: _Numbers) -> _Numbers:
    """Return (N,) mean IoU over the classes with a union above 0; NaN without any."""
    right, labelled, predicted = counts_N3C.transpose(1, 0, 2)
    union = labelled + predicted - right
    judged = union > 0
    ious = np.where(judged, right / np.where(judged, union, 1), 0)
    number = judged.sum(1)
    return np.where(number > 0, ious.sum(1) / np.maximum(number, 1), np.nan)
