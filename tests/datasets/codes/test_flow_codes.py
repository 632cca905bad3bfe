"""Virtual KITTI 2's code of flow: the published constants, exact again and again, within half a step of any vector."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segprep.datasets.codes import Vkitti2FlowCode, code_from_json
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.sample import Array
from support.properties import examples

SIDES = st.integers(2, 9)


def published(picture_rgb: Array) -> Array:
    """The reader of the data set's page, on a picture in RGB order."""
    height, width = picture_rgb.shape[:2]
    uv = 2.0 / (2**16 - 1.0) * picture_rgb[..., :2].astype(np.float64) - 1
    uv[..., 0] *= width - 1
    uv[..., 1] *= height - 1
    uv[picture_rgb[..., 2] == 0] = 0
    return uv


@given(width=SIDES, height=SIDES, seed=st.integers(0, 999))
@examples(40)
def test_files_are_read_as_published(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 2**16, (height, width, 3), dtype=np.uint16)
    picture[..., 2] *= rng.integers(0, 2, (height, width), dtype=np.uint16)
    code = Vkitti2FlowCode(width, height)
    uv, valid = code.decode(*code.from_file(picture))
    assert valid is not None
    np.testing.assert_array_equal(valid, picture[..., 2] > 0)
    np.testing.assert_allclose(uv, published(picture), atol=1e-5)


@given(data=st.data(), width=SIDES, height=SIDES)
@examples(40)
def test_vectors_come_back_within_half_a_step(data: st.DataObject, width: int, height: int) -> None:
    code = Vkitti2FlowCode(width, height)
    unit = data.draw(hnp.arrays(np.float32, (height, width, 2), elements=st.floats(-1, 1, width=32)))
    valid = data.draw(hnp.arrays(np.bool_, (height, width)))
    uv = unit * np.array([width - 1, height - 1], np.float32)
    encoded = code.encode(uv, valid)
    assert encoded.clipped == 0
    picture = decode_image(encode_image(".png", code.to_file(encoded.stored, encoded.valid)), Path("a.png"))
    back, known = code.decode(*code.from_file(picture))
    np.testing.assert_array_equal(known, valid)
    half = np.array([width - 1, height - 1]) / 65535
    assert (np.abs(back - uv)[valid] <= half * 1.001).all()
    assert not back[~valid].any()
    again = code.encode(back, known)
    np.testing.assert_array_equal(again.stored, encoded.stored)


def test_worked_values_of_the_size_of_the_data_set() -> None:
    code = Vkitti2FlowCode(1242, 375)
    np.testing.assert_allclose(code.scale, (0.037873, 0.011414), atol=1e-6)
    np.testing.assert_array_equal(code.offset, (-1241, -374))
    uv = np.zeros((375, 1242, 2), np.float32)
    uv[0, 0], uv[0, 1], uv[0, 2] = [1241, -374], [-1241, 374], [2000, 0]
    encoded = code.encode(uv, None)
    np.testing.assert_array_equal(encoded.stored[0, :2], [[65535, 0], [0, 65535]])
    assert encoded.clipped == 1
    decoded, valid = code.decode(encoded.stored, None)
    np.testing.assert_allclose(decoded[0, 2], [1241, 0], atol=0.006)
    assert valid is not None
    assert valid.all()
    assert np.abs(decoded[1:]).max() < 0.02  # standing still has no code of its own
    linear = encoded.stored * np.array(code.scale) + np.array(code.offset)
    np.testing.assert_allclose(decoded, linear, atol=1e-4)


def test_the_code_survives_json_and_knows_its_size() -> None:
    code = Vkitti2FlowCode(7, 5)
    assert code_from_json(json.loads(json.dumps(code.to_json()))) == code
    other = np.ones((5, 8, 3), np.uint16)
    with pytest.raises(CodeRangeError, match="7x5, not 8x5"):
        code.from_file(other)
    with pytest.raises(CodeRangeError, match="7x5, not 8x5"):
        code.decode(other[..., :2], None)
    with pytest.raises(CodeRangeError, match="7x5, not 8x5"):
        code.encode(np.zeros((5, 8, 2), np.float32), None)


@pytest.mark.parametrize("size", [(1, 5), (5, 1), (0, 0), (-3, 4)])
def test_sizes_without_a_range_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(CodeRangeError, match="range"):
        Vkitti2FlowCode(*size)


def test_vectors_that_are_no_numbers_and_pictures_of_another_type_are_refused() -> None:
    code = Vkitti2FlowCode(3, 3)
    uv = np.zeros((3, 3, 2), np.float32)
    uv[1, 2, 0] = np.nan
    with pytest.raises(CodeRangeError, match="1 valid pixels are no numbers"):
        code.encode(uv, None)
    valid = np.ones((3, 3), np.bool_)
    valid[1, 2] = False
    assert code.encode(uv, valid).clipped == 0
    with pytest.raises(CodeRangeError, match="channel"):
        code.from_file(np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(CodeRangeError, match="channel"):
        code.from_file(np.zeros((3, 3), np.uint16))
    with pytest.raises(CodeRangeError, match="mask"):
        code.encode(np.zeros((3, 3, 2), np.float32), np.ones((3, 4), np.bool_))
