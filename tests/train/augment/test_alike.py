"""Augmented on tensors, a sample is what it would be if it were augmented before it is stored."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.augmentation import draw
from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig, Span
from segprep.datasets.codes import DisparityCode
from segprep.datasets.kinds import RULES, Kind
from segprep.datasets.sample import Sample
from segprep.datasets.workspace.cells import Column
from support.augmented import a_sample, assert_alike, augmented, stored_first, whole
from support.properties import examples

Augmented = Callable[..., list[Sample]]
Columns = Mapping[str, Column]

SIZE = (96, 72)
DISPARITY = Column("disparity", Kind.DISPARITY, DisparityCode(zero_code=1))
OUTPUTS = (SIZE, (48, 36), (40, 30), (150, 90))  # means over 2, 3 and 4 pixels, which divide the sides

configurations = st.sampled_from(
    [
        PRESETS["ssma"],
        PRESETS["fcn"],
        AugmentationConfig(flip=0.5, gamma_z=Span(-0.1, 0.1), crop_size=(48, 32)),
        AugmentationConfig(
            flip=0.5,
            scale=Span(0.5, 2),
            rotation=Span(-40, 40),
            skew=Span(0, 0.3),
            crop=Span(0.6, 1),
            vignette=Span(200, 300),
            brightness=Span(-30, 30),
            contrast=Span(0.6, 1.2),
            saturation=Span(0.5, 1.2),
            hue=Span(-30, 30),
        ),
    ]
)


def test_all_kinds_are_in_the_sample(all_columns: Columns) -> None:
    assert {column.kind for column in (*all_columns.values(), DISPARITY)} == set(RULES)


@given(config=configurations, seed=st.integers(0, 9999), output=st.sampled_from(OUTPUTS))
@examples(20)
def test_every_column_is_what_it_would_be_if_it_were_augmented_before_it_is_stored(
    config: AugmentationConfig, seed: int, output: tuple[int, int]
) -> None:
    samples = [a_sample(seed), a_sample(seed + 1, 0.5)]
    drawn = [draw(config, seed, "k", variant, SIZE, output) for variant in range(2)]
    for found, sample, each in zip(augmented(samples, drawn), samples, drawn, strict=True):
        expected = stored_first(sample, each)
        # Vignette, tones and colours are rounded one after the other, and each may make more of a level.
        assert_alike(found, expected, levels=4)
        assert found.camera is not None
        assert expected.camera is not None
        np.testing.assert_allclose(found.camera.K, expected.camera.K, atol=1e-9)


@pytest.mark.parametrize(
    "parameters",
    [
        {"flip": True},
        {"scale": 1.7},
        {"rotation": 20.0},
        {"skew": 0.2},
        {"crop": (10.3, 5.1, 70.0, 40.0)},
        {"crop": (-20.0, -10.0, 140.0, 90.0)},
        {"output": (30, 24)},
        {"contrast": 0.7, "brightness": 20.0, "gamma": 0.8, "vignette": 250.0, "saturation": 0.5, "hue": 40.0},
    ],
    ids=str,
)
def test_each_change_alone_is_what_it_would_be(parameters: dict[str, Any]) -> None:
    sample = a_sample(5)
    expected = stored_first(sample, whole(**parameters))
    assert_alike(augmented([sample], [whole(**parameters)])[0], expected)


def test_sides_that_are_no_multiples_of_the_means_differ_at_seams_and_the_last_edge_only() -> None:
    sample = a_sample(7)
    small = whole((38, 29), scale=0.5, rotation=5.0)  # means over 5x4 and 4x4 pixels
    expected = stored_first(sample, small)
    assert_alike(augmented([sample], [small])[0], expected, seams=0.1, pictures=0.01)
