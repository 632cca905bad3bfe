"""What a file says of its pixels beside them: loss, bits, palette."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segprep.datasets.imageio import jpeg, png
from segprep.datasets.sample import Array

__all__ = ["PixelFormat", "pixel_format"]

_GREY, _PALETTE = 0, 3


@dataclass(frozen=True, slots=True, eq=False)
class PixelFormat:
    """The form in which a file keeps its numbers.

    Attributes:
        lossy: Whether they are not those that were written: JPEG, whatever the file is called.
        grey_bits: Of a grey PNG its bits per pixel; fewer than 8 are spread over 0..255 when it is read.
        palette_N3: (N, 3) uint8 colours of a PNG with a palette, else None.
        clear: Indices of the palette that are not opaque.
    """

    lossy: bool = False
    grey_bits: int | None = None
    palette_N3: Array | None = None
    clear: tuple[int, ...] = ()


def pixel_format(data: bytes) -> PixelFormat:
    """Return what the headers of a file say, which was decoded without an error."""
    if data.startswith(jpeg.SIGNATURE):
        return PixelFormat(lossy=True)
    if not data.startswith(png.SIGNATURE):
        return PixelFormat()
    bits, color = data[24], data[25]
    if color != _PALETTE:
        return PixelFormat(grey_bits=bits if color == _GREY else None)
    chunks = {name: body for name, body in _chunks(data) if name in (b"PLTE", b"tRNS")}
    palette = np.frombuffer(chunks.get(b"PLTE", b""), np.uint8)
    clear = tuple(index for index, alpha in enumerate(chunks.get(b"tRNS", b"")) if alpha < 255)
    return PixelFormat(palette_N3=palette[: len(palette) // 3 * 3].reshape(-1, 3), clear=clear)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of what stands before the pixels."""
    offset, name = len(png.SIGNATURE), b""
    while name != b"IDAT" and offset + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        yield name, data[offset + 8 : offset + 8 + length]
        offset += 12 + length
