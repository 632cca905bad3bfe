"""Resampling by kind."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.kinds import RULES, Kind, Resampling
from segprep.datasets.sample import Array, scale_map
from segprep.prep.labels.resampling import LabelMethod
from segprep.prep.resizing.resample import resample
from support.properties import examples

METHODS = [LabelMethod(), LabelMethod("nearest"), LabelMethod("priority", priority=(10, 1), share=0.5)]
SIDES = st.integers(1, 20)
KINDS = [k for k, r in RULES.items() if r.resampling is not Resampling.NEVER]
DTYPES = {Kind.DEPTH: "float32", Kind.DISPARITY: "float32", Kind.FLOW: "float32", Kind.NORMALS: "float32"}
CHANNELS = {Kind.IMAGE: (3,), Kind.FLOW: (2,), Kind.NORMALS: (3,), Kind.INDEX: (3,)}


def example(kind: Kind, width: int, height: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    shape = (height, width, *CHANNELS.get(kind, ()))
    if kind is Kind.NORMALS:
        normals = rng.normal(size=shape)
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
        return normals.astype(np.float32)
    return rng.uniform(1, 200, shape).astype(DTYPES.get(kind, "uint8"))


@pytest.mark.parametrize("kind", KINDS)
@given(width=SIDES, height=SIDES, seed=st.integers(0, 99), masked=st.booleans())
@examples(15)
def test_the_same_size_changes_no_bit_and_gives_a_copy(
    kind: Kind, width: int, height: int, seed: int, masked: bool
) -> None:
    array = example(kind, width, height, seed)
    valid = np.random.default_rng(seed).random((height, width)) < 0.5 if masked else None
    result, mask = resample(array, valid, kind, (width, height))
    kept = np.ones((height, width), np.bool_) if mask is None else mask
    np.testing.assert_array_equal(result[kept], array[kept])
    assert (result[~kept] == 0).all()
    assert result.dtype == array.dtype
    assert not np.shares_memory(result, array)
    if RULES[kind].resampling is Resampling.VOTE:
        assert mask is None
    elif valid is not None:
        assert mask is not None
        np.testing.assert_array_equal(mask, valid)
    else:
        assert (mask is not None) == RULES[kind].masked


@pytest.mark.parametrize("kind", KINDS)
@given(width=SIDES, height=SIDES, to_width=SIDES, to_height=SIDES)
@examples(25)
def test_constants_stay_constant_but_for_the_scale_of_vectors(
    kind: Kind, width: int, height: int, to_width: int, to_height: int
) -> None:
    array = np.broadcast_to(example(kind, 1, 1), example(kind, width, height).shape).copy()
    result, mask = resample(array, None, kind, (to_width, to_height))
    expected = array[0, 0].astype(np.float64)
    if kind is Kind.FLOW:
        expected = expected * [to_width / width, to_height / height]
    if kind is Kind.DISPARITY:
        expected = expected * (to_width / width)
    assert result.shape == (to_height, to_width, *array.shape[2:])
    assert result.dtype == array.dtype
    np.testing.assert_allclose(result, np.broadcast_to(expected, result.shape), rtol=1e-6)
    assert mask is None or mask.all()


@pytest.mark.parametrize("kind", [k for k in KINDS if RULES[k].masked])
@given(width=SIDES, height=SIDES, to_width=SIDES, to_height=SIDES, seed=st.integers(0, 99))
@examples(25)
def test_what_invalid_pixels_hold_never_matters(
    kind: Kind, width: int, height: int, to_width: int, to_height: int, seed: int
) -> None:
    array = example(kind, width, height, seed)
    valid = np.random.default_rng(seed).random((height, width)) < 0.6
    poisoned = array.copy()
    poisoned[~valid] = np.nan if array.dtype.kind == "f" else 255
    results = [resample(a, valid, kind, (to_width, to_height)) for a in (array, poisoned)]
    np.testing.assert_array_equal(results[0][0], results[1][0])
    result, mask = results[1]
    assert mask is not None
    assert np.isfinite(result).all()
    assert (result[~mask] == 0).all()
    assert not mask.any() or valid.any()


def test_half_of_the_area_must_be_valid() -> None:
    depth = np.array([[2, 4, 6, 8], [2, 4, 6, 8]], np.float32)
    valid = np.array([[True, False, False, False], [False, True, False, True]])
    result, mask = resample(depth, valid, Kind.DEPTH, (2, 1))
    np.testing.assert_array_equal(mask, [[True, False]])
    np.testing.assert_array_equal(result, [[3, 0]])


def test_a_valid_value_that_is_no_number_does_not_spread() -> None:
    depth = np.array([[np.nan, 4.0], [4.0, 4.0], [np.nan, np.nan], [np.nan, 1.0]], np.float32)
    result, mask = resample(depth, np.ones((4, 2), np.bool_), Kind.DEPTH, (1, 2))
    np.testing.assert_array_equal(result, [[4], [0]])
    np.testing.assert_array_equal(mask, [[True], [False]])


def test_the_sky_stays_infinitely_far_and_does_not_make_the_ground_infinite() -> None:
    far = np.inf
    depth = np.array([[far, far, 5, 7, far, 7, far, 3], [far, far, 5, 7, 5, 0, far, 5]], np.float32)
    valid = depth != 0
    result, mask = resample(depth, valid, Kind.DEPTH, (4, 1))
    np.testing.assert_array_equal(result, [[far, 6, 6, far]])  # 1 far of 3 valid: near; 2 far of 4: far
    np.testing.assert_array_equal(mask, [[True] * 4])
    enlarged, mask = resample(depth, valid, Kind.DEPTH, (19, 5))
    assert mask is not None
    assert not np.isnan(enlarged).any()
    assert (enlarged[mask] >= 3).all()


def test_a_disparity_of_zero_is_infinitely_far_and_does_not_pull_the_ground_away() -> None:
    disparity = np.array([[0, 0, 5, 7, 0, 7, 0, 3], [0, 0, 5, 7, 5, 9, 0, 5]], np.float32)
    valid = disparity != 9
    result, mask = resample(disparity, valid, Kind.DISPARITY, (4, 1))
    np.testing.assert_array_equal(result, [[0, 3, 3, 0]])  # half the mean of what is near, or far
    np.testing.assert_array_equal(mask, [[True] * 4])
    enlarged, mask = resample(disparity, valid, Kind.DISPARITY, (16, 4))
    assert mask is not None
    near = enlarged[mask & (enlarged > 0)]
    assert near.size > 20
    assert near.min() >= 2 * 3
    assert (enlarged[mask] == 0).any()


def test_an_invalid_disparity_of_zero_is_not_far() -> None:
    disparity = np.array([[0, 0, 5, 0], [4, 4, 5, 5]], np.float32)
    result, mask = resample(disparity, disparity > 0, Kind.DISPARITY, (2, 1))
    np.testing.assert_array_equal(result, [[2, 2.5]])
    np.testing.assert_array_equal(mask, [[True, True]])
    result, mask = resample(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.bool_), Kind.DISPARITY, (1, 1))
    assert mask is not None
    assert not mask.any()
    assert not result.any()


def test_normals_keep_unit_length_and_opposite_ones_give_no_direction() -> None:
    normals = np.array([[[0, 0, 1], [0, 1, 0], [1, 0, 0], [-1, 0, 0]]], np.float32)
    result, mask = resample(normals, None, Kind.NORMALS, (2, 1))
    np.testing.assert_allclose(result, [[[0, 0.5**0.5, 0.5**0.5], [0, 0, 0]]], atol=1e-6)
    np.testing.assert_array_equal(mask, [[True, False]])


def test_an_image_averages_all_pixels_it_covers() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[0, 0] = 160  # the corner, at which a two by two kernel in the middle would not look
    result, mask = resample(image, None, Kind.IMAGE, (1, 1))
    np.testing.assert_array_equal(result, [[[10, 10, 10]]])
    assert mask is None


@pytest.mark.parametrize("method", [*METHODS, LabelMethod("paris", 0.75)], ids=lambda m: m.name)
def test_labels_never_mix_ids(method: LabelMethod) -> None:
    ids = np.random.default_rng(0).choice(np.array([0, 10, 255], np.uint8), (40, 60))
    for size in ((15, 10), (23, 7), (90, 61)):
        result, mask = resample(ids, None, Kind.LABEL, size, method)
        assert set(np.unique(result)) <= {0, 10, 255}
        assert mask is None


def test_the_label_method_is_obeyed() -> None:
    ids = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 2, 1], [1, 1, 1, 1]], np.uint8)
    assert resample(ids, None, Kind.LABEL, (1, 1))[0] == 1
    assert resample(ids, None, Kind.LABEL, (1, 1), LabelMethod("nearest"))[0] == 2
    assert resample(ids, None, Kind.LABEL, (1, 1), LabelMethod(threshold=0.95, void=9))[0] == 9


def test_instances_alone_know_no_void_of_labels() -> None:
    instances = np.array([[7, 7], [8, 9]], np.uint16)
    assert resample(instances, None, Kind.INSTANCE, (1, 1), LabelMethod(threshold=0.95))[0] == 7
    assert resample(instances, None, Kind.INSTANCE, (1, 1), LabelMethod("nearest"))[0] == 9


def test_what_is_coded_for_the_eye_keeps_its_size_or_is_refused() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    valid = colours[..., 0] > 128
    with pytest.raises(CodeRangeError, match="coded for the eye"):
        resample(colours, valid, Kind.CODED, (2, 2))
    result, mask = resample(colours, valid, Kind.CODED, (5, 4))
    assert mask is not None
    np.testing.assert_array_equal(result, colours)  # also where invalid: the colour may say so
    np.testing.assert_array_equal(mask, valid)
    assert not np.shares_memory(result, colours)
    assert not np.shares_memory(mask, valid)
    assert resample(colours, None, Kind.CODED, (5, 4))[1] is None


def test_empty_sizes_and_foreign_masks_are_refused() -> None:
    with pytest.raises(SizeMismatchError):
        resample(np.zeros((4, 4), np.uint8), None, Kind.LABEL, (0, 2))
    with pytest.raises(SizeMismatchError):
        resample(np.zeros((4, 4), np.float32), np.ones((4, 5), np.bool_), Kind.DEPTH, (2, 2))


def centroid(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[0 : weights.shape[0], 0 : weights.shape[1]]
    return np.array([(x * weights).sum() / weights.sum(), (y * weights).sum() / weights.sum()])


@pytest.mark.parametrize("size", [(40, 30), (80, 60), (20, 15), (320, 240), (64, 48), (53, 37), (160, 30), (200, 170)])
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_a_square_has_the_same_middle_in_every_column(size: tuple[int, int], method: LabelMethod) -> None:
    source = (160, 120)
    inside = np.zeros((source[1], source[0]), np.bool_)
    inside[32:88, 44:108] = True
    everywhere = np.ones_like(inside)
    middles = {
        "image": resample((inside * 200).astype(np.uint8), None, Kind.IMAGE, size)[0] / 200,
        "label": (resample(inside.astype(np.uint8), None, Kind.LABEL, size, method)[0] == 1).astype(float),
        "depth": resample(np.where(inside, 20, 0).astype(np.float32), everywhere, Kind.DEPTH, size)[0],
        "flow": resample(np.dstack([inside, inside]).astype(np.float32), everywhere, Kind.FLOW, size)[0][..., 0],
    }
    where = (scale_map(source, size) @ np.array([(44 + 107) / 2, (32 + 87) / 2, 1.0]))[:2]
    for column, weights in middles.items():
        # Ids jump by whole pixels: where the square's edges fall between target pixels, each may be half a pixel off.
        exact = column != "label" or (44 * size[0] % 160 == 108 * size[0] % 160 == 32 * size[1] % 120 == 0)
        np.testing.assert_allclose(centroid(weights), where, atol=0.1 if exact else 0.5, err_msg=column)
