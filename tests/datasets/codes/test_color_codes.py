"""JET: OpenCV's colours, values that come back within half a step, and black that is no value."""

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segprep.datasets.codes import JetCode, MaskPlace, code_from_json
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from support.properties import examples

CODE = JetCode(2.0, 80.0)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))


def all_colors(code: JetCode = CODE) -> Array:
    """(16, 16, 3): what the 256 levels of a range are stored as."""
    levels = np.linspace(code.low, code.high, 256).reshape(16, 16)
    return code.encode(levels, None).stored


def depths(low: float, high: float) -> st.SearchStrategy[npt.NDArray[np.float32]]:
    return SHAPES.flatmap(lambda s: hnp.arrays(np.float32, s, elements=st.floats(low, high, width=32)))


# -- colours -----------------------------------------------------------------------------------------------------------


def test_the_colours_are_those_of_opencv_in_rgb_order() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(all_colors(), cv2.applyColorMap(levels, cv2.COLORMAP_JET)[..., ::-1])


def test_the_colours_are_256_different_ones_without_black_and_stay_what_they_were() -> None:
    colors = all_colors().reshape(-1, 3)
    assert len({tuple(c) for c in colors.tolist()} | {(0, 0, 0)}) == 257
    known = {0: (0, 0, 128), 31: (0, 0, 252), 96: (2, 255, 254), 127: (126, 255, 130), 159: (254, 255, 1)}
    known |= {128: (130, 255, 126), 160: (255, 252, 0), 223: (255, 0, 0), 255: (128, 0, 0)}
    assert {place: tuple(colors[place].tolist()) for place in known} == known


def test_worked_values() -> None:
    values = np.array([[2.0, 40.0, 80.0, np.inf], [1.0, 200.0, 2.1, 0.0]], np.float32)
    valid = np.array([[True, True, True, True], [True, True, True, False]])
    encoded = CODE.encode(values, valid)
    expected = [[(0, 0, 128), (114, 255, 142), (128, 0, 0), (128, 0, 0)]]
    expected += [[(0, 0, 128), (128, 0, 0), (0, 0, 128), (0, 0, 0)]]
    np.testing.assert_array_equal(encoded.stored, expected)
    assert encoded.clipped == 2  # 1 m and 200 m; the sky belongs to the far end, and 2.1 m is nearest to 2 m
    decoded, known = CODE.decode(encoded.stored, encoded.valid)
    np.testing.assert_array_equal(known, valid)
    np.testing.assert_allclose(decoded, np.array([[2, 39.929, 80, 80], [2, 80, 2, 0]]), atol=1e-3)


# -- there and back ----------------------------------------------------------------------------------------------------


def test_all_levels_come_back_exactly() -> None:
    for code in (CODE, JetCode(0, 1), JetCode(1 / 80, 1 / 2), JetCode(-3, 1e4)):
        values, valid = code.decode(all_colors(code), None)
        np.testing.assert_allclose(values.ravel(), np.linspace(code.low, code.high, 256), rtol=1e-6, atol=1e-6)
        assert valid is not None
        assert valid.all()
        again = code.encode(values, valid)
        np.testing.assert_array_equal(again.stored, all_colors(code))
        assert again.clipped == 0


@given(values=depths(2, 80), seed=st.integers(0, 999))
@examples(40)
def test_values_come_back_within_half_a_step_through_a_file(values: npt.NDArray[np.float32], seed: int) -> None:
    valid = np.random.default_rng(seed).random(values.shape) < 0.7
    encoded = CODE.encode(np.where(valid, values, np.nan), valid)
    assert encoded.clipped == 0
    picture = decode_image(encode_image(CODE.extension, CODE.to_file(encoded.stored, encoded.valid)), Path("a.png"))
    stored, in_file = CODE.from_file(picture)
    assert in_file is None
    decoded, known = CODE.decode(stored, encoded.valid)
    np.testing.assert_array_equal(known, valid)
    assert np.abs(decoded - values)[valid].max(initial=0) <= CODE.step / 2 + 1e-5
    assert not decoded[~valid].any()
    assert decoded.dtype == np.float32


@given(low=st.floats(-100, 100), width=st.floats(0.01, 1e4), values=depths(-200, 200))
@examples(40)
def test_values_outside_the_range_get_its_ends_and_are_counted(
    low: float, width: float, values: npt.NDArray[np.float32]
) -> None:
    code = JetCode(low, low + width)
    encoded = code.encode(values, None)
    half = code.step / 2
    outside = (values < low - 1.001 * half) | (values > low + width + 1.001 * half)
    inside = (values > low - 0.999 * half) & (values < low + width + 0.999 * half)
    assert outside.sum() <= encoded.clipped <= (~inside).sum()
    decoded, _ = code.decode(encoded.stored, None)
    tolerance = half * 1.001 + 1e-5 * max(abs(low), 1)
    assert np.abs(decoded - np.clip(values, low, low + width)).max() <= tolerance


def test_black_is_invalid_even_without_a_mask_and_a_masked_colour_is_too() -> None:
    stored = all_colors()
    stored[0, 0] = 0
    valid = np.ones((16, 16), np.bool_)
    valid[5, 5] = False
    decoded, known = CODE.decode(stored, valid)
    assert known is not None
    assert {tuple(p) for p in np.argwhere(~known).tolist()} == {(0, 0), (5, 5)}
    assert decoded[0, 0] == decoded[5, 5] == 0
    assert CODE.decode(stored, None)[0][5, 5] > 0


@given(seed=st.integers(0, 999))
@examples(10)
def test_colours_that_jet_does_not_have_are_taken_for_the_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 256, (7, 5, 3), dtype=np.uint8)
    table = np.vstack([all_colors().reshape(-1, 3), [[0, 0, 0]]]).astype(int)
    distance = ((stored.reshape(-1, 1, 3).astype(int) - table) ** 2).sum(axis=2)
    values, valid = CODE.decode(stored, None)
    assert valid is not None
    places = np.where(valid, np.rint((values - CODE.low) / CODE.step), 256).astype(int).ravel()
    np.testing.assert_array_equal(distance[np.arange(35), places], distance.min(axis=1))


def test_noise_of_a_few_levels_moves_values_by_a_few_steps_and_keeps_invalid_pixels_invalid() -> None:
    stored = all_colors()
    stored[3, 3] = 0
    noise = np.random.default_rng(1).integers(-3, 4, stored.shape)
    noisy = np.clip(stored.astype(int) + noise, 0, 255).astype(np.uint8)
    values, valid = CODE.decode(stored, None)
    found, known = CODE.decode(noisy, None)
    np.testing.assert_array_equal(known, valid)
    assert np.abs(found - values).max() <= 2.001 * CODE.step


def test_a_picture_with_more_foreign_colours_than_are_compared_at_once_is_decoded() -> None:
    levels = np.arange(0, 256, 8, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(128, 256, 3)
    whole, _ = CODE.decode(cube, None)
    parts = [CODE.decode(part, None)[0] for part in np.array_split(cube, 8)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


# -- as a column -------------------------------------------------------------------------------------------------------


def test_a_cell_is_a_colour_picture_with_a_mask_beside_it_whose_reader_gets_the_values() -> None:
    assert CODE.mask is MaskPlace.BESIDE
    values = np.linspace(2, 80, 12, dtype=np.float32).reshape(3, 4)
    valid = np.ones((3, 4), np.bool_)
    valid[1, 1] = False
    before = values.copy()
    stored = encode_cell(Column("jet", Kind.CODED, CODE), SampleKey("a"), Cell(values, valid))
    np.testing.assert_array_equal(values, before)
    (picture_name, picture), (mask_name, _) = stored.files
    assert (picture_name, mask_name) == ("jet_data/a.png", "jet_valid/a.png")
    colors = decode_image(picture, Path("a.png"))
    assert tuple(colors[1, 1]) == (0, 0, 0)
    assert tuple(colors[0, 0]) == (0, 0, 128)
    assert stored.cell.facts["shape"] == [3, 4, 3]
    assert isinstance(stored.cell.values, np.ndarray)
    assert stored.cell.values.shape == (3, 4)
    assert np.abs(stored.cell.values - values)[valid].max() <= CODE.step / 2 + 1e-5


def test_the_code_survives_json() -> None:
    code = JetCode(1 / 80, 0.5)
    back = code_from_json(json.loads(json.dumps(code.to_json())))
    assert back == code
    assert hash(back) == hash(code)


@pytest.mark.parametrize(
    ("low", "high"), [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf")), (float("nan"), 1.0), (float("-inf"), 1.0)]
)
def test_ranges_that_are_none_are_refused(low: float, high: float) -> None:
    with pytest.raises(CodeRangeError, match="low < high"):
        JetCode(low, high)
    with pytest.raises(CodeRangeError, match="low < high"):
        code_from_json({"name": "jet", "low": low, "high": high})


def test_arrays_of_other_shapes_and_valid_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(CodeRangeError, match="shape"):
        CODE.encode(np.zeros((4, 4, 3), np.float32), None)
    with pytest.raises(CodeRangeError, match="channel"):
        CODE.decode(np.zeros((4, 4), np.uint8), None)
    with pytest.raises(CodeRangeError, match="channel"):
        CODE.from_file(np.zeros((4, 4, 3), np.uint16))
    with pytest.raises(CodeRangeError, match="mask"):
        CODE.encode(np.ones((4, 4), np.float32), np.ones((4, 3), np.bool_))
    values = np.ones((3, 3), np.float32)
    values[1, 2] = np.nan
    with pytest.raises(CodeRangeError, match="1 valid pixels are no numbers"):
        CODE.encode(values, None)


def test_minus_infinity_is_no_sky() -> None:
    encoded = CODE.encode(np.array([[-np.inf, np.inf]]), None)
    np.testing.assert_array_equal(encoded.stored, [[(0, 0, 128), (128, 0, 0)]])
    assert encoded.clipped == 1
