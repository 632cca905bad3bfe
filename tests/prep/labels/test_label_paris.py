"""The method "paris" against PARIS's own, written plainly: one float64 plane per label, one cv2.resize of all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array
from segprep.prep.labels.resampling import LabelMethod, resize_labels
from support.properties import examples

SIDES = st.integers(1, 40)


def planes(ids: Array, void: int) -> tuple[Array, npt.NDArray[np.float64]]:
    labels = np.unique(ids)
    labels = labels[labels != void]
    return labels, np.stack([(ids == label).astype(np.float64) for label in labels], axis=2)


def strongest(volume: npt.NDArray[np.float64], labels: Array, size: tuple[int, int], method: LabelMethod) -> Array:
    resized = cv2.resize(volume, size, interpolation=cv2.INTER_LINEAR).reshape(size[1], size[0], len(labels))
    winners: Array = labels[resized.argmax(axis=2)]
    winners[resized.max(axis=2) < method.threshold] = method.void
    return winners


def published(ids: Array, size: tuple[int, int], method: LabelMethod) -> Array:
    if (ids == method.void).all():
        return np.full((size[1], size[0]), method.void, ids.dtype)
    labels, volume = planes(ids, method.void)
    return strongest(volume, labels, size, method)


@contextmanager
def without_ipp() -> Iterator[None]:
    """OpenCV's own arithmetic, also for the 1, 3 and 4 planes that it leaves to Intel's library on their processors."""
    used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(used)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, tuple[int, int], LabelMethod]:
    """Labels in patches, with void; sizes up and down, whole factors often."""
    width, height = draw(SIDES), draw(SIDES)
    to_width, to_height = draw(SIDES), draw(SIDES)
    factor = draw(st.sampled_from([1, 2, 3, 4, 8, None]))
    if factor is not None:
        to_width, to_height = max(width // factor, 1), max(height // factor, 1)
        if draw(st.booleans()):
            width, height = to_width * factor, to_height * factor
    top = draw(st.sampled_from([255, 65535]))
    labels = np.array([0, 1, 7, 8, 100, top - 1, top], np.min_scalar_type(top))[: draw(st.integers(1, 7))]
    patch = draw(st.sampled_from([1, 2, 5]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    ids = rng.choice(labels, (-(-height // patch), -(-width // patch))).repeat(patch, 0).repeat(patch, 1)
    threshold = draw(st.sampled_from([0.75, 0.75, 0.6, 0.9, 1, 0.5, 0.25, 0]))
    method = LabelMethod("paris", threshold, draw(st.sampled_from([0, 255, 65, int(labels[-1])])))
    return ids[:height, :width], (to_width, to_height), method


@given(case=cases())
@examples(400)
def test_it_equals_the_published_method(case: tuple[Array, tuple[int, int], LabelMethod]) -> None:
    with without_ipp():
        expected = published(*case)
    result = resize_labels(*case)
    assert result.dtype == case[0].dtype
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("size", [(1000, 5), (768, 5), (683, 5), (2731, 5), (1536, 7), (1999, 31)])
def test_it_equals_the_published_method_far_from_the_origin_where_coordinates_are_rounded(
    size: tuple[int, int],
) -> None:
    ids = np.random.default_rng(1).choice(np.array([0, 3, 4, 5, 6, 7, 8], np.uint8), (16, 1024)).repeat(2, axis=1)
    # The exact weights of many of these centres make a share of just the threshold.
    for threshold in (0.75, 0.625, 0.5625, 0.9):
        method = LabelMethod("paris", threshold, 0)
        np.testing.assert_array_equal(resize_labels(ids, size, method), published(ids, size, method))


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (1, 1)])
def test_rounded_weights_that_miss_one_miss_a_threshold_of_one(shape: tuple[int, int]) -> None:
    ids = np.full(shape, 3, np.uint8)
    for side in range(2, 60):
        size, method = (shape[1] * side, shape[0] * side), LabelMethod("paris", 1, 0)
        with without_ipp():
            np.testing.assert_array_equal(resize_labels(ids, size, method), published(ids, size, method))


def test_a_picture_of_noise_is_weighed_in_portions() -> None:
    ids = np.random.default_rng(1).integers(0, 6, (500, 700), dtype=np.uint8)
    method = LabelMethod("paris", 0.6, 0)
    np.testing.assert_array_equal(resize_labels(ids, (350, 250), method), published(ids, (350, 250), method))


@given(case=cases())
@examples(100)
def test_however_opencv_is_built_only_shares_at_the_threshold_can_differ(
    case: tuple[Array, tuple[int, int], LabelMethod],
) -> None:
    ids, size, method = case
    differ = resize_labels(*case) != published(*case)
    if not differ.any():
        return
    labels, volume = planes(ids, method.void)
    resized = cv2.resize(volume, size, interpolation=cv2.INTER_LINEAR).reshape(size[1], size[0], -1)
    ranked = np.sort(resized[differ], axis=1)[:, ::-1]
    at_threshold = np.abs(ranked[:, 0] - method.threshold) < 1e-4
    tied = (ranked[:, :1] - ranked[:, 1:] < 1e-4).any(axis=1)
    assert (at_threshold | tied).all()
    assert len(labels) in (1, 3, 4)
    assert ids.shape[1] % size[0] or ids.shape[0] % size[1]


@pytest.mark.parametrize("number", range(5))
def test_real_labels_equal_the_published_method(shared_data: Path, number: int) -> None:
    folder = shared_data / "cityscapes/gtFine/train/aachen"
    ids = read_image(folder / f"aachen_{number:06d}_000019_gtFine_labelIds.png")
    labels, volume = planes(ids, 0)
    for factor in (2, 3, 4, 8):
        size = (ids.shape[1] // factor, ids.shape[0] // factor)
        method = LabelMethod("paris", 0.75, 0)
        result = resize_labels(ids, size, method)
        np.testing.assert_array_equal(result, strongest(volume, labels, size, method))
        assert len(np.unique(result)) > 10


def test_it_looks_at_the_middle_of_a_cell_only() -> None:
    ids = np.full((4, 4), 8, np.uint8)
    ids[1:3, 1:3] = 7
    assert resize_labels(ids, (1, 1), LabelMethod("paris", 0.75, 0)) == 7
    assert resize_labels(ids, (1, 1), LabelMethod()) == 8


def test_void_is_no_competitor_but_takes_its_share_away() -> None:
    three, two = np.array([[0, 5], [5, 5]], np.uint8), np.array([[0, 0], [5, 5]], np.uint8)
    method = LabelMethod("paris", 0.75, 0)
    assert resize_labels(three, (1, 1), method) == 5
    assert resize_labels(two, (1, 1), method) == 0
    assert resize_labels(two, (1, 1), LabelMethod("paris", 0, 0)) == 5


def test_nothing_but_void_stays_void_and_without_a_threshold_becomes_the_first_label() -> None:
    void = np.zeros((4, 4), np.uint8)
    for threshold in (0, 0.75):
        assert not resize_labels(void, (2, 2), LabelMethod("paris", threshold, 0)).any()
    void[:, 2:] = 7
    np.testing.assert_array_equal(resize_labels(void, (2, 2), LabelMethod("paris", 0.75, 0)), [[0, 7], [0, 7]])
    np.testing.assert_array_equal(resize_labels(void, (2, 2), LabelMethod("paris", 0, 0)), [[7, 7], [7, 7]])


def test_more_labels_than_a_volume_could_have_planes_for() -> None:
    ids = np.arange(40 * 40, dtype=np.uint16).reshape(40, 40).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(resize_labels(ids, (40, 40), LabelMethod("paris", 0.75, 9999)), ids[::2, ::2])
