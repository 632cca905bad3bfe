"""Reading the arrays of a store that lies on this machine and that segprep wrote, without zarr-python."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.file_records import wrong_content, wrong_size
from segprep.datasets.sample import Array
from segprep.datasets.shards.arrays import Corner, UnreadableRowsError
from segprep.datasets.shards.mapping import MappedFiles, MappedShard, Snapshot, ask_for, disk_waits
from segprep.datasets.shards.metadata import ROOT_FILE
from segprep.datasets.shards.open_files import most_mapped
from segprep.datasets.shards.root import REMEDY, StoreRoot
from segprep.datasets.shards.row_files import RowFiles

__all__ = ["LocalArrays"]

_SHARE = 8  # of the files that may be mapped: as many threads may read at a time
_FAILURES = (DamagedStoreError, OSError, ValueError, RuntimeError)


class LocalArrays:
    """The arrays of a local store. See `StoreArrays`.

    Args:
        path: The store.
        root: Its attributes.
    """

    def __init__(self, path: Path, root: StoreRoot) -> None:
        self._path = path
        self._root = root
        self._plan = root.plan
        self._layouts = root.plan.arrays()
        self._files = MappedFiles(path, root)
        self._row_files = RowFiles(path, root)
        self._shards: dict[str, list[MappedShard]] = {}
        self._asks = False

    def check(self) -> None:
        """See `StoreArrays.check`."""
        for name in self._layouts:
            file = f"{name}/{ROOT_FILE}"
            reason = wrong_content(self._path / file, self._root.files[file])
            if reason is not None:
                raise DamagedStoreError(f"{self._path}: {file} is damaged: {reason}. {REMEDY}")
        for name, layout in self._layouts.items():
            for shard in range(self._plan.shards):
                file = layout.file(shard)
                reason = wrong_size(self._path / file, self._root.files[file])
                if reason is not None:
                    raise UnreadableRowsError(f"shard file {file}", reason, name, self._plan.shard_rows(shard))

    def replaced(self) -> bool:
        """See `StoreArrays.replaced`."""
        return self._files.replaced()

    def read(self, name: str, row: int) -> Array:
        """See `StoreArrays.read`."""
        shard, place = divmod(row, self._plan.samples_per_shard)
        try:
            return self._shards_of(name)[shard].read(place)
        except _FAILURES as error:
            raise self._unreadable(name, row, error) from error

    def fill(self, name: str, rows: Sequence[int], out: Array, corners: Sequence[Corner] | None) -> None:
        """See `StoreArrays.fill`."""
        for part in _in_few_files(rows, self._plan.samples_per_shard):
            self._fill(name, rows[part], out[part], None if corners is None else corners[part])

    def _fill(self, name: str, rows: Sequence[int], out: Array, corners: Sequence[Corner] | None) -> None:
        shards, per_shard = self._shards_of(name), self._plan.samples_per_shard
        current: dict[int, Snapshot] = {}
        watched = len(rows) > 1 and not self._asks
        row = 0
        try:
            for row in rows:
                number, place = divmod(row, per_shard)
                if number not in current:
                    current[number] = shards[number].current()
                if self._asks or not current[number].sound[place]:
                    ask_for(current[number], place)
                    watched = False
            waits = disk_waits() if watched else 0
            for n, row in enumerate(rows):
                number, place = divmod(row, per_shard)
                if corners is None:
                    shards[number].whole(current[number], place, out[n])
                else:
                    shards[number].window(current[number], place, corners[n], out[n])
            # What was read before is not in memory any more: the store is larger than what the system has left for it.
            self._asks = self._asks or (watched and disk_waits() > waits)
        except _FAILURES as error:
            raise self._unreadable(name, row, error) from error

    def rows(self, name: str) -> Array:
        """See `StoreArrays.rows`."""
        parts = [self._row_files.read(name, shard) for shard in range(self._plan.shards)]
        return np.concatenate(parts)

    def rows_near(self, name: str, row: int) -> tuple[Array, int]:
        """See `StoreArrays.rows_near`."""
        shard, place = divmod(row, self._plan.samples_per_shard)
        return self._row_files.read(name, shard), place

    def _unreadable(self, name: str, row: int, error: Exception) -> UnreadableRowsError:
        file = self._layouts[name].file(row // self._plan.samples_per_shard)
        return UnreadableRowsError(f"shard file {file}", str(error), name, range(row, row + 1))

    def _shards_of(self, name: str) -> list[MappedShard]:
        shards = self._shards.get(name)
        if shards is None:
            layout, path = self._layouts[name], self._path
            files = [layout.file(shard) for shard in range(self._plan.shards)]
            shards = self._shards[name] = [
                MappedShard(
                    path / file,
                    self._root.files[file].size,
                    layout,
                    len(self._plan.shard_rows(i)),
                    self._files,
                    partial(self._row_files.checksums, name, i),
                )
                for i, file in enumerate(files)
            ]
        return shards


def _in_few_files(rows: Sequence[int], per_file: int) -> Iterator[slice]:
    """Yield parts of rows that lie in few enough files to have all of them mapped at a time."""
    most = max(1, most_mapped() // _SHARE)
    start, files = 0, set[int]()
    for n, row in enumerate(rows if len(rows) > most else ()):
        if len(files | {row // per_file}) > most:
            yield slice(start, n)
            start, files = n, set()
        files.add(row // per_file)
    yield slice(start, len(rows))
