"""PNG in and out. The walk over its chunks checks what OpenCV, which checks the pixels, does not look at."""

import struct
import zlib
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np

from segprep.datasets.imageio.bounds import check_decoded
from segprep.datasets.imageio.exif import UPRIGHT, oriented, oriented_size, read_orientation
from segprep.datasets.sample import Array

__all__ = ["SIGNATURE", "decode", "decode_colors", "encode", "read_exif_orientation", "read_size", "with_palette"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGB_ALPHA: (8, 16)}
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_SIDE_CHUNKS = (b"PLTE", b"tRNS", b"eXIf")

_SAMPLES = {_GREY: 1, _RGB: 3, _PALETTE: 1, _GREY_ALPHA: 2, _RGB_ALPHA: 4}
_MOST_CHUNKS = 2**20
_MOST_EXIF = 2**16
_MOST_UNPACKED = 1040  # bytes that one byte of deflated ones can become

_AS_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION

# Level 1 and one fixed filter: twice as fast as the default levels of other tools for 5 % more bytes.
_ENCODE = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB]


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    color: int
    compression: int
    filtering: int
    interlace: int


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return (width, height) of the upright picture from the start of a file.

    Raises:
        ValueError: If the header is truncated or damaged.
    """
    start = file.read(33)
    if len(start) < 33:
        raise ValueError("truncated within its header")
    _check_sum(start, 8, 13)
    header = _header(start[12:16], start[16:29])
    return oriented_size((header.width, header.height), read_exif_orientation(file))


def read_exif_orientation(file: BinaryIO) -> int:
    """Return the orientation, 1 to 8. It may stand behind the pixels, so that all chunks are passed over."""
    file.seek(len(SIGNATURE))
    for _ in range(_MOST_CHUNKS):
        start = file.read(8)
        if len(start) < 8 or start[4:] == b"IEND":
            break
        length = _length(start, 0)
        if start[4:] == b"eXIf":
            return read_orientation(file.read(min(length, _MOST_EXIF)))
        file.seek(length + 4, 1)
    return UPRIGHT


def decode(data: bytes) -> Array:
    """Decode a whole file.

    Returns:
        (H, W) of grey values or palette indices, (H, W, 3) RGB or (H, W, 4) RGBA; uint8 or uint16, upright: turned as
        EXIF says. Grey values of less than 8 bits are spread over 0..255, palette indices stay as they are. Colour
        profiles and gamma are not applied.

    Raises:
        ValueError: If a single byte is missing, a checksum is wrong or the content makes no sense.
    """
    return _decode(data, expand_palette=False)


def decode_colors(data: bytes) -> Array:
    """Decode a whole file as `decode` does, but show the colours of a palette: (H, W, 3), or (H, W, 4) with its alpha.

    Raises:
        ValueError: As `decode`; also if a palette lacks a colour that is used.
    """
    return _decode(data, expand_palette=True)


def _decode(data: bytes, *, expand_palette: bool) -> Array:
    header, chunks, offsets = _walk(data)
    raw = header.height * (header.width * _SAMPLES[header.color] * header.depth // 8)
    check_decoded(raw, len(data), _MOST_UNPACKED)
    color = _GREY if header.color == _PALETTE else header.color
    if header.color == _PALETTE or any(kind not in _CRITICAL for kind in chunks):
        # Gamma, transparency keys and animation frames are not pixels; without its palette a picture of indices is a
        # grey one.
        kept = [offset for offset, kind in zip(offsets, chunks, strict=True) if kind in _CRITICAL[2:]]
        plain = struct.pack(">IIBBBBB", *header._replace(color=color))
        pixels = b"".join([SIGNATURE, _chunk(b"IHDR", plain), *(_raw_chunk(data, offset) for offset in kept)])
    else:
        pixels = data
    # Most pictures are 8-bit RGB, for which OpenCV can leave the channels in their order.
    as_rgb = (header.color, header.depth) == (_RGB, 8)
    decoded = cv2.imdecode(np.frombuffer(pixels, np.uint8), _AS_RGB if as_rgb else cv2.IMREAD_UNCHANGED)
    if decoded is None:
        for offset in offsets:  # says which block it is
            _check_sum(data, offset, _length(data, offset))
        raise ValueError("its compressed pixels are damaged")
    picture: Array = decoded
    if picture.shape[:2] != (header.height, header.width):
        raise ValueError(f"{picture.shape[1]}x{picture.shape[0]} pixels were decoded, its header says {header[:2]}")
    if picture.ndim == 3 and not as_rgb:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB if picture.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    if header.color == _PALETTE and header.depth < 8:
        picture = picture // np.uint8(255 // (2**header.depth - 1))
    bodies = {kind: _body(data, offset) for kind, offset in zip(chunks, offsets, strict=True) if kind in _SIDE_CHUNKS}
    if expand_palette and header.color == _PALETTE:
        picture = _palette_colors(picture, bodies.get(b"PLTE", b""), bodies.get(b"tRNS", b""))
    return oriented(picture, read_orientation(bodies[b"eXIf"]) if b"eXIf" in bodies else UPRIGHT)


def encode(picture: Array) -> bytes:
    """Encode (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; uint8 or uint16. Equal pictures give equal bytes."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    _, buffer = cv2.imencode(".png", picture, _ENCODE)
    return buffer.tobytes()


def with_palette(grey: bytes, colors_N3: Array) -> bytes:
    """Let a file of (H, W) uint8, as `encode` gives it, show each number in a colour; its pixels stay as they are."""
    header, names, offsets = _walk(grey)
    kept = [_raw_chunk(grey, offset) for name, offset in zip(names, offsets, strict=True) if name != b"IHDR"]
    body = struct.pack(">IIBBBBB", *header._replace(color=_PALETTE))
    return b"".join([SIGNATURE, _chunk(b"IHDR", body), _chunk(b"PLTE", colors_N3.astype(np.uint8).tobytes()), *kept])


def _walk(data: bytes) -> tuple[_Header, list[bytes], list[int]]:
    """Return the header, the names of the chunks and their places; all but the pixels' checksums are checked."""
    names: list[bytes] = []
    offsets: list[int] = []
    header: _Header | None = None
    offset = len(SIGNATURE)
    while not names or names[-1] != b"IEND":
        if offset + 12 > len(data):
            raise ValueError("truncated: its end mark is missing")
        if len(names) == _MOST_CHUNKS:
            raise ValueError(f"it has more than {_MOST_CHUNKS} blocks")
        length = _length(data, offset)
        _check_length(data, offset, length)
        name = data[offset + 4 : offset + 8]
        if name != b"IDAT":  # OpenCV checks the sums of the pixels
            _check_sum(data, offset, length)
        if header is None:
            header = _header(name, data[offset + 8 : offset + 8 + length])
        names.append(name)
        offsets.append(offset)
        offset += 12 + length
    if header is None or b"IDAT" not in names:
        raise ValueError("there are no pixels in it")
    return header, names, offsets


def _check_length(data: bytes, offset: int, length: int) -> None:
    end = offset + 12 + length
    if end > len(data):
        raise ValueError(f"truncated: {len(data)} bytes, at least {end} expected")


def _check_sum(data: bytes, offset: int, length: int) -> None:
    end = offset + 12 + length
    if zlib.crc32(memoryview(data)[offset + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
        raise ValueError(f"damaged: wrong checksum of the block at byte {offset}")


def _header(name: bytes, body: bytes) -> _Header:
    if name != b"IHDR" or len(body) != 13:
        raise ValueError("its header is missing")
    header = _Header(*struct.unpack(">IIBBBBB", body))
    if header.depth not in _DEPTHS.get(header.color, ()) or not header.width or not header.height:
        raise ValueError(f"its header makes no sense: {header}")
    return header


def _palette_colors(indices_HW: Array, palette: bytes, alpha: bytes) -> Array:
    colors = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    if int(indices_HW.max(initial=0)) >= len(colors):
        raise ValueError(f"its palette has {len(colors)} colours, its pixels ask for number {indices_HW.max()}")
    if alpha:
        opacity = np.full((len(colors), 1), 255, np.uint8)
        opacity[: len(alpha), 0] = np.frombuffer(alpha[: len(colors)], np.uint8)
        colors = np.hstack([colors, opacity])
    picture: Array = colors[indices_HW]
    return picture


def _length(data: bytes, offset: int) -> int:
    (length,) = struct.unpack_from(">I", data, offset)
    return int(length)


def _body(data: bytes, offset: int) -> bytes:
    return data[offset + 8 : offset + 8 + _length(data, offset)]


def _raw_chunk(data: bytes, offset: int) -> memoryview:
    return memoryview(data)[offset : offset + 12 + _length(data, offset)]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
