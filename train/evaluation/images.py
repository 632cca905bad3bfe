"""The scores of single images: a table with the worst first, and the counts from which runs are compared."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import SampleKey
from segprep.train.evaluation.metrics import ConfusionMatrix

__all__ = ["IMAGES_FILE", "ImageCounts", "class_names", "images_csv", "read_images"]

IMAGES_FILE: Final = "images.csv"

_HEAD: Final = ("key", "mean_iou", "pixel_accuracy", "pixels", "worst_class")
_COUNTS: Final = ("right", "labelled", "predicted")


@dataclass(frozen=True, slots=True, eq=False)
class ImageCounts:
    """Counts of one image.

    Attributes:
        key: The sample.
        counts_3C: int64 pixels of each class that are predicted right, that have it as label, and that are predicted
            as it among those with a label.
    """

    key: SampleKey
    counts_3C: npt.NDArray[np.int64]

    @classmethod
    def of(cls, key: SampleKey, matrix: ConfusionMatrix) -> "ImageCounts":
        """Take them from the matrix of the image."""
        return cls(key, np.stack([np.diag(matrix.counts), matrix.counts.sum(1), matrix.counts.sum(0)]))

    def iou(self) -> npt.NDArray[np.float64]:
        """Return (classes,) IoU within the image; NaN without a union."""
        right, labelled, predicted = self.counts_3C
        union = labelled + predicted - right
        return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def images_csv(images: Sequence[ImageCounts], names: Sequence[str], judged: Sequence[int]) -> str:
    """Return a row per image, the lowest mean IoU first, images without any label last.

    Args:
        images: All of them.
        names: Of the classes.
        judged: Train ids that means are over.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_HEAD, *(f"{what} {name}" for what in _COUNTS for name in names)])
    rows = []
    for image in images:
        right, labelled, _ = image.counts_3C
        ious = image.iou()[list(judged)]
        defined = np.isfinite(ious)
        mean = float(ious[defined].mean()) if defined.any() else np.inf
        worst = names[judged[int(np.nanargmin(ious))]] if defined.any() else ""
        pixels = int(labelled.sum())
        accuracy = f"{right.sum() / pixels:.6f}" if pixels else ""
        shown = f"{mean:.6f}" if defined.any() else ""
        rows.append((mean, [image.key, shown, accuracy, pixels, worst, *image.counts_3C.ravel().tolist()]))
    writer.writerows(row for _, row in sorted(rows, key=lambda each: (each[0], each[1][0])))
    return text.getvalue()


def class_names(path: Path) -> tuple[str, ...]:
    """Return the classes that a table of images counts.

    Raises:
        ValueError: If the file is no such table.
        FileNotFoundError: If there is none.
    """
    with path.open(encoding="utf-8", newline="") as file:
        counted = next(csv.reader(file), [])[len(_HEAD) :]
    first = [each.removeprefix(f"{_COUNTS[0]} ") for each in counted if each.startswith(f"{_COUNTS[0]} ")]
    if counted != [f"{what} {name}" for what in _COUNTS for name in first] or not first:
        raise ValueError(f"{path} is no table of images")
    return tuple(first)


def read_images(path: Path, names: Sequence[str]) -> dict[SampleKey, npt.NDArray[np.int64]]:
    """Return (3, classes) counts by key, see `ImageCounts`, given the classes that `class_names` found.

    Raises:
        ValueError: If the file is damaged.
        FileNotFoundError: If there is none.
    """
    _, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    return {SampleKey(row[0]): np.array(row[len(_HEAD) :], np.int64).reshape(len(_COUNTS), len(names)) for row in rows}
