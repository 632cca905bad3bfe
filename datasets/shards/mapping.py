"""Shard files mapped into memory: where each sample's chunk lies, and its values decoded or copied from there.

A chunk's checksum is compared when the process first reads it, and with what the store says of this place: a whole file
of another column, shard or store is found, too. Comparing it at every read would make uncompressed
samples half as fast and LZ4's a seventh slower, and protect from nothing but changes that the file's time hides.

A file that is cut while a batch is copied from it ends the process by SIGBUS, as every program that maps files; so does
a disk that fails to deliver a page. segprep never cuts a file: what it writes anew is another file of the same name.
Asking for the size before each copy (1.6 us; an uncompressed label of 768x384 takes 10) would only shorten the moment.
"""

import math
import mmap
import os
import struct
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numcodecs.blosc
import numpy as np

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.file_records import OTHER_CONTENT
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import Array
from segprep.datasets.shards.chunks import CODECS, checked_body, checksum_of, read_index
from segprep.datasets.shards.layout import ArrayLayout
from segprep.datasets.shards.metadata import ROOT_FILE
from segprep.datasets.shards.open_files import MAPPED
from segprep.datasets.shards.root import StoreRoot, read_root

if sys.platform == "linux":
    import resource

__all__ = ["MappedFiles", "MappedShard", "Snapshot", "ask_for", "disk_waits"]

_CRC_BYTES = 4
_TOUCHED_BYTES = 1024  # less than a page; and NumPy lets other threads run when it copies 500 values or more
_BLOSC_HEADER = struct.Struct("<4xI4xI")  # bytes of the values, bytes of the chunk

_Identity = tuple[int, int, int]  # inode, time of the last change, size


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """One state of a shard file.

    Attributes:
        identity: A file of another identity is another file.
        descriptor: Of the open file; closed with this object.
        data: The mapped bytes.
        chunks: (offset, bytes with the checksum) of each sample.
        sound: 1 for every sample whose checksum this process has compared.
    """

    identity: _Identity
    descriptor: int
    data: mmap.mmap
    chunks: list[tuple[int, int]]
    sound: bytearray

    def is_current(self) -> bool:
        """Return whether the file still stands in its folder as it was mapped."""
        # A third of the time of asking by the path, which for uncompressed samples would be a tenth of everything.
        found = os.fstat(self.descriptor)
        return found.st_nlink > 0 and (found.st_mtime_ns, found.st_size) == self.identity[1:]


class MappedFiles:
    """The files of one store that are mapped: all of one state, and with those of other stores not too many.

    Args:
        store: The store.
        root: Its attributes when it was opened.
    """

    def __init__(self, store: Path, root: StoreRoot) -> None:
        self._store = store
        self._root = root
        self._seen: _Identity | None = None

    def replaced(self) -> bool:
        """Return whether another store has been written in place of the one that was opened."""
        try:
            found = _identity((self._store / ROOT_FILE).stat())
            if found != self._seen:
                if read_root(self._store) != self._root:
                    return True
                self._seen = found
        except (DamagedStoreError, OSError):  # damage is found where it matters
            return False
        return False

    def add(self, shard: "MappedShard") -> None:
        """Note that a shard was mapped; others are let go if there are too many.

        Raises:
            DamagedStoreError: If it belongs to another store: its samples would be others.
        """
        if self.replaced():
            raise DamagedStoreError("it belongs to another store")
        MAPPED.add(shard)


class MappedShard:
    """One file of a column: chunks of one sample each, behind each its crc32c, and the index.

    Threads may read at the same time, and a forked process may go on with what its parent has mapped.

    Args:
        path: The file.
        size: Its recorded size in bytes.
        layout: The array that it belongs to.
        samples: How many samples it holds.
        files: Notes what is mapped.
        checksums: Gives those of the chunks that belong here, (samples,) uint32; None where nobody recorded them.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        layout: ArrayLayout,
        samples: int,
        files: MappedFiles,
        checksums: Callable[[], Array | None],
    ) -> None:
        self._path = path
        self._size = size
        self._shape = layout.shape[1:]
        self._dtype = np.dtype(layout.dtype).newbyteorder("<")
        self._sample_bytes = math.prod(self._shape) * self._dtype.itemsize
        self._compressed = CODECS[layout.codec] is not None
        self._samples = samples
        self._samples_per_shard = layout.rows_per_file
        self._files = files
        self._checksums = checksums
        self._snapshot: Snapshot | None = None
        self._compared: tuple[_Identity, bytearray] | None = None

    def current(self) -> Snapshot:
        """Return the file as it is now, mapped anew if it was replaced.

        Raises:
            DamagedStoreError: If the file is missing, of another size, or its index is damaged.
            MachineError: If the machine is to blame that it cannot be opened.
        """
        snapshot = self._snapshot
        if snapshot is None or not snapshot.is_current():
            snapshot = self._map()
            self._files.add(self)
            self._snapshot = snapshot
        return snapshot

    def read(self, place: int) -> Array:
        """Return a sample's values in memory of their own.

        Raises:
            DamagedStoreError: As `current` and `whole`.
        """
        snapshot = self.current()
        if not snapshot.sound[place]:
            ask_for(snapshot, place)
        values = self._values(snapshot, place)
        return values if self._compressed else values.copy()

    def whole(self, snapshot: Snapshot, place: int, out: Array) -> None:
        """Write a sample's values into `out`, of the sample's shape and dtype.

        Args:
            snapshot: What `current` returned.
            place: Of the sample within the shard.
            out: Written to.

        Raises:
            DamagedStoreError: If the checksum differs or the chunk holds something else than a sample.
        """
        if self._compressed and out.flags.c_contiguous and out.dtype == self._dtype:
            numcodecs.blosc.decompress(self._body(snapshot, place), out)
        else:
            np.copyto(out, self._values(snapshot, place))

    def window(self, snapshot: Snapshot, place: int, corner: tuple[int, int], out: Array) -> None:
        """As `whole`, but only the part of the sample that begins at `corner`, (y, x), and has the size of `out`."""
        y, x = corner
        np.copyto(out, self._values(snapshot, place)[y : y + out.shape[0], x : x + out.shape[1]])

    def unmap(self) -> None:
        """Let go of the mapped file; which chunks are sound stays known."""
        self._snapshot = None

    def _map(self) -> Snapshot:
        try:
            return MAPPED.with_room(self._newly_mapped)
        except FileNotFoundError as error:
            raise DamagedStoreError("the file is missing") from error
        except OSError as error:
            blame_machine(self._path, error)
            raise DamagedStoreError(f"the file is not accessible: {error.strerror}") from error

    def _newly_mapped(self) -> Snapshot:
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            identity = _identity(os.fstat(descriptor))
            if identity[-1] != self._size:
                raise DamagedStoreError(f"it has {identity[-1]} bytes instead of {self._size}")
            data = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            chunks = read_index(memoryview(data), self._samples, self._samples_per_shard)
        except BaseException:
            os.close(descriptor)
            raise
        if self._compared is None or self._compared[0] != identity:
            self._compared = identity, bytearray(self._samples)
        snapshot = Snapshot(identity, descriptor, data, chunks, self._compared[1])
        weakref.finalize(snapshot, os.close, descriptor)
        return snapshot

    def _values(self, snapshot: Snapshot, place: int) -> Array:
        if not self._compressed and snapshot.sound[place]:
            return np.ndarray(self._shape, self._dtype, snapshot.data, snapshot.chunks[place][0])
        body = self._body(snapshot, place)
        if not self._compressed:
            return body.view(self._dtype).reshape(self._shape)
        values: Array = np.empty(self._shape, self._dtype)
        numcodecs.blosc.decompress(body, values)
        return values

    def _body(self, snapshot: Snapshot, place: int) -> Array:
        """Return the mapped bytes of a chunk without the checksum, which is compared if it was not before."""
        start, length = snapshot.chunks[place]
        chunk = np.frombuffer(snapshot.data, np.uint8, length, start)
        if not snapshot.sound[place]:
            # The checksum's library keeps other threads from running: here, not there, the disk is waited for.
            chunk[::_TOUCHED_BYTES].copy()
            body = np.frombuffer(checked_body(chunk.data, "a chunk"), np.uint8)
            recorded = self._checksums()
            if recorded is not None and checksum_of(chunk.data) != recorded[place]:
                raise DamagedStoreError(OTHER_CONTENT)
            compressed = self._compressed and len(body) >= _BLOSC_HEADER.size
            holds = _BLOSC_HEADER.unpack_from(body.data) if compressed else (len(body), len(body))
            if holds != (self._sample_bytes, len(body)):
                raise DamagedStoreError(f"a chunk holds {holds[0]} bytes of values instead of {self._sample_bytes}")
            snapshot.sound[place] = 1
        return chunk[:-_CRC_BYTES]


def ask_for(snapshot: Snapshot, place: int) -> None:
    """Have the system fetch a chunk and go on: a disk works on several at once, and on one whole instead of piecewise.

    For a chunk that is in memory already this costs a quarter of copying it.
    """
    if hasattr(mmap, "MADV_WILLNEED"):  # not on Windows
        start, length = snapshot.chunks[place]
        before = start % mmap.PAGESIZE
        snapshot.data.madvise(mmap.MADV_WILLNEED, start - before, length + before)


def disk_waits() -> int:
    """Return how often this thread has waited for a page of a mapped file; 0 where the system does not tell."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_majflt if sys.platform == "linux" else 0


def _identity(found: os.stat_result) -> _Identity:
    return found.st_ino, found.st_mtime_ns, found.st_size
