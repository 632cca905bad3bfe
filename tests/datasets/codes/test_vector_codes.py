"""Codes of motion: within half a step, with the published constants of SMSnet and KITTI."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segprep.datasets.codes import KittiFlowCode, SmsnetFlowCode
from support.properties import examples

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 6))


def vectors(limit: float) -> st.SearchStrategy[npt.NDArray[np.float32]]:
    numbers = st.floats(-limit, limit, width=32)
    return SHAPES.flatmap(lambda s: hnp.arrays(np.float32, (*s, 2), elements=numbers))


# -- SMSnet ------------------------------------------------------------------------------------------------------------


def test_the_published_constants_of_smsnet() -> None:
    code = SmsnetFlowCode()
    assert code.magnitude_per_px == pytest.approx(12.75)
    uv = np.array([[[0, 0], [10, -10], [-20, 0], [3, 4]]], np.float32)
    encoded = code.encode(uv, None)
    np.testing.assert_array_equal(encoded.stored, [[[128, 128, 0], [192, 64, 180], [0, 128, 255], [147, 154, 64]]])
    assert encoded.clipped == 0
    picture = code.to_file(encoded.stored, None)
    np.testing.assert_array_equal(picture[0, 1], [180, 64, 192])  # red is the magnitude, blue is u


@given(uv=vectors(19.75))
@examples(40)
def test_smsnet_vectors_come_back_within_half_a_grey_level(uv: npt.NDArray[np.float32]) -> None:
    code = SmsnetFlowCode()
    encoded = code.encode(uv, None)
    back, _ = code.decode(encoded.stored, encoded.valid)
    assert np.abs(back - uv).max() <= 0.5 / 6.4 + 1e-5
    magnitude = encoded.stored[..., 2] / 12.75
    inside = np.hypot(*uv.T).T <= 20
    assert np.abs(magnitude - np.hypot(uv[..., 0], uv[..., 1]))[inside].max(initial=0) <= 0.5 / 12.75 + 1e-5


@given(uv=vectors(19.75), scale=st.floats(0.5, 6.4))
@examples(40)
def test_mirrored_motion_has_mirrored_codes(uv: npt.NDArray[np.float32], scale: float) -> None:
    code = SmsnetFlowCode(scale)
    there = code.encode(uv, None).stored.astype(int)
    back = code.encode(-uv, None).stored.astype(int)
    np.testing.assert_array_equal(back[..., :2], 256 - there[..., :2])
    np.testing.assert_array_equal(back[..., 2], there[..., 2])


def test_smsnet_saturates_counts_and_takes_the_magnitude_of_the_unclipped_vector() -> None:
    code = SmsnetFlowCode()
    uv = np.array([[[19.8, 0], [20, 0], [500, -500], [0, 0], [15, 15]]], np.float32)
    valid = np.array([[True, True, True, False, True]])
    encoded = code.encode(uv, valid)
    assert encoded.clipped == 3  # u of 20 px, everything of 500 px, the magnitude of (15, 15)
    np.testing.assert_array_equal(encoded.stored[0, 1], [255, 128, 255])
    np.testing.assert_array_equal(encoded.stored[0, 2], [255, 0, 255])
    np.testing.assert_array_equal(encoded.stored[0, 4], [224, 224, 255])


def test_codes_below_the_zero_are_negative_motion_and_do_not_wrap() -> None:
    stored = np.array([[[127, 100, 0], [0, 128, 0], [255, 129, 0]]], np.uint8)
    uv, _ = SmsnetFlowCode().decode(stored, None)
    np.testing.assert_allclose(uv[0], np.array([[-1, -28], [-128, 0], [127, 1]]) / 6.4, rtol=1e-6)


def test_rounding_is_unbiased() -> None:
    uv = np.random.default_rng(0).uniform(-18, 18, (300, 300, 2)).astype(np.float32)
    for code in (SmsnetFlowCode(), KittiFlowCode()):
        back, _ = code.decode(code.encode(uv, None).stored, None)
        assert abs(float((back - uv).mean())) < 0.01 * code.scale[0]


def test_invalid_motion_is_stored_as_no_motion_whatever_it_held() -> None:
    uv = np.array([[[np.nan, 1e10], [1, 1]]], np.float32)
    valid = np.array([[False, True]])
    smsnet, kitti = SmsnetFlowCode().encode(uv, valid), KittiFlowCode().encode(uv, valid)
    np.testing.assert_array_equal(smsnet.stored[0, 0], [128, 128, 0])
    np.testing.assert_array_equal(kitti.stored[0, 0], [32768, 32768])
    assert smsnet.clipped == kitti.clipped == 0


# -- KITTI flow --------------------------------------------------------------------------------------------------------


@given(uv=vectors(511.875))
@examples(40)
def test_kitti_vectors_come_back_within_half_a_step(uv: npt.NDArray[np.float32]) -> None:
    code = KittiFlowCode()
    encoded = code.encode(uv, None)
    back, valid = code.decode(encoded.stored, encoded.valid)
    assert np.abs(back - uv).max() <= 1 / 128
    assert encoded.clipped == 0
    assert valid is not None
    assert valid.all()


def test_kitti_files_are_laid_out_as_published() -> None:
    code = KittiFlowCode()
    encoded = code.encode(np.array([[[1, -2], [600, 0], [5, 5]]], np.float32), np.array([[True, True, False]]))
    picture = code.to_file(encoded.stored, encoded.valid)
    np.testing.assert_array_equal(picture[0], [[32832, 32640, 1], [65535, 32768, 1], [32768, 32768, 0]])
    assert encoded.clipped == 1


def test_invalid_pixels_of_official_kitti_files_hold_no_motion() -> None:
    stored, valid = KittiFlowCode().from_file(np.array([[[0, 0, 0], [32832, 32768, 1]]], np.uint16))
    uv, mask = KittiFlowCode().decode(stored, valid)
    np.testing.assert_array_equal(uv[0], [[0, 0], [1, 0]])
    np.testing.assert_array_equal(stored[0, 0], [32768, 32768])
    np.testing.assert_array_equal(mask, [[False, True]])
