"""Label resampling against brute force."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array
from segprep.prep.labels import nearest, vote

SIDES = st.integers(1, 17)


def overlap(source_pixel: int, target_pixel: int, source: int, target: int) -> Fraction:
    ratio = Fraction(source, target)
    low, high = target_pixel * ratio, (target_pixel + 1) * ratio
    return max(Fraction(0), min(high, Fraction(source_pixel + 1)) - max(low, Fraction(source_pixel)))


def counted(ids: Array, size: tuple[int, int]) -> Array:
    """The majority of each cell by adding up exact areas, pixel by pixel."""
    height, width = ids.shape
    result = np.zeros((size[1], size[0]), ids.dtype)
    for y in range(size[1]):
        for x in range(size[0]):
            areas: dict[int, Fraction] = {}
            for j in range(height):
                for i in range(width):
                    area = overlap(j, y, height, size[1]) * overlap(i, x, width, size[0])
                    if area:
                        areas[int(ids[j, i])] = areas.get(int(ids[j, i]), Fraction(0)) + area
            result[y, x] = min(areas, key=lambda k: (-areas[k], k))
    return result


@given(
    data=st.data(),
    height=SIDES,
    width=SIDES,
    seed=st.integers(0, 999),
    pool=st.sampled_from([(0, 255), (0, 1, 2), (3, 7, 200, 255), (5,)]),
    wide=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_the_vote_equals_counting_exact_areas(
    data: st.DataObject, height: int, width: int, seed: int, pool: tuple[int, ...], wide: bool
) -> None:
    size = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    rng = np.random.default_rng(seed)
    ids: Array = rng.choice(np.array(pool), (height, width)).astype(np.uint8)
    if wide:
        ids = ids.astype(np.uint16) * 257
    voted = vote(ids, size)
    assert voted.dtype == ids.dtype
    np.testing.assert_array_equal(voted, counted(ids, size))


def test_ties_go_to_the_smallest_id_and_ignore_competes_like_any_other() -> None:
    ids = np.array([[9, 9, 255, 255], [4, 4, 255, 3]], np.uint8)
    np.testing.assert_array_equal(vote(ids, (2, 1)), [[4, 255]])


def test_a_pixel_shared_by_two_cells_counts_in_both_with_its_part() -> None:
    # 3 pixels to 2: each cell is one whole pixel and half of the middle one.
    np.testing.assert_array_equal(vote(np.array([[1, 2, 3]], np.uint8), (2, 1)), [[1, 3]])
    # 5 to 2: the half pixel of id 9 decides neither cell, 1 + 1 against 1.5 does.
    np.testing.assert_array_equal(vote(np.array([[9, 1, 1, 9, 9]], np.uint8), (2, 1)), [[1, 9]])


def test_thin_poles_win_only_with_the_majority() -> None:
    ids = np.zeros((8, 8), np.uint8)
    ids[:, 4:6] = 7
    np.testing.assert_array_equal(vote(ids, (2, 2)), [[0, 0], [0, 0]])  # half of the cell is a tie: the smaller id
    ids[:, 4:7] = 7
    np.testing.assert_array_equal(vote(ids, (2, 2)), [[0, 7], [0, 7]])


@given(data=st.data(), source=st.integers(1, 4000), target=st.integers(1, 4000))
@settings(max_examples=100, deadline=None)
def test_nearest_takes_the_pixel_that_holds_the_exact_centre(data: st.DataObject, source: int, target: int) -> None:
    taken = nearest(np.arange(source, dtype=np.uint16)[None], (target, 1))[0]
    place = data.draw(st.integers(0, target - 1))
    centre = (Fraction(place) + Fraction(1, 2)) * Fraction(source, target)
    assert taken[place] == centre.numerator // centre.denominator
    assert taken.max() < source


def test_nearest_by_whole_factors_takes_the_middle() -> None:
    ids = np.arange(8, dtype=np.uint8)[None]
    np.testing.assert_array_equal(nearest(ids, (2, 1)), [[2, 6]])
    np.testing.assert_array_equal(nearest(np.arange(9, dtype=np.uint8)[None], (3, 1)), [[1, 4, 7]])


@given(height=SIDES, width=SIDES, to_height=st.integers(17, 40), to_width=st.integers(17, 40), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_when_enlarging_the_vote_is_the_nearest(
    height: int, width: int, to_height: int, to_width: int, seed: int
) -> None:
    ids = np.random.default_rng(seed).integers(0, 5, (height, width), dtype=np.uint8)
    np.testing.assert_array_equal(vote(ids, (to_width, to_height)), nearest(ids, (to_width, to_height)))


def test_one_axis_may_grow_while_the_other_votes() -> None:
    ids = np.array([[1, 1, 2, 3, 3, 3]], np.uint8)
    np.testing.assert_array_equal(vote(ids, (2, 3)), [[1, 3]] * 3)


def test_the_same_size_changes_nothing_and_gives_a_copy() -> None:
    ids = np.arange(6, dtype=np.uint8).reshape(2, 3)
    for result in (vote(ids, (3, 2)), nearest(ids, (3, 2))):
        np.testing.assert_array_equal(result, ids)
        assert not np.shares_memory(result, ids)


def test_other_types_are_refused() -> None:
    with pytest.raises(CodeRangeError, match="uint8 or uint16"):
        vote(np.zeros((4, 4), np.float32), (2, 2))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_real_label_is_voted_as_counting_blocks_does(shared_data: Path, factor: int) -> None:
    ids = read_image(shared_data / "camvid/trainannot/0001TP_006720.png")
    height, width = ids.shape[0] // factor, ids.shape[1] // factor
    assert (height * factor, width * factor) == ids.shape
    blocks = ids.reshape(height, factor, width, factor).swapaxes(1, 2).reshape(height, width, -1)
    counts = np.stack([(blocks == i).sum(axis=2) for i in range(12)], axis=2)
    np.testing.assert_array_equal(vote(ids, (width, height)), counts.argmax(axis=2))
    assert (counts.max(axis=2) < factor**2).mean() > 0.02  # the picture does have mixed cells


def test_a_real_label_at_an_odd_size_is_voted_as_exact_areas_are(shared_data: Path) -> None:
    ids = read_image(shared_data / "camvid/trainannot/0001TP_006720.png")
    height, width = 113, 211

    def areas(source: int, target: int) -> np.typing.NDArray[np.int64]:
        low = np.maximum(np.arange(source) * target, (np.arange(target) * source)[:, None])
        high = np.minimum(np.arange(1, source + 1) * target, (np.arange(1, target + 1) * source)[:, None])
        clipped: np.typing.NDArray[np.int64] = np.maximum(high - low, 0)
        return clipped

    rows, columns = areas(ids.shape[0], height), areas(ids.shape[1], width)
    counts = np.stack([rows @ (ids == i) @ columns.T for i in range(12)], axis=2)
    np.testing.assert_array_equal(vote(ids, (width, height)), counts.argmax(axis=2))
