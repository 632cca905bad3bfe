"""Files that promise or hold more than a memory has are refused before anything is unpacked."""

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import decode_image, encode_image, image_orientation, image_size, read_image
from segprep.datasets.imageio.bounds import MAX_DECODED_BYTES
from segprep.datasets.imageio.scans import read_velodyne

PATH = Path("folder/a")
RGB = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)


def npz_of(shape: tuple[int, ...]) -> bytes:
    """Return an archive whose array is said to have a shape, with nothing behind its header."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("depth.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    return buffer.getvalue()


def test_an_archive_that_becomes_gigabytes_is_refused_by_its_header() -> None:
    side = int((MAX_DECODED_BYTES / 8) ** 0.5)
    with pytest.raises(UnreadableFileError, match=r"takes .* GB of memory, and no more than 1 GB"):
        decode_image(npz_of((side + 1, side + 1)), PATH)
    with pytest.raises(UnreadableFileError, match=r"takes 7\.451 GB of memory"):
        decode_image(npz_of((10, 10, 10**7)), PATH)  # few rows and columns


def test_hdf5_that_is_nested_deeply_or_holds_thousands_is_refused() -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group: h5py.Group = file
        for _ in range(40):
            group = group.create_group("a")
    with pytest.raises(UnreadableFileError, match="nested more than 32 deep"):
        decode_image(buffer.getvalue(), PATH)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for number in range(2001):
            file.create_group(str(number))
    with pytest.raises(UnreadableFileError, match="more than 2000 groups"):
        decode_image(buffer.getvalue(), PATH)


def test_hdf5_of_which_nothing_is_stored_takes_no_gigabytes() -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("depth", (16000, 16000), "f8", chunks=(100, 100), compression="gzip")
    with pytest.raises(UnreadableFileError, match="GB of memory"):
        decode_image(buffer.getvalue(), PATH)


def test_pictures_shorter_than_their_pixels_can_be_are_truncated() -> None:
    jpeg = bytearray(encode_image(".jpg", RGB))
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = struct.pack(">HH", 12000, 12000)
    with pytest.raises(UnreadableFileError, match=r"truncated: .* cannot hold the 412 MB"):
        decode_image(bytes(jpeg), PATH)
    png = bytearray(encode_image(".png", RGB))
    png[16:24] = struct.pack(">II", 12000, 12000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    with pytest.raises(UnreadableFileError, match=r"truncated: .* cannot hold the 412 MB"):
        decode_image(bytes(png), PATH)


def test_text_pictures_have_a_bound() -> None:
    with pytest.raises(UnreadableFileError, match="save it as P5 or P6"):
        decode_image(b"P2 10000 10000 255\n" + b"0 " * 100, PATH)


def test_headers_of_fill_bytes_end(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8" + b"\xff" * 200_000)
    with pytest.raises(UnreadableFileError, match="no readable JPEG"):
        image_size(path)


@pytest.mark.parametrize("read", [read_image, image_size, image_orientation, read_velodyne])
def test_pipes_and_devices_are_no_pictures(tmp_path: Path, read: object) -> None:
    assert callable(read)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadableFileError, match=r"pipe\.png cannot be read: it is a pipe"):
        read(tmp_path / "pipe.png")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    with pytest.raises(UnreadableFileError, match="it is a device"):
        read(tmp_path / "endless.png")
