"""Vignette, tones and colours of pictures."""

import colorsys
from typing import Any

import numpy as np
import pytest

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array
from segprep.prep.augment.color import recolored

SIZE = WIDTH, HEIGHT = 768, 384
RAMP = np.broadcast_to(np.arange(256, dtype=np.uint8), (1, 256))


def drawn(picture: Array, **parameters: Any) -> Array:
    size = picture.shape[1], picture.shape[0]
    return recolored(picture, Augmentation(source=size, output=size, crop=(0, 0, *size), **parameters))


def test_nothing_drawn_gives_the_picture_itself() -> None:
    assert drawn(RAMP) is RAMP


def test_tones_are_contrast_then_brightness_then_gamma() -> None:
    x = np.arange(256.0)
    np.testing.assert_array_equal(
        drawn(RAMP, contrast=1.2, brightness=-30.0)[0], np.clip(np.rint(1.2 * x - 30), 0, 255)
    )
    np.testing.assert_array_equal(drawn(RAMP, gamma=0.6633)[0], np.rint(255 * (x / 255) ** 0.6633))
    both = drawn(RAMP, contrast=0.5, brightness=40.0, gamma=1.5)
    np.testing.assert_array_equal(both[0], np.rint(255 * ((0.5 * x + 40) / 255) ** 1.5))


def test_sixteen_bits_are_changed_like_eight() -> None:
    parameters = {"contrast": 0.7, "brightness": 25.0, "gamma": 1.3}
    wide = drawn(RAMP.astype(np.uint16) * 257, **parameters)
    assert wide.dtype == np.uint16
    np.testing.assert_allclose(wide / 257, drawn(RAMP, **parameters), atol=0.51)
    lit = drawn(np.full((HEIGHT, WIDTH), 60000, np.uint16), vignette=250.0)
    assert lit.dtype == np.uint16
    assert lit.max() == pytest.approx(60000, abs=2)


@pytest.mark.parametrize(("sigma", "corner"), [(210.0, 0.12), (300.0, 0.36)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_vignette_darkens_the_corners_as_documented_at_any_width(
    sigma: float, corner: float, channels: tuple[int, ...]
) -> None:
    for scale in (1, 2):
        white = np.full((HEIGHT // scale, WIDTH // scale, *channels), 250, np.uint8)
        lit = drawn(white, vignette=sigma)
        assert lit.shape == white.shape
        assert lit.max() == 250
        assert lit[0, 0] / 250 == pytest.approx(corner, abs=0.01)
        # sigma from the centre it has exp(-1/2).
        x = round((WIDTH / 2 + sigma - 0.5) / scale)
        assert lit[HEIGHT // scale // 2, x] / 250 == pytest.approx(np.exp(-0.5), abs=0.01)
        np.testing.assert_array_equal(lit, lit[::-1, ::-1])


def test_saturation_and_hue_leave_grey_and_luma() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(80, 170, (40, 50, 3), np.uint8)
    grey = np.repeat(rng.integers(0, 256, (40, 50, 1), np.uint8), 3, axis=2)
    luma = np.array([0.299, 0.587, 0.114])
    for parameters in ({"saturation": 0.4}, {"hue": 30.0}, {"saturation": 1.3, "hue": -20.0}):
        assert np.abs(drawn(grey, **parameters).astype(int) - grey).max() <= 1
        np.testing.assert_allclose(drawn(picture, **parameters) @ luma, picture @ luma, atol=0.6)
    faded = drawn(picture, saturation=0.0)
    assert np.ptp(faded, axis=2).max() == 0
    assert np.array_equal(drawn(grey[..., 0], hue=50.0), grey[..., 0])


def test_positive_hue_turns_red_towards_yellow() -> None:
    red = np.full((1, 1, 3), (180, 80, 80), np.uint8)

    def hue_of(pixel: Array) -> float:
        return colorsys.rgb_to_hsv(*(pixel / 255).tolist())[0] * 360

    assert 15 < hue_of(drawn(red, hue=30.0)[0, 0]) < 60
    assert 300 < hue_of(drawn(red, hue=-30.0)[0, 0]) < 345
    back = drawn(drawn(red, hue=30.0), hue=-30.0)
    assert np.abs(back.astype(int) - red).max() <= 2


def test_other_numbers_are_refused() -> None:
    with pytest.raises(CodeRangeError, match="8 or 16 bits, not in float32"):
        drawn(RAMP.astype(np.float32), gamma=2.0)
