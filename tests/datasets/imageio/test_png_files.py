"""PNG: no flipped byte goes unnoticed; palettes, transparency and metadata mean what they say."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.imageio import decode_image, encode_image
from support.pictures import chunk, noise, pillow_bytes

PATH = Path("folder/picture.png")


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


def test_a_damaged_block_is_named() -> None:
    data = encode_image(".png", noise((64, 64, 3), "uint8"))
    second = data.index(b"IDAT", 33 + 8) - 4
    for place in (second + 8, second + 2000):
        with pytest.raises(UnreadableFileError, match=f"wrong checksum of the block at byte {second}"):
            decode_image(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], PATH)


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
