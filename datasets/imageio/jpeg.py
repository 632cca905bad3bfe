"""JPEG in and out. It has no checksums, and decoders fill gaps with grey: each warning of the decoder is an error."""

import io
import re
import struct
import warnings
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from segprep.datasets.imageio.bounds import check_decoded
from segprep.datasets.imageio.exif import UPRIGHT, oriented, oriented_size, read_orientation
from segprep.datasets.sample import Array

__all__ = ["SIGNATURE", "decode", "encode", "read_exif_orientation", "read_size"]

SIGNATURE = b"\xff\xd8\xff"

_EOI, _SOS, _APP1 = 0xD9, 0xDA, 0xE1
_MOST_UNPACKED = 3 * 4096  # bytes of pixels from one byte: a block of 8 x 8 takes at least a bit
_MOST_FILL = 2**16  # bytes FF before a marker
_EXIF = b"Exif\0\0"
_FRAME_STARTS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = (0xC0, 0xC1)
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)  # 00 and D0..D7 belong to the compressed data

# What strict mode refuses, though it says nothing about the pixels: a subsampling that has no name, and odd
# numbers in the headers that some cameras write.
_NOT_ABOUT_PIXELS = (
    "subsampling level",
    "Invalid SOS parameters for sequential JPEG",
    "unknown JFIF revision number",
    "Unknown Adobe color transform code",
)

# Sixteen one-bits are no code of any table: so many of them serve the decoder's look-ahead, yet make up no more than a
# few blocks.
_PADDING = b"\xff\x00" * 16


class _Structure(NamedTuple):
    frame: int  # marker of the frame
    width: int
    height: int
    components: int
    scans: int
    orientation: int
    end: int  # place of the end mark


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return (width, height) of the upright picture from the start of a file.

    Raises:
        ValueError: If the file ends or makes no sense before its pixels begin.
    """
    return oriented_size(*_read_headers(file))


def read_exif_orientation(file: BinaryIO) -> int:
    """Return the orientation, 1 to 8, from the start of a file.

    Raises:
        ValueError: As `read_size`.
    """
    return _read_headers(file)[1]


def _read_headers(file: BinaryIO) -> tuple[tuple[int, int], int]:
    """Return (width, height) as stored, and the orientation."""
    file.seek(2)
    size, orientation = None, UPRIGHT
    while True:
        marker = _read(file, 2)
        for _ in range(_MOST_FILL):
            if marker != b"\xff\xff":
                break
            marker = b"\xff" + _read(file, 1)
        if size and marker[1] == _SOS:
            return size, orientation
        if marker[0] != 0xFF or marker[1] in (_EOI, _SOS, 0):
            raise ValueError("damaged: its size is missing")
        (length,) = struct.unpack(">H", _read(file, 2))
        body = _read(file, max(length - 2, 0))
        if marker[1] == _APP1 and body.startswith(_EXIF):
            orientation = read_orientation(body)
        if marker[1] in _FRAME_STARTS:
            size = _frame(body)[:2]


def decode(data: bytes) -> Array:
    """Decode a whole file.

    Returns:
        (H, W) or (H, W, 3) RGB, uint8, upright: turned as EXIF says. Colour profiles are not applied.

    Raises:
        ValueError: If the file is truncated, or the decoder finds that its compressed pixels are damaged, too few or
            too many. There are no checksums: changed bytes after which the numbers of pixels and of bytes still agree
            are not noticed.
    """
    structure = _walk(data)
    check_decoded(structure.width * structure.height * structure.components, len(data), _MOST_UNPACKED)
    if structure.components not in (1, 3):
        raise ValueError(f"it has {structure.components} colour components; convert it to RGB or grey")
    try:
        picture: Array = simplejpeg.decode_jpeg(data, "GRAY" if structure.components == 1 else "RGB", strict=True)
    except ValueError as error:
        if not any(text in str(error) for text in _NOT_ABOUT_PIXELS):
            raise ValueError(f"its compressed pixels are damaged or end too early ({error})") from error
        picture = _decode_unusual(data, structure)
    return oriented(picture[..., 0] if picture.shape[2:] == (1,) else picture, structure.orientation)


def _decode_unusual(data: bytes, structure: _Structure) -> Array:
    """Decode what simplejpeg cannot judge. The pixels are the same, but less damage is noticed: mostly lost bytes."""
    if structure.frame in _SEQUENTIAL and structure.scans == 1:
        # At an end mark the decoder makes up what is missing; without one it asks for more.
        data = data[: structure.end] + _PADDING
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, of which nothing is taken from here
            image = JpegImageFile(io.BytesIO(data))
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"its compressed pixels are damaged or end too early ({error})") from error
    return np.array(image)


def encode(picture: Array) -> bytes:
    """Encode (H, W) or (H, W, 3) RGB uint8 at quality 95."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, buffer = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return buffer.tobytes()


def _walk(data: bytes) -> _Structure:
    """Follow the segments from the first byte to the end mark."""
    frame, size, scans, orientation, offset = 0, (0, 0, 0), 0, UPRIGHT, 2
    while True:
        found = _NEXT_MARKER.match(data, offset)
        if found is None:
            if offset + 2 > len(data):
                break
            raise ValueError(f"damaged: no segment where one should start, at byte {offset}")
        marker, offset = data[found.end() - 1], found.end()
        if marker == _EOI:
            if not frame or not scans:
                raise ValueError("there are no pixels in it")
            return _Structure(frame, *size, scans, orientation, found.start())
        if offset + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, offset)
        body = data[offset + 2 : offset + length]
        if length < 2 or offset + length > len(data):
            break
        offset += length
        if marker == _APP1 and not scans and body.startswith(_EXIF):
            orientation = read_orientation(body)
        elif marker in _FRAME_STARTS:
            frame, size = marker, _frame(body)
        elif marker == _SOS:
            scans += 1
            following = _NEXT_MARKER.search(data, offset)
            if following is None:
                break
            offset = following.start()
    raise ValueError("truncated: its end mark is missing")


def _frame(body: bytes) -> tuple[int, int, int]:
    if len(body) < 6:
        raise ValueError("damaged: its size is missing")
    height, width, components = struct.unpack_from(">HHB", body, 1)
    if not height or not width:
        raise ValueError(f"its size is {width}x{height}")
    return width, height, components


def _read(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise ValueError("truncated within its header")
    return data
