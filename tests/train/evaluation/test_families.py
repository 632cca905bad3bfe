"""Each family of numbers against its plain definition."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import KittiFlowCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.shards import ShardStore
from segprep.train.evaluation.boundary import BoundaryCounts, boundary_width
from segprep.train.evaluation.calibration import Calibration
from segprep.train.evaluation.confusion_picture import draw_confusion
from segprep.train.evaluation.distance import DistanceBands, Distances, check_bands
from segprep.train.evaluation.images import ImageCounts, class_names, images_csv, read_images
from segprep.train.evaluation.instances import InstanceCounts
from segprep.train.evaluation.metrics import ConfusionMatrix
from segprep.train.evaluation.only_classes import OnlyClasses
from segprep.train.evaluation.temporal import TemporalConsistency
from segprep.train.reading.reader import Reader
from support.scenes import make_scenes, write_store

_NAN = float("nan")


def _matrix(*rows: list[int]) -> ConfusionMatrix:
    found = ConfusionMatrix(len(rows))
    found.counts[:] = rows
    return found


def _maps(seed: int = 0, height: int = 40, width: int = 60) -> tuple[Array, Array]:
    """A label of blobs with some void, and a prediction that is the label moved by some pixels."""
    rng = np.random.default_rng(seed)
    blobs = cv2.GaussianBlur(rng.normal(size=(height, width, 4)).astype(np.float32), (0, 0), 4)
    label = blobs.argmax(2).astype(np.uint8)
    prediction = np.roll(label, (2, -3), (0, 1)) % 3
    label[rng.random(label.shape) < 0.01] = 255
    label[:5, :7] = 255
    return prediction, label


def test_what_comes_from_the_confusion_matrix_by_hand() -> None:
    """Class 2 is in no label; class 1 is never predicted."""
    matrix = _matrix([6, 0, 2], [4, 0, 0], [0, 0, 0])
    np.testing.assert_allclose(matrix.recall(), [6 / 8, 0, _NAN])
    np.testing.assert_allclose(matrix.precision(), [6 / 10, _NAN, 0])
    np.testing.assert_allclose(matrix.iou(), [6 / 12, 0, 0])
    assert matrix.mean_class_accuracy() == pytest.approx(3 / 8)
    assert matrix.frequency_weighted_iou() == pytest.approx(8 / 12 * 0.5)
    assert matrix.mean_iou([0, 1]) == pytest.approx(0.25)
    np.testing.assert_array_equal(matrix.grouped(np.array([0, 0, 1])).counts, [[10, 2], [0, 0]])
    nothing = ConfusionMatrix(2)
    for value in (nothing.frequency_weighted_iou(), nothing.mean_class_accuracy(), nothing.mean_iou([1])):
        assert np.isnan(value)


def test_boundary_iou_is_that_of_eroded_masks() -> None:
    prediction, label = _maps()
    assert (boundary_width(2048, 1024), boundary_width(60, 40), boundary_width(8, 8)) == (46, 1, 1)
    for size in (1, 4):
        prediction, label = (np.kron(each, np.ones((size, size), np.uint8)) for each in _maps())
        counts = BoundaryCounts(4)
        counts.update(prediction, label)
        guess = np.where(label == 255, 255, prediction)
        for c in range(4):
            bands = []
            for mask in (label == c, guess == c):
                padded = np.pad(mask.astype(np.uint8), 1)
                inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=boundary_width(60 * size, 40 * size))
                bands.append(mask & (inner[1:-1, 1:-1] == 0))
            union = (bands[0] | bands[1]).sum()
            expected = (bands[0] & bands[1]).sum() / union if union else _NAN
            np.testing.assert_allclose(counts.iou()[c], expected)
        assert counts.united.sum() > 0


def test_the_calibration_error_is_the_mean_gap_of_15_bins() -> None:
    prediction, label = _maps()
    confidence = np.random.default_rng(1).uniform(0.25, 1, label.shape).astype(np.float32)
    confidence[10] = 1.0
    calibration = Calibration()
    for rows in (slice(None, 17), slice(17, None)):
        calibration.update(prediction[rows], label[rows], confidence[rows])
    counted = label != 255
    right, sure = (prediction == label)[counted], confidence[counted]
    bins = np.clip(np.floor(sure * 15), 0, 14)
    expected = sum(
        (bins == b).mean() * abs(right[bins == b].mean() - sure[bins == b].mean())
        for b in range(15)
        if (bins == b).any()
    )
    assert calibration.error() == pytest.approx(expected, abs=1e-6)
    assert sum(each["pixels"] for each in calibration.to_json()) == counted.sum()
    assert np.isnan(Calibration().error())


def test_bands_of_distance_share_out_all_pixels() -> None:
    prediction, label = _maps()
    rng = np.random.default_rng(2)
    metres = rng.choice([5.0, 20.0, 39.0, 80.0, np.inf], label.shape).astype(np.float32)
    known = rng.random(label.shape) < 0.8
    bands = DistanceBands(4, (20.0, 40.0))
    bands.update(prediction, label, metres, known)
    total = ConfusionMatrix(4)
    total.update(prediction, label)
    np.testing.assert_array_equal(sum(m.counts for m in [*bands.matrices, bands.unknown]), total.counts)
    for matrix, chosen in zip(bands.matrices, (metres < 20, (metres >= 20) & (metres < 40), metres >= 40), strict=True):
        expected = ConfusionMatrix(4)
        expected.update(prediction, np.where(chosen & known, label, 255))
        np.testing.assert_array_equal(matrix.counts, expected.counts)
    near, both = bands.within()
    np.testing.assert_array_equal(both.counts, bands.matrices[0].counts + bands.matrices[1].counts)
    np.testing.assert_array_equal(near.counts, bands.matrices[0].counts)
    for wrong in ((), (0.0, 20.0), (40.0, 20.0), (20.0, 20.0), (_NAN,)):
        with pytest.raises(ConfigurationError, match="metres above 0 in rising order"):
            check_bands(wrong)


def test_depth_of_a_smaller_store_is_that_of_the_nearest_pixel(tmp_path: Path) -> None:
    columns = make_scenes(range(1))
    codes = np.full((1, 20, 28), 1000, np.uint16)  # 10 m
    codes[:, :, 14:], codes[:, :4] = 4500, 0  # 45 m; invalid
    store = ShardStore.open(write_store(tmp_path / "val.zarr", {**columns, "depth": codes}))
    assert Distances(ShardStore.open(write_store(tmp_path / "none.zarr", columns))).column is None
    bands, label = DistanceBands(3, (20.0, 60.0)), np.zeros((40, 56), np.uint8)
    bands.update(label, label, *Distances(store).metres(0))
    assert [m.pixels for m in bands.matrices] == [32 * 28, 32 * 28, 0]
    assert bands.unknown.pixels == 8 * 56


def test_small_instances_weigh_as_much_as_large_ones() -> None:
    """A car of 8 pixels, half found, one of 2, missed; a person of 3, found as another class of its category."""
    label = np.array([[0] * 10, [1] * 8 + [0, 0], [1, 1, 2, 2, 2, 255, 0, 0, 0, 0]], np.uint8)
    instance = np.array([[0] * 10, [7] * 8 + [0, 0], [9, 9, 4, 4, 4, 4, 0, 0, 0, 0]])
    prediction = np.array([[0] * 9 + [1], [1] * 4 + [0] * 6, [0, 0, 1, 1, 1, 1, 0, 0, 0, 0]], np.uint8)
    counts = InstanceCounts(3, np.array([0, 1, 1]))
    counts.update(prediction, label, instance)
    matrix = ConfusionMatrix(3)
    matrix.update(prediction, label)
    sizes = counts.sizes(("road", "car", "person"), {})
    np.testing.assert_allclose(sizes, [_NAN, 5, 3])
    # Weighted, both cars have 5 pixels: 2.5 are found and 7.5 missed; 4 pixels are called cars wrongly.
    np.testing.assert_allclose(counts.iou(matrix, sizes)[1:], [2.5 / (10 + 4), 0])
    np.testing.assert_allclose(counts.group_iou(matrix, sizes), [_NAN, (2.5 + 3) / (10 + 3 + 1)])
    np.testing.assert_allclose(counts.sizes(("road", "car", "person"), {"car": 8.0, "person": 2.0}), [_NAN, 8, 2])
    np.testing.assert_allclose(counts.sizes(("road", "car", "person"), {"car": 8.0}), [_NAN, 5, 3])


def test_an_instance_has_the_class_of_most_of_its_pixels() -> None:
    label, instance = np.array([[1, 1, 1, 2]], np.uint8), np.array([[5, 5, 5, 5]])
    counts = InstanceCounts(3)
    counts.update(label, label, instance)
    assert (counts.count.tolist(), counts.pixels.tolist(), counts.right.tolist()) == ([0, 1, 0], [0, 3, 0], [0, 1, 0])


def _drive(tmp_path: Path, frames: int, valid_to: int = 28) -> ShardStore:
    """Everything moves 3 pixels to the right from frame to frame, so flow to the previous one is (-3, 0)."""
    columns = make_scenes(range(frames))
    uv_HW2 = np.broadcast_to(np.array([-3.0, 0.0], np.float32), (20, 28, 2))
    valid = np.broadcast_to(np.arange(28) < valid_to, (20, 28))
    stored = KittiFlowCode().encode(uv_HW2, valid).stored
    columns["optical_flow"] = np.repeat(stored[None], frames, 0)
    columns["optical_flow_valid"] = np.repeat(valid[None], frames, 0)
    return ShardStore.open(write_store(tmp_path / f"drive{valid_to}.zarr", columns))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1)])
def test_predictions_that_move_with_the_flow_are_consistent(tmp_path: Path, order: tuple[int, ...]) -> None:
    store = _drive(tmp_path, 4)
    first = np.random.default_rng(0).integers(0, 3, (20, 28)).astype(np.uint8)
    moved = [np.roll(first, 3 * i, 1) for i in range(4)]
    temporal = TemporalConsistency(store, range(4), 3)
    assert temporal.pairs == 3
    for row in order:
        temporal.update(row, moved[row])
    assert temporal.matrix.pixels == 3 * 20 * 25
    assert temporal.matrix.pixel_accuracy() == temporal.matrix.mean_iou() == 1
    flickering = TemporalConsistency(store, range(4), 3)
    for row in order:
        flickering.update(row, (moved[row] + (row == 2)).astype(np.uint8) % 3)
    assert flickering.matrix.pixel_accuracy() == pytest.approx(1 / 3)
    assert TemporalConsistency(store, [0, 2], 3).pairs == 0


def test_flow_that_is_not_valid_says_nothing_of_consistency(tmp_path: Path) -> None:
    temporal = TemporalConsistency(_drive(tmp_path, 2, valid_to=10), range(2), 3)
    for row in range(2):
        temporal.update(row, np.zeros((20, 28), np.uint8))
    assert temporal.matrix.pixels == 20 * 7
    without = ShardStore.open(write_store(tmp_path / "none.zarr", make_scenes(range(2))))
    assert TemporalConsistency(without, range(2), 3).pairs == 0


def test_only_some_classes_are_judged_also_by_their_motion(tmp_path: Path) -> None:
    columns = make_scenes(range(1))
    columns["motion_label"] = np.zeros_like(columns["label"])
    store = ShardStore.open(write_store(tmp_path / "val.zarr", columns))
    label_HW = columns["label"][0]
    own = OnlyClasses(Reader(store, ["image"]), ["sky", "car"])
    assert own.ids == (1, 2)
    np.testing.assert_array_equal(own.applied(0, label_HW), np.where(np.isin(label_HW, [1, 2]), label_HW, 255))
    moving = OnlyClasses(Reader(store, ["image"], "motion_label"), ["car"])
    assert moving.ids is None
    np.testing.assert_array_equal(moving.applied(0, columns["motion_label"][0]), np.where(label_HW == 1, 0, 255))
    with pytest.raises(ConfigurationError, match=r"no class 'cat' .*Did you mean 'car'"):
        OnlyClasses(Reader(store, ["image"]), ["cat"])


def test_the_table_of_images_has_the_worst_first_and_is_read_back(tmp_path: Path) -> None:
    names = ("road", "car", "sky, blue")
    images, total = [], ConfusionMatrix(3)
    for number, wrong in enumerate((3, 0, 20, 60)):
        matrix = ConfusionMatrix(3)
        label = np.array([0] * 30 + [1] * 30, np.uint8) if number < 3 else np.full(60, 255, np.uint8)
        prediction = label.copy() % 3
        prediction[:wrong] = 2
        matrix.update(prediction, label)
        total.merge(matrix)
        images.append(ImageCounts.of(SampleKey(f"s{number}"), matrix))
    path = tmp_path / "images.csv"
    path.write_text(images_csv(images, names, (0, 1, 2)))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["key"] for row in rows] == ["s2", "s0", "s1", "s3"]
    assert rows[0]["worst_class"] == "sky, blue"
    assert float(rows[0]["mean_iou"]) == pytest.approx((10 / 30 + 1 + 0) / 3, abs=1e-6)
    assert (rows[2]["mean_iou"], rows[3]["mean_iou"]) == ("1.000000", "")
    found = read_images(path, class_names(path))
    assert class_names(path) == names
    np.testing.assert_array_equal(
        sum(found.values()), [np.diag(total.counts), total.counts.sum(1), total.counts.sum(0)]
    )


def test_the_picture_of_the_matrix_is_dark_where_the_share_is_large(classes: ClassMap) -> None:
    right = draw_confusion(_matrix([9, 0, 0], [0, 9, 0], [0, 0, 9]), classes.names, "right")
    wrong = draw_confusion(_matrix([0, 9, 0], [0, 9, 0], [0, 0, 0]), classes.names, "wrong")
    assert right.shape == wrong.shape
    assert right.dtype == np.uint8
    assert (right != wrong).any()
