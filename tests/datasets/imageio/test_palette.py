"""Numbers with colours: what is written is read back, and other programs see the colours."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import decode_image, encode_palette, image_size


def test_numbers_come_back_and_others_see_colours() -> None:
    rng = np.random.default_rng(0)
    numbers_HW = rng.integers(0, 4, (9, 13), np.uint8)
    colors_N3 = rng.integers(1, 256, (3, 3), np.uint8)
    data = encode_palette(numbers_HW, colors_N3)
    np.testing.assert_array_equal(decode_image(data, Path("a.png")), numbers_HW)
    expected = np.vstack([colors_N3, np.zeros((1, 3), np.uint8)])[numbers_HW]  # the fourth one has no colour
    np.testing.assert_array_equal(decode_image(data, Path("a.png"), palette_colors=True), expected)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), expected)
    assert image_size(Path("a.png"), data) == (13, 9)


def test_what_are_no_small_numbers_is_refused() -> None:
    with pytest.raises(CodeRangeError, match="uint16"):
        encode_palette(np.zeros((2, 2), np.uint16), np.zeros((1, 3), np.uint8))
