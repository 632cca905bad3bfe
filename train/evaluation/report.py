"""What an evaluation leaves behind: numbers, a table, pictures."""

import csv
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from segprep.datasets.atomic import atomic_write_bytes, remove_partials, write_failed
from segprep.datasets.imageio import write_image
from segprep.datasets.program.progress import Progress
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.sample import JsonDict
from segprep.train.evaluation.confusion_picture import draw_confusion
from segprep.train.evaluation.distance import check_bands
from segprep.train.evaluation.images import IMAGES_FILE, images_csv
from segprep.train.evaluation.metrics import ConfusionMatrix
from segprep.train.evaluation.only_classes import OnlyClasses
from segprep.train.evaluation.panel import PanelRow, draw_panel, input_tile
from segprep.train.evaluation.predictions import Score, SourceLabels, original_rows, predictions
from segprep.train.evaluation.shown import shown_table, shown_totals
from segprep.train.evaluation.subject import METRICS_FILE, Subject
from segprep.train.evaluation.tally import Tally
from segprep.train.reading.reader import Reader

__all__ = ["Report", "write_report"]

_PANEL_ROWS = 6


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation.

    Attributes:
        folder: Where its files are.
        metrics: What `metrics.json` holds.
    """

    folder: Path
    metrics: JsonDict

    def table(self) -> Table:
        """Return the table of classes for the terminal."""
        return shown_table(self.metrics)

    def summary(self) -> str:
        """Return the totals as text."""
        return shown_totals(self.metrics)


def write_report(folder: Path, score: Score, reader: Reader, source: SourceLabels | None, subject: Subject) -> Report:
    """Predict a store and write numbers, tables and pictures into `folder`.

    These are metrics.json, confusion.csv and .png, images.csv, predictions/, ids/ and panel.png.

    Args:
        folder: Made if need be; files of an earlier evaluation are replaced.
        score: Predicts a batch.
        reader: Of the store.
        source: The original labels, or None to evaluate at network size.
        subject: What is evaluated.

    Raises:
        ConfigurationError: If there is no class that the subject names, or its bands make no sense.
        WorkspaceLockedError: If another process writes the same evaluation.
        WriteFailedError: If the disk is full or the folder cannot be written.
    """
    only = OnlyClasses(reader, subject.only_classes) if subject.only_classes else None
    check_bands(subject.bands)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failed(folder, error) from error
    with writer_lock(folder):
        _remove_leftovers(folder)
        return _written(folder, score, reader, source, subject, only)


def _remove_leftovers(folder: Path) -> None:
    """Remove what an evaluation that was killed left, its pictures, too: they may be of other samples."""
    for pictures in (folder / "predictions", folder / "ids"):
        if (folder / METRICS_FILE).exists():
            remove_partials(pictures)
        else:
            shutil.rmtree(pictures, ignore_errors=True)
    remove_partials(folder)


def _written(
    folder: Path,
    score: Score,
    reader: Reader,
    source: SourceLabels | None,
    subject: Subject,
    only: OnlyClasses | None,
) -> Report:
    store, classes = reader.store, reader.class_map
    indices = [row.index for row in original_rows(reader)]
    total = len(indices)
    tally = Tally(reader, indices, source, only, subject.bands)
    shown = {int(i) for i in np.linspace(0, total - 1, min(_PANEL_ROWS, total)).round()}
    rows = []
    with Progress("sample") as progress:
        progress.start(total)
        for done, each in enumerate(predictions(score, reader, source, only)):
            tally.add(each)
            write_image(folder / "predictions" / f"{each.key}.png", classes.colored(each.prediction_HW))
            write_image(folder / "ids" / f"{each.key}.png", classes.to_raw_ids(each.prediction_HW))
            if done in shown:
                tile = input_tile(store, reader.columns[0].name, each.index)
                rows.append(PanelRow(each.key, tile, each.label_HW, each.prediction_HW))
            progress.advance(1, f"mean IoU {tally.mean_iou():.4f}")
    write_image(folder / "panel.png", draw_panel(rows, classes))
    write_image(folder / "confusion.png", draw_confusion(tally.matrix, classes.names, subject.run))
    metrics = {**subject.to_json(), "n": total, **_selection(store.provenance), **tally.to_json()}
    atomic_write_bytes(folder / "confusion.csv", _confusion_csv(tally.matrix, classes.names).encode())
    atomic_write_bytes(folder / IMAGES_FILE, images_csv(tally.images, classes.names, tally.judged).encode())
    # The last one: what is of an evaluation that was killed has no metrics.
    atomic_write_bytes(folder / METRICS_FILE, json.dumps(metrics, indent=1, allow_nan=False).encode())
    return Report(folder, metrics)


def _selection(provenance: Mapping[str, Any]) -> JsonDict:
    """Return how many samples the split has and why some are not in its store; nothing of a store that does not say."""
    selection = provenance.get("selection")
    return {"samples": selection["samples"], "left_out": selection.get("left_out", {})} if selection else {}


def _confusion_csv(matrix: ConfusionMatrix, names: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label \\ prediction", *names])
    writer.writerows([name, *counts] for name, counts in zip(names, matrix.counts.tolist(), strict=True))
    return text.getvalue()
