"""What codes say of their numbers is what they do."""

import numpy as np
import pytest

from segprep.datasets.codes import (
    Code,
    DepthCode,
    DisparityCode,
    IdCode,
    JetCode,
    KittiFlowCode,
    LinearCode,
    PlainCode,
    RawLabelCode,
    SmsnetFlowCode,
    Vkitti2FlowCode,
)
from segprep.datasets.codes.column import numbers_of
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask

SIZE = (3, 4)  # rows, columns
CODES: tuple[Code, ...] = (
    PlainCode((), 16, masked=True),
    PlainCode(masked=True),
    LinearCode(1 / 30000, -1.0, (), 16),
    LinearCode((1 / 310, 0.01, 1.0), (0.0, 0.0, -38.0), ("disparity", "height", "angle")),
    DepthCode(),
    DepthCode(0.001, far_code=False),
    DisparityCode(),
    DisparityCode(zero_code=1),
    KittiFlowCode(),
    Vkitti2FlowCode(SIZE[1], SIZE[0]),
    SmsnetFlowCode(3.2),
    JetCode(2.0, 80.0),
)
HUGE = 1e9


def numbers(code: Code) -> Numbers:
    found = code.numbers
    assert found is not None
    return found


def stored_as(code: Code, number: int | tuple[int, ...]) -> Array:
    """A picture whose pixels all hold a number, or one per channel of the values."""
    say = numbers(code)
    if say.palette is not None:
        return np.broadcast_to(say.palette.colors_N3[number], (*SIZE, 3)).reshape(*SIZE, 3)
    pixel = np.broadcast_to(number, len(say.scale))
    if say.length is not None:
        pixel = np.append(pixel, 0)
    return (
        np.broadcast_to(pixel, (*SIZE, len(pixel)))
        .astype(code.dtype)
        .reshape(*SIZE, *pixel.shape[: len(code.channels)])
    )


def everywhere(code: Code, value: float) -> Array:
    shape = code.decode(stored_as(code, numbers(code).low), None)[0].shape
    return np.full(shape, value, np.float32)


def compared(code: Code, stored: Array) -> Array:
    """Without the length, which follows from the rest."""
    return stored[..., :-1] if numbers(code).length is not None else stored


def known(valid: Mask | None) -> bool:
    assert valid is not None
    assert valid.all() or not valid.any()
    return bool(valid.all())


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_numbers_are_clipped_to_the_smallest_and_the_largest(code: Code) -> None:
    for value, number in ((-HUGE, numbers(code).low), (HUGE, numbers(code).high)):
        stored = code.encode(everywhere(code, value), None).stored
        np.testing.assert_array_equal(compared(code, stored), compared(code, stored_as(code, number)))


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_numbers_between_them_are_values_on_an_even_scale(code: Code) -> None:
    say = numbers(code)
    for number in (say.low, say.low + 1, (say.low + say.high) // 2, say.high):
        values, valid = code.decode(stored_as(code, number), None)
        assert known(valid)
        expected = number * np.array(say.scale) + say.offset
        np.testing.assert_allclose(values.reshape(*SIZE, -1), np.broadcast_to(expected, (*SIZE, len(expected))), 1e-6)


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_invalid_pixels_hold_the_fill_and_some_numbers_are_always_invalid(code: Code) -> None:
    say = numbers(code)
    stored = code.encode(everywhere(code, 0.0), np.zeros(SIZE, np.bool_)).stored
    fill = say.fill[0] if say.palette is not None else say.fill
    np.testing.assert_array_equal(stored, stored_as(code, fill))
    for number in say.invalid:
        assert not known(code.decode(stored_as(code, number), None)[1])


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_infinitely_far_has_a_number_and_a_value_or_neither(code: Code) -> None:
    say = numbers(code)
    assert (say.far is None) == (say.infinity is None)
    if say.far is None or say.infinity is None:
        return
    values, valid = code.decode(stored_as(code, say.far), None)
    assert known(valid)
    np.testing.assert_array_equal(values, np.float32(say.infinity))
    np.testing.assert_array_equal(code.encode(values, None).stored, stored_as(code, say.far))


def test_the_sky_has_the_last_colour_of_depth_and_the_first_of_disparity() -> None:
    code = JetCode(1 / 80, 1 / 2)
    of_depth, of_disparity = (numbers_of(code, {"quantity": quantity}) for quantity in ("depth", "disparity"))
    assert of_depth is not None
    assert of_disparity is not None
    assert of_depth.far == 255
    assert of_disparity.far == 0
    assert (of_depth.infinity, of_disparity.infinity) == pytest.approx((1 / 2, 1 / 80))
    sky = code.encode(np.full(SIZE, np.inf), None).stored
    np.testing.assert_array_equal(sky, stored_as(code, of_depth.far))
    flow = KittiFlowCode()
    assert numbers_of(flow, {"quantity": "disparity"}) == flow.numbers


def test_vectors_lengths_are_kept_in_steps_of_their_own() -> None:
    code = SmsnetFlowCode(3.2)
    vectors = np.broadcast_to(np.array([3, -4], np.float32), (*SIZE, 2))
    assert (code.encode(vectors, None).stored[..., 2] == round(5 * (numbers(code).length or 0))).all()
    assert [each.numbers.length for each in (KittiFlowCode(), DepthCode())] == [None, None]


def test_ids_are_no_numbers_and_few_pictures_for_the_eye_show_values() -> None:
    assert IdCode().numbers is None
    assert RawLabelCode().numbers is None
    shown = {code.name: code.shows for code in (*CODES, IdCode(), RawLabelCode()) if code.shows is not None}
    assert shown == {"smsnet-flow": Kind.FLOW, "jet": Kind.INDEX}
