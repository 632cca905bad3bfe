"""PGM, PPM (binary and text) and PFM in and out. Their lengths follow from their headers, so truncation cannot hide."""

import re
from typing import BinaryIO, NamedTuple

import numpy as np

from segprep.datasets.sample import Array

__all__ = ["SIGNATURES", "decode", "encode_pfm", "encode_pnm", "read_size"]

SIGNATURES = (b"P2", b"P3", b"P5", b"P6", b"Pf", b"PF")

_CHANNELS = {b"P2": 1, b"P3": 3, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}
_COMMENTS = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"(P[2356fF])" + _COMMENTS + rb"(\d+)" + _COMMENTS + rb"(\d+)" + _COMMENTS + rb"([-+.\deE]+)\s")
_MAX_HEADER = 4096
_MOST_AS_TEXT = 2**24


class _Header(NamedTuple):
    magic: bytes
    width: int
    height: int
    limit: float  # largest value of PGM and PPM; of PFM the scale, negative for little endian
    length: int


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return (width, height) from the start of a file.

    Raises:
        ValueError: If the header is truncated or damaged.
    """
    header = _header(file.read(_MAX_HEADER))
    return header.width, header.height


def decode(data: bytes) -> Array:
    """Decode a whole file.

    Returns:
        (H, W) or (H, W, 3) RGB; uint8, uint16 (PGM and PPM with a limit above 255) or float32 (PFM; its scale has no
        agreed meaning and is not applied).

    Raises:
        ValueError: If pixels are missing or a value is larger than the header allows.
    """
    header = _header(data)
    shape: tuple[int, ...] = (header.height, header.width, _CHANNELS[header.magic])
    count = shape[0] * shape[1] * shape[2]
    if header.magic in (b"Pf", b"PF"):
        # Rows run from the bottom of the picture to its top.
        values = _numbers(data, header, np.dtype("<f4" if header.limit < 0 else ">f4"), count).reshape(shape)[::-1]
        values = values.astype(np.float32)
    else:
        dtype = np.dtype(np.uint8 if header.limit <= 255 else np.uint16)
        if header.magic in (b"P2", b"P3"):
            if count > _MOST_AS_TEXT:
                raise ValueError(
                    f"{count} values as text are more than the {_MOST_AS_TEXT} that are read: save it as P5 or P6"
                )
            values = _text_numbers(data[header.length :], count)
        else:
            values = _numbers(data, header, dtype.newbyteorder(">"), count)
        if values.max(initial=0) > header.limit:
            raise ValueError(f"it holds the value {values.max()}, its header allows {header.limit:.0f}")
        values = values.astype(dtype).reshape(shape)
    return values[..., 0] if shape[2] == 1 else values


def encode_pnm(picture: Array) -> bytes:
    """Encode (H, W) as PGM, (H, W, 3) as PPM; uint8 or uint16."""
    magic = "P5" if picture.ndim == 2 else "P6"
    limit = np.iinfo(picture.dtype).max
    header = f"{magic}\n{picture.shape[1]} {picture.shape[0]}\n{limit}\n"
    return header.encode() + picture.astype(picture.dtype.newbyteorder(">")).tobytes()


def encode_pfm(picture: Array) -> bytes:
    """Encode (H, W) or (H, W, 3) float32, little endian."""
    magic = "Pf" if picture.ndim == 2 else "PF"
    header = f"{magic}\n{picture.shape[1]} {picture.shape[0]}\n-1.0\n"
    return header.encode() + picture[::-1].astype("<f4").tobytes()


def _header(data: bytes) -> _Header:
    match = _HEADER.match(data[:_MAX_HEADER])
    if match is None:
        raise ValueError("its header is truncated or damaged")
    magic, limit = match[1], float(match[4])
    header = _Header(magic, int(match[2]), int(match[3]), limit, match.end())
    sensible = limit != 0 if magic in (b"Pf", b"PF") else 0 < limit <= 65535 and limit.is_integer()
    if not header.width or not header.height or not sensible:
        raise ValueError(f"its header makes no sense: {header.width}x{header.height}, {limit}")
    return header


def _numbers(data: bytes, header: _Header, dtype: "np.dtype[np.generic]", count: int) -> Array:
    expected = header.length + count * dtype.itemsize
    if len(data) < expected:
        raise ValueError(f"truncated: {len(data)} bytes, {expected} expected")
    return np.frombuffer(data, dtype, count, header.length)


def _text_numbers(text: bytes, count: int) -> Array:
    words = re.sub(rb"#[^\n]*", b" ", text).split(None, count)
    if len(words) < count:
        raise ValueError(f"truncated: {len(words)} values, {count} expected")
    if text[-1:].isdigit() and len(words) == count:
        raise ValueError("truncated: no line end after the last value, which may lack digits")
    if not all(word.isdigit() and len(word) <= 5 for word in words[:count]):
        raise ValueError("damaged: not all values are whole numbers")
    return np.array(words[:count]).astype(np.int64)
