"""Validation while a run trains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.statistics import LabelStatistics
from segprep.train.evaluation.metrics import check_metric, class_of_metric
from segprep.train.evaluation.panel import PanelRow, draw_panel, input_tile
from segprep.train.evaluation.predictions import confusion_at_network_size, original_rows, predicted_ids
from segprep.train.learning.config import RunConfig
from segprep.train.network.segmenter import Segmenter
from segprep.train.reading.reader import Reader
from segprep.train.reading.sources import Source
from segprep.train.runs.processes import Processes

__all__ = ["Scores", "Validation"]

_PANEL_ROWS = 4


@dataclass(frozen=True, slots=True)
class Scores:
    """What a validation found.

    Attributes:
        entry: For the log: `val_mean_iou`, `val_pixel_accuracy`, `val_iou/<class>`; of several data sets the means, and
            each one's with its name behind. What is not defined is missing.
        metric: What the best weights are chosen by; None where it is not defined.
    """

    entry: JsonDict
    metric: float | None


class Validation:
    """Predicts the validation stores at network size.

    Args:
        segmenter: The network.
        sources: The data sets; those without validation data are left out.
        config: Of the run.
        processes: That share the samples.

    Raises:
        ConfigurationError: If there is no metric of the name that the configuration says, or a store cannot be read.
    """

    def __init__(
        self, segmenter: Segmenter, sources: Sequence[Source], config: RunConfig, processes: Processes
    ) -> None:
        self._segmenter, self._sources, self._processes = segmenter, sources, processes
        self._batch_size = max(1, config.data.batch_size // (config.data.accumulate * processes.count))
        self._metric = config.checkpoint.metric
        self._readers = {
            number: Reader(source.val, config.data.inputs, config.data.target)
            for number, source in enumerate(sources)
            if source.val is not None
        }
        for number in self._readers:
            check_metric(self._metric, sources[number].classes)

    @property
    def possible(self) -> bool:
        """Whether there is anything to validate on."""
        return bool(self._readers)

    def why_undefined(self) -> str | None:
        """Return why the metric can never choose a checkpoint, judged by what the stores counted; None if it can."""
        if not self.possible:
            return None
        wanted = class_of_metric(self._metric)
        for number, reader in self._readers.items():
            counted = reader.store.statistics.get(reader.label.name)
            if not isinstance(counted, LabelStatistics):
                return None
            pixels = dict(zip(self._sources[number].classes, counted.pixels, strict=False))
            if any(pixels.values()) if wanted is None else pixels[wanted]:
                return None
        what = "is labelled" if wanted is None else f"is of class {wanted!r}"
        stores = ", ".join(str(reader.store.path) for reader in self._readers.values())
        return f"no pixel of {stores} {what}: {self._metric} is not defined there and can choose no best checkpoint"

    def run(self) -> Scores:
        """Predict everything."""
        metrics = {}
        entry: JsonDict = {}
        for number, reader in self._readers.items():
            source = self._sources[number]
            matrix = confusion_at_network_size(self._segmenter, reader, self._batch_size, number, self._processes)
            metrics[number] = matrix.named(self._metric, source.classes)
            suffix = f"/{source.name}" if len(self._readers) > 1 else ""
            entry |= {
                f"val_mean_iou{suffix}": matrix.mean_iou(),
                f"val_pixel_accuracy{suffix}": matrix.pixel_accuracy(),
            }
            entry |= {
                f"val_iou{suffix}/{name}": float(iou) for name, iou in zip(source.classes, matrix.iou(), strict=True)
            }
        if len(self._readers) > 1:
            for name in ("val_mean_iou", "val_pixel_accuracy"):
                entry[name] = _mean([value for key, value in entry.items() if key.startswith(f"{name}/")])
        metric = _mean(list(metrics.values()))
        known = {name: value for name, value in entry.items() if math.isfinite(value)}
        return Scores(known, metric if math.isfinite(metric) else None)

    def panel(self) -> npt.NDArray[np.uint8]:
        """Draw predictions of a few samples, the same ones each time."""
        number, reader = next(iter(self._readers.items()))
        rows = original_rows(reader)
        places = sorted({int(i) for i in np.linspace(0, len(rows) - 1, min(_PANEL_ROWS, len(rows))).round()})
        shown = []
        for row in (rows[place] for place in places):
            batch = reader.read([row]).to(self._segmenter.centre.device)
            with torch.inference_mode():
                ids_NHW = predicted_ids(self._segmenter.eval().logits(batch.inputs_NHWC, number))
            tile = input_tile(reader.store, reader.columns[0].name, row.index)
            shown.append(PanelRow(batch.keys[0], tile, batch.labels_NHW[0].cpu().numpy(), ids_NHW[0]))
        return draw_panel(shown, reader.class_map)


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if math.isfinite(value)]
    return sum(defined) / len(defined) if defined else math.nan
