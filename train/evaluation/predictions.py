"""Predicting a whole store, at network size and at the size of the original labels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from segprep.datasets.codes import RawLabelCode
from segprep.datasets.errors import CodeRangeError, ConfigurationError, SizeMismatchError, UnreadableFileError
from segprep.datasets.imageio import read_image
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.train.evaluation.metrics import ConfusionMatrix
from segprep.train.evaluation.only_classes import OnlyClasses
from segprep.train.network.segmenter import Segmenter
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Batch, Reader, prefetched
from segprep.train.runs.processes import Processes

__all__ = [
    "Prediction",
    "Score",
    "SourceLabels",
    "confusion_at_network_size",
    "original_rows",
    "predicted_ids",
    "predictions",
]

Score = Callable[[Batch], Tensor]
"""(N, classes, H, W) probabilities of a batch, at its size."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """One sample's prediction and truth, both as train ids.

    Attributes:
        key: The sample.
        index: Its row in the store.
        prediction_HW: uint8, at the size that was asked for.
        label_HW: uint8 of the same size, 255 = ignore.
        confidence_HW: float32 probability of the class that is predicted.
        network_prediction_HW: uint8 at the store's size.
        network_label_HW: uint8 at the store's size.
    """

    key: SampleKey
    index: int
    prediction_HW: Array
    label_HW: Array
    confidence_HW: npt.NDArray[np.float32]
    network_prediction_HW: Array
    network_label_HW: Array


class SourceLabels:
    """The original label files of a store's samples, at their full resolution.

    Args:
        store: Holds the paths, and the class map that turns the files' ids into train ids.
        root: The dataset's root.

    Attributes:
        root: The same.
    """

    def __init__(self, store: ShardStore, root: Path) -> None:
        self._store, self.root = store, root
        self._code = RawLabelCode(store.class_map.reading)

    def why_unreachable(self) -> str | None:
        """Return why the labels cannot be read, judged by the first sample; None if they can.

        Raises:
            MachineError: If the machine is to blame that nobody can tell.
        """
        relative = self._store.source_paths(0).get("label")
        if relative is None:
            return "the store does not say where its labels came from"
        path = self.root / relative
        try:
            path.stat()
        except OSError as error:
            blame_machine(path, error)
            return f"{path} does not exist"
        return None

    def read(self, index: int) -> Array:
        """Return (H, W) uint8 train ids of a sample.

        Raises:
            MissingInputError, UnreadableFileError: If the file cannot be read.
            SizeMismatchError: If it has another size than when the store was made.
            LabelIdError: If it holds ids or colours that the class map does not know.
        """
        path = self.root / self._store.source_paths(index)["label"]
        width, height = self._store.source_size(index)
        try:
            raw, _ = self._code.from_file(read_image(path, palette_colors=self._code.shows_palette))
        except CodeRangeError as error:
            raise UnreadableFileError(f"{path}: {error}") from error
        if raw.shape[:2] != (height, width):
            raise SizeMismatchError(
                f"{path} is {raw.shape[1]}x{raw.shape[0]}, expected {width}x{height}: evaluate with --at network"
            )
        return self._store.class_map.to_train_ids(raw)


def original_rows(reader: Reader) -> list[Row]:
    """Return the rows that are no augmented variants of others.

    Raises:
        ConfigurationError: If there are none.
    """
    rows = [Row(index) for index, variant in enumerate(reader.store.variants.tolist()) if variant == 0]
    if not rows:
        raise ConfigurationError(f"{reader.store.path} holds augmented variants only: evaluate on another split")
    return rows


@torch.inference_mode()
def confusion_at_network_size(
    segmenter: Segmenter, reader: Reader, batch_size: int, dataset: int = 0, processes: Processes | None = None
) -> ConfusionMatrix:
    """Predict every original sample of a store and compare with its own labels.

    Args:
        segmenter: The network.
        reader: Of the store.
        batch_size: Samples that are predicted at once.
        dataset: Number of the head.
        processes: That share the samples and the result.
    """
    segmenter.eval()
    device = segmenter.centre.device
    processes = processes or Processes()
    matrix = ConfusionMatrix(len(reader.class_map.names))
    rows = original_rows(reader)[processes.rank :: processes.count]
    batches = (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))
    for batch in prefetched(reader.read, batches):
        logits_NCHW = segmenter.logits(batch.to(device).inputs_NHWC, dataset)
        matrix.update(predicted_ids(logits_NCHW), batch.labels_NHW.numpy())
    matrix.counts = processes.sum(torch.from_numpy(matrix.counts).to(device)).cpu().numpy()
    return matrix


@torch.inference_mode()
def predictions(
    score: Score, reader: Reader, source: SourceLabels | None, only: OnlyClasses | None = None
) -> Iterator[Prediction]:
    """Yield the prediction of every original sample, at the size of its original label if `source` is given.

    There the class probabilities are enlarged bilinearly and the likeliest class is taken last: enlarged ids would have
    the steps of the network's grid.

    Args:
        score: Gives (N, classes, H, W) probabilities of a batch, at its size.
        reader: Of the store.
        source: The original labels.
        only: Which pixels count; None for all that have a label.
    """
    rows = original_rows(reader)
    batches: Sequence[Sequence[Row]] = [[row] for row in rows]
    for row, batch in zip(rows, prefetched(reader.read, batches), strict=True):
        probabilities_NCHW = score(batch)
        network_prediction_HW, network_label_HW = predicted_ids(probabilities_NCHW)[0], batch.labels_NHW[0].numpy()
        label_HW = network_label_HW if source is None else source.read(row.index)
        if only is not None:
            label_HW, network_label_HW = (only.applied(row.index, each) for each in (label_HW, network_label_HW))
        if source is not None:
            probabilities_NCHW = F.interpolate(
                probabilities_NCHW, size=label_HW.shape, mode="bilinear", align_corners=False
            )
        confidence_HW, prediction_HW = (each[0].cpu() for each in probabilities_NCHW.max(1))
        yield Prediction(
            reader.store.keys[row.index],
            row.index,
            prediction_HW.to(torch.uint8).numpy(),
            label_HW,
            confidence_HW.float().numpy(),
            network_prediction_HW,
            network_label_HW,
        )


def predicted_ids(scores_NCHW: Tensor) -> Array:
    """Return (N, H, W) uint8 train ids of the likeliest classes."""
    return scores_NCHW.argmax(1).to(torch.uint8).cpu().numpy()
