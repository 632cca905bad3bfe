"""Batches from shard stores."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError, LabelIdError
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.made_classes import made_class_map
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.reading.buffers import Buffers
from segprep.train.reading.order import Row

__all__ = ["Batch", "Reader", "beside_each_other", "prefetched"]

_PREFETCHED_BATCHES = 2
_THREADS = 2  # worker processes read slower, because a batch of theirs is copied once more (docs/benchmarks.md)

Wanted = TypeVar("Wanted")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples of one data set as tensors.

    Attributes:
        columns_NHWC: The stored values of each input column, in the order of the inputs.
        labels_NHW: uint8 train ids, 255 = ignore.
        valid_NHW: bool, where the columns of these names are valid; those only that were asked for.
        rows: The draws.
        keys: The samples.
    """

    columns_NHWC: Mapping[str, Tensor]
    labels_NHW: Tensor
    valid_NHW: Mapping[str, Tensor]
    rows: tuple[Row, ...]
    keys: tuple[SampleKey, ...]

    @property
    def dataset(self) -> int:
        """Number of the data set."""
        return self.rows[0].dataset

    @property
    def inputs_NHWC(self) -> Tensor:  # noqa: N802  (the field's notation)
        """All columns with their channels concatenated, made where the columns are.

        Interleaving the channels of two columns takes longer on the CPU than reading them: `to` a GPU comes first.
        """
        return beside_each_other(tuple(self.columns_NHWC.values()))

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return replace(
            self,
            columns_NHWC={name: column.to(device) for name, column in self.columns_NHWC.items()},
            labels_NHW=self.labels_NHW.to(device),
            valid_NHW={name: valid.to(device) for name, valid in self.valid_NHW.items()},
        )


class Reader:
    """Reads batches of some columns of a store.

    Args:
        store: An open store.
        inputs: Columns whose channels are concatenated.
        target: The label column.
        masks: Whether the masks of the inputs are read, too.

    Attributes:
        store: The store.
        columns: The input columns.
        label: The label column.
        class_map: Its classes. Of a label that was made, as motion labels are, those that it names.

    Raises:
        ConfigurationError: If a column does not exist or is no input.
    """

    def __init__(self, store: ShardStore, inputs: Sequence[str], target: str = "label", *, masks: bool = False) -> None:
        self.store = store
        self.columns = tuple(_column(store, name) for name in inputs)
        self.label = _column(store, target)
        if self.label.kind is not Kind.LABEL:
            raise ConfigurationError(f"column {target!r} of {store.path} holds {self.label.kind} and no labels")
        self.class_map = _class_map(store, self.label)
        for column in self.columns:
            if column.kind in (Kind.LABEL, Kind.INSTANCE):
                raise ConfigurationError(
                    f"column {column.name!r} of {store.path} holds {column.kind} ids: it is no input"
                )
        self._masked = tuple(c for c in self.columns if masks and c.masked)
        self._buffers = Buffers()

    def read(self, rows: Sequence[Row]) -> Batch:
        """Read samples. Threads may call it at the same time.

        Raises:
            LabelIdError: If a label holds an id that is no class, as a store that others wrote may; names the sample.
            DamagedStoreError: If the store is damaged.
        """
        indices = [row.index for row in rows]
        labels_NHW = self._read(self.label, indices)[..., 0]
        keys = tuple(self.store.keys[index] for index in indices)
        self._check_ids(labels_NHW, keys)
        return Batch(
            {column.name: torch.from_numpy(self._read(column, indices)) for column in self.columns},
            torch.from_numpy(labels_NHW),
            {column.name: self._valid(column, indices) for column in self._masked},
            tuple(rows),
            keys,
        )

    def _read(self, column: ArraySpec, indices: Sequence[int]) -> Array:
        """Return (N, H, W, C); C is 1 for a column without channels."""
        height, width, channels = (*column.shape, 1)[:3]
        values_NHWC = self._buffers.array((len(indices), height, width, channels), column.dtype)
        self.store.read_batch(column.name, indices, values_NHWC if len(column.shape) == 3 else values_NHWC[..., 0])
        return values_NHWC

    def _valid(self, column: ArraySpec, indices: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([self.store.read_valid(column.name, index) for index in indices]))

    def _check_ids(self, labels_NHW: Array, keys: Sequence[SampleKey]) -> None:
        classes = len(self.class_map.names)
        # In 8 bits 255 + 1 is 0, so that one maximum judges classes and the ignored alike.
        if int((labels_NHW + np.uint8(1)).max()) > classes:
            for key, label_HW in zip(keys, labels_NHW, strict=True):
                unknown = sorted({int(i) for i in np.unique(label_HW) if classes <= i != IGNORE_ID})
                if unknown:
                    raise LabelIdError(
                        f"the label of {key} in {self.store.path} holds the ids {unknown[:8]}, but there are {classes} "
                        f"classes, 0 to {classes - 1}, and {IGNORE_ID} for what is ignored: shard anew"
                    )


def beside_each_other(columns_NHWC: Sequence[Tensor]) -> Tensor:
    """Return columns with their channels concatenated, float32 where their dtypes differ, which holds all values."""
    if len(columns_NHWC) == 1:
        return columns_NHWC[0]
    mixed = len({column.dtype for column in columns_NHWC}) > 1
    return torch.cat([column.float() if mixed else column for column in columns_NHWC], -1)


def prefetched(read: Callable[[Wanted], Found], wanted: Iterable[Wanted], threads: int = _THREADS) -> Iterator[Found]:
    """Yield `read(each)` for each of `wanted`, in their order; threads read the next two meanwhile."""
    with ThreadPoolExecutor(threads, "reader", initializer=_compute_alone) as pool:
        pending: deque[Future[Found]] = deque()
        try:
            for each in wanted:
                pending.append(pool.submit(read, each))
                if len(pending) > _PREFETCHED_BATCHES:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _compute_alone() -> None:
    """Let torch use one thread for what this thread computes: its helpers would take the network's cores.

    torch keeps the number per thread, so the network's own stays as it is.
    """
    torch.set_num_threads(1)


def _class_map(store: ShardStore, label: ArraySpec) -> ClassMap:
    if label.classes == store.class_map.names:
        return store.class_map
    return made_class_map(label.classes, label.attributes)


def _column(store: ShardStore, name: str) -> ArraySpec:
    if name not in store.columns:
        raise ConfigurationError(
            f"{store.path} has no column {name!r}. Its columns: {', '.join(sorted(store.columns))}"
        )
    return store.columns[name]
