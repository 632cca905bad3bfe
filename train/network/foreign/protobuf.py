"""The wire format of protocol buffers: fields by number, without the classes that a schema would give.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator
from typing import Final

__all__ = ["Message", "fields", "varint"]

Message = memoryview
"""The bytes of a message; a field of this type is a message, a text or bytes, which the schema must tell."""

_VARINT: Final = 0
_FIXED_64: Final = 1
_LENGTH: Final = 2
_FIXED_32: Final = 5
_MOST_VARINT_BYTES: Final = 10
_MASK_64: Final = 2**64 - 1


def fields(message: Message) -> Iterator[tuple[int, int | Message]]:
    """Yield number and value of each field, in their order; repeated ones come again.

    Integers of all kinds are unsigned: who expects a negative one must convert it.

    Raises:
        ValueError: If it is no message.
    """
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ValueError("a field has the number 0")
        if wire == _VARINT:
            value, position = varint(message, position)
            yield number, value
            continue
        if wire == _LENGTH:
            length, position = varint(message, position)
        elif wire in (_FIXED_64, _FIXED_32):
            length = 8 if wire == _FIXED_64 else 4
        else:
            raise ValueError(f"field {number} has the unknown type {wire}")
        end = position + length
        if end > len(message):
            raise ValueError(f"field {number} ends behind its message")
        part = message[position:end]
        yield number, part if wire == _LENGTH else int.from_bytes(part, "little")
        position = end


def varint(data: Message, position: int) -> tuple[int, int]:
    """Return the integer of 64 bits that begins at a position, and where it ends.

    Raises:
        ValueError: If there is none.
    """
    value = 0
    for count, byte in enumerate(data[position : position + _MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if not byte & 0x80:
            return value & _MASK_64, position + count + 1
    raise ValueError(f"no whole number ends behind byte {position}")
