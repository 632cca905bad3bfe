"""Batches from a shard store, in an order that depends on nothing but (seed, position)."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.shard_columns import ArraySpec
from segprep.datasets.shards import ShardStore
from segprep.train.buffers import Buffers
from segprep.train.flips import flip_x_of

__all__ = ["Batch", "Config", "Reader", "Row", "prefetched", "training_rows"]

_PREFETCHED_BATCHES = 2
_THREADS = 2  # worker processes read slower, because a batch of theirs is copied once more (docs/benchmarks.md)


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
        columns_NHWC: The stored values of each input column, in the order of the inputs.
        labels_NHW: uint8 train ids, 255 = ignore.
    """

    columns_NHWC: tuple[Tensor, ...]
    labels_NHW: Tensor

    @property
    def inputs_NHWC(self) -> Tensor:  # noqa: N802  (the field's notation)
        """All columns with their channels concatenated, made where the columns are.

        Interleaving the channels of two columns takes longer on the CPU than reading them: `to` a GPU comes first.
        Columns of several dtypes become float32, which holds all their values.
        """
        if len(self.columns_NHWC) == 1:
            return self.columns_NHWC[0]
        mixed = len({column.dtype for column in self.columns_NHWC}) > 1
        return torch.cat([column.float() if mixed else column for column in self.columns_NHWC], -1)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(tuple(column.to(device) for column in self.columns_NHWC), self.labels_NHW.to(device))


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
        self._buffers = Buffers()
        self._flips: dict[str, Callable[[Array], Array]] = {}
        if flip:
            self._flips = {c.name: flip_x_of(c) for c in (*self.columns, self._label)}

    def read(self, rows: Sequence[Row]) -> Batch:
        """Read and flip. Threads may call it at the same time."""
        columns_NHWC = tuple(torch.from_numpy(self._read(column, rows)) for column in self.columns)
        return Batch(columns_NHWC, torch.from_numpy(self._read(self._label, rows)[..., 0]))

    def _read(self, column: ArraySpec, rows: Sequence[Row]) -> Array:
        """Return (N, H, W, C); C is 1 for a column without channels."""
        height, width, channels = (*column.shape, 1)[:3]
        values_NHWC = self._buffers.array((len(rows), height, width, channels), column.dtype)
        values = values_NHWC if len(column.shape) == 3 else values_NHWC[..., 0]
        self.store.read_batch(column.name, [row.index for row in rows], values)
        for value, row in zip(values, rows, strict=True):
            if row.flip:
                value[...] = self._flips[column.name](value)
        return values_NHWC


def prefetched(
    read: Callable[[Sequence[Row]], Batch], batches: Iterable[Sequence[Row]], threads: int = _THREADS
) -> Iterator[Batch]:
    """Yield `read(rows)` for each element of `batches`, in their order; threads read the next two meanwhile."""
    with ThreadPoolExecutor(threads, thread_name_prefix="reader") as pool:
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
