"""Reading NumPy's archives: one array, whole or not at all."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.errors import CodeRangeError, UnreadableFileError
from segprep.datasets.imageio import MAX_PIXELS, decode_image, encode_image, image_size, read_image
from segprep.datasets.sample import Array

PATH = Path("folder/a.npz")
FLOW = np.random.default_rng(0).normal(size=(6, 5, 2)).astype(np.float32)


def archive(*, compressed: bool = False, **arrays: Array) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def zipped(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        file.writestr(name, data)
    return buffer.getvalue()


compressions = pytest.mark.parametrize("compressed", [False, True], ids=["stored", "deflated"])


@compressions
@pytest.mark.parametrize("name", ["arr_0", "flow", "anything"])
def test_the_only_array_is_read_whatever_its_name(tmp_path: Path, compressed: bool, name: str) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(archive(compressed=compressed, **{name: FLOW}))
    back = read_image(path)
    np.testing.assert_array_equal(back, FLOW)
    assert back.dtype == np.float32
    assert image_size(path) == (5, 6)


@compressions
def test_of_several_arrays_the_one_called_flow_is_read(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(archive(compressed=compressed, aaa=np.zeros((2, 2)), flow=FLOW, valid=np.ones((6, 5), bool)))
    np.testing.assert_array_equal(read_image(path), FLOW)
    assert image_size(path) == (5, 6)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (archive(uv=FLOW, valid=FLOW), "it holds uv, valid"),
        (archive(), "it holds none"),
        (zipped("readme.txt", b"a zip that is no archive of arrays"), "it holds none"),
        (zipped("flow.npy", b"no array at all, but long enough"), "header"),
        (zipped("flow.npy", encode_image(".npy", FLOW)[:-1]), "truncated"),
        (zipped("flow.npy", encode_image(".npy", FLOW) + b"\0"), "longer"),
    ],
)
def test_archives_that_do_not_hold_one_array_are_named(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "strange.npz"
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match=says) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@compressions
def test_truncation_at_any_byte_is_an_error(compressed: bool) -> None:
    data = archive(compressed=compressed, flow=FLOW)
    for length in range(len(data)):
        with pytest.raises(UnreadableFileError, match="folder"):
            decode_image(data[:length], PATH)


@compressions
def test_a_flipped_byte_is_an_error_or_changes_nothing(compressed: bool) -> None:
    data = archive(compressed=compressed, flow=FLOW)
    noticed = 0
    for place in range(len(data)):
        damaged = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        try:
            np.testing.assert_array_equal(decode_image(damaged, PATH), FLOW)  # times and rights of the archive
        except UnreadableFileError:
            noticed += 1
    assert noticed > FLOW.nbytes


def test_pickles_are_never_opened() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, flow=np.array([[{"a": 1}]], dtype=object))
    with pytest.raises(UnreadableFileError, match="not plain numbers"):
        decode_image(buffer.getvalue(), PATH)


def test_archives_that_would_fill_the_memory_are_refused() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({side}, {side})}}\n".encode()
    with pytest.raises(UnreadableFileError, match="more than"):
        decode_image(zipped("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header), PATH)
    stuffed = zipped("flow.npy", encode_image(".npy", FLOW) + bytes(10**7))
    with pytest.raises(UnreadableFileError, match="longer"):
        decode_image(stuffed, PATH)


def test_archives_with_a_password_or_an_unknown_compression_are_refused() -> None:
    data = archive(flow=FLOW)
    directory = data.rindex(b"PK\x01\x02")
    for offset, value in ((8, 0x01), (10, 0x63)):  # flags, method; in both headers
        changed = bytearray(data)
        changed[directory + offset] |= value
        changed[offset - 2] |= value
        with pytest.raises(UnreadableFileError, match=r"a\.npz .*cannot be unpacked"):
            decode_image(bytes(changed), PATH)


def test_archives_are_not_written() -> None:
    with pytest.raises(CodeRangeError, match="npz"):
        encode_image(".npz", FLOW)
