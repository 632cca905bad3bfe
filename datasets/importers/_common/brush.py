"""The run lengths of Label Studio's brush: a stream of bits that holds red, green, blue and alpha of every pixel.

From the highest bit of the first byte on: 32 bits with the number of values, 5 bits with the size of a value less 1,
4 times 4 bits with a size of lengths less 1; then blocks of 1 bit (repeated or not), 2 bits that choose a size of
lengths, the length less 1, and one value that is repeated or as many as the length says.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["brush_alpha"]

_CHANNELS: Final = 4


class _Bits:
    """Reads numbers from a stream of bits.

    Args:
        data: The stream.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def number(self, size: int) -> int:
        """Return the next `size` bits.

        Raises:
            ValueError: If the stream ends before.
        """
        start, end = self._place, self._place + size
        if end > 8 * len(self._data):
            raise ValueError("the run lengths of a brush are truncated")
        self._place = end
        part = int.from_bytes(self._data[start // 8 : (end + 7) // 8])
        return part >> (-end % 8) & ((1 << size) - 1)


def brush_alpha(values: Sequence[object], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Return the alpha channel of a brush, (H, W) uint8.

    Args:
        values: The bytes, whole numbers 0..255.
        width: Of the picture.
        height: Of the picture.

    Raises:
        ValueError: If they are no such stream, or one of another size.
    """
    if not all(isinstance(v, int) and 0 <= v <= 255 for v in values):
        raise ValueError("the run lengths of a brush must be whole numbers from 0 to 255")
    bits = _Bits(bytes(int(v) for v in values))  # type: ignore[call-overload]  # checked above
    total, word = bits.number(32), bits.number(5) + 1
    if total != _CHANNELS * width * height or word != 8:
        raise ValueError(
            f"the run lengths of a brush say {total} values of {word} bits, and {width}x{height} pixels have "
            f"{_CHANNELS * width * height} of 8"
        )
    sizes = [bits.number(4) + 1 for _ in range(4)]
    found = np.empty(total, np.uint8)
    done = 0
    while done < total:
        repeated = bits.number(1)
        length = bits.number(sizes[bits.number(2)]) + 1
        if done + length > total:
            raise ValueError(f"the run lengths of a brush hold more than the {total} values that they announce")
        if repeated:
            found[done : done + length] = bits.number(word)
        else:
            found[done : done + length] = [bits.number(word) for _ in range(length)]
        done += length
    return found.reshape(height, width, _CHANNELS)[..., -1]
