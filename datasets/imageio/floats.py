"""Middlebury's .flo and NumPy's .npy in and out."""

import ast
import io
import struct
from typing import IO, Any

import numpy as np

from segprep.datasets.sample import Array

__all__ = [
    "FLO_SIGNATURE",
    "NPY_SIGNATURE",
    "decode_flo",
    "decode_npy",
    "encode_flo",
    "encode_npy",
    "read_flo_size",
    "read_npy_length",
    "read_npy_size",
]

FLO_SIGNATURE = b"PIEH"  # the bytes of float32 202021.25, little endian
NPY_SIGNATURE = b"\x93NUMPY"


def read_flo_size(file: IO[bytes]) -> tuple[int, int]:
    """Return (width, height) from the start of a .flo file.

    Raises:
        ValueError: If the header is truncated or makes no sense.
    """
    start = file.read(12)
    if len(start) < 12:
        raise ValueError("truncated within its header")
    _, width, height = struct.unpack("<4sii", start)
    if width < 1 or height < 1:
        raise ValueError(f"its header makes no sense: {width}x{height}")
    return width, height


def decode_flo(data: bytes) -> Array:
    """Decode a whole .flo file to (H, W, 2) float32, (u, v) in pixels; unknown places hold numbers above 1e9.

    Raises:
        ValueError: If its length is not what its header says.
    """
    width, height = read_flo_size(io.BytesIO(data))
    _expect(len(data), 12 + 8 * width * height)
    return np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)


def encode_flo(uv_HW2: Array) -> bytes:
    """Encode (H, W, 2) float32."""
    height, width = uv_HW2.shape[:2]
    return FLO_SIGNATURE + struct.pack("<ii", width, height) + uv_HW2.astype("<f4").tobytes()


def read_npy_size(file: IO[bytes]) -> tuple[int, int]:
    """Return (width, height) from the header of a .npy file of at least two dimensions.

    Raises:
        ValueError: If the header is truncated, damaged, or describes no array of numbers with rows and columns.
    """
    shape, _, _, _ = _npy_header(file)
    if len(shape) < 2:
        raise ValueError(f"an array of shape {shape} has no rows and columns")
    return shape[1], shape[0]


def read_npy_length(file: IO[bytes]) -> int:
    """Return how many bytes a .npy file has by what its header says.

    Raises:
        ValueError: If the header is truncated or damaged, or describes no array of numbers.
    """
    shape, _, dtype, start = _npy_header(file)
    return start + _count(shape) * dtype.itemsize


def decode_npy(data: bytes) -> Array:
    """Decode a whole .npy file of numbers or booleans; nothing pickled is read.

    Raises:
        ValueError: If it holds anything else or its length is not what its header says.
    """
    shape, column_major, dtype, start = _npy_header(io.BytesIO(data))
    count = _count(shape)
    _expect(len(data), start + count * dtype.itemsize)
    values = np.frombuffer(data, dtype, count, start).reshape(shape, order="F" if column_major else "C")
    return values.astype(dtype.newbyteorder("="), order="C")


def encode_npy(values: Array) -> bytes:
    """Encode any array of numbers or booleans."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, "np.dtype[Any]", int]:
    # Read here and not by NumPy, which makes room for the array before it knows whether the file is long enough.
    start = file.read(12)
    if len(start) < 12 or start[6] not in (1, 2, 3):
        raise ValueError("its header is truncated or of an unknown version")
    first, length = (10, struct.unpack_from("<H", start, 8)[0]) if start[6] == 1 else (12, _long(start))
    file.seek(first)
    text = file.read(length)
    if len(text) < length:
        raise ValueError("truncated within its header")
    try:
        header = ast.literal_eval(text.decode("utf-8").strip())
        shape = tuple(int(n) for n in header["shape"])
        column_major, dtype = bool(header["fortran_order"]), np.dtype(header["descr"])
    except (ValueError, TypeError, LookupError, SyntaxError, ArithmeticError, MemoryError, RecursionError):
        raise ValueError("its header is damaged") from None  # Python's parser calls too deep a nesting "no memory"
    if dtype.kind not in "biuf" or min(shape, default=0) < 0:
        raise ValueError(f"it holds {dtype} of shape {shape}, not plain numbers")
    return shape, column_major, dtype, first + length


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=object))


def _long(start: bytes) -> int:
    length: int = struct.unpack_from("<I", start, 8)[0]
    if length > 65536:
        raise ValueError("its header is damaged")
    return length


def _expect(length: int, expected: int) -> None:
    if length < expected:
        raise ValueError(f"truncated: {length} bytes, {expected} expected")
    if length > expected:
        raise ValueError(f"{length} bytes, {expected} expected: it is longer than its header says")
