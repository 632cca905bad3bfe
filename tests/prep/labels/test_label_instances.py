"""Instances follow the labels that win, against brute force."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.imageio import read_image
from segprep.datasets.sample import Array
from segprep.prep.labels.resampling import LabelMethod, nearest, resize_instances, resize_labels
from support.properties import examples

SIDES = st.integers(1, 14)
METHODS = st.sampled_from(
    [
        LabelMethod(),
        LabelMethod(threshold=0.6, void=255),
        LabelMethod(threshold=1, void=0),
        LabelMethod("priority", priority=(2, 1), share=0.2),
    ]
)


def areas(source: int, target: int) -> npt.NDArray[np.int64]:
    """How much of each source pixel (column) a target pixel (row) covers, in 1/target-ths."""
    low = np.maximum(np.arange(source) * target, (np.arange(target) * source)[:, None])
    high = np.minimum(np.arange(1, source + 1) * target, (np.arange(1, target + 1) * source)[:, None])
    clipped: npt.NDArray[np.int64] = np.maximum(high - low, 0)
    return clipped


def counted(instances: Array, labels: Array, winners: Array) -> Array:
    result = np.zeros(winners.shape, instances.dtype)
    rows, columns = areas(labels.shape[0], winners.shape[0]), areas(labels.shape[1], winners.shape[1])
    for y, x in np.ndindex(winners.shape):
        weights = np.outer(rows[y], columns[x]) * (labels == winners[y, x])
        if weights.any():
            result[y, x] = np.bincount(instances.ravel(), weights.ravel()).argmax()
    return result


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Array, Array]:
    """Instances and labels, in patches whose borders differ or at random."""
    height, width = draw(SIDES), draw(SIDES)
    rng = np.random.default_rng(draw(st.integers(0, 999)))

    def patches(values: Array, side: int) -> Array:
        ids = rng.choice(values, (-(-height // side), -(-width // side))).repeat(side, 0).repeat(side, 1)
        return np.asarray(ids[:height, :width])

    instance_ids = np.array([0, 1, 2, 26001, 26002], np.uint16)
    return (
        patches(instance_ids, draw(st.sampled_from([1, 2, 3]))),
        patches(np.array([0, 1, 2, 255], draw(st.sampled_from([np.uint8, np.uint16]))), draw(st.sampled_from([1, 3]))),
    )


@given(scene=scenes(), method=METHODS, data=st.data())
@examples(200)
def test_each_pixel_has_the_instance_that_covers_most_of_its_label(
    scene: tuple[Array, Array], method: LabelMethod, data: st.DataObject
) -> None:
    instances, labels = scene
    size = data.draw(st.integers(1, labels.shape[1])), data.draw(st.integers(1, labels.shape[0]))
    result = resize_instances(instances, labels, size, method)
    assert result.dtype == instances.dtype
    np.testing.assert_array_equal(result, counted(instances, labels, resize_labels(labels, size, method)))


@given(scene=scenes(), threshold=st.sampled_from([0, 0.5, 0.75, 1]), to_width=SIDES, to_height=SIDES)
@examples(150)
def test_with_paris_the_pixels_that_it_looks_at_are_weighed(
    scene: tuple[Array, Array], threshold: float, to_width: int, to_height: int
) -> None:
    instances, labels = scene
    method = LabelMethod("paris", threshold, void=0)
    winners = resize_labels(labels, (to_width, to_height), method)
    result = resize_instances(instances, labels, (to_width, to_height), method)
    ids = np.unique(instances)
    for label in np.unique(labels):
        planes = np.dstack([((labels == label) & (instances == i)).astype(np.float64) for i in ids] + [labels * 0.0])
        shares = cv2.resize(planes, (to_width, to_height)).reshape(to_height, to_width, -1)[..., :-1]
        ranked = np.sort(np.dstack([shares, np.zeros(winners.shape)]), axis=2)
        there = winners == label
        # Sums in another order may tie differently; weights of a half are exact.
        halves = (2 * to_width, 2 * to_height) == labels.shape[::-1]
        clear = (ranked[..., -1] - ranked[..., -2] > 1e-9) | ~shares.any(axis=2) | halves
        expected = np.where(shares.any(axis=2), ids[shares.argmax(axis=2)], 0)
        np.testing.assert_array_equal(result[there & clear], expected[there & clear])
    assert (result[~np.isin(winners, labels)] == 0).all()


def test_a_car_beside_a_wall_keeps_its_number_where_the_wall_covers_more_than_each_car() -> None:
    # Labels: 7 of 16 wall, 9 of 16 car; two cars of 5 and 4. Alone, the wall's 0 would win.
    labels = np.array([1] * 7 + [2] * 9, np.uint8).reshape(4, 4)
    instances = np.array([0] * 7 + [31] * 4 + [32] * 5, np.uint16).reshape(4, 4)
    assert resize_labels(labels, (1, 1), LabelMethod()) == 2
    assert resize_instances(instances, labels, (1, 1), LabelMethod()) == 32
    assert resize_instances(instances, None, (1, 1), LabelMethod()) == 0


def test_equally_heavy_instances_tie_to_the_smallest() -> None:
    labels = np.ones((2, 2), np.uint8)
    instances = np.array([[9, 9], [4, 4]], np.uint16)
    for method in (LabelMethod(), LabelMethod("paris", 0.75, 0)):
        assert resize_instances(instances, labels, (1, 1), method) == 4


@pytest.mark.parametrize("name", ["vote", "paris"])
def test_void_by_threshold_has_no_instance_unless_void_was_there(name: str) -> None:
    instances = np.full((2, 4), 5, np.uint16)
    labels = np.array([[1, 2, 1, 1], [1, 2, 2, 9]], np.uint8)
    method = LabelMethod("paris" if name == "paris" else "vote", 0.75, void=9)
    np.testing.assert_array_equal(resize_labels(labels, (2, 1), method), [[9, 9]])
    np.testing.assert_array_equal(resize_instances(instances, labels, (2, 1), method), [[0, 5]])


def test_with_nearest_label_and_instance_come_from_the_same_pixel() -> None:
    places = np.arange(35, dtype=np.uint16).reshape(5, 7)
    method = LabelMethod("nearest")
    for size in ((3, 2), (20, 3), (7, 5)):
        expected = nearest(places, size)
        np.testing.assert_array_equal(resize_instances(places, places + 1, size, method), expected)
        np.testing.assert_array_equal(resize_instances(places, None, size, method), expected)


def test_along_axes_that_grow_the_nearest_cell_is_taken() -> None:
    labels = np.array([[1, 1, 2, 2, 2, 2]], np.uint8)
    instances = np.array([[3, 4, 0, 0, 8, 8]], np.uint16)
    np.testing.assert_array_equal(resize_instances(instances, labels, (2, 3), LabelMethod()), [[3, 8]] * 3)


@pytest.mark.parametrize("name", ["vote", "nearest", "paris"])
def test_the_same_size_changes_nothing_and_gives_a_copy(name: str) -> None:
    method = {"vote": LabelMethod(), "nearest": LabelMethod("nearest"), "paris": LabelMethod("paris", 0.75, 0)}[name]
    instances = np.arange(6, dtype=np.uint16).reshape(2, 3)
    result = resize_instances(instances, np.ones((2, 3), np.uint8), (3, 2), method)
    np.testing.assert_array_equal(result, instances)
    assert not np.shares_memory(result, instances)


def test_alone_instances_are_voted_on_without_the_threshold_of_the_labels() -> None:
    instances = np.array([[7, 7], [8, 9]], np.uint16)
    for method in (LabelMethod(threshold=1), LabelMethod("paris", 0.75), LabelMethod("priority", (0), 255, (9,), 0.2)):
        assert resize_instances(instances, None, (1, 1), method) == 7


def test_what_does_not_fit_is_refused() -> None:
    instances = np.zeros((4, 4), np.uint16)
    with pytest.raises(SizeMismatchError, match=r"labels are \(4, 5\), their instances \(4, 4\)"):
        resize_instances(instances, np.zeros((4, 5), np.uint8), (2, 2), LabelMethod())
    with pytest.raises(CodeRangeError, match="float64"):
        resize_instances(instances, np.zeros((4, 4)), (2, 2), LabelMethod())
    with pytest.raises(CodeRangeError, match="int64"):
        resize_instances(instances.astype(np.int64), None, (2, 2), LabelMethod())
    with pytest.raises(SizeMismatchError, match="cannot become 2x0"):
        resize_instances(instances, None, (2, 0), LabelMethod())


@pytest.mark.parametrize("method", [LabelMethod(), LabelMethod("paris", 0.75, 0)], ids=lambda m: m.name)
def test_real_instances_keep_the_class_that_their_labels_show(shared_data: Path, method: LabelMethod) -> None:
    # Cityscapes numbers instances class * 1000 + n and gives the rest the class itself.
    folder = shared_data / "cityscapes/gtFine/train/aachen"
    labels, instances = (read_image(folder / f"aachen_000001_000019_gtFine_{n}Ids.png") for n in ("label", "instance"))
    for size in ((512, 256), (768, 384)):
        winners = resize_labels(labels, size, method)
        result = resize_instances(instances.astype(np.uint16), labels, size, method)
        of_class = np.where(result < 1000, result, result // 1000)
        unheld = (winners == 0) & (result == 0)
        np.testing.assert_array_equal(of_class[~unheld], winners[~unheld])
        assert len(np.unique(result)) > 20
