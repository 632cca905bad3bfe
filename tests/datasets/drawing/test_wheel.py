"""Colours of flow."""

import numpy as np
import pytest

from segprep.datasets.drawing.wheel import flow_to_rgb, wheel_legend


def color(u: float, v: float, limit: float = 1.0) -> list[int]:
    return [int(c) for c in flow_to_rgb(np.array([[[u, v]]]), None, limit)[0, 0]]


def test_directions_have_the_colours_of_the_wheel() -> None:
    assert color(1, 0) == [255, 0, 0]
    assert color(0, 0) == [255, 255, 255]
    red, green, blue = color(0, 1)
    assert red > 220
    assert green > 220
    assert blue == 0  # down is yellow
    red, green, blue = color(-1, 0)
    assert red == 0
    assert green > 150
    assert blue == 255  # left is cyan
    red, green, blue = color(0, -1)
    assert blue > 250
    assert 50 < red < 150
    assert green == 0  # up is violet


def test_half_the_length_has_half_the_saturation_and_more_than_all_is_dark() -> None:
    assert color(0.5, 0) == [255, 128, 128]
    assert color(2, 0) == [191, 0, 0]


def test_colours_go_all_the_way_round_without_a_jump() -> None:
    angle = np.linspace(0, 2 * np.pi, 721)
    rgb = flow_to_rgb(np.stack([np.cos(angle), np.sin(angle)], axis=1)[None], None, 1.0).astype(int)
    assert np.abs(np.diff(rgb, axis=1)).max() <= 12
    np.testing.assert_array_equal(rgb[0, 0], rgb[0, -1])


def test_invalid_vectors_are_black() -> None:
    uv = np.array([[[1, 0], [np.nan, 0], [0, 0]]])
    rgb = flow_to_rgb(uv, np.array([[False, True, True]]), 1.0)
    np.testing.assert_array_equal(rgb[0], [[0, 0, 0], [0, 0, 0], [255, 255, 255]])


def test_without_a_limit_the_longest_valid_vector_has_full_colour() -> None:
    uv = np.array([[[5, 0], [100, 0]]])
    np.testing.assert_array_equal(flow_to_rgb(uv, np.array([[True, False]]))[0, 0], [255, 0, 0])
    np.testing.assert_array_equal(flow_to_rgb(np.zeros((1, 1, 2)), None), [[[255, 255, 255]]])


def test_the_legend_shows_each_direction_where_it_points() -> None:
    legend = wheel_legend(41)
    assert legend.shape == (41, 41, 3)
    np.testing.assert_array_equal(legend[20, 40], color(1, 0))
    np.testing.assert_array_equal(legend[40, 20], color(0, 1))
    np.testing.assert_array_equal(legend[20, 20], [255, 255, 255])
    np.testing.assert_array_equal(legend[0, 0], [255, 255, 255])


def test_senseless_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        flow_to_rgb(np.zeros((1, 1, 2)), None, 0.0)
    with pytest.raises(ValueError, match="at least 2"):
        wheel_legend(1)
