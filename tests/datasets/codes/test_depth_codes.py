"""Codes of depth and disparity: within half a step, the sky infinite, and what is invalid stays so."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segprep.datasets.codes import DepthCode, DisparityCode
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import read_image
from support.properties import examples

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(
    metres=hnp.arrays(np.float32, SHAPES, elements=st.floats(0.0625, 255, width=32)),
    far=st.integers(0, 9),
)
@examples(40)
def test_depth_comes_back_within_half_a_step_and_the_sky_stays_infinite(
    metres: npt.NDArray[np.float32], far: int
) -> None:
    metres.flat[far % metres.size] = np.inf
    code = DepthCode(1 / 256)
    encoded = code.encode(metres, None)
    back, valid = code.decode(encoded.stored, None)
    assert encoded.clipped == 0
    assert valid is not None
    assert valid.all()
    np.testing.assert_array_equal(np.isinf(back), np.isinf(metres))
    finite = np.isfinite(metres)
    assert np.abs(back[finite] - metres[finite]).max(initial=0) <= 0.5 / 256 + 1e-5


def test_depth_out_of_range_is_clipped_counted_and_never_becomes_invalid_or_sky() -> None:
    encoded = DepthCode(0.01).encode(np.array([[0.001, 1e6, np.inf, 7.0, 3.0]]), np.array([[1, 1, 1, 0, 1]], np.bool_))
    np.testing.assert_array_equal(encoded.stored, [[1, 65534, 65535, 0, 300]])
    assert encoded.clipped == 2


def test_without_a_far_code_the_largest_number_is_invalid() -> None:
    code = DepthCode(0.001, far_code=False)
    stored, valid = code.from_file(np.array([[65535, 0, 1500]], np.uint16))
    metres, mask = code.decode(stored, valid)
    np.testing.assert_allclose(metres, [[0, 0, 1.5]])
    np.testing.assert_array_equal(mask, [[False, False, True]])
    with pytest.raises(CodeRangeError, match="infinitely far"):
        code.encode(np.array([[np.inf]]), None)


def test_disparity_of_cityscapes_and_kitti() -> None:
    stored = np.array([[0, 1, 257, 513]], np.uint16)
    cityscapes, valid = DisparityCode(zero_code=1).decode(stored, None)
    np.testing.assert_array_equal(cityscapes, [[0, 0, 1, 2]])
    np.testing.assert_array_equal(valid, [[False, True, True, True]])
    kitti, _ = DisparityCode().decode(stored, None)
    np.testing.assert_array_equal(kitti, [[0, 1 / 256, 257 / 256, 513 / 256]])


def test_real_depth_of_kinect_lies_where_the_sensor_can_see(shared_data: Path) -> None:
    code = DepthCode(1 / 5000, far_code=False)
    metres, valid = code.decode(*code.from_file(read_image(shared_data / "depth_formats/TUM_depth.png")))
    assert valid is not None
    near, far = np.percentile(metres[valid], (1, 99))
    assert near == pytest.approx(1.5, abs=0.05)
    assert far == pytest.approx(7.3, abs=0.05)
    assert (metres[~valid] == 0).all()
