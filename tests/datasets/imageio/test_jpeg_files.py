"""JPEG: exact as Pillow reads it when intact, an error wherever it is cut off, upright as its metadata say."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import decode_image, encode_image, image_size, read_image
from segprep.datasets.sample import Array
from support.pictures import chunk, noise, pillow_bytes, smooth
from support.properties import examples

PATH = Path("folder/picture.png")


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


@examples(60)
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
    height: int, width: int, quality: int, subsampling: int, restart: int, flat: bool, colour: bool, progressive: bool
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


@pytest.mark.parametrize("factors", ["411", "420", "422", "440", "444"])
@pytest.mark.parametrize("progressive", [0, 1])
def test_every_usual_subsampling_is_read_as_pillow_reads_it(factors: str, progressive: int) -> None:
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{factors}")
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    data = cv2.imencode(".jpg", smooth((93, 151, 3)), options)[1].tobytes()
    np.testing.assert_array_equal(decode_image(data, PATH), np.asarray(Image.open(io.BytesIO(data))))


def test_real_jpegs_are_read_as_pillow_reads_them(shared_data: Path) -> None:
    paths = [path for path in shared_data.rglob("*.jp*g") if path.is_file()]
    assert paths
    for path in paths:
        with Image.open(path) as image:
            np.testing.assert_array_equal(read_image(path), np.asarray(ImageOps.exif_transpose(image)), str(path))


def _noticed(data: bytes, copies: list[bytes]) -> float:
    decode_image(data, PATH)
    refused = 0
    for copy in copies:
        try:
            decode_image(copy, PATH)
        except UnreadableFileError as error:
            refused += str(PATH) in str(error)
    return refused / len(copies)


@pytest.mark.parametrize("progressive", [False, True])
def test_most_zeroed_and_lost_bytes_of_a_jpeg_are_noticed(progressive: bool) -> None:
    shape = (360, 480, 3)
    picture = Image.fromarray(cv2.addWeighted(smooth(shape), 0.7, noise(shape, "uint8"), 0.3, 0))
    data = pillow_bytes(picture, "jpeg", quality=90, progressive=progressive)
    places = range(data.index(b"\xff\xda") + 14, len(data) - 302, (len(data) - 1000) // 100)
    assert _noticed(data, [data[:at] + bytes(100) + data[at + 100 :] for at in places]) > 0.65
    assert _noticed(data, [data[:at] + data[at + 300 :] for at in places]) > 0.7


def _with_odd_scan_header(data: bytes) -> bytes:
    end_of_spectrum = data.index(b"\xff\xda") + 4 + 1 + 2 * 3 + 1
    return data[:end_of_spectrum] + b"\0" + data[end_of_spectrum + 1 :]


def _with_odd_jfif_version(data: bytes) -> bytes:
    version = data.index(b"JFIF\0") + 5
    return data[:version] + b"\x07" + data[version + 1 :]


@pytest.mark.parametrize("change", [_with_odd_scan_header, _with_odd_jfif_version])
def test_odd_numbers_in_headers_are_no_damage(change: Callable[[bytes], bytes]) -> None:
    data = encode_image(".jpg", smooth((48, 64, 3)))
    odd = change(data)
    assert odd != data
    np.testing.assert_array_equal(decode_image(odd, PATH), decode_image(data, PATH))
    with pytest.raises(UnreadableFileError, match="end too early"):
        decode_image(odd[: len(odd) // 2 + 300] + b"\xff\xd9", PATH)


def test_a_subsampling_that_has_no_name_is_read() -> None:
    # RGB kept as it is has one table for all components: four units of R, G, B make three of R, G, G, B.
    data = bytearray(pillow_bytes(Image.fromarray(smooth((8, 32, 3))), "jpeg", keep_rgb=True))
    frame = data.index(b"\xff\xc0")
    data[frame + 7 : frame + 9] = struct.pack(">H", 48)
    data[frame + 14] = 0x21
    with Image.open(io.BytesIO(bytes(data))) as expected:
        np.testing.assert_array_equal(decode_image(bytes(data), PATH), np.asarray(expected))


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


def _exif(orientation: int) -> bytes:
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _behind_the_frame(picture: Array) -> bytes:
    data = encode_image(".jpg", picture)
    scan, body = data.index(b"\xff\xda"), b"Exif\0\0" + _exif(6)
    return data[:scan] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[scan:]


def _behind_the_pixels(picture: Array) -> bytes:
    data = encode_image(".png", picture)
    return data[:-12] + chunk(b"eXIf", _exif(6)) + data[-12:]


@pytest.mark.parametrize("write", [_behind_the_frame, _behind_the_pixels])
def test_the_size_alone_obeys_an_orientation_anywhere(tmp_path: Path, write: Callable[[Array], bytes]) -> None:
    path = tmp_path / "picture"
    path.write_bytes(write(smooth((20, 30, 3))))
    assert read_image(path).shape == (30, 20, 3)
    assert image_size(path) == (20, 30)
