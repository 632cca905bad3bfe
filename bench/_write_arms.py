"""Arms of the benchmark of writing in one process: the same whole shards by our writer and by zarr-python.

zarr-python compresses in as many threads as there are cores, ours in one, because its workers are processes. So there
is a third arm: zarr-python with one thread.

`python _write_arms.py ARM FOLDER PER_SHARD` writes one shard in a process that did nothing before, and prints by how
many bytes that grew.
"""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from _measure import peak_growth
from _read_data import COLUMNS, plan_store, rows_of
from _step_figures import clocked
from _write_zarr import write_by_zarr

from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.rows import ShardRows
from segprep.datasets.shards.writer import create_store, write_shard
from segprep.workflows.running.process import settle_process

__all__ = ["KINDS", "arm_path", "open_arm"]

_WRITERS: dict[str, Callable[[Path, StorePlan, int, ShardRows], object]] = {
    "ours": write_shard,
    "zarr-python": write_by_zarr,
    "zarr-python-1-thread": write_by_zarr,
}
KINDS = tuple(_WRITERS)


def arm_path(name: str, folder: Path) -> Path:
    """Return the store that an arm writes."""
    return folder / f"{name.replace(' ', '-')}.zarr"


def open_arm(name: str, folder: Path) -> "_Arm":
    """Open one of `KINDS` with a codec, such as `ours lz4`. All of a process are of one kind."""
    return _Arm(name, folder)


class _Arm:
    """A writer, with all samples in memory."""

    def __init__(self, name: str, folder: Path) -> None:
        kind, self._codec = name.split()
        self._path = arm_path(name, folder)
        self._writer = _WRITERS[kind]
        self._arrays = {column: np.load(folder / f"{column}.npy") for column in COLUMNS}
        settle_process()
        if kind.endswith("-1-thread"):  # read when zarr-python writes its first chunk
            zarr.config.set({"threading.max_workers": 1})

    def begin(self, command: dict[str, Any]) -> None:
        """Write what stands in a store before its first shard."""
        create_store(self._path, plan_store(self._arrays, self._codec, command["per_shard"]))

    def write(self, command: dict[str, Any]) -> dict[str, float]:
        """Write a shard; return what it took per sample."""
        plan = plan_store(self._arrays, self._codec, command["per_shard"])
        shard: int = command["shard"]
        rows = rows_of(self._arrays, plan, shard)
        return asdict(clocked(lambda: self._writer(self._path, plan, shard, rows), len(rows.rows)))


def _growth(name: str, folder: Path, per_shard: int) -> int | None:
    arm = open_arm(name, folder)
    arm.begin({"per_shard": per_shard})
    return peak_growth(lambda: arm.write({"per_shard": per_shard, "shard": 0}))


if __name__ == "__main__":
    print(_growth(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
