"""Batches from a shard store, in an order that depends on nothing but (seed, position)."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.shard_columns import ArraySpec
from segprep.datasets.shards import ShardStore
from segprep.train.flips import flip_x_of

__all__ = ["Batch", "Config", "Reader", "Row", "prefetched", "training_rows"]

_PREFETCHED_BATCHES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a run reads.

    Attributes:
        inputs: Columns whose channels the network gets, in this order.
        batch_size: Samples per step.
        flip: Whether half of the samples, drawn anew each epoch, are flipped horizontally.
    """

    inputs: tuple[str, ...] = ("image",)
    batch_size: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        if not self.inputs or self.batch_size < 1:
            raise ConfigurationError(
                f"a run needs inputs and a batch_size of at least 1, not {self.inputs}, {self.batch_size}"
            )


@dataclass(frozen=True, slots=True)
class Row:
    """One draw: which sample, and whether flipped."""

    index: int
    flip: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples as tensors.

    Attributes:
        inputs_NHWC: The input columns' stored values, channels concatenated.
        labels_NHW: uint8 train ids, 255 = ignore.
    """

    inputs_NHWC: Tensor
    labels_NHW: Tensor


def training_rows(config: Config, seed: int, samples: int, step: int) -> list[Row]:
    """Return the rows of a step's batch.

    All epochs form one endless sequence; position p is place p % samples of epoch p // samples, and step s takes the
    positions s * batch_size and following. So an epoch shows every sample exactly once, no sample is dropped for a
    batch that is not full, and a resumed run goes on where it stopped without any state.
    """
    start = step * config.batch_size
    rows = []
    for position in range(start, start + config.batch_size):
        order, flips = _epoch(seed, position // samples, samples)
        place = position % samples
        rows.append(Row(int(order[place]), config.flip and bool(flips[place])))
    return rows


@lru_cache(maxsize=2)  # a batch may lie across two epochs
def _epoch(seed: int, epoch: int, samples: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    generator = np.random.Generator(np.random.Philox(key=(seed << 64) + epoch))
    return generator.permutation(samples), generator.random(samples) < 0.5


class Reader:
    """Reads batches of some columns of a store.

    Args:
        store: An open store.
        inputs: Columns whose channels are concatenated.
        flip: Whether rows with `flip` will be asked for; then every column must be able to.

    Attributes:
        store: The store.
        columns: The input columns.

    Raises:
        ConfigurationError: If a column does not exist, is no input, or cannot be flipped.
    """

    def __init__(self, store: ShardStore, inputs: Sequence[str], *, flip: bool = False) -> None:
        self.store = store
        self.columns = tuple(_column(store, name) for name in inputs)
        self._label = _column(store, "label")
        for column in self.columns:
            if column.kind in (Kind.LABEL, Kind.INSTANCE):
                raise ConfigurationError(
                    f"column {column.name!r} of {store.path} holds {column.kind} ids: it is no input"
                )
        self._flips: dict[str, Callable[[Array], Array]] = {}
        if flip:
            self._flips = {c.name: flip_x_of(c) for c in (*self.columns, self._label)}

    def read(self, rows: Sequence[Row]) -> Batch:
        """Read, flip and concatenate."""
        parts = [self._read(column, rows) for column in self.columns]
        parts = [part if part.ndim == 4 else part[..., None] for part in parts]
        inputs_NHWC = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        return Batch(torch.from_numpy(inputs_NHWC), torch.from_numpy(self._read(self._label, rows)))

    def _read(self, column: ArraySpec, rows: Sequence[Row]) -> npt.NDArray[Any]:
        values = self.store.read_batch(column.name, [row.index for row in rows])
        for value, row in zip(values, rows, strict=True):
            if row.flip:
                value[...] = self._flips[column.name](value)
        return values


def prefetched(read: Callable[[Sequence[Row]], Batch], batches: Iterable[Sequence[Row]]) -> Iterator[Batch]:
    """Yield `read(rows)` for each element of `batches`; a thread reads the next two meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as pool:
        pending: deque[Future[Batch]] = deque()
        for rows in batches:
            pending.append(pool.submit(read, rows))
            if len(pending) > _PREFETCHED_BATCHES:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _column(store: ShardStore, name: str) -> ArraySpec:
    if name not in store.columns:
        raise ConfigurationError(
            f"{store.path} has no column {name!r}. Its columns: {', '.join(sorted(store.columns))}"
        )
    return store.columns[name]
