"""Checkpoints of TensorFlow: `<prefix>.index`, a table of names, and `<prefix>.data-00000-of-0000N`, the numbers.

Source of the format: tensor_bundle.proto and tensor_bundle.h of TensorFlow. Every checksum is compared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segprep.datasets.sample import Array
from segprep.datasets.source_files import MAX_TEXT_BYTES, read_file
from segprep.train.network.foreign.leveldb import masked_crc, table_entries
from segprep.train.network.foreign.protobuf import Message, fields
from segprep.train.network.foreign.tensors import (
    FLOATS,
    ForeignTensors,
    as_array,
    checked_shape,
    is_of_training,
    mapped_file,
)

__all__ = ["INDEX_SUFFIX", "read_checkpoint"]

INDEX_SUFFIX: Final = ".index"

_LITTLE: Final = 0
_MAX_SHARDS: Final = 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a tensor lies; see BundleEntryProto."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int


def read_checkpoint(prefix: Path) -> ForeignTensors:
    """Read the weights of a checkpoint.

    Args:
        prefix: `model.ckpt-150000`, whose files have this name and a further suffix.

    Raises:
        OSError: If a file is missing or cannot be read.
        ValueError: If a file is no part of a checkpoint, or damaged.
    """
    entries = dict(_index(memoryview(read_file(_beside(prefix, INDEX_SUFFIX), MAX_TEXT_BYTES))))
    shards = _shards(entries.pop(b"", None))
    names = {key: key.decode("utf-8") for key in entries}
    wanted = {
        name: entry
        for key, name in names.items()
        if (entry := _entry(name, entries[key])).dtype in FLOATS and not is_of_training(name)
    }
    return ForeignTensors(_read(prefix, shards, wanted), len(entries) - len(wanted))


def _beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _index(table: Message) -> Iterator[tuple[bytes, Message]]:
    former = None
    for key, value in table_entries(table):
        if former is not None and key <= former:
            raise ValueError("its names are not in their order")
        yield key, value
        former = key


def _shards(header: Message | None) -> int:
    """Return the number of files of numbers that BundleHeaderProto tells."""
    if header is None:
        raise ValueError("the table has no header of a checkpoint")
    found = dict(fields(header))
    count = found.get(1, 0)
    if found.get(2, _LITTLE) != _LITTLE:
        raise ValueError("its numbers are big-endian, which are not read: save it again on another machine")
    if not isinstance(count, int) or not 0 < count <= _MAX_SHARDS:
        raise ValueError(f"it has {count} files of numbers")
    return count


def _entry(name: str, value: Message) -> _Entry:
    numbers = dict.fromkeys((1, 3, 4, 5, 6), 0)
    shape: tuple[int, ...] = ()
    for number, each in fields(value):
        if number == 2 and isinstance(each, Message):
            shape = _shape(each)
        elif number == 7:
            raise ValueError(f"{name} lies there in parts, which are not read: save it whole")
        elif number in numbers and isinstance(each, int):
            numbers[number] = each
    return _Entry(numbers[1], shape, *(numbers[i] for i in (3, 4, 5, 6)))


def _shape(value: Message) -> tuple[int, ...]:
    sizes = []
    for number, dimension in fields(value):
        if number == 2 and isinstance(dimension, Message):
            sizes.append(dict(fields(dimension)).get(1, 0))
    return checked_shape(sizes)


def _read(prefix: Path, shards: int, entries: Mapping[str, _Entry]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    data: dict[int, Message] = {}
    left: dict[int, int] = {}
    for name, entry in entries.items():
        if entry.shard >= shards:
            raise ValueError(f"{name} lies in file {entry.shard} of {shards}")
        if entry.shard not in data:
            data[entry.shard] = mapped_file(_beside(prefix, f".data-{entry.shard:05d}-of-{shards:05d}"))
            left[entry.shard] = len(data[entry.shard])
        left[entry.shard] -= entry.size
        if left[entry.shard] < 0:  # else a small file could hold the same numbers under many names
            raise ValueError("its tensors are larger than the file of numbers")
        values = bytes(data[entry.shard][entry.offset : entry.offset + entry.size])
        if len(values) != entry.size:
            raise ValueError(f"{name} ends behind the file of numbers")
        if masked_crc(memoryview(values)) != entry.crc:
            raise ValueError(f"the checksum of {name} differs")
        found[name] = as_array(values, FLOATS[entry.dtype], entry.shape)
    return found
