"""The table of LevelDB in one file, as TensorFlow writes it: sorted keys with values, in blocks.

Source: https://github.com/google/leveldb/blob/main/doc/table_format.md. Blocks are not compressed in such tables.
"""

from collections.abc import Iterator
from typing import Final

import google_crc32c

from segprep.train.network.foreign.protobuf import Message, varint

__all__ = ["masked_crc", "table_entries"]

_MAGIC: Final = bytes.fromhex("57fb808b247547db")
_FOOTER: Final = 48
_TRAILER: Final = 5  # kind of compression, checksum
_MAX_KEY: Final = 4096


def table_entries(data: Message) -> Iterator[tuple[bytes, Message]]:
    """Yield keys and values in their order.

    Raises:
        ValueError: If it is no such table, or damaged.
    """
    if len(data) < _FOOTER or data[-len(_MAGIC) :] != _MAGIC:
        raise ValueError("it does not end as a table of LevelDB")
    footer = data[-_FOOTER:]
    _, position = _handle(footer, 0)  # of the block about filters, which is empty
    index, _ = _handle(footer, position)
    end = 0
    for _, handle in _block_entries(_block(data, index)):
        block, _ = _handle(handle, 0)
        if block[0] < end:  # else a small file could name one block without end
            raise ValueError("its blocks are not in their order")
        end = sum(block)
        yield from _block_entries(_block(data, block))


def masked_crc(data: Message) -> int:
    """Return the checksum of bytes as LevelDB and TensorFlow store it: CRC-32C, turned and moved."""
    crc: int = google_crc32c.value(bytes(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _handle(data: Message, position: int) -> tuple[tuple[int, int], int]:
    """Return (offset, size) of a block, and where the handle ends."""
    offset, position = varint(data, position)
    size, position = varint(data, position)
    return (offset, size), position


def _block(data: Message, handle: tuple[int, int]) -> Message:
    offset, size = handle
    end = offset + size
    if end + _TRAILER > len(data) - _FOOTER:
        raise ValueError("a block ends behind the file")
    if data[end] != 0:
        raise ValueError(f"a block is compressed (kind {data[end]}), which TensorFlow's are not")
    if masked_crc(data[offset : end + 1]) != int.from_bytes(data[end + 1 : end + _TRAILER], "little"):
        raise ValueError("the checksum of a block differs")
    return data[offset:end]


def _block_entries(block: Message) -> Iterator[tuple[bytes, Message]]:
    if len(block) < 4:
        raise ValueError("a block is too short")
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise ValueError("a block has more restarts than bytes")
    position, key = 0, b""
    while position < end:
        shared, position = varint(block, position)
        own, position = varint(block, position)
        length, position = varint(block, position)
        if shared > len(key) or shared + own > _MAX_KEY or position + own + length > end:
            raise ValueError("an entry ends behind its block")
        key = key[:shared] + bytes(block[position : position + own])
        position += own
        yield key, block[position : position + length]
        position += length
