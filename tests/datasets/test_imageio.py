"""Reading and writing pixels: exact when intact, an error that names the file when not."""

import errno
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from segprep.datasets.errors import CodeRangeError, MissingInputError, UnreadableFileError, WriteFailedError
from segprep.datasets.imageio import MAX_PIXELS, decode_image, encode_image, image_size, read_image, write_image
from segprep.datasets.sample import Array

PATH = Path("folder/picture.png")


def noise(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def smooth(shape: tuple[int, ...]) -> Array:
    """A picture that looks like one, for JPEG."""
    blurred: Array = cv2.GaussianBlur(noise(shape, "uint8"), (0, 0), 3)
    return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload, no-any-return]


def pillow_bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


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
@settings(max_examples=12, deadline=None)
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


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("shape", [(40, 60, 3), (40, 60)])
def test_a_jpeg_truncated_at_any_byte_is_an_error(shape: tuple[int, ...], progressive: bool) -> None:
    data = pillow_bytes(Image.fromarray(smooth(shape)), "jpeg", quality=90, progressive=progressive)
    assert decode_image(data, PATH).shape == shape
    for length in range(len(data)):
        with pytest.raises(UnreadableFileError, match="picture"):
            decode_image(data[:length], PATH)


def test_a_jpeg_whose_pixels_stop_before_its_end_mark_is_an_error() -> None:
    data = encode_image(".jpg", smooth((120, 160, 3)))
    for length in range(len(data) // 2, len(data) - 60, 97):
        with pytest.raises(UnreadableFileError, match="end too early"):
            decode_image(data[:length] + b"\xff\xd9", PATH)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    quality=st.integers(1, 100),
    subsampling=st.integers(0, 2),
    restart=st.integers(0, 2),
    flat=st.booleans(),
    colour=st.booleans(),
    progressive=st.booleans(),
)
def test_intact_jpegs_of_all_sorts_are_read_as_pillow_reads_them(
    height: int,
    width: int,
    quality: int,
    subsampling: int,
    restart: int,
    flat: bool,
    colour: bool,
    progressive: bool,
) -> None:
    shape = (height, width, 3) if colour else (height, width)
    picture = np.full(shape, quality, np.uint8) if flat else noise(shape, "uint8", quality)
    data = pillow_bytes(
        Image.fromarray(picture),
        "jpeg",
        quality=quality,
        subsampling=subsampling,
        restart_marker_blocks=restart,
        progressive=progressive,
    )
    np.testing.assert_array_equal(decode_image(data, PATH), np.asarray(Image.open(io.BytesIO(data))))


def test_a_jpeg_with_a_thumbnail_inside_and_bytes_behind_is_read_as_one_picture() -> None:
    picture, thumbnail = smooth((48, 64, 3)), encode_image(".jpg", smooth((8, 8, 3)))
    data = pillow_bytes(Image.fromarray(picture), "jpeg", exif=b"Exif\0\0" + thumbnail)
    assert decode_image(data + thumbnail, PATH).shape == (48, 64, 3)
    with pytest.raises(UnreadableFileError, match="truncated"):
        decode_image(data[:-2], PATH)


def test_a_cmyk_jpeg_is_refused() -> None:
    data = pillow_bytes(Image.fromarray(noise((8, 8, 4), "uint8"), "CMYK"), "jpeg")
    with pytest.raises(UnreadableFileError, match="4 colour components"):
        decode_image(data, PATH)


@pytest.mark.parametrize("kind", ["jpeg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright_as_their_metadata_say(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind}"
    path.write_bytes(pillow_bytes(Image.fromarray(smooth((20, 30, 3))), kind, exif=exif))
    with Image.open(path) as stored:
        expected = np.array(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(read_image(path), expected)
    assert image_size(path) == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize("exif", [b"", b"MM\0*", b"II*\0\xff\xff\xff\xff", bytes(40)])
def test_metadata_that_make_no_sense_turn_nothing(tmp_path: Path, exif: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(pillow_bytes(Image.fromarray(smooth((20, 30, 3))), "jpeg", exif=b"Exif\0\0" + exif))
    assert read_image(path).shape == (20, 30, 3)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palette_pictures_can_show_their_colours(bits: int) -> None:
    colors = np.random.default_rng(bits).integers(0, 256, (2**bits, 3), np.uint8)
    indices = np.random.default_rng(9).integers(0, 2**bits, (5, 7), np.uint8)
    image = Image.fromarray(indices, mode="P")
    image.putpalette(colors.tobytes())
    data = pillow_bytes(image, "png", bits=bits)
    np.testing.assert_array_equal(decode_image(data, Path("a.png"), palette_colors=True), colors[indices])
    np.testing.assert_array_equal(decode_image(data, Path("a.png")), indices)


def test_transparent_palette_colours_are_not_lost() -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    image.putpalette([1, 2, 3, 4, 5, 6])
    data = pillow_bytes(image, "png", transparency=1)
    picture = decode_image(data, Path("a.png"), palette_colors=True)
    np.testing.assert_array_equal(picture, [[[1, 2, 3, 255], [4, 5, 6, 0]]])


@pytest.mark.parametrize(("channels", "dtype"), [((3,), "uint8"), ((), "uint16")])
def test_any_flipped_byte_of_a_png_is_noticed(channels: tuple[int, ...], dtype: str) -> None:
    data = encode_image(".png", noise((9, 11, *channels), dtype))
    for place in range(len(data)):
        with pytest.raises(UnreadableFileError):
            decode_image(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :], PATH)


def test_a_png_with_right_checksums_but_missing_pixels_is_an_error() -> None:
    data = encode_image(".png", noise((64, 64, 3), "uint8"))
    header, end = data[:33], data[-12:]
    pixels = b""
    offset = 33
    while data[offset + 4 : offset + 8] == b"IDAT":
        length = int.from_bytes(data[offset : offset + 4], "big")
        pixels += data[offset + 8 : offset + 8 + length]
        offset += 12 + length
    rows = zlib.decompress(pixels)
    assert decode_image(header + chunk(b"IDAT", pixels) + end, PATH).shape == (64, 64, 3)
    for broken in (
        pixels[:-1],
        pixels[: len(pixels) // 2],
        pixels[:3000] + pixels[4000:],
        zlib.compress(rows[: len(rows) // 2]),
        b"",
    ):
        with pytest.raises(UnreadableFileError, match="picture"):
            decode_image(header + chunk(b"IDAT", broken) + end, PATH)
    with pytest.raises(UnreadableFileError, match="no pixels"):
        decode_image(header + end, PATH)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_pictures_give_their_indices(bits: int) -> None:
    indices = noise((13, 17), "uint8") & (2**bits - 1)
    image = Image.fromarray(indices, "P")
    image.putpalette([(7 * v) % 256 for v in range(3 * 2**bits)])
    for transparent in ({}, {"transparency": 1}):
        data = pillow_bytes(image, "png", bits=bits, **transparent)
        np.testing.assert_array_equal(decode_image(data, PATH), indices)


def test_grey_pictures_of_one_bit_are_spread_over_the_whole_range() -> None:
    bits = noise((13, 17), "uint8") % 2
    data = pillow_bytes(Image.fromarray(bits.astype(bool)), "png")
    np.testing.assert_array_equal(decode_image(data, PATH), bits * 255)


def test_metadata_of_a_png_do_not_change_its_pixels() -> None:
    picture = noise((12, 10, 3), "uint8")
    plain = encode_image(".png", picture)
    gamma, key = chunk(b"gAMA", struct.pack(">I", 30000)), chunk(b"tRNS", struct.pack(">HHH", *picture[0, 0].tolist()))
    np.testing.assert_array_equal(decode_image(plain[:33] + gamma + key + plain[33:], PATH), picture)


def test_interlaced_pngs_are_read() -> None:
    # Neither library writes them, so one is made by hand: a picture of one pixel has the first pass only.
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 1))
    data += chunk(b"IDAT", zlib.compress(b"\0\x0a\x14\x1e")) + chunk(b"IEND", b"")
    np.testing.assert_array_equal(decode_image(data, PATH), [[[10, 20, 30]]])


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
