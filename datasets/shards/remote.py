"""Reading the arrays of every other store with zarr-python: remote ones, and those that another program wrote.

zarr-python reads a file that is missing or empty as fill values without an error; here both are errors. So are
files and chunks of another place, where the store says which belong here.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, RangeByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, LocalStore, WrapperStore

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.file_records import OTHER_CONTENT, FileRecord, record_of
from segprep.datasets.machine import machine_error
from segprep.datasets.sample import Array, JsonDict
from segprep.datasets.shards.arrays import Corner, UnreadableRowsError
from segprep.datasets.shards.chunks import checksum_of
from segprep.datasets.shards.layout import CHUNK_CHECKSUMS
from segprep.datasets.shards.root import StoreRoot, is_foreign, parse_root

__all__ = ["ZarrArrays", "other_root"]

# Whatever zarr-python stumbles over where metadata make no sense: deep nesting, chunks of no rows, other types.
_FAILURES = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)
_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup")


class ZarrArrays:
    """The arrays of a store that zarr-python reads. See `StoreArrays`.

    Args:
        location: Folder, or URL of a kind that fsspec knows.
        root: Its attributes.
    """

    def __init__(self, location: Path | str, root: StoreRoot) -> None:
        self._location = location
        self._plan = root.plan
        self._files = root.files
        self._layouts = root.plan.arrays()
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._checksums: Array | None = None
        self._pid = os.getpid()

    def check(self) -> None:
        """See `StoreArrays.check`; chunks that are missing are found when they are read."""
        for name, layout in self._layouts.items():
            try:
                array = self._array(name)
            except _FAILURES as error:
                failed = machine_error(error)
                if failed is not None:
                    raise failed from error
                raise DamagedStoreError(f"{self._location}: array {name} cannot be opened: {error}") from error
            if array.shape != layout.shape or array.dtype != np.dtype(layout.dtype):
                raise DamagedStoreError(
                    f"{self._location}: array {name} is {array.shape} {array.dtype}; by the attributes of the store "
                    f"it should be {layout.shape} {layout.dtype}"
                )

    def replaced(self) -> bool:
        """See `StoreArrays.replaced`; nobody looks."""
        return False

    def read(self, name: str, row: int) -> Array:
        """See `StoreArrays.read`."""
        sample: Array = self._block(name, range(row, row + 1))[0]
        return sample

    def fill(self, name: str, rows: Sequence[int], out: Array, corners: Sequence[Corner] | None) -> None:
        """See `StoreArrays.fill`."""
        height, width = out.shape[1:3]
        row = 0
        try:
            array = self._array(name)
            for place, row in enumerate(rows):  # one by one: fancy indexing in zarr-python is some 50 times slower
                if corners is None:
                    out[place] = array[row]
                else:
                    y, x = corners[place]
                    out[place] = array[row, y : y + height, x : x + width]
        except _FAILURES as error:
            raise UnreadableRowsError(f"array {name}", str(error), name, range(row, row + 1)) from error

    def rows(self, name: str) -> Array:
        """See `StoreArrays.rows`."""
        return self._block(name, range(self._layouts[name].shape[0]))

    def rows_near(self, name: str, row: int) -> tuple[Array, int]:
        """See `StoreArrays.rows_near`."""
        return self._block(name, range(row, row + 1)), 0

    def _block(self, name: str, rows: range) -> Array:
        try:
            return np.array(self._array(name)[rows.start : rows.stop])
        except _FAILURES as error:
            raise UnreadableRowsError(f"array {name}", str(error), name, rows) from error

    def _array(self, name: str) -> zarr.Array[Any]:
        if self._pid != os.getpid():  # what a store has open does not survive a fork
            self._arrays, self._pid = {}, os.getpid()
        if name not in self._arrays:
            store = _CompleteStore(_open(self._location), self._files, self._checksums_of(name))
            self._arrays[name] = zarr.open_array(store, path=name, mode="r", zarr_format=3)
        return self._arrays[name]

    def _checksums_of(self, name: str) -> Mapping[str, frozenset[int]]:
        """Return the checksums of the chunks that belong into each file of a column, if the store says them."""
        if not self._plan.traced or name not in self._plan.sharded:
            return {}
        if self._checksums is None:
            self._checksums = self._block(CHUNK_CHECKSUMS, range(self._plan.rows))
        of_rows = self._checksums[:, self._plan.sharded.index(name)].tolist()
        shards = {self._layouts[name].file(shard): self._plan.shard_rows(shard) for shard in range(self._plan.shards)}
        return {file: frozenset(of_rows[rows.start : rows.stop]) for file, rows in shards.items()}


def other_root(location: Path | str) -> StoreRoot | None:
    """Return the attributes of a store that is remote or that another program wrote.

    Another program writes the attributes that `prep shard` writes, without `files` and `digest`.

    Returns:
        None if there is no such store: nothing at all, an unfinished one, or a local one that segprep wrote.

    Raises:
        DamagedStoreError: If the attributes make no sense, are not those that were written, or of a newer schema.
        MachineError: If the machine, or the connection, is to blame that nobody can tell.
    """
    try:
        group = zarr.open_group(_open(location), mode="r", zarr_format=3, use_consolidated=False)
        attributes: JsonDict = group.attrs.asdict()
    except _FAILURES as error:
        failed = machine_error(error)
        if failed is not None:
            raise failed from error
        return None
    whole = not isinstance(location, Path) and {"files", "digest"} <= attributes.keys()
    return parse_root(attributes, location) if whole or is_foreign(attributes) else None


def _open(location: Path | str) -> Store:
    if isinstance(location, Path):
        return LocalStore(location, read_only=True)
    return FsspecStore.from_url(location, read_only=True)


class _CompleteStore(WrapperStore[Store]):
    """A store in which no chunk is missing, and none is of another place.

    Args:
        store: Where the bytes come from.
        files: What is known of files, by path; of those of another program nothing is.
        checksums: Those of the chunks of shard files, as far as they are known, by path.
    """

    def __init__(self, store: Store, files: Mapping[str, FileRecord], checksums: Mapping[str, frozenset[int]]) -> None:
        super().__init__(store)
        self._files = files
        self._checksums = checksums

    def _with_store(self, store: Store) -> Self:
        return type(self)(store, self._files, self._checksums)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return what the store holds.

        Raises:
            DamagedStoreError: If it holds nothing under the key of a chunk, or what belongs somewhere else.
        """
        found = await super().get(key, prototype, byte_range)
        if not found and not key.endswith(_METADATA):
            raise DamagedStoreError(
                f"{key} is {'missing' if found is None else 'empty'}. zarr-python leaves out chunks of nothing but "
                "fill values unless its option write_empty_chunks is set"
            )
        if found and self._is_of_another_place(key, found.to_bytes(), byte_range):
            raise DamagedStoreError(f"{key}: {OTHER_CONTENT}")
        return found

    def _is_of_another_place(self, key: str, content: bytes, byte_range: ByteRequest | None) -> bool:
        if byte_range is None:
            return key in self._files and record_of(content) != self._files[key]
        # A shard's index is asked for by its distance from the end, and has no other checksum than its own.
        is_chunk = isinstance(byte_range, RangeByteRequest) and key in self._checksums
        return is_chunk and checksum_of(content) not in self._checksums[key]
