"""The bytes of one shard file: checked chunks and the index of Zarr's sharding codec.

Files are encoded here and not by zarr-python, so that every chunk is written whatever its values (a chunk that equals
the fill value may otherwise be left out, and what is left out reads as fill values without an error), and so that equal
input gives equal bytes. What is written is plain Zarr v3: https://zarr-specs.readthedocs.io, `sharding_indexed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numcodecs.blosc
import numpy as np
import numpy.typing as npt
from numcodecs.blosc import Blosc

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.sample import Array, JsonDict

__all__ = [
    "CODECS",
    "BloscSettings",
    "checked_body",
    "checksum_of",
    "decode_chunk",
    "encode_chunk",
    "join_shard",
    "read_index",
    "split_shard",
]

# Blosc's own threads finish blocks in any order, and that order stands in the output.
numcodecs.blosc.use_threads = False

_NO_CHUNK = np.iinfo(np.uint64).max
_CRC_BYTES = 4
_ENTRY_BYTES = 16  # of an index: offset and length
_SHUFFLES = {"noshuffle": Blosc.NOSHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}


@dataclass(frozen=True, slots=True)
class BloscSettings:
    """How chunks are compressed.

    Attributes:
        cname: Compressor inside Blosc.
        clevel: 0..9.
        shuffle: "noshuffle" or "bitshuffle".
    """

    cname: str
    clevel: int
    shuffle: str

    def to_json(self, itemsize: int) -> JsonDict:
        """Return the configuration as it stands in Zarr's metadata; `itemsize` is the array's, in bytes."""
        return {"cname": self.cname, "clevel": self.clevel, "shuffle": self.shuffle, "typesize": itemsize}

    def compressor(self, itemsize: int) -> Any:  # noqa: ANN401  (numcodecs has no annotations)
        """Return the numcodecs object for items of this many bytes."""
        return Blosc(self.cname, self.clevel, _SHUFFLES[self.shuffle], 0, itemsize)


CODECS: dict[str, BloscSettings | None] = {
    "lz4": BloscSettings("lz4", 5, "noshuffle"),  # the fastest to read of those that save space
    "none": None,  # for sets that fit in memory
    "zstd": BloscSettings("zstd", 5, "bitshuffle"),  # for archives and slow disks
}
"""Name to compression. Each is followed by crc32c, without which most flipped bits go unnoticed."""


def encode_chunk(values: Array, codec: str) -> bytes:
    """Return the chunk's bytes: little endian, C order, compressed, followed by the crc32c of what stands before."""
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    settings = CODECS[codec]
    body = bytes(plain.data) if settings is None else bytes(settings.compressor(plain.itemsize).encode(plain))
    return body + _crc(body)


def decode_chunk(data: bytes | memoryview, shape: tuple[int, ...], dtype: str, codec: str) -> Array:
    """Return the values of a chunk that `encode_chunk` made.

    Raises:
        DamagedStoreError: If the checksum differs or the chunk holds another number of bytes than the shape needs.
    """
    body = checked_body(data, "a chunk")
    little = np.dtype(dtype).newbyteorder("<")
    settings = CODECS[codec]
    try:
        plain = body if settings is None else settings.compressor(little.itemsize).decode(body)
        return np.frombuffer(plain, little).reshape(shape)
    except (ValueError, RuntimeError) as error:
        raise DamagedStoreError(f"a chunk does not decode to {shape} {dtype}: {error}") from error


def join_shard(chunks: Sequence[bytes], samples_per_shard: int) -> list[bytes]:
    """Return the parts of a shard file: the chunks in order, then the index.

    Args:
        chunks: One per sample; the last shard of a store may have fewer than the others.
        samples_per_shard: Number of index entries; those without a chunk are marked empty.
    """
    index_N2 = np.full((samples_per_shard, 2), _NO_CHUNK, "<u8")
    lengths = np.array([len(c) for c in chunks], np.uint64)
    index_N2[: len(chunks), 0] = np.cumsum(lengths) - lengths
    index_N2[: len(chunks), 1] = lengths
    index = index_N2.tobytes()
    return [*chunks, index, _crc(index)]


def split_shard(data: bytes | memoryview, samples: int, samples_per_shard: int) -> list[memoryview]:
    """Return the chunks of the first `samples` samples of a shard file.

    Raises:
        DamagedStoreError: If the file is too short, or its index is damaged or does not point to every chunk.
    """
    view = memoryview(data)
    return [view[start : start + length] for start, length in read_index(view, samples, samples_per_shard)]


def read_index(data: bytes | memoryview, samples: int, samples_per_shard: int) -> list[tuple[int, int]]:
    """Return where the chunks of the first `samples` samples of a shard file begin and how many bytes they have.

    Args:
        data: The whole file; nothing but its end is read.
        samples: How many there are; the last shard of a store may have fewer than the others.
        samples_per_shard: Number of index entries.

    Raises:
        DamagedStoreError: If the file is too short, or its index is damaged or does not point to every chunk.
    """
    view = memoryview(data)
    size = samples_per_shard * _ENTRY_BYTES + _CRC_BYTES
    if len(view) < size:
        raise DamagedStoreError(
            f"{len(view)} bytes are too few for the index of a shard of {samples_per_shard} samples"
        )
    entries: npt.NDArray[np.uint64] = np.frombuffer(checked_body(view[-size:], "the index"), "<u8").reshape(-1, 2)
    found = [(start, length) for start, length in entries[:samples].tolist()]
    if any(start == _NO_CHUNK or start + length > len(view) - size for start, length in found):
        raise DamagedStoreError("the index does not point to a chunk for every sample")
    return found


def checked_body(data: bytes | memoryview, what: str) -> memoryview:
    """Return a chunk or an index without the crc32c behind it.

    Raises:
        DamagedStoreError: If the checksum differs; the message names `what`.
    """
    view = memoryview(data)
    if len(view) < _CRC_BYTES or _crc(view[:-_CRC_BYTES]) != bytes(view[-_CRC_BYTES:]):
        raise DamagedStoreError(f"the crc32c checksum of {what} differs from the stored one")
    return view[:-_CRC_BYTES]


def checksum_of(chunk: bytes | memoryview) -> int:
    """Return the crc32c that stands behind a chunk; it is not compared."""
    return int.from_bytes(chunk[-_CRC_BYTES:], "little")


def _crc(data: bytes | memoryview) -> bytes:
    # The library takes bytes and, without a copy, arrays, but no memoryview.
    plain = np.frombuffer(data, np.uint8)
    return int(google_crc32c.value(plain)).to_bytes(_CRC_BYTES, "little")  # type: ignore[arg-type, unused-ignore]
