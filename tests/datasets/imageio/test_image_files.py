"""Reading and writing pixels: exact when intact, an error that names the file when not."""

import errno
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segprep.datasets.errors import CodeRangeError, MissingInputError, UnreadableFileError, WriteFailedError
from segprep.datasets.imageio import MAX_PIXELS, decode_image, encode_image, image_size, read_image, write_image
from support.pictures import chunk, noise
from support.properties import examples

PATH = Path("folder/picture.png")
EXACT = [
    (".png", (), "uint8"),
    (".png", (3,), "uint8"),
    (".png", (4,), "uint8"),
    (".png", (), "uint16"),
    (".png", (3,), "uint16"),
    (".png", (4,), "uint16"),
    (".pgm", (), "uint8"),
    (".pgm", (), "uint16"),
    (".ppm", (3,), "uint8"),
    (".ppm", (3,), "uint16"),
    (".pfm", (), "float32"),
    (".pfm", (3,), "float32"),
    (".flo", (2,), "float32"),
    (".npy", (), "uint8"),
    (".npy", (5,), "float32"),
]


@pytest.mark.parametrize(("suffix", "channels", "dtype"), EXACT)
@examples(12)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_what_is_written_is_read_back_exactly(
    suffix: str, channels: tuple[int, ...], dtype: str, height: int, width: int, seed: int
) -> None:
    array = noise((height, width, *channels), dtype, seed)
    data = encode_image(suffix, array)
    back = decode_image(data, Path(f"a{suffix}"))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert encode_image(suffix, back) == data


@pytest.mark.parametrize(("suffix", "channels", "dtype"), [*EXACT, (".jpg", (3,), "uint8"), (".jpg", (), "uint8")])
def test_the_size_comes_from_the_header_alone(
    tmp_path: Path, suffix: str, channels: tuple[int, ...], dtype: str
) -> None:
    path = tmp_path / f"a{suffix}"
    data = encode_image(suffix, noise((30, 50, *channels), dtype))
    path.write_bytes(data)
    assert image_size(path) == (50, 30)
    path.write_bytes(data[: len(data) // 2 + 200])
    assert image_size(path) == (50, 30)


@pytest.mark.parametrize(("suffix", "channels", "dtype"), EXACT)
def test_truncation_at_any_byte_is_an_error(suffix: str, channels: tuple[int, ...], dtype: str) -> None:
    data = encode_image(suffix, noise((7, 9, *channels), dtype))
    for length in range(len(data)):
        with pytest.raises(UnreadableFileError, match="picture"):
            decode_image(data[:length], PATH)


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    picture = noise((5, 6, 3), "uint8")
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode_image(".png", picture))
    np.testing.assert_array_equal(read_image(path), picture)
    assert image_size(path) == (6, 5)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "failed download"),
        (b"\n\n  <html>", "failed download"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (bytes(5000), "zeros"),
        (b"P5" + b" " * 5000, "header"),
        (b"GIF89a" + bytes(50), "GIF"),
        (b"hello, I am no picture", "unknown format"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff", "truncated"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "strange.png"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(UnreadableFileError, match=says) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_missing_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    for read in (read_image, image_size):
        with pytest.raises(MissingInputError, match=r"nowhere\.png"):
            read(tmp_path / "nowhere.png")
        with pytest.raises(UnreadableFileError, match="folder"):
            read(tmp_path)


def test_pictures_that_would_fill_the_memory_are_refused() -> None:
    side = int(MAX_PIXELS**0.5) + 1
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    bomb += chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    with pytest.raises(UnreadableFileError, match="more than"):
        decode_image(bomb, PATH)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000)}\n"
    liar = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)
    with pytest.raises(UnreadableFileError, match="truncated"):
        decode_image(liar, PATH)


def test_an_array_without_numbers_is_no_picture() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((0, 5), np.uint8))
    with pytest.raises(UnreadableFileError, match=r"holds nothing: its shape is \(0, 5\)"):
        decode_image(buffer.getvalue(), PATH)


def test_pickles_in_npy_files_are_never_opened() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableFileError, match="not plain numbers"):
        decode_image(buffer.getvalue(), PATH)


def test_npy_files_of_numpy_itself_are_read_whatever_their_byte_and_memory_order() -> None:
    for array in (np.arange(24.0).reshape(4, 6).T, np.arange(24, dtype=">u2").reshape(4, 6), np.arange(5.0)):
        buffer = io.BytesIO()
        np.save(buffer, array)
        back = decode_image(buffer.getvalue(), PATH)
        np.testing.assert_array_equal(back, array)
        assert back.dtype.isnative
        assert back.flags.c_contiguous


def test_text_and_commented_netpbm_files_are_read() -> None:
    np.testing.assert_array_equal(decode_image(b"P2\n# by hand\n3 1 #\n300\n0 17\n300\n", PATH), [[0, 17, 300]])
    np.testing.assert_array_equal(decode_image(b"P6 # c\n1 1\n255\nabc", PATH), [[[97, 98, 99]]])
    for broken in (b"P2\n3 1\n300\n0 17\n", b"P2\n3 1\n300\n0 17 30", b"P5\n1 1\n7\n\x08", b"P2\n1 1\n9\n-1\n"):
        with pytest.raises(UnreadableFileError):
            decode_image(broken, PATH)


def test_pfm_rows_run_upwards_and_both_byte_orders_are_read() -> None:
    little = b"Pf\n1 2\n-1.0\n" + struct.pack("<ff", 1, 2)
    big = b"Pf\n1 2\n1.0\n" + struct.pack(">ff", 1, 2)
    for data in (little, big):
        np.testing.assert_array_equal(decode_image(data, PATH), [[2], [1]])


@pytest.mark.parametrize(
    ("suffix", "shape", "dtype"),
    [
        (".png", (4, 4), "float32"),
        (".png", (4, 4, 2), "uint8"),
        (".png", (0, 4), "uint8"),
        (".png", (4,), "uint8"),
        (".jpg", (4, 4), "uint16"),
        (".flo", (4, 4, 3), "float32"),
        (".pgm", (4, 4, 3), "uint8"),
        (".bmp", (4, 4), "uint8"),
    ],
)
def test_arrays_that_a_format_cannot_hold_are_refused(suffix: str, shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(CodeRangeError, match=suffix):
        encode_image(suffix, np.zeros(shape, dtype))


def test_writing_onto_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WriteFailedError, match=r"a\.png cannot be written .*disk is full"):
        write_image(tmp_path / "a.png", noise((4, 4), "uint8"))
    assert list(tmp_path.iterdir()) == []


def test_real_files_of_all_formats_agree_with_another_reader(shared_data: Path) -> None:
    for name in (
        "camvid/trainannot/0001TP_006720.png",
        "cityscapes/gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png",
        "depth_formats/SUN_depth.png",
        "depth_formats/TUM_depth.png",
        "depth_formats/SUN_color.jpg",
        "flow/flyingchairs/0000000-img0.ppm",
        "flow/middlebury_RubberWhale/frame10.png",
        "kitti/frames_kitti_3/000.png",
        "nir/epfl_pair/nir.png",
    ):
        path = shared_data / name
        with Image.open(path) as image:
            np.testing.assert_array_equal(read_image(path), np.asarray(image), err_msg=name)
            assert image_size(path) == image.size


def test_real_flow_files_hold_plausible_motion(shared_data: Path) -> None:
    whale = read_image(shared_data / "flow/middlebury_RubberWhale/flow10.flo")
    known = np.abs(whale).max(axis=2) < 1e9
    assert whale.shape == (388, 584, 2)
    assert 0.01 < 1 - known.mean() < 0.02
    assert np.hypot(*whale[known].T).max() == pytest.approx(4.6, abs=0.1)
    chairs = read_image(shared_data / "flow/flyingchairs/0000000-gt.flo")
    assert chairs.shape == (384, 512, 2)
    tartan = read_image(shared_data / "flow/tartanair/000010_000009_flow.npy")
    assert tartan.shape == (480, 640, 2)
    assert tartan.dtype == np.float32
