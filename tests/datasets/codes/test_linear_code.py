"""A linear code with a scale of its own for every channel."""

import json

import numpy as np
import pytest

from segprep.datasets.codes import LinearCode, code_from_json
from segprep.datasets.errors import CodeRangeError

HHA = LinearCode((1 / 310, 0.01, 1.0), (0.0, 0.0, -38.0), ("disparity", "height", "angle"))


def test_every_channel_has_its_own_step_and_start() -> None:
    values = np.array([[[0.5, 1.25, 90.0], [0.1, 0.004, 0.0]]])
    encoded = HHA.encode(values, None)
    np.testing.assert_array_equal(encoded.stored, [[[155, 125, 128], [31, 0, 38]]])
    back, _ = HHA.decode(encoded.stored, None)
    assert (np.abs(back - values) <= np.array(HHA.scale) / 2 + 1e-6).all()
    np.testing.assert_allclose(encoded.stored * np.array(HHA.scale) + np.array(HHA.offset), back, atol=1e-6)


def test_pixels_with_a_clipped_channel_are_counted_once_and_invalid_ones_not_at_all() -> None:
    values = np.array([[[9.0, 9.0, 90.0], [0.1, 3.0, 0.0], [0.1, 0.1, 0.0], [9.0, np.nan, 0.0]]])
    encoded = HHA.encode(values, np.array([[True, True, True, False]]))
    assert encoded.clipped == 2
    np.testing.assert_array_equal(encoded.stored[0, :2], [[255, 255, 128], [31, 255, 38]])
    np.testing.assert_array_equal(encoded.stored[0, 3], [0, 0, 0])


def test_it_survives_json() -> None:
    data = json.loads(json.dumps(HHA.to_json()))
    assert code_from_json(data) == HHA
    assert data == HHA.to_json()


def test_one_number_stands_for_all_channels() -> None:
    one = LinearCode(0.5, -1.0, ("x", "y", "z"))
    each = LinearCode((0.5,) * 3, (-1.0,) * 3, ("x", "y", "z"))
    values = np.random.default_rng(0).uniform(-1, 100, (4, 5, 3))
    np.testing.assert_array_equal(one.encode(values, None).stored, each.encode(values, None).stored)
    assert one.scale == each.scale
    assert one.offset == each.offset


@pytest.mark.parametrize(
    ("step", "start", "message"),
    [
        ((0.1, 0.2), 0.0, r"3 channel\(s\) cannot have 2 values of step"),
        (0.1, (0.0,), r"3 channel\(s\) cannot have 1 values of start"),
        ((0.1, 0.2, -1.0), 0.0, "scale must be a number above 0"),
        (0.1, (0.0, 0.0, float("nan")), "start must be a number"),
    ],
)
def test_scales_that_do_not_fit_are_refused(
    step: float | tuple[float, ...], start: float | tuple[float, ...], message: str
) -> None:
    with pytest.raises(CodeRangeError, match=message):
        LinearCode(step, start, ("a", "b", "c"))
