"""Arms of the benchmark of reading that need nothing but this project and what it depends on."""

import importlib
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import google_crc32c
import numpy as np
import zarr
from _read_child import Arm, Batches, Sample
from _read_loader import COLUMNS, RowArm, shuffled

from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.chunks import split_shard
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Batch, Reader, prefetched

__all__ = ["open_arm"]


def open_arm(name: str, folder: Path) -> Arm:
    """Open what is read: `memmap`, `png`, `zarr-python CODEC`, or ours, `ours CODEC [THREADS]`."""
    kind, *options = name.split()
    match kind:
        case "memmap":
            arrays = [np.load(folder / f"{column}.npy", mmap_mode="r") for column in COLUMNS]
            return _Memmap(arrays)
        case "png":
            return RowArm(_Pngs(folder / "png"), len(list((folder / "png" / "label").iterdir())))
        case "zarr-python":
            return _ZarrPython([zarr.open_array(folder / f"{options[0]}.zarr" / name, mode="r") for name in COLUMNS])
        case "ours":
            return _Ours(folder / f"{options[0]}.zarr", int(options[1]) if len(options) > 1 else 2)
    raise ValueError(f"no arm {name!r}")


class _Arrays(RowArm):
    """Arrays (N, H, W[, C]) that give a copy of what they are sliced by."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.arrays = arrays
        super().__init__(self, arrays[0].shape[0])

    def __getitem__(self, row: int) -> Sample:
        return [np.array(array[row]) for array in self.arrays]

    def crops(self, command: dict[str, Any]) -> float:
        """Return the seconds of reading a window of every row."""
        height, width = command["size"]
        began = time.perf_counter()
        for row, (y, x) in zip(command["rows"], command["corners"], strict=True):
            for array in self.arrays:
                np.array(array[row, y : y + height, x : x + width])
        return time.perf_counter() - began


class _Memmap(_Arrays):
    """NumPy's mapped arrays, copied."""


class _ZarrPython(_Arrays):
    """Our store through zarr-python."""

    def __getitem__(self, row: int) -> Sample:
        return [array[row] for array in self.arrays]


class _Pngs:
    """A PNG per cell, decoded by OpenCV."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, row: int) -> Sample:
        return [self._decode(self._folder / name / f"{row}.png") for name in COLUMNS]

    def _decode(self, path: Path) -> Array:
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise FileNotFoundError(path)
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if picture.ndim == 3 else picture


class _Ours:
    """Our store through our reader; batches as `train run` reads them, in threads or, to compare, in processes."""

    def __init__(self, path: Path, threads: int) -> None:
        self._path = path
        self._store = ShardStore.open(path)
        self._reader = Reader(self._store, COLUMNS[:2])
        self._threads = threads

    def samples(self, rows: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        for row in rows:
            yield row, [self._store.read(name, row) for name in COLUMNS]

    def batches(self, size: int, workers: int) -> Batches:
        rows = shuffled(len(self._store))
        asked = ([Row(row) for row in itertools.islice(rows, size)] for _ in itertools.count())
        if workers:
            loader = importlib.import_module("torch.utils.data").DataLoader
            read: Iterator[Batch] = iter(
                loader(_ByBatch(self._reader), batch_size=None, sampler=asked, num_workers=workers)
            )
        elif self._threads:
            read = prefetched(self._reader.read, asked, self._threads)
        else:
            read = map(self._reader.read, asked)
        for batch in read:
            yield (*batch.columns_NHWC.values(), batch.labels_NHW)
            del batch

    def crops(self, command: dict[str, Any]) -> float:
        """Return the seconds of reading a window of every row."""
        began = time.perf_counter()
        for row, corner in zip(command["rows"], command["corners"], strict=True):
            for name in COLUMNS:
                self._store.read_crops(name, (row,), (corner,), command["size"])
        return time.perf_counter() - began

    def first(self, command: dict[str, Any]) -> float:
        """Return the seconds of reading rows when every checksum is compared: a process's first epoch."""
        began = time.perf_counter()
        store = ShardStore.open(self._path)
        for row in command["rows"]:
            for name in COLUMNS:
                store.read(name, row)
        return time.perf_counter() - began

    def checksums(self, command: dict[str, Any]) -> float:
        """Return the seconds of the checksums alone, of chunks that are mapped."""
        per_shard = self._store.samples_per_shard
        chunks: dict[str, list[memoryview]] = {}
        for name in COLUMNS:
            dimensions = len(self._store.columns[name].shape)
            for shard in range(-(-len(self._store) // per_shard)):
                file = self._path / name / (f"c.{shard}" + ".0" * dimensions)
                samples = min(per_shard, len(self._store) - shard * per_shard)
                mapped = np.memmap(file, np.uint8, "r")
                chunks.setdefault(name, []).extend(split_shard(mapped.data, samples, per_shard))
        began = time.perf_counter()
        for row in command["rows"]:
            for name in COLUMNS:
                google_crc32c.value(np.frombuffer(chunks[name][row], np.uint8))
        return time.perf_counter() - began


class _ByBatch:
    """What torch's loader takes as a dataset whose items are whole batches."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getitem__(self, rows: Sequence[Row]) -> Batch:
        return self._reader.read(rows)
