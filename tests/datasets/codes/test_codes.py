"""Codes: what goes in comes out, masks survive files, and ids and pictures are never changed unnoticed."""

import json
from pathlib import Path

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
    MaskPlace,
    PlainCode,
    RawLabelCode,
    SmsnetFlowCode,
    code_from_json,
)
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.sample import Array, Mask
from support.properties import examples

CODES: tuple[Code, ...] = (
    PlainCode(),
    PlainCode(channels=(), bits=16),
    PlainCode(channels=("disparity", "height", "angle"), masked=True),
    PlainCode(masked=True, keep_invalid=True),
    IdCode(),
    IdCode(bits=16),
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
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))


def stored_arrays(code: Code, shape: tuple[int, int], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    full = (*shape, len(code.channels)) if code.channels else shape
    return rng.integers(0, np.iinfo(code.dtype).max, full, dtype=code.dtype, endpoint=True)


def masks(shape: tuple[int, int], seed: int) -> Mask:
    return np.random.default_rng(seed + 1).random(shape) < 0.7


# -- all codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", [*CODES, PlainCode(lossy=True), IdCode(bits=16, smallest=1000), RawLabelCode()], ids=repr
)
def test_a_code_survives_json(code: Code) -> None:
    assert code_from_json(json.loads(json.dumps(code.to_json()))) == code


@pytest.mark.parametrize("code", CODES, ids=repr)
@examples(15)
@given(shape=SHAPES, seed=st.integers(0, 999))
def test_decoding_and_encoding_again_changes_nothing(code: Code, shape: tuple[int, int], seed: int) -> None:
    stored = stored_arrays(code, shape, seed)
    valid = None if code.mask is MaskPlace.NONE else masks(shape, seed)
    first = code.encode(*code.decode(stored, valid))
    again = code.encode(*code.decode(first.stored, first.valid))
    np.testing.assert_array_equal(again.stored, first.stored)
    if isinstance(code, SmsnetFlowCode):
        keep = slice(0, 2)  # any (u, v) has one magnitude only
        np.testing.assert_array_equal(first.stored[first.valid][:, keep], stored[first.valid][:, keep])
    else:
        assert first.clipped == 0
        where = np.ones(shape, np.bool_) if first.valid is None else first.valid
        np.testing.assert_array_equal(first.stored[where], stored[where])
    if valid is not None and first.valid is not None and code.mask is MaskPlace.BESIDE:
        np.testing.assert_array_equal(first.valid, valid)


@pytest.mark.parametrize("code", CODES, ids=repr)
@examples(15)
@given(shape=SHAPES, seed=st.integers(0, 999))
def test_files_keep_the_stored_integers_and_the_mask(code: Code, shape: tuple[int, int], seed: int) -> None:
    given_valid = None if code.mask is MaskPlace.NONE else masks(shape, seed)
    encoded = code.encode(*code.decode(stored_arrays(code, shape, seed), given_valid))
    assert encoded.stored.dtype == code.dtype
    data = encode_image(code.extension, code.to_file(encoded.stored, encoded.valid))
    stored, valid = code.from_file(decode_image(data, Path("cell.png")))
    np.testing.assert_array_equal(stored, encoded.stored)
    assert (valid is not None) == (code.mask is MaskPlace.IN_FILE)
    if valid is not None and encoded.valid is not None:
        np.testing.assert_array_equal(valid, encoded.valid)


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_scale_and_offset_tell_readers_the_values(code: Code) -> None:
    stored = stored_arrays(code, (5, 7), 1)
    values, valid = code.decode(stored, None)
    linear = stored * np.array(code.scale) + np.array(code.offset) if code.channels else None
    if linear is None:
        linear = stored * code.scale[0] + code.offset[0]
    linear = linear[..., : values.shape[-1]] if values.ndim == 3 else linear
    where = np.isfinite(values) & (True if valid is None else valid[..., None] if values.ndim == 3 else valid)
    np.testing.assert_allclose(values[where], linear[where], rtol=1e-6, atol=1e-5)
    assert len(code.scale) == len(code.offset) == max(len(code.channels), 1)


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_arrays_and_masks_of_other_shapes_are_refused(code: Code) -> None:
    with pytest.raises(CodeRangeError, match="shape"):
        code.encode(np.zeros((4, 4, 5), np.float32), None)
    with pytest.raises(CodeRangeError, match="channel"):
        code.decode(np.zeros((4, 4, 5), code.dtype), None)
    if code.mask is not MaskPlace.NONE:
        values, _ = code.decode(stored_arrays(code, (4, 4), 0), None)
        with pytest.raises(CodeRangeError, match="mask"):
            code.encode(values, np.ones((4, 3), np.bool_))


@pytest.mark.parametrize("code", [c for c in CODES if not isinstance(c, IdCode)], ids=repr)
def test_a_valid_value_that_is_no_number_is_refused_and_an_invalid_one_is_not(code: Code) -> None:
    shape = code.decode(stored_arrays(code, (3, 3), 0), None)[0].shape
    values = np.ones(shape, np.float64)
    values[1, 2] = np.nan
    with pytest.raises(CodeRangeError, match="1 valid pixels are no numbers"):
        code.encode(values, None)
    if code.mask is not MaskPlace.NONE:
        valid = np.ones((3, 3), np.bool_)
        valid[1, 2] = False
        assert code.encode(values, valid).clipped == 0


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
