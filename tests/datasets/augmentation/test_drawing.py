"""Drawing, and the one map that the drawn parameters make."""

import json
import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.augmentation import Augmentation, draw
from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig, Span
from segprep.datasets.errors import ConfigurationError, SizeMismatchError
from segprep.datasets.sample import flip_x_map, scale_map
from support.properties import examples

SIZE = (512, 256)
VARIANTS = range(300)
names = st.sampled_from([name for name in PRESETS if name != "paris"])
sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))


def whole(source: tuple[int, int], output: tuple[int, int] | None = None, **parameters: Any) -> Augmentation:
    return Augmentation(source=source, output=output or source, crop=(0, 0, *source), **parameters)


def place(augmentation: Augmentation, x: float, y: float) -> tuple[float, float]:
    u, v, w = (augmentation.affine() @ [x, y, 1]).tolist()
    assert w == 1
    return u, v


def test_nothing_drawn_moves_nothing() -> None:
    drawn = draw(PRESETS["none"], 1, "key", 0, SIZE)
    assert drawn == whole(SIZE)
    np.testing.assert_array_equal(drawn.affine(), np.eye(3))
    assert not drawn.moves_pixels
    assert whole(SIZE, flip=True).moves_pixels
    assert whole(SIZE, (256, 128)).moves_pixels
    assert not whole(SIZE, gamma=2.0, vignette=200.0).moves_pixels


def test_each_part_moves_pixels_as_it_says() -> None:
    np.testing.assert_array_equal(whole(SIZE, flip=True).affine(), flip_x_map(512))
    np.testing.assert_allclose(whole(SIZE, (100, 300)).affine(), scale_map(SIZE, (100, 300)), atol=1e-12)
    assert place(whole(SIZE, rotation=90.0), 265.5, 127.5) == pytest.approx((255.5, 137.5))
    assert place(whole(SIZE, scale=2.0), 265.5, 137.5) == pytest.approx((275.5, 147.5))
    assert place(whole(SIZE, skew=0.1), 255.5, 227.5) == pytest.approx((265.5, 227.5))
    window = replace(whole(SIZE), crop=(20.0, 30.0, 100.0, 50.0))
    assert place(replace(window, output=(100, 50)), 20, 30) == pytest.approx((0, 0))
    # The window's left edge lies at 19.5, and becomes the left edge of the result.
    assert place(replace(window, output=(200, 150)), 19.5, 29.5) == pytest.approx((-0.5, -0.5))
    assert place(replace(window, output=(200, 150)), 119.5, 79.5) == pytest.approx((199.5, 149.5))


def test_the_parts_are_applied_in_their_order() -> None:
    parts = whole(SIZE, flip=True, scale=1.5, rotation=10.0, skew=0.08)
    step_by_step = np.eye(3)
    for part in ({"flip": True}, {"scale": 1.5}, {"rotation": 10.0}, {"skew": 0.08}):
        step_by_step = whole(SIZE, **part).affine() @ step_by_step
    np.testing.assert_allclose(parts.affine(), step_by_step, atol=1e-9)
    cropped = replace(parts, crop=(5.0, 7.0, 64.0, 32.0), output=(64, 32))
    np.testing.assert_allclose(cropped.affine(), [[1, 0, -5], [0, 1, -7], [0, 0, 1]] @ step_by_step, atol=1e-9)


@given(name=names, seed=st.integers(0, 2**40), variant=st.integers(0, 99), key=st.text(), output=st.none() | sizes)
@examples(60)
def test_what_was_drawn_goes_through_json_and_can_be_drawn_again(
    name: str, seed: int, variant: int, key: str, output: tuple[int, int] | None
) -> None:
    drawn = draw(PRESETS[name], seed, key, variant, SIZE, output)
    again = Augmentation.from_json(json.loads(json.dumps(drawn.to_json(), allow_nan=False)))
    assert again == drawn
    assert repr(again) == repr(drawn)  # also the types
    assert draw(PRESETS[name], seed, key, variant, SIZE, output) == drawn
    assert drawn.output == (output or SIZE)


def test_every_argument_gives_other_numbers() -> None:
    config = PRESETS["ssma"]
    drawn = {
        repr(draw(config, seed, key, variant, SIZE)) for seed in (0, 1) for key in ("a", "b", "1") for variant in (0, 1)
    }
    assert len(drawn) == 12
    assert draw(config, 1, "1", 11, SIZE) != draw(config, 11, "1", 1, SIZE)


def test_these_numbers_are_drawn_for_ever() -> None:
    drawn = draw(PRESETS["ssma"], 7, "aachen_000000_000019", 5, (768, 384))
    assert drawn == Augmentation(
        source=(768, 384),
        output=(768, 384),
        crop=(94.184493, 39.760077, 617.119312, 308.559656),
        flip=True,
        scale=0.71288,
        skew=0.06994,
        vignette=279.072441,
        contrast=1.100946,
    )
    rolled = draw(PRESETS["ssma"], 7, "aachen_000000_000019", 7, (768, 384))
    assert (rolled.rotation, rolled.skew, rolled.brightness) == (7.935532, -0.074711, 15.551691)


def test_switching_one_range_off_leaves_the_others() -> None:
    config = AugmentationConfig(flip=0.5, rotation=Span(-13, 13), hue=Span(-30, 30), brightness=Span(-40, 40))
    for variant in range(20):
        drawn = draw(config, 0, "key", variant, SIZE)
        without = draw(replace(config, rotation=None), 0, "key", variant, SIZE)
        assert without == replace(drawn, rotation=0.0)
        assert drawn.rotation != 0


def test_the_ranges_of_ssma_are_used_and_kept() -> None:
    drawn = [draw(PRESETS["ssma"], 5, f"sample {i}", i, SIZE) for i in VARIANTS]
    for name, low, high, untouched in (
        ("scale", 0.5, 2.0, 1.0),
        ("rotation", -13, 13, 0.0),
        ("vignette", 210, 300, None),
        ("brightness", -40, 40, 0.0),
        ("contrast", 0.5, 1.5, 1.0),
    ):
        values = [getattr(each, name) for each in drawn]
        changed = [v for v in values if v != untouched]
        assert 0.4 < len(changed) / len(values) < 0.6, name
        assert low <= min(changed) < low + 0.1 * (high - low), name
        assert high - 0.1 * (high - low) < max(changed) <= high, name
    skews = [each.skew for each in drawn if each.skew]
    assert {0.05 <= abs(skew) <= 0.10 for skew in skews} == {True}
    assert 0.3 < np.mean(np.array(skews) > 0) < 0.7
    assert 0.4 < np.mean([each.flip for each in drawn]) < 0.6
    assert 0.4 < np.mean([each.scale > 1 for each in drawn if each.scale != 1]) < 0.6
    assert {0.8 <= each.crop[2] / 512 <= 0.9 or each.crop[2] == 512 for each in drawn} == {True}
    assert [each.crop[2] / each.crop[3] for each in drawn] == pytest.approx([2] * len(drawn))


def test_the_window_stays_within_the_scaled_image_or_around_it() -> None:
    lefts = []
    for variant in VARIANTS:
        drawn = draw(AugmentationConfig(scale=Span(0.5, 2.0), crop=Span(0.6, 0.9)), 0, "k", variant, SIZE)
        left, top, width, height = drawn.crop
        for first, window, side in ((left, width, 512.0), (top, height, 256.0)):
            ends = (1 - drawn.scale) * side / 2, (1 + drawn.scale) * side / 2
            if window <= ends[1] - ends[0]:
                assert ends[0] - 1e-3 <= first
                assert first + window <= ends[1] + 1e-3
            else:
                assert first - 1e-3 <= ends[0]
                assert ends[1] <= first + window + 1e-3
        lefts.append((left - (1 - drawn.scale) * 256) / (512 * drawn.scale - width))
    assert min(lefts) < 0.05
    assert max(lefts) > 0.95


def test_paris_crops_at_every_whole_place_and_the_whole_image_too() -> None:
    places: set[tuple[float, ...]] = set()
    for variant in range(400):
        drawn = draw(PRESETS["paris"], 0, "k", variant, (450, 193))
        assert drawn.output == (448, 192)
        assert drawn.crop[2:] == (448, 192)
        places.add(drawn.crop[:2])
        assert 0.6633 < drawn.gamma < 1.5077
    assert places == {(x, y) for x in (0, 1, 2) for y in (0, 1)}
    fitting = draw(PRESETS["paris"], 0, "k", 0, (448, 192))
    assert fitting.crop == (0.0, 0.0, 448.0, 192.0)
    brightest = draw(AugmentationConfig(gamma_z=Span(0.1, 0.1)), 0, "k", 0, SIZE)
    assert brightest.gamma == pytest.approx(math.log(0.5 + 0.1 / math.sqrt(2)) / math.log(0.5 - 0.1 / math.sqrt(2)))
    assert round(brightest.gamma, 4) == 0.6633


def test_fcn_changes_tones_alone() -> None:
    for variant in range(20):
        drawn = draw(PRESETS["fcn"], 0, "k", variant, SIZE)
        assert not drawn.moves_pixels
        assert drawn.contrast != 1
        assert drawn.brightness != 0
        assert drawn == whole(SIZE, contrast=drawn.contrast, brightness=drawn.brightness)


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(SizeMismatchError, match="448x192 pixels does not fit into an image of 447x300"):
        draw(PRESETS["paris"], 0, "k", 0, (447, 300))


@pytest.mark.parametrize(("variant", "output"), [(-1, None), (0, (0, 5))])
def test_impossible_variants_are_refused(variant: int, output: tuple[int, int] | None) -> None:
    with pytest.raises(ConfigurationError, match="no variant"):
        draw(PRESETS["none"], 0, "k", variant, SIZE, output)


def test_json_of_something_else_is_refused() -> None:
    good = whole(SIZE).to_json()
    assert set(good) == {each.name for each in fields(Augmentation)}
    for bad in (good | {"zoom": 1}, {"source": [1, 1]}, good | {"scale": "large"}, good | {"scale": 0.0}):
        with pytest.raises(ConfigurationError, match="augmentation"):
            Augmentation.from_json(bad)
