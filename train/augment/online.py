"""Augmentation while a network trains: drawn anew for each pass over the data, applied where the batch is."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from segprep.datasets.augmentation import draw
from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.sample import Matrix
from segprep.train.augment.augmenter import BatchAugmenter
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Batch, Reader

__all__ = ["OnlineAugmentation"]


class OnlineAugmentation:
    """Augments batches of one data set. Threads may share it.

    Args:
        reader: Whose batches.
        config: What is drawn from.
        seed: Of all draws; a sample's draw depends on it, its key and how often it came before, on nothing else.
        size: (width, height) of the results; None for that of the store, or of the crop in pixels.
        device: Of the batches.

    Raises:
        ConfigurationError: If a column cannot follow such an augmentation; names the column.
        SizeMismatchError: If a crop in pixels is larger than the samples.
    """

    def __init__(
        self,
        reader: Reader,
        config: AugmentationConfig,
        seed: int,
        size: tuple[int, int] | None,
        device: torch.device,
    ) -> None:
        height, width = reader.label.shape[:2]
        self._reader, self._config, self._seed = reader, config, seed
        self._source, self._output = (width, height), size or config.crop_size or (width, height)
        self._augmenter = BatchAugmenter((*reader.columns, reader.label), device, config)
        if config.crop_size is not None and any(c > s for c, s in zip(config.crop_size, self._source, strict=True)):
            raise SizeMismatchError(
                f"a crop of {config.crop_size[0]}x{config.crop_size[1]} does not fit into the {width}x{height} samples "
                f"of {reader.store.path}"
            )

    @property
    def changes_nothing(self) -> bool:
        """Whether every sample stays as it is."""
        return self._config == PRESETS["none"] and self._output == self._source

    def augmented(self, batch: Batch) -> Batch:
        """Return the batch with each sample augmented; labels and masks follow."""
        if self.changes_nothing:
            return batch
        drawn = [
            draw(self._config, self._seed, self._name(row), row.epoch, self._source, self._output) for row in batch.rows
        ]
        done = self._augmenter.augmented(
            {**batch.columns_NHWC, self._reader.label.name: batch.labels_NHW},
            batch.valid_NHW,
            drawn,
            self._cameras(batch.rows),
        )
        return replace(
            batch,
            columns_NHWC={name: done.columns[name] for name in batch.columns_NHWC},
            labels_NHW=done.columns[self._reader.label.name],
            valid_NHW={},
        )

    def _name(self, row: Row) -> str:
        """Name a row for its draws: stored variants of a sample have its key, but are no copies of it."""
        key, variant = self._reader.store.keys[row.index], int(self._reader.store.variants[row.index])
        return f"{key} {variant}" if variant else key

    def _cameras(self, rows: Sequence[Row]) -> list[Matrix | None]:
        return [self._reader.store.camera_K(row.index) for row in rows]
