"""Label resampling by vote, priority and nearest, against brute force."""

from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array
from segprep.flow.grid import resize_values
from segprep.prep.labels.resampling import LabelMethod, nearest, resize_labels
from support.properties import examples

VOTE = LabelMethod()
NEAREST = LabelMethod("nearest")
SIDES = st.integers(1, 17)
SEEDS = st.integers(0, 99)
IDS: st.SearchStrategy[Array] = st.sampled_from(
    [np.array([0, 1, 255], np.uint8), np.arange(250, 256, dtype=np.uint8), np.array([3, 65535, 256], np.uint16)]
)


def covered(target_pixel: int, source: int, target: int) -> dict[int, Fraction]:
    """The exact length of each source pixel that a target pixel of an axis covers."""
    low, high = target_pixel * Fraction(source, target), (target_pixel + 1) * Fraction(source, target)
    return {i: min(high, Fraction(i + 1)) - max(low, Fraction(i)) for i in range(floor(low), ceil(high))}


def shares(ids: Array, x: int, y: int, size: tuple[int, int]) -> dict[int, Fraction]:
    """The exact share of each id in what a target pixel covers, added up pixel by pixel."""
    height, width = ids.shape
    areas: dict[int, Fraction] = {}
    for j, down in covered(y, height, size[1]).items():
        for i, across in covered(x, width, size[0]).items():
            areas[int(ids[j, i])] = areas.get(int(ids[j, i]), Fraction(0)) + down * across
    return {id_: area / sum(areas.values()) for id_, area in areas.items()}


def counted(ids: Array, size: tuple[int, int], method: LabelMethod) -> Array:
    result = np.zeros((size[1], size[0]), ids.dtype)
    for y in range(size[1]):
        for x in range(size[0]):
            held = shares(ids, x, y, size)
            winner = min(held, key=lambda k: (-held[k], k))
            if held[winner] < Fraction(str(method.threshold)):
                winner = method.void
            for id_ in reversed(method.priority):
                if held.get(id_, 0) >= Fraction(str(method.share)):
                    winner = id_
            result[y, x] = winner
    return result


@st.composite
def shrinking(draw: st.DrawFn) -> tuple[Array, tuple[int, int]]:
    """Ids in patches or at random, and a size that is nowhere larger."""
    height, width = draw(SIDES), draw(SIDES)
    rng = np.random.default_rng(draw(SEEDS))
    patch = draw(st.sampled_from([1, 3]))
    ids = rng.choice(draw(IDS), (-(-height // patch), -(-width // patch))).repeat(patch, 0).repeat(patch, 1)
    return ids[:height, :width], (draw(st.integers(1, width)), draw(st.integers(1, height)))


@given(
    case=shrinking(), threshold=st.sampled_from([0, 0.1, 0.5, 0.6, 0.75, 2 / 3, 1]), void=st.sampled_from([0, 9, 255])
)
@examples(100)
def test_the_vote_equals_a_count_of_exact_areas(
    case: tuple[Array, tuple[int, int]], threshold: float, void: int
) -> None:
    ids, size = case
    method = LabelMethod(threshold=threshold, void=void)
    voted = resize_labels(ids, size, method)
    assert voted.dtype == ids.dtype
    np.testing.assert_array_equal(voted, counted(ids, size, method))


@given(case=shrinking(), share=st.sampled_from([0.1, 0.25, 0.5, 1]), order=st.permutations([0, 255, 252, 3]))
@examples(60)
def test_priority_equals_a_count_of_exact_areas(
    case: tuple[Array, tuple[int, int]], share: float, order: list[int]
) -> None:
    method = LabelMethod("priority", priority=tuple(order[:3]), share=share)
    np.testing.assert_array_equal(resize_labels(*case, method), counted(*case, method))


def test_ties_go_to_the_smallest_id_and_ignore_competes_like_any_other() -> None:
    ids = np.array([[9, 9, 255, 255], [4, 4, 255, 3]], np.uint8)
    np.testing.assert_array_equal(resize_labels(ids, (2, 1), VOTE), [[4, 255]])


def test_a_pixel_shared_by_two_cells_counts_in_both_with_its_part() -> None:
    # 3 pixels to 2: each cell is one whole pixel and half of the middle one.
    np.testing.assert_array_equal(resize_labels(np.array([[1, 2, 3]], np.uint8), (2, 1), VOTE), [[1, 3]])
    # 5 to 2: the half pixel of id 9 decides neither cell, 1 + 1 against 1.5 does.
    np.testing.assert_array_equal(resize_labels(np.array([[9, 1, 1, 9, 9]], np.uint8), (2, 1), VOTE), [[1, 9]])


def test_thin_poles_win_only_with_the_majority_or_with_priority() -> None:
    ids = np.zeros((8, 8), np.uint8)
    ids[:, 4:6] = 7
    np.testing.assert_array_equal(resize_labels(ids, (2, 2), VOTE), [[0, 0], [0, 0]])  # a tie: the smaller id
    thin = LabelMethod("priority", priority=(7,), share=0.5)
    np.testing.assert_array_equal(resize_labels(ids, (2, 2), thin), [[0, 7], [0, 7]])
    ids[:, 4:7] = 7
    np.testing.assert_array_equal(resize_labels(ids, (2, 2), VOTE), [[0, 7], [0, 7]])


def test_the_stronger_priority_wins_where_both_have_their_share() -> None:
    ids = np.array([[1, 1, 2, 3]], np.uint8)
    for order, winner in (((2, 3), 2), ((3, 2), 3), ((5, 3), 3), ((5, 6), 1)):
        assert resize_labels(ids, (1, 1), LabelMethod("priority", priority=order, share=0.25)) == winner
    assert resize_labels(ids, (1, 1), LabelMethod("priority", priority=(3,), share=0.26)) == 1


@pytest.mark.parametrize(("side", "held", "threshold"), [(2, 3, 0.75), (5, 15, 0.6), (10, 70, 0.7), (10, 55, 0.55)])
def test_a_share_of_exactly_the_threshold_keeps_the_winner(side: int, held: int, threshold: float) -> None:
    ids = np.arange(200, 200 + side**2, dtype=np.uint16)
    ids[:held] = 7
    method = LabelMethod(threshold=threshold, void=255)
    assert resize_labels(ids.reshape(side, side), (1, 1), method) == 7
    ids[0] = 199
    assert resize_labels(ids.reshape(side, side), (1, 1), method) == 255


def test_void_takes_part_in_the_vote() -> None:
    ids = np.array([[255, 255, 3, 4], [255, 255, 3, 255]], np.uint8)
    np.testing.assert_array_equal(resize_labels(ids, (2, 1), LabelMethod(threshold=0.5)), [[255, 3]])


def test_a_picture_of_noise_is_counted_in_portions() -> None:
    ids = np.random.default_rng(1).integers(0, 6, (600, 1200), dtype=np.uint8)
    blocks = ids.reshape(150, 4, 300, 4).swapaxes(1, 2).reshape(150, 300, 16)
    counts = np.stack([(blocks == i).sum(axis=2) for i in range(6)], axis=2)
    np.testing.assert_array_equal(resize_labels(ids, (300, 150), VOTE), counts.argmax(axis=2))
    kept = counts.max(axis=2) >= 6
    voted = resize_labels(ids, (300, 150), LabelMethod(threshold=6 / 16))
    np.testing.assert_array_equal(voted, np.where(kept, counts.argmax(axis=2), 255))


@pytest.mark.parametrize("share", [0, 0.3])
def test_cells_of_thousands_of_pixels_and_ids_are_counted_right(share: float) -> None:
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 400, (150, 130), dtype=np.uint16)
    ids[:80, :70] = np.where(rng.random((80, 70)) < 0.4, 31, ids[:80, :70])
    method = LabelMethod("priority", priority=(31,), share=share) if share else VOTE
    voted = resize_labels(ids, (2, 2), method)
    for y, x in np.ndindex(2, 2):
        block = ids[y * 75 : (y + 1) * 75, x * 65 : (x + 1) * 65]
        assert voted[y, x] == np.bincount(block.ravel()).argmax()
    assert voted[0, 0] == 31


@given(data=st.data(), source=st.integers(1, 4000), target=st.integers(1, 4000))
@examples(100)
def test_nearest_takes_the_pixel_that_holds_the_exact_centre(data: st.DataObject, source: int, target: int) -> None:
    taken = nearest(np.arange(source, dtype=np.uint16)[None], (target, 1))[0]
    place = data.draw(st.integers(0, target - 1))
    centre = (Fraction(place) + Fraction(1, 2)) * Fraction(source, target)
    assert taken[place] == centre.numerator // centre.denominator
    assert taken.max() < source


def test_nearest_by_whole_factors_takes_the_middle() -> None:
    ids = np.arange(8, dtype=np.uint8)[None]
    np.testing.assert_array_equal(resize_labels(ids, (2, 1), NEAREST), [[2, 6]])
    np.testing.assert_array_equal(resize_labels(np.arange(9, dtype=np.uint8)[None], (3, 1), NEAREST), [[1, 4, 7]])


@given(height=SIDES, width=SIDES, to_height=st.integers(17, 40), to_width=st.integers(17, 40), seed=SEEDS)
@examples(30)
def test_when_enlarging_nothing_is_voted_on(height: int, width: int, to_height: int, to_width: int, seed: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 5, (height, width), dtype=np.uint8)
    expected = nearest(ids, (to_width, to_height))
    for method in (VOTE, LabelMethod(threshold=1), LabelMethod("priority", priority=(3,), share=0.1)):
        np.testing.assert_array_equal(resize_labels(ids, (to_width, to_height), method), expected)


def test_one_axis_may_grow_while_the_other_votes() -> None:
    ids = np.array([[1, 1, 2, 3, 3, 3]], np.uint8)
    np.testing.assert_array_equal(resize_labels(ids, (2, 3), VOTE), [[1, 3]] * 3)
    np.testing.assert_array_equal(resize_labels(ids, (2, 3), LabelMethod(threshold=0.7)), [[255, 3]] * 3)


METHODS = [
    VOTE,
    NEAREST,
    LabelMethod(threshold=1, void=0),
    LabelMethod("priority", priority=(1,), share=0.5),
    LabelMethod("paris", 0.75, void=9),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_the_same_size_changes_nothing_and_gives_a_copy(method: LabelMethod) -> None:
    ids = np.arange(6, dtype=np.uint8).reshape(2, 3)
    result = resize_labels(ids, (3, 2), method)
    np.testing.assert_array_equal(result, ids)
    assert not np.shares_memory(result, ids)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_the_input_stays_as_it_is_and_may_be_a_view(method: LabelMethod) -> None:
    ids = np.random.default_rng(0).integers(0, 4, (30, 40), dtype=np.uint8)
    ids.flags.writeable = False
    view = ids[::2, ::-2]
    np.testing.assert_array_equal(resize_labels(view, (7, 5), method), resize_labels(view.copy(), (7, 5), method))


def test_what_cannot_be_resampled_is_refused() -> None:
    ids = np.zeros((4, 4), np.uint8)
    with pytest.raises(CodeRangeError, match="uint8 or uint16"):
        resize_labels(ids.astype(np.float32), (2, 2), VOTE)
    with pytest.raises(CodeRangeError, match="one plane"):
        resize_labels(np.zeros((4, 4, 3), np.uint8), (2, 2), VOTE)
    with pytest.raises(SizeMismatchError, match="4x4 ids cannot become 0x2"):
        resize_labels(ids, (0, 2), VOTE)
    with pytest.raises(SizeMismatchError):
        resize_labels(ids[:0], (2, 2), NEAREST)
    for method in (
        LabelMethod(threshold=0.5, void=256),
        LabelMethod("paris", void=256),
        LabelMethod("priority", priority=(3, 256), share=0.5),
    ):
        with pytest.raises(CodeRangeError, match=f"method {method.name} names id 256, too large for uint8"):
            resize_labels(ids, (2, 2), method)
        assert resize_labels(ids.astype(np.uint16), (2, 2), method).dtype == np.uint16


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_real_label_is_voted_as_counting_blocks_does(shared_data: Path, factor: int) -> None:
    ids = read_image(shared_data / "camvid/trainannot/0001TP_006720.png")
    height, width = ids.shape[0] // factor, ids.shape[1] // factor
    assert (height * factor, width * factor) == ids.shape
    blocks = ids.reshape(height, factor, width, factor).swapaxes(1, 2).reshape(height, width, -1)
    counts = np.stack([(blocks == i).sum(axis=2) for i in range(12)], axis=2)
    np.testing.assert_array_equal(resize_labels(ids, (width, height), VOTE), counts.argmax(axis=2))
    assert (counts.max(axis=2) < factor**2).mean() > 0.02  # the picture does have mixed cells


def test_a_real_label_at_an_odd_size_is_voted_as_exact_areas_are(shared_data: Path) -> None:
    ids = read_image(shared_data / "camvid/trainannot/0001TP_006720.png")
    height, width = 113, 211

    def areas(source: int, target: int) -> npt.NDArray[np.int64]:
        low = np.maximum(np.arange(source) * target, (np.arange(target) * source)[:, None])
        high = np.minimum(np.arange(1, source + 1) * target, (np.arange(1, target + 1) * source)[:, None])
        clipped: npt.NDArray[np.int64] = np.maximum(high - low, 0)
        return clipped

    rows, columns = areas(ids.shape[0], height), areas(ids.shape[1], width)
    counts = np.stack([rows @ (ids == i) @ columns.T for i in range(12)], axis=2)
    np.testing.assert_array_equal(resize_labels(ids, (width, height), VOTE), counts.argmax(axis=2))
    kept = counts.max(axis=2) * 5 >= 3 * ids.size
    expected = np.where(kept, counts.argmax(axis=2), 255)
    np.testing.assert_array_equal(resize_labels(ids, (width, height), LabelMethod(threshold=0.6)), expected)
    assert 0 < (~kept).mean() < 0.1


def centroid(weights: Array) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[0 : weights.shape[0], 0 : weights.shape[1]]
    return np.array([(x * weights).sum() / weights.sum(), (y * weights).sum() / weights.sum()])


def beyond_centre(source: int, target: int) -> float:
    """How far, in target pixels, the nearest lie beyond the exact centres: half a source pixel for even factors."""
    taken = nearest(np.arange(source, dtype=np.uint16)[None], (target, 1))[0]
    return float(np.mean((taken + 0.5) * target / source - (np.arange(target) + 0.5)))


@pytest.mark.parametrize(
    "size", [(240, 180), (160, 120), (120, 90), (60, 45), (192, 144), (321, 213), (97, 61), (600, 99), (960, 720)]
)
@pytest.mark.parametrize(
    "method",
    [VOTE, NEAREST, LabelMethod(threshold=0.6), LabelMethod("priority", priority=(1,), share=0.25)],
    ids=lambda m: f"{m.name}-{m.threshold}",
)
@pytest.mark.parametrize("turn", [0.3, 0.5])
def test_a_square_stays_where_the_averaged_image_has_it(
    size: tuple[int, int], method: LabelMethod, turn: float
) -> None:
    # Turned, because edges along the grid snap to it: what a label can show of them is up to half a pixel off.
    y, x = np.mgrid[0:360, 0:480] - np.array([165, 211])[:, None, None]
    right, down = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    inside = (np.abs(right) < 105) & (np.abs(down) < 105)
    labels = resize_labels(inside.astype(np.uint8), size, method)
    where = centroid(resize_values(inside.astype(np.float64), size))
    # What lies beyond the centre is shown at the centre: the square seems nearer to the origin.
    where -= [
        beyond_centre(source, target) if method is NEAREST or target > source else 0.0
        for source, target in zip((480, 360), size, strict=True)
    ]
    np.testing.assert_allclose(centroid(labels == 1), where, atol=0.1)


@pytest.mark.parametrize("size", [(240, 180), (160, 120), (120, 90), (60, 45), (192, 144), (288, 216), (960, 720)])
@pytest.mark.parametrize(
    "method", [VOTE, NEAREST, LabelMethod("priority", priority=(1,), share=0.25)], ids=lambda m: m.name
)
def test_a_square_on_the_grid_of_the_result_has_exactly_the_same_middle(
    size: tuple[int, int], method: LabelMethod
) -> None:
    inside = np.zeros((360, 480), np.uint8)
    inside[120:240, 120:360] = 1
    image = resize_values(inside.astype(np.float64), size)
    labels = resize_labels(inside, size, method)
    np.testing.assert_allclose(centroid(labels == 1), centroid(image), atol=1e-6)
