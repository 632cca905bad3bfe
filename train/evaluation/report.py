"""What an evaluation leaves behind: numbers, a table, pictures."""

import csv
import io
import json
import math
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
from segprep.train.evaluation.metrics import ConfusionMatrix
from segprep.train.evaluation.panel import PanelRow, draw_panel, input_tile
from segprep.train.evaluation.predictions import SourceLabels, original_rows, predictions
from segprep.train.evaluation.subject import METRICS_FILE, Subject
from segprep.train.network.segmenter import Segmenter
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
        m = self.metrics
        on = m["split"] if m["dataset"] is None else f"{m['split']} of {m['dataset']}"
        table = Table(title=f"{m['run']}, {m['checkpoint']} (step {m['step']}) on {on}, at {m['at']} size")
        table.add_column("class")
        table.add_column("IoU", justify="right")
        table.add_column("share of pixels", justify="right")
        for row in m["classes"]:
            iou = "absent" if row["iou"] is None else f"{row['iou']:.4f}"
            table.add_row(row["name"], iou, f"{row['share']:.2%}")
        return table

    def summary(self) -> str:
        """Return the totals as text."""
        m = self.metrics
        ious = {each["name"]: each["iou"] for each in m["classes"]}
        judged = sum(iou is not None for iou in ious.values())
        lines = [
            f"{_counted(m)} of {m['store']}",
            f"mean IoU {_shown(m['mean_iou'])} over {judged} classes, pixel accuracy {_shown(m['pixel_accuracy'])}",
        ]
        if m["at"] == "source":
            lines.append(f"mean IoU at network size {_shown(m['mean_iou_at_network_size'])}")
        if m["absent"]:
            present = len(ious) - len(m["absent"])
            lines.append(f"mean IoU over the {present} classes in the labels {_shown(m['mean_iou_of_present'])}")
        for what, names in {
            "in no label but predicted, 0 in the mean": [name for name in m["absent"] if ious[name] is not None],
            "in no label and never predicted, not in the mean": [name for name in m["absent"] if ious[name] is None],
        }.items():
            if names:
                lines.append(f"{what}: {', '.join(names)}")
        if m["why_not_source"]:
            lines.append(f"evaluated at network size: {m['why_not_source']}")
        return "\n".join(lines)


def write_report(
    folder: Path,
    segmenter: Segmenter,
    reader: Reader,
    source: SourceLabels | None,
    subject: Subject,
    dataset: int = 0,
) -> Report:
    """Predict a store and write metrics.json, confusion.csv, predictions/, ids/ and panel.png into `folder`.

    Args:
        folder: Made if need be; files of an earlier evaluation are replaced.
        segmenter: The trained network.
        reader: Of the store.
        source: The original labels, or None to evaluate at network size.
        subject: What is evaluated.
        dataset: Number of the head.

    Raises:
        WorkspaceLockedError: If another process writes the same evaluation.
        WriteFailedError: If the disk is full or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failed(folder, error) from error
    with writer_lock(folder):
        _remove_leftovers(folder)
        return _written(folder, segmenter, reader, source, subject, dataset)


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
    segmenter: Segmenter,
    reader: Reader,
    source: SourceLabels | None,
    subject: Subject,
    dataset: int,
) -> Report:
    store = reader.store
    classes = reader.class_map
    at_size, at_network = ConfusionMatrix(len(classes.names)), ConfusionMatrix(len(classes.names))
    total = len(original_rows(reader))
    shown = {int(i) for i in np.linspace(0, total - 1, min(_PANEL_ROWS, total)).round()}
    rows = []
    with Progress("sample") as progress:
        progress.start(total)
        for done, each in enumerate(predictions(segmenter, reader, source, dataset)):
            at_size.update(each.prediction_HW, each.label_HW)
            at_network.update(each.network_prediction_HW, each.network_label_HW)
            write_image(folder / "predictions" / f"{each.key}.png", classes.colored(each.prediction_HW))
            write_image(folder / "ids" / f"{each.key}.png", classes.to_raw_ids(each.prediction_HW))
            if done in shown:
                tile = input_tile(store, reader.columns[0].name, each.index)
                rows.append(PanelRow(each.key, tile, each.label_HW, each.prediction_HW))
            progress.advance(1, f"mean IoU {at_size.mean_iou():.4f}")
    write_image(folder / "panel.png", draw_panel(rows, classes))
    metrics = {
        **subject.to_json(),
        "n": total,
        **_selection(store.provenance),
        **_scores(at_size, classes.names),
        "mean_iou_at_network_size": _json_number(at_network.mean_iou()),
    }
    atomic_write_bytes(folder / "confusion.csv", _confusion_csv(at_size, classes.names).encode())
    # The last one: what is of an evaluation that was killed has no metrics.
    atomic_write_bytes(folder / METRICS_FILE, json.dumps(metrics, indent=1, allow_nan=False).encode())
    return Report(folder, metrics)


def _selection(provenance: Mapping[str, Any]) -> JsonDict:
    """Return how many samples the split has and why some are not in its store; nothing of a store that does not say."""
    selection = provenance.get("selection")
    return {"samples": selection["samples"], "left_out": selection.get("left_out", {})} if selection else {}


def _counted(metrics: JsonDict) -> str:
    """Return how many of the split's samples the numbers stand for."""
    n = metrics["n"]
    if "samples" not in metrics:
        return f"{n} samples"
    left_out = ", ".join(f"{count} {reason}" for reason, count in metrics["left_out"].items())
    return f"{n} of {metrics['samples']} samples" + (f" (left out: {left_out})" if left_out else "")


def _scores(matrix: ConfusionMatrix, names: tuple[str, ...]) -> JsonDict:
    pixels = matrix.counts.sum(1)
    return {
        "mean_iou": _json_number(matrix.mean_iou()),
        "mean_iou_of_present": _json_number(matrix.mean_iou_of_present()),
        "pixel_accuracy": _json_number(matrix.pixel_accuracy()),
        "pixels": matrix.pixels,
        "absent": [name for name, present in zip(names, matrix.present, strict=True) if not present],
        "classes": [
            {"name": name, "iou": _json_number(float(iou)), "pixels": int(n), "share": float(n / max(matrix.pixels, 1))}
            for name, iou, n in zip(names, matrix.iou(), pixels, strict=True)
        ],
    }


def _confusion_csv(matrix: ConfusionMatrix, names: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label \\ prediction", *names])
    writer.writerows([name, *counts] for name, counts in zip(names, matrix.counts.tolist(), strict=True))
    return text.getvalue()


def _json_number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
