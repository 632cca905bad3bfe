"""The only place that reads and writes pixels.

PNG (8 and 16 bits), JPEG, PPM and PGM, Middlebury's .flo, NumPy's .npy and PFM, in and out; NumPy's .npz, HDF5 and
MATLAB's .mat of version 7.3 in. Its first bytes decide what a file is and not its suffix, because data sets hold PNG
files called .jpg. A truncated, damaged or foreign file raises an error that names it; nothing half-decoded is returned.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.errors import CodeRangeError, UnreadableFileError
from segprep.datasets.imageio import floats, hdf5, jpeg, netpbm, npz, png
from segprep.datasets.imageio.exif import UPRIGHT
from segprep.datasets.sample import Array
from segprep.datasets.source_files import open_file, read_input, unreadable

__all__ = [
    "FOREIGN_SUFFIXES",
    "MAX_PIXELS",
    "SUFFIXES",
    "decode_image",
    "encode_image",
    "encode_palette",
    "image_orientation",
    "image_size",
    "read_image",
    "write_image",
]

_Found = TypeVar("_Found")

MAX_PIXELS = 2**28
"""Larger pictures (16384 x 16384) are refused before memory is taken for them."""


@dataclass(frozen=True, slots=True)
class _Reader:
    name: str
    signatures: tuple[bytes, ...]
    read_size: Callable[[BinaryIO], tuple[int, int]]
    decode: Callable[[bytes], Array]
    decode_colors: Callable[[bytes], Array] | None = None  # where the colours of a palette can be shown instead
    read_orientation: Callable[[BinaryIO], int] | None = None  # where the format can have EXIF data
    compressed: bool = False  # the size of the file is no bound for the size of the picture


@dataclass(frozen=True, slots=True)
class _Writer:
    dtypes: tuple[str, ...]
    channels: tuple[int, ...]  # 0 for (H, W)
    encode: Callable[[Array], bytes]


_READERS = (
    _Reader(
        "PNG",
        (png.SIGNATURE,),
        png.read_size,
        png.decode,
        png.decode_colors,
        png.read_exif_orientation,
        compressed=True,
    ),
    _Reader(
        "JPEG",
        (jpeg.SIGNATURE,),
        jpeg.read_size,
        jpeg.decode,
        read_orientation=jpeg.read_exif_orientation,
        compressed=True,
    ),
    _Reader("PPM, PGM or PFM", netpbm.SIGNATURES, netpbm.read_size, netpbm.decode),
    _Reader(".flo", (floats.FLO_SIGNATURE,), floats.read_flo_size, floats.decode_flo),
    _Reader(".npy", (floats.NPY_SIGNATURE,), floats.read_npy_size, floats.decode_npy),
    _Reader(".npz", npz.SIGNATURES, npz.read_size, npz.decode, compressed=True),
    _Reader("HDF5 or .mat (7.3)", hdf5.SIGNATURES, hdf5.read_size, hdf5.decode, compressed=True),
)

_JPEG_WRITER = _Writer(("uint8",), (0, 3), jpeg.encode)
_WRITERS = {
    ".png": _Writer(("uint8", "uint16"), (0, 3, 4), png.encode),
    ".jpg": _JPEG_WRITER,
    ".jpeg": _JPEG_WRITER,
    ".pgm": _Writer(("uint8", "uint16"), (0,), netpbm.encode_pnm),
    ".ppm": _Writer(("uint8", "uint16"), (3,), netpbm.encode_pnm),
    ".pfm": _Writer(("float32",), (0, 3), netpbm.encode_pfm),
    ".flo": _Writer(("float32",), (2,), floats.encode_flo),
}

SUFFIXES = (*_WRITERS, ".npy")
"""Suffixes that `write_image` and `encode_image` know."""

FOREIGN_SUFFIXES = (".avif", ".bmp", ".exr", ".gif", ".heic", ".jp2", ".tif", ".tiff", ".webp")
"""Suffixes of pictures that are not read. Who lists files names them, so that they are refused with the reason."""

_FOREIGN = (
    (b"version https://git-lfs", "a Git LFS pointer: run `git lfs pull`"),
    (b"<", "a page of HTML or XML, such as a failed download leaves: get the file again"),
    (b"GIF8", "a GIF: convert it to PNG"),
    (b"BM", "a BMP: convert it to PNG"),
    (b"II*\0", "a TIFF: convert it to PNG"),
    (b"MM\0*", "a TIFF: convert it to PNG"),
    (b"RIFF", "a WebP: convert it to PNG"),
    (b"\x76\x2f\x31\x01", "an OpenEXR file: convert it to .npy, .pfm or PNG"),
    (b"\0\0\0\x0cjP", "a JPEG 2000 file: convert it to PNG"),
    *((b"\0\0\0" + size + b"ftyp", "a HEIC or AVIF file: convert it to PNG") for size in (b"\x18", b"\x1c", b"\x20")),
    (b"MATLAB 5.0", "a MATLAB file of an old version: save it again with save(..., '-v7.3')"),
    (b"\0\0\0", "a block of zeros, such as a crash leaves, or of an unknown format: get the file again"),
)


def read_image(path: Path, *, palette_colors: bool = False) -> Array:
    """Read a picture or a field of numbers.

    Pictures are upright: an orientation in EXIF data is applied. Colour profiles, gamma and transparency are not.

    Args:
        path: The file.
        palette_colors: Whether a picture with a palette gives the colours, as images need it, or the indices, which are
            the ids of labels.

    Returns:
        (H, W) for grey values and palette indices, (H, W, 3) RGB, (H, W, 4) RGBA: uint8 or uint16 as stored. A .flo
        gives (H, W, 2) float32, a .pfm (H, W) or (H, W, 3) float32, a .npy its array, a .npz its only array or, of
        several, the one called `flow` or `depth`. HDF5 gives (H, W), its only array of rows and columns or, of
        several, the one called `depth` or `depths`; a .mat likewise, as MATLAB shows it.

    Raises:
        MissingInputError: If the file does not exist.
        UnreadableFileError: If it is truncated, damaged, of a foreign format, too large, or no regular file.
        MachineError: If the machine is to blame that it cannot be read.
    """
    return decode_image(read_input(path), path, palette_colors=palette_colors)


def decode_image(data: bytes, path: Path, *, palette_colors: bool = False) -> Array:
    """Decode the bytes of a file that was read already, as `read_image` does.

    Args:
        data: All bytes.
        path: Stands in error messages, nothing else.
        palette_colors: See `read_image`.

    Raises:
        UnreadableFileError: If they are truncated, damaged, of a foreign format, or a picture without pixels.
    """
    reader = _reader(data[:32], path)
    try:
        if reader.compressed:
            _check_size(*reader.read_size(io.BytesIO(data)))
        decode = reader.decode_colors if palette_colors and reader.decode_colors is not None else reader.decode
        picture = decode(data)
        if not picture.size:
            raise ValueError(f"it holds nothing: its shape is {picture.shape}")
        return picture
    except ValueError as error:
        raise UnreadableFileError(f"{path} is no readable {reader.name} file: {error}") from error


def image_size(path: Path, data: bytes | None = None) -> tuple[int, int]:
    """Return (width, height) of the upright picture from the headers alone; the pixels are neither read nor checked.

    Args:
        path: The file.
        data: All its bytes, if they were read already.

    Raises:
        MissingInputError: If the file does not exist.
        UnreadableFileError: If its header is truncated, damaged or of a foreign format.
        MachineError: If the machine is to blame that it cannot be read.
    """
    return _from_headers(path, lambda reader, file: reader.read_size(file), data)


def image_orientation(path: Path, data: bytes | None = None) -> int:
    """Return the orientation in EXIF data, 1 to 8, that reading applies; 1 (upright) where a file has none.

    Args:
        path: The file.
        data: All its bytes, if they were read already.

    Raises:
        MissingInputError, UnreadableFileError, MachineError: As `image_size`.
    """
    return _from_headers(path, lambda reader, file: (reader.read_orientation or _upright)(file), data)


def write_image(path: Path, array: Array) -> None:
    """Write a picture in the format of its suffix, completely or not at all; missing folders are made.

    Raises:
        CodeRangeError: If the format cannot hold such an array.
        WriteFailedError: If the disk is full, read-only, or forbidden.
    """
    atomic_write_bytes(path, encode_image(path.suffix, array))


def encode_image(suffix: str, array: Array) -> bytes:
    """Return the bytes of a file; equal arrays give equal bytes.

    Args:
        suffix: One of `SUFFIXES`, for example ".png".
        array: As `read_image` returns it. JPEG loses detail (quality 95), all others are exact.

    Raises:
        CodeRangeError: If the format is unknown or cannot hold such an array.
    """
    if suffix.lower() == ".npy" and array.dtype.kind in "biuf":
        return floats.encode_npy(array)
    writer = _WRITERS.get(suffix.lower())
    if writer is None and suffix.lower() != ".npy":
        raise CodeRangeError(f"there is no way to write {suffix!r} files. Known: {', '.join(SUFFIXES)}")
    channels = array.shape[2] if array.ndim == 3 else 0
    if writer is None or array.dtype.name not in writer.dtypes or array.ndim not in (2, 3) or not array.size:
        raise CodeRangeError(f"a {suffix} file cannot hold {array.dtype} of shape {array.shape}")
    if channels not in writer.channels or (array.ndim == 3 and not channels):
        raise CodeRangeError(f"a {suffix} file cannot hold an array of shape {array.shape}")
    return writer.encode(np.ascontiguousarray(array))


def encode_palette(indices_HW: Array, colors_N3: Array) -> bytes:
    """Return the bytes of a PNG whose pixels are numbers and which shows them in colours.

    Args:
        indices_HW: uint8; what `read_image` gives back.
        colors_N3: (N, 3) uint8 RGB by number, at most 256; numbers without a colour are black.

    Raises:
        CodeRangeError: If the numbers are not (H, W) uint8.
    """
    if indices_HW.dtype != np.uint8 or indices_HW.ndim != 2 or not indices_HW.size:
        raise CodeRangeError(f"a palette is for uint8 of shape (H, W), not {indices_HW.dtype} of {indices_HW.shape}")
    table_N3 = np.zeros((256, 3), np.uint8)
    table_N3[: len(colors_N3)] = colors_N3
    return png.encode_with_palette(np.ascontiguousarray(indices_HW), table_N3)


def _upright(file: BinaryIO) -> int:
    return UPRIGHT


def _from_headers(path: Path, read: Callable[[_Reader, BinaryIO], _Found], data: bytes | None = None) -> _Found:
    try:
        with open_file(path) if data is None else io.BytesIO(data) as file:
            reader = _reader(file.read(32), path)
            file.seek(0)
            return read(reader, file)
    except ValueError as error:
        raise UnreadableFileError(f"{path} is no readable {reader.name} file: {error}") from error
    except UnreadableFileError:
        raise
    except OSError as error:
        raise unreadable(path, error) from error


def _reader(start: bytes, path: Path) -> _Reader:
    for reader in _READERS:
        if start.startswith(reader.signatures):
            return reader
    if not start:
        raise UnreadableFileError(f"{path} is empty (0 bytes): get the file again")
    for signature, what in _FOREIGN:
        if start.lstrip(b" \t\r\n\xef\xbb\xbf").startswith(signature):
            raise UnreadableFileError(f"{path} holds {what}")
    known = ", ".join(r.name for r in _READERS)
    raise UnreadableFileError(f"{path} is truncated or of an unknown format. Known: {known}")


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ValueError(f"{width}x{height} pixels are more than the {MAX_PIXELS} that are accepted")
