"""JPEG: exact as Pillow reads it when intact, an error wherever it is cut off, upright as its metadata say."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import decode_image, encode_image, image_size, read_image
from support.pictures import noise, pillow_bytes, smooth
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
