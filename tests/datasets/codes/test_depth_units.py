"""The units of depth files: exact numbers for each, the ranges of real files, and records read in another unit."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.codes import (
    DepthCode,
    DepthFileCode,
    DisparityCode,
    PlainCode,
    code_from_json,
    source_code_from_json,
)
from segprep.datasets.codes.depth_units import DEPTH_UNITS, depth_unit, unit_text, with_depth_unit
from segprep.datasets.errors import CodeRangeError, UnknownNameError
from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.kinds import Kind
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import Array, Mask, SampleKey
from segprep.datasets.workspace.cells import decode_source
from support.properties import examples

NAMES = (*DEPTH_UNITS, "1/10000", "1/1")


def read(unit: str, numbers: Array) -> tuple[Array, Mask]:
    code = depth_unit(unit)[1]
    values, valid = code.decode(*code.from_file(numbers))
    assert valid is not None
    assert values.dtype == np.float32
    assert not values[~valid].any(), "invalid values are 0"
    return values, valid


@pytest.mark.parametrize(
    ("unit", "stored", "metres"),
    [
        ("mm", [0, 1, 1500, 65534, 65535], [None, 0.001, 1.5, 65.534, None]),
        ("cm", [0, 1, 1500, 65534, 65535], [None, 0.01, 15, 655.34, math.inf]),
        ("m", [0, 1, 80, 500, 65535], [None, 1, 80, 500, None]),
        ("tum", [0, 5000, 7500, 65534, 65535], [None, 1, 1.5, 13.1068, None]),
        ("1/10000", [0, 10000, 65534, 65535], [None, 1, 6.5534, None]),
        ("kitti", [0, 256, 384, 65534, 65535], [None, 1, 1.5, 255.9921875, None]),
        # 1500 = 0b10111011100 is stored rotated to the left by three: 12000; 8800 as 0b0001_0001_0011_0000_0001 wraps.
        ("sun", [0, 12000, 8800 * 8 % 65536 + 8800 // 8192, 65535], [None, 1.5, 8.8, None]),
        ("kinect", [0, 800, 1000, 1092, 1093, 2047], [None, 1.195123, 3.779240, 377.449, None, None]),
        # 800 is 0x0320, 1000 is 0x03e8, 2047 is 0x07ff
        ("kinect-swapped", [0, 0x2003, 0xE803, 0xFF07], [None, 1.195123, 3.779240, None]),
    ],
)
def test_depth_is_exactly_what_the_unit_says(unit: str, stored: list[int], metres: list[float | None]) -> None:
    values, valid = read(unit, np.array([stored], np.uint16))
    assert valid[0].tolist() == [m is not None for m in metres]
    np.testing.assert_allclose(values[valid], [m for m in metres if m is not None], rtol=1e-4)


@pytest.mark.parametrize(("unit", "pixels"), [("cityscapes", [None, 0, 1, 255.9921875]), ("kitti-disparity", None)])
def test_disparity_is_exactly_what_the_unit_says(unit: str, pixels: list[float | None] | None) -> None:
    values, valid = read(unit, np.array([[0, 1, 257, 65535]], np.uint16))
    assert depth_unit(unit)[0] is Kind.DISPARITY
    assert valid[0].tolist() == [False, True, True, True]
    expected = [0, 1 / 256, 257 / 256, 65535 / 256] if pixels is None else [p or 0 for p in pixels]
    np.testing.assert_allclose(values[0], expected)


@examples(50)
@given(st.integers(1, 65534))
def test_rotated_bits_are_those_of_the_toolbox(millimetres: int) -> None:
    stored = (millimetres << 3 | millimetres >> 13) & 0xFFFF
    if stored != 65535:
        values, _ = read("sun", np.array([[stored]], np.uint16))
        assert values[0, 0] == pytest.approx(millimetres / 1000, rel=1e-6)


@examples(30)
@given(st.integers(1, 9_999_999), st.integers(1, 65534))
def test_any_part_of_a_metre_is_a_unit(parts: int, stored: int) -> None:
    values, valid = read(f"1/{parts}", np.array([[stored]], np.uint16))
    assert valid.all()
    assert values[0, 0] == pytest.approx(stored / parts, rel=1e-6)


@pytest.mark.parametrize(
    ("unit", "file", "lowest", "highest"),
    [
        ("sun", "depth_formats/SUN_depth.png", 1.1, 8.85),
        ("tum", "depth_formats/TUM_depth.png", 1.5, 7.3),
        ("1/10000", "hha/nyu_python_demo/0.png", 1.93, 3.53),
        ("mm", "hha/nyu_rcnn_depth_demo/depth.png", 2.0, 7.45),
    ],
)
def test_real_files_have_the_ranges_of_rooms(
    shared_data: Path, unit: str, file: str, lowest: float, highest: float
) -> None:
    path = shared_data / file
    kind, code = depth_unit(unit)
    cell = decode_source(SourceFile(file, kind, code.to_json()), path.read_bytes(), path)
    assert isinstance(cell.values, np.ndarray)
    assert cell.valid is not None
    near, far = np.percentile(cell.values[cell.valid], [1, 99])
    assert (near, far) == pytest.approx((lowest, highest), abs=0.04)


def test_synthia_has_its_depth_in_the_first_of_three_channels() -> None:
    picture = np.zeros((2, 3, 3), np.uint16)
    picture[..., 0] = [[100, 250, 65535], [0, 1, 2]]
    back = decode_image(encode_image(".png", picture), Path("a.png"))
    values, valid = read("cm", back)
    np.testing.assert_allclose(values, [[1, 2.5, np.inf], [0, 0.01, 0.02]])
    assert valid.tolist() == [[True] * 3, [False, True, True]]


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "<i2", "<i4", ">u2", "<i8"])
def test_arrays_of_any_number_type_mean_the_same(dtype: str) -> None:
    numbers = np.array([[0, 500, 1000], [2000, -1, 1500]]).astype(dtype)
    back = decode_image(encode_image(".npy", numbers), Path("a.npy"))
    values, valid = read("mm", back)
    expected = np.array([[0, 0.5, 1], [2, 0, 1.5]])
    if np.dtype(dtype).kind == "u":
        expected[1, 1] = 0  # 65535
    np.testing.assert_allclose(values, expected, rtol=1e-3)
    np.testing.assert_array_equal(valid, expected > 0)


def test_floats_may_be_infinite_and_nan_and_nothing_else_is_silently_fine() -> None:
    values, valid = read("m", np.array([[np.nan, np.inf, -np.inf, 0], [-1, 2.5, 1e-3, 80]], np.float32))
    np.testing.assert_allclose(values, [[0, np.inf, 0, 0], [0, 2.5, 1e-3, 80]])
    assert valid.tolist() == [[False, True, False, False], [False, True, True, True]]


def test_a_trailing_axis_of_one_is_no_second_channel() -> None:
    values, _ = read("m", np.full((4, 5, 1), 2.0))
    assert values.shape == (4, 5)


@pytest.mark.parametrize(
    ("unit", "numbers", "message"),
    [
        ("mm", np.zeros((2, 2), np.uint8), "at least 16 bits, this file holds uint8: it is a picture for the eye"),
        ("mm", np.zeros((2, 2), np.bool_), "holds bool"),
        ("mm", np.zeros((2, 2, 3), np.uint8), "picture for the eye"),
        ("m", np.zeros((2, 2, 2), np.float32), r"one channel, this file holds float32 of shape \(2, 2, 2\)"),
        ("m", np.zeros(4, np.float32), "one channel"),
        ("m", np.array([[-2.0, -3, -4, 1]]), "3 numbers are below 0 and only 1 above: .* in front of the camera"),
        ("mm", np.array([[-2, -3]], np.int32), "2 numbers are below 0 and only 0 above"),
        ("sun", np.ones((2, 2), np.int32), "rotated bits are those of 16-bit numbers, this file holds int32"),
        ("kinect", np.array([[2048]], np.uint16), "11 bits, this file holds 2048"),
        ("kinect", np.array([[800.0]]), "11 bits, this file holds float64"),
        ("kinect", np.array([[0x2003]], np.uint16), r"are the bytes of its numbers swapped .*kinect-swapped"),
        ("kinect-swapped", np.array([[800]], np.uint16), "11 bits, this file holds 8195"),
        ("kinect-swapped", np.array([[800.0]]), "swapped bytes are those of 16-bit numbers"),
    ],
)
def test_files_that_hold_no_such_depth_say_what_they_hold(unit: str, numbers: Array, message: str) -> None:
    with pytest.raises(CodeRangeError, match=message):
        read(unit, numbers)


def test_one_negative_number_everywhere_marks_what_is_unknown() -> None:
    values, valid = read("m", np.array([[-1, -1, -1, 5]], np.float32))
    assert valid.tolist() == [[False, False, False, True]]
    assert values[0, 3] == 5


@pytest.mark.parametrize("name", NAMES)
def test_units_survive_json_and_are_told_by_name(name: str) -> None:
    _, code = depth_unit(name)
    assert source_code_from_json(code.to_json()) == code
    assert unit_text(code.to_json()) == ("m" if name == "1/1" else name)


def test_codes_of_the_catalog_are_told_by_their_unit() -> None:
    assert unit_text(DepthCode(0.001, far_code=False).to_json()) == "mm"
    assert unit_text(DepthCode(1 / 256).to_json()) == "kitti"
    assert unit_text(DepthCode(0.005).to_json()) == "1/200"
    assert unit_text(DepthCode(0.3).to_json()) == "0.3 m per step"
    assert unit_text(DepthCode(2.0).to_json()) == "2 m per step"
    assert unit_text(DisparityCode(0.5).to_json()) == "disparity-u16"


@pytest.mark.parametrize("name", ["MM", "1/0", "1/", "2/3", "metres", "", "1/99999999", "1/1.5"])
def test_an_unknown_unit_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"m, mm, cm, tum, kitti, sun, kinect, .*1/10000"):
        depth_unit(name)


@pytest.mark.parametrize(
    ("unit", "step_m"),
    [
        ("m", 0.002),
        ("mm", 0.001),
        ("cm", 0.01),
        ("tum", 0.0002),
        ("kitti", 1 / 256),
        ("sun", 0.001),
        ("kinect", 0.002),
        ("kinect-swapped", 0.002),
    ],
)
def test_a_workspace_keeps_the_scale_of_the_files_where_that_makes_sense(unit: str, step_m: float) -> None:
    code = depth_unit(unit)[1]
    assert isinstance(code, DepthFileCode)
    assert code.kept_as == DepthCode(step_m)
    assert DepthFileCode(1e-6).kept_as == DepthFileCode(0.1).kept_as == DepthCode(0.002)


def test_codes_of_files_are_only_read() -> None:
    with pytest.raises(CodeRangeError, match="depth-file are only read"):
        code_from_json(DepthFileCode().to_json())
    for wrong in ({"scale_m": 0}, {"law": "cubic"}, {"scale_m": "1"}, {"unit": "mm"}):
        with pytest.raises(CodeRangeError):
            source_code_from_json({"name": "depth-file", **wrong})


# -- records -------------------------------------------------------------------------------------------------------


def record(**codes: DepthCode | DisparityCode | PlainCode) -> SampleRecord:
    kinds = {DepthCode: Kind.DEPTH, DisparityCode: Kind.DISPARITY, PlainCode: Kind.IMAGE}
    sources = {name: SourceFile(f"{name}.png", kinds[type(code)], code.to_json()) for name, code in codes.items()}
    return SampleRecord(SampleKey("a"), "train", sources)


def test_a_unit_replaces_the_code_of_depth_and_of_nothing_else() -> None:
    before = record(image=PlainCode(), depth=DepthCode(0.001), nir=PlainCode(channels=()))
    after = with_depth_unit(before, "tum")
    assert after.sources["depth"] == SourceFile("depth.png", Kind.DEPTH, DepthFileCode(1 / 5000).to_json())
    assert {n: s for n, s in after.sources.items() if n != "depth"} == {
        n: s for n, s in before.sources.items() if n != "depth"
    }
    assert with_depth_unit(record(image=PlainCode()), "tum").sources == record(image=PlainCode()).sources


def test_a_unit_of_disparity_makes_disparity_of_depth_and_the_other_way_round() -> None:
    found = with_depth_unit(record(image=PlainCode(), depth=DepthCode()), "cityscapes").sources
    assert list(found) == ["image", "disparity"]
    assert found["disparity"] == SourceFile("depth.png", Kind.DISPARITY, DisparityCode(zero_code=1).to_json())
    found = with_depth_unit(record(disparity=DisparityCode(), image=PlainCode()), "m").sources
    assert list(found) == ["depth", "image"]
    assert found["depth"] == SourceFile("disparity.png", Kind.DEPTH, DepthFileCode(1.0).to_json())


def test_of_depth_and_disparity_the_one_changes_that_the_unit_is_about() -> None:
    both = record(depth=DepthCode(), disparity=DisparityCode())
    assert with_depth_unit(both, "mm").sources["disparity"] == both.sources["disparity"]
    assert with_depth_unit(both, "mm").sources["depth"].code == DepthFileCode(0.001).to_json()
    assert with_depth_unit(both, "cityscapes").sources["depth"] == both.sources["depth"]
    assert with_depth_unit(both, "cityscapes").sources["disparity"].code == DisparityCode(zero_code=1).to_json()
