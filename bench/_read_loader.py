"""What arms of the benchmark of reading share, whatever environment they run in: order, and torch's loader."""

import importlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from _read_child import Batches, Sample

__all__ = ["COLUMNS", "RowArm", "shuffled"]

COLUMNS = ("image", "flow", "label")


def shuffled(rows: int) -> Iterator[int]:
    """Yield the rows of one epoch after the other, without end."""
    for epoch in itertools.count():
        yield from np.random.default_rng(epoch).permutation(rows).tolist()


class RowArm:
    """Something that is indexed by row and gives arrays of image, flow and label; torch's loader makes the batches.

    Args:
        dataset: Has `__getitem__` and may be used in a forked process.
        rows: How many there are.
    """

    def __init__(self, dataset: Any, rows: int) -> None:  # noqa: ANN401  (anything with __getitem__)
        self._dataset = dataset
        self._rows = rows

    def samples(self, rows: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        for row in rows:
            yield row, self._dataset[row]

    def batches(self, size: int, workers: int) -> Batches:
        loader = importlib.import_module("torch.utils.data").DataLoader
        order = _Order(self._rows)
        return iter(loader(self._dataset, batch_size=size, sampler=order, num_workers=workers, drop_last=True))


class _Order:
    """What torch's loader takes as a sampler."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[int]:
        return shuffled(self._rows)
