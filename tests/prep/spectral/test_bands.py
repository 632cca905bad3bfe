"""Bands: how the option is read, and which reflectance a number of a picture means."""

import numpy as np
import pytest

from segprep.datasets.errors import CodeRangeError, ConfigurationError
from segprep.datasets.sample import Array
from segprep.prep.spectral.bands import DEFAULT_BANDS, Band, parse_bands, reflectance

CWFID = "nir=image.green,red=image.red"

# -- the option --------------------------------------------------------------------------------------------------------


def test_bands_are_read_as_they_are_written() -> None:
    assert parse_bands(DEFAULT_BANDS) == {"nir": Band("nir"), "red": Band("image", 0), "blue": Band("image", 2)}
    assert parse_bands(CWFID) == {"nir": Band("image", 1), "red": Band("image", 0)}
    assert parse_bands("nir=nir/4095, red = image.0") == {"nir": Band("nir", None, 4095), "red": Band("image", 0)}
    assert parse_bands("blue=a_2.2/1") == {"blue": Band("a_2", 2, 1)}
    for text in (DEFAULT_BANDS, CWFID, "nir=nir/4095,red=image.red/250"):
        assert ",".join(f"{name}={band}" for name, band in parse_bands(text).items()) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "none of it"),
        ("nir", "none of it"),
        ("nir=", "none of it"),
        ("nir=nir,", "none of it"),
        ("nir=image.red.blue", "none of it"),
        ("nir=nir/white", "none of it"),
        ("nir=nir/-1", "none of it"),
        ("nir=../nir", "none of it"),
        (None, "none of it"),
        (8, "none of it"),
        ("green=image.green", "green is unknown"),
        ("nir=nir,nir=image.red", "nir stands twice"),
        ("nir=image.alpha", "a channel is"),
        ("nir=image.3", "a channel is"),
        ("nir=nir/0", "1 to 65535"),
        ("nir=nir/70000", "1 to 65535"),
    ],
)
def test_bands_that_make_no_sense_are_refused(text: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_bands(text)


# -- numbers to reflectances -------------------------------------------------------------------------------------------


def test_white_is_the_largest_number_of_the_type_unless_said_otherwise() -> None:
    byte, word = np.array([[0, 51, 255]], np.uint8), np.array([[0, 13107, 65535]], np.uint16)
    for picture in (byte, word):
        np.testing.assert_array_equal(reflectance(picture, Band("nir")), [[0, 0.2, 1]])
    np.testing.assert_allclose(reflectance(word // 16, Band("nir", white=4095)), [[0, 0.2, 1]], atol=1e-4)
    np.testing.assert_array_equal(reflectance(byte, Band("nir", white=51)), [[0, 1, 5]])
    colors = np.dstack([byte, byte + 0, byte[:, ::-1]])
    np.testing.assert_array_equal(reflectance(colors, Band("image", 2)), [[1, 0.2, 0]])


def test_16_bits_with_numbers_of_8_are_refused_unless_white_is_said() -> None:
    dark = np.array([[0, 255]], np.uint16)
    with pytest.raises(CodeRangeError, match=r"16 bits whose largest number is 255.*nir/255"):
        reflectance(dark, Band("nir"))
    np.testing.assert_array_equal(reflectance(dark, Band("nir", white=255)), [[0, 1]])
    np.testing.assert_array_equal(reflectance(dark + np.uint16(1), Band("nir")), [[1 / 65535, 256 / 65535]])
    reflectance(np.zeros((2, 2), np.uint8), Band("nir"))


@pytest.mark.parametrize(
    ("picture", "band", "message"),
    [
        (np.zeros((2, 2, 3), np.uint8), Band("image"), "image has three channels, name one"),
        (np.zeros((2, 2), np.uint8), Band("nir", 0), "nir has one channel, name none"),
        (np.zeros((2, 2), np.float32), Band("nir"), "nir is float32"),
        (np.zeros((2, 2), np.int16), Band("nir"), "no picture of 8 or 16 bits"),
    ],
)
def test_arrays_that_hold_no_such_band_are_refused(picture: Array, band: Band, message: str) -> None:
    with pytest.raises(CodeRangeError, match=message):
        reflectance(picture, band)
