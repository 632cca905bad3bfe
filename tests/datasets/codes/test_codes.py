"""Codes: what goes in comes out, masks survive files, and ids and pictures are never changed unnoticed."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.codes import (
    Code,
    DepthCode,
    DisparityCode,
    IdCode,
    KittiFlowCode,
    LinearCode,
    PlainCode,
    RawLabelCode,
    SmsnetFlowCode,
    VoidFirstCode,
    code_from_json,
)
from segprep.datasets.conformance import CODE_CHECKS
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.sample import Array
from support.properties import examples

CODES: tuple[Code, ...] = (
    PlainCode(),
    PlainCode(channels=(), bits=16),
    PlainCode(channels=("disparity", "height", "angle"), masked=True),
    PlainCode(masked=True, keep_invalid=True),
    IdCode(),
    IdCode(bits=16),
    VoidFirstCode(),
    LinearCode(1 / 127, -128 / 127),
    LinearCode(1 / 32767, -32768 / 32767, ("x", "y", "z"), bits=16),
    DepthCode(1 / 200),
    DepthCode(0.001, far_code=False),
    DisparityCode(),
    DisparityCode(zero_code=1),
    KittiFlowCode(),
    SmsnetFlowCode(),
    SmsnetFlowCode(3.2),
)
CodeCheck = Callable[[Code, tuple[int, int], int], None]
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))


# -- all codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", CODE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("code", CODES, ids=repr)
@examples(15)
@given(shape=SHAPES, seed=st.integers(0, 999))
def test_codes_keep_what_they_promise(code: Code, check: CodeCheck, shape: tuple[int, int], seed: int) -> None:
    check(code, shape, seed)


@pytest.mark.parametrize("code", [PlainCode(lossy=True), IdCode(bits=16, smallest=1000), RawLabelCode()], ids=repr)
def test_a_code_that_changes_what_it_is_given_survives_json(code: Code) -> None:
    assert code_from_json(json.loads(json.dumps(code.to_json()))) == code


@pytest.mark.parametrize(
    "data",
    [
        {"name": "smsnet-flow", "scale_per_px": 0},
        {"name": "smsnet-flow", "scale_per_px": -6.4},
        {"name": "depth-u16", "scale_m": float("nan")},
        {"name": "depth-u16", "metres": 1},
        {"name": "plain", "bits": 12},
        {"name": "plain", "channels": ["a", "b"]},
        {"name": "linear", "step": 0.1, "start": float("inf")},
        {"name": "disparity-u16", "zero_code": 2},
        {"name": "jpeg2000"},
        {},
    ],
)
def test_codes_that_make_no_sense_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(CodeRangeError):
        code_from_json(data)


# -- pictures and ids --------------------------------------------------------------------------------------------------


def test_ids_are_never_rounded_or_clipped() -> None:
    assert IdCode().encode(np.array([[0, 255]], np.int64), None).stored.dtype == np.uint8
    for bad in (np.array([[256]]), np.array([[-1]]), np.array([[1.0]])):
        with pytest.raises(CodeRangeError):
            IdCode().encode(bad, None)
    with pytest.raises(CodeRangeError, match="colours"):
        IdCode().from_file(np.zeros((2, 2, 3), np.uint8))


def test_ids_are_read_from_files_of_either_depth_as_long_as_they_fit() -> None:
    stored, _ = IdCode(bits=16).from_file(np.array([[3]], np.uint8))
    assert stored.dtype == np.uint16
    with pytest.raises(CodeRangeError, match="do not fit into 8 bits"):
        IdCode().from_file(np.array([[26001]], np.uint16))


def test_an_opaque_alpha_channel_is_dropped_and_another_is_refused() -> None:
    rgba = np.full((2, 2, 4), 255, np.uint8)
    assert PlainCode().from_file(rgba)[0].shape == (2, 2, 3)
    rgba[0, 0, 3] = 254
    for code in (PlainCode(), PlainCode(channels=()), RawLabelCode()):
        with pytest.raises(CodeRangeError, match="transparent pixels"):
            code.from_file(rgba)
    assert PlainCode(channels=("r", "g", "b", "a")).from_file(rgba)[0].shape == (2, 2, 4)


def test_grey_and_colour_are_exchanged_where_nothing_is_lost() -> None:
    grey = np.array([[7, 200]], np.uint8)
    np.testing.assert_array_equal(PlainCode().from_file(grey)[0], [[[7] * 3, [200] * 3]])
    np.testing.assert_array_equal(PlainCode(channels=()).from_file(np.stack([grey] * 3, axis=2))[0], grey)
    with pytest.raises(CodeRangeError, match="grey"):
        PlainCode(channels=()).from_file(np.array([[[7, 7, 8]]], np.uint8))


def test_jpeg_holds_8_bit_pictures_only() -> None:
    assert PlainCode(lossy=True).extension == ".jpg"
    assert PlainCode().extension == ".png"
    for channels, bits in (((), 16), (("r", "g", "b", "a"), 8)):
        with pytest.raises(CodeRangeError, match="JPEG"):
            PlainCode(channels, bits, lossy=True)


def test_label_files_hold_ids_or_exact_colours_and_nothing_else() -> None:
    code = RawLabelCode()
    for picture in (np.ones((2, 3), np.uint8), np.full((2, 3), 40000, np.uint16), np.ones((2, 3, 3), np.uint8)):
        stored, valid = code.from_file(picture)
        np.testing.assert_array_equal(code.decode(stored, valid)[0], picture)
    for shape, dtype in (((2, 3), np.float32), ((2, 3, 3), np.uint16), ((2, 3, 2), np.float32)):
        with pytest.raises(CodeRangeError, match="labels are ids"):
            code.from_file(np.ones(shape, dtype))


def test_small_ids_of_instance_files_can_mean_none() -> None:
    stored, _ = IdCode(bits=16, smallest=1000).from_file(np.array([[7, 999, 1000, 26001]], np.uint16))
    np.testing.assert_array_equal(stored, [[0, 0, 1000, 26001]])


def test_masked_pictures_are_black_where_invalid_unless_the_colour_means_something() -> None:
    picture, valid = np.full((1, 2, 3), 9, np.uint8), np.array([[True, False]])
    np.testing.assert_array_equal(PlainCode(masked=True).encode(picture, valid).stored[0, 1], [0, 0, 0])
    np.testing.assert_array_equal(
        PlainCode(masked=True, keep_invalid=True).encode(picture, valid).stored[0, 1], [9] * 3
    )
    assert (picture == 9).all()


def test_float_pictures_are_rounded_and_clipped_with_a_count() -> None:
    encoded = PlainCode(channels=()).encode(np.array([[-3.0, 0.4, 254.6, 300.0]]), None)
    np.testing.assert_array_equal(encoded.stored, [[0, 0, 255, 255]])
    assert encoded.clipped == 2


def test_zero_is_exact_in_a_linear_code_around_it() -> None:
    code = LinearCode(1 / 127, -128 / 127)
    encoded = code.encode(np.array([[0.0, 1.0, -1.0, 0.5]]), None)
    np.testing.assert_array_equal(encoded.stored, [[128, 255, 1, 192]])
    back, _ = code.decode(encoded.stored, encoded.valid)
    assert back[0, 0] == 0


GREY_RGB = np.repeat(np.array([[3, 200]], np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("reading", "picture", "values"),
    [
        ("stored", GREY_RGB, GREY_RGB.tolist()),
        ("ids", GREY_RGB, [[3, 200]]),
        ("levels", GREY_RGB.astype(np.uint16) * 300, [[900, 60000]]),
        ("red", GREY_RGB * np.array([1, 0, 0], np.uint8), [[3, 200]]),
        ("blue", GREY_RGB * np.array([0, 0, 1], np.uint8), [[3, 200]]),
        ("green", GREY_RGB[..., 0], [[3, 200]]),
        ("colors", GREY_RGB[..., 0], GREY_RGB.tolist()),
    ],
)
def test_labels_are_read_as_was_decided(reading: str, picture: Array, values: list[object]) -> None:
    code = RawLabelCode(LabelReading(reading))
    assert code.from_file(picture)[0].tolist() == values
    assert code_from_json(json.loads(json.dumps(code.to_json()))) == code
    assert ("reading" in code.to_json()) == (reading != "stored")


@pytest.mark.parametrize(
    ("reading", "picture", "message"),
    [
        ("ids", GREY_RGB * np.array([1, 1, 0], np.uint8), "the channels of this file differ: 8 bits: red 3..200"),
        ("red", GREY_RGB, "ids in the red channel alone"),
        ("colors", np.ones((2, 2), np.uint16), "the labels of this dataset are colours"),
    ],
)
def test_a_label_that_contradicts_the_decision_is_refused(reading: str, picture: Array, message: str) -> None:
    with pytest.raises(CodeRangeError, match=message):
        RawLabelCode(LabelReading(reading)).from_file(picture)
    with pytest.raises(CodeRangeError, match="read as one of stored, ids"):
        code_from_json({"name": "raw-labels", "reading": "hue"})
