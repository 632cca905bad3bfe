import csv
import dataclasses
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segprep.datasets.classes import ClassMap
from segprep.datasets.drawing.tile import ColorBar, Tile
from segprep.datasets.errors import ConfigurationError, LabelIdError, MachineError, MissingInputError, SizeMismatchError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.shards import ShardStore
from segprep.train.evaluation.panel import PanelRow, draw_panel, error_tile, input_tile
from segprep.train.evaluation.predictions import Score, SourceLabels, confusion_at_network_size, original_rows
from segprep.train.evaluation.report import write_report
from segprep.train.evaluation.subject import Subject
from segprep.train.models._network import Features, InputScaling, Logits, Network
from segprep.train.network.segmenter import Segmenter
from segprep.train.reading.reader import Reader
from support import scenes
from support.scenes import make_scenes, write_store

_SUBJECT = Subject(
    run="r",
    checkpoint="best",
    step=1,
    dataset=None,
    split="val",
    store="val.zarr",
    digest="0123456789",
    at="source",
    why_not_source=None,
)


class _ReadsTheAnswer(nn.Module):
    """Takes the class from the first channel, to which the test has written it."""

    def __init__(self, shift: int = 0) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, x_NCHW: Tensor) -> Features:
        ids_NHW = (x_NCHW[:, 0].round().long() + self.shift) % 3
        return (20.0 * nn.functional.one_hot(ids_NHW, 3).permute(0, 3, 1, 2).float(),)


class _Passes(nn.Module):
    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        assert features[0].shape[2:] == size
        return Logits(features[0])


def _segmenter_of(trunk: nn.Module) -> Segmenter:
    return Segmenter(Network(trunk, [_Passes()]), {"image": InputScaling((0.0,) * 3, (1.0,) * 3)}, "fp32")


def _segmenter(shift: int = 0) -> Segmenter:
    return _segmenter_of(_ReadsTheAnswer(shift))


def _score(segmenter: Segmenter) -> Score:
    return lambda batch: segmenter.logits(batch.inputs_NHWC).softmax(1)


@pytest.fixture
def answers(tmp_path: Path, classes: ClassMap) -> Reader:
    """A store whose images hold the class in their first channel, with its original labels at twice the size."""
    columns = make_scenes(range(3))
    truth = columns["label"].copy()
    truth[truth == 255] = 1
    columns["image"][..., 0] = truth
    for i, label_HW in enumerate(columns["label"]):
        raw_HW = classes.to_raw_ids(label_HW).repeat(2, axis=0).repeat(2, axis=1)
        write_image(tmp_path / "labels" / f"s{i:03d}.png", raw_HW)
    return Reader(ShardStore.open(write_store(tmp_path / "val.zarr", columns, source_scale=2)), ["image"])


def test_a_perfect_predictor_scores_one_at_both_sizes(answers: Reader, tmp_path: Path) -> None:
    source = SourceLabels(answers.store, tmp_path)
    assert source.why_unreachable() is None
    report = write_report(tmp_path / "eval", _score(_segmenter()), answers, source, _SUBJECT)
    assert report.metrics["mean_iou"] == report.metrics["pixel_accuracy"] == 1
    assert report.metrics["mean_iou_at_network_size"] == 1
    assert report.metrics["absent"] == []
    assert confusion_at_network_size(_segmenter(), answers, 2).mean_iou() == 1


def test_a_predictor_that_is_always_wrong_scores_zero(answers: Reader, tmp_path: Path) -> None:
    report = write_report(tmp_path / "eval", _score(_segmenter(shift=1)), answers, None, _SUBJECT)
    assert report.metrics["mean_iou"] == report.metrics["pixel_accuracy"] == 0


def test_the_files_of_an_evaluation_agree_with_each_other(answers: Reader, tmp_path: Path, classes: ClassMap) -> None:
    folder = tmp_path / "eval"
    report = write_report(folder, _score(_segmenter()), answers, SourceLabels(answers.store, tmp_path), _SUBJECT)
    assert json.loads((folder / "metrics.json").read_text()) == report.metrics
    header, *rows = csv.reader((folder / "confusion.csv").read_text().splitlines())
    assert header[1:] == list(classes.names)
    counts = np.array([row[1:] for row in rows], np.int64)
    assert counts.sum() == report.metrics["pixels"] == np.trace(counts)
    assert [c["pixels"] for c in report.metrics["classes"]] == counts.sum(1).tolist()
    assert sum(c["share"] for c in report.metrics["classes"]) == pytest.approx(1)
    for i in range(3):
        raw_HW = read_image(folder / "ids" / f"s{i:03d}.png")
        label_HW = read_image(tmp_path / "labels" / f"s{i:03d}.png")
        np.testing.assert_array_equal(raw_HW[label_HW != 0], label_HW[label_HW != 0])
        colored_HWC = classes.colored(classes.to_train_ids(raw_HW))
        np.testing.assert_array_equal(read_image(folder / "predictions" / f"s{i:03d}.png"), colored_HWC)
    assert read_image(folder / "panel.png").ndim == 3


def test_absent_classes_are_listed_and_not_averaged(tmp_path: Path) -> None:
    columns = make_scenes(range(1))
    columns["label"][columns["label"] == 1] = 255
    columns["image"][..., 0] = np.where(columns["label"] == 255, 0, columns["label"])
    reader = Reader(ShardStore.open(write_store(tmp_path / "val.zarr", columns)), ["image"])
    report = write_report(tmp_path / "eval", _score(_segmenter()), reader, None, _SUBJECT)
    assert report.metrics["absent"] == ["car"]
    assert report.metrics["mean_iou"] == 1
    assert [c["iou"] for c in report.metrics["classes"]] == [1, None, 1]
    assert "in no label and never predicted, not in the mean: car" in report.summary()


def test_classes_that_are_predicted_but_in_no_label_are_0_in_the_mean(tmp_path: Path) -> None:
    columns = make_scenes(range(1))
    columns["image"][..., 0] = np.where(columns["label"] == 255, 0, columns["label"])
    columns["label"][columns["label"] == 1] = 0
    reader = Reader(ShardStore.open(write_store(tmp_path / "val.zarr", columns)), ["image"])
    report = write_report(tmp_path / "eval", _score(_segmenter()), reader, None, _SUBJECT)
    ious = [c["iou"] for c in report.metrics["classes"]]
    assert ious[1] == 0 < ious[0] < ious[2] == 1
    assert report.metrics["mean_iou"] == pytest.approx(sum(ious) / 3)
    assert report.metrics["mean_iou_of_present"] == pytest.approx(sum(ious) / 2)
    assert "in no label but predicted, 0 in the mean: car" in report.summary()
    assert "mean IoU over the 2 classes in the labels" in report.summary()


def test_probabilities_are_enlarged_and_not_ids(tmp_path: Path, classes: ClassMap) -> None:
    class Unsure(nn.Module):
        """Sure of class 1 on the left, slightly for class 0 on the right: the border moves to the right."""

        def forward(self, x_NCHW: Tensor) -> Features:
            logits_NCHW = torch.zeros(1, 3, 1, 2)
            logits_NCHW[0, 1, 0, 0], logits_NCHW[0, 0, 0, 1], logits_NCHW[0, 2] = 9.0, 0.1, -9.0
            return (logits_NCHW,)

    columns = {"image": np.zeros((1, 1, 2, 3), np.uint8), "label": np.zeros((1, 1, 2), np.uint8)}
    write_image(tmp_path / "labels" / "s000.png", np.full((8, 16), 7, np.uint8))
    reader = Reader(ShardStore.open(write_store(tmp_path / "val.zarr", columns, source_scale=8)), ["image"])
    segmenter = _segmenter_of(Unsure())
    write_report(tmp_path / "eval", _score(segmenter), reader, SourceLabels(reader.store, tmp_path), _SUBJECT)
    ids_HW = classes.to_train_ids(read_image(tmp_path / "eval" / "ids" / "s000.png"))
    assert ids_HW.shape == (8, 16)
    assert (ids_HW[0] == 1).sum() > 9


def test_augmented_variants_are_not_evaluated(tmp_path: Path) -> None:
    path = write_store(tmp_path / "train.zarr", make_scenes(range(4)), variants=(0, 1, 0, 2))
    assert [r.index for r in original_rows(Reader(ShardStore.open(path), ["image"]))] == [0, 2]
    path = write_store(tmp_path / "only.zarr", make_scenes(range(1)), variants=(3,))
    with pytest.raises(ConfigurationError, match="augmented variants only"):
        original_rows(Reader(ShardStore.open(path), ["image"]))


def test_original_labels_are_read_as_the_dataset_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids_in_blue = dataclasses.replace(scenes.CLASSES, reading=LabelReading.BLUE)
    monkeypatch.setattr(scenes, "CLASSES", ids_in_blue)
    columns = make_scenes(range(1))
    store = ShardStore.open(write_store(tmp_path / "val.zarr", columns))
    raw_HW = ids_in_blue.to_raw_ids(columns["label"][0])
    write_image(tmp_path / "labels" / "s000.png", np.stack([np.zeros_like(raw_HW)] * 2 + [raw_HW], axis=2))
    np.testing.assert_array_equal(SourceLabels(store, tmp_path).read(0), columns["label"][0])


def test_original_labels_that_are_wrong_are_named(answers: Reader, tmp_path: Path) -> None:
    source, path = SourceLabels(answers.store, tmp_path), tmp_path / "labels" / "s001.png"
    write_image(path, np.full((40, 56), 99, np.uint8))
    with pytest.raises(LabelIdError, match="99"):
        source.read(1)
    write_image(path, np.full((20, 56), 7, np.uint8))
    with pytest.raises(SizeMismatchError, match=r"s001.png .*--at network"):
        source.read(1)
    path.unlink()
    with pytest.raises(MissingInputError, match="s001"):
        source.read(1)
    assert source.why_unreachable() is None
    (tmp_path / "labels" / "s000.png").unlink()
    assert "s000.png does not exist" in (source.why_unreachable() or "")


def test_labels_that_the_disk_does_not_deliver_are_not_said_to_be_gone(
    answers: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def broken(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == "s000.png":
            raise OSError(errno.EIO, "Input/output error")
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", broken)
    with pytest.raises(MachineError, match=r"s000\.png cannot be read: Input/output error"):
        SourceLabels(answers.store, tmp_path).why_unreachable()


def test_the_error_picture_tells_wrong_right_and_ignored_apart() -> None:
    tile = error_tile(np.array([[0, 1, 1]], np.uint8), np.array([[0, 0, 255]], np.uint8))
    right, wrong, _ = (tuple(color) for color in tile.picture_HW3[0].tolist())
    assert [swatch.color for swatch in tile.legend] == [wrong, right, None]
    assert tile.hidden_HW is not None
    assert tile.hidden_HW.tolist() == [[False, False, True]]


def test_an_input_without_an_image_is_drawn_as_its_kind(tmp_path: Path) -> None:
    columns = make_scenes(range(1))
    del columns["image"]
    codes = np.tile(np.linspace(100, 5000, 28).astype(np.uint16), (1, 20, 1))
    codes[:, :5] = 65535
    columns["depth"] = codes
    tile = input_tile(ShardStore.open(write_store(tmp_path / "val.zarr", columns)), "depth", 0)
    assert isinstance(tile.scale, ColorBar)
    assert (tile.scale.low, [swatch.name for swatch in tile.scale.beyond]) == ("1 m", ["infinitely far"])
    assert len(np.unique(tile.picture_HW3[10], axis=0)) > 20, "the sky takes the colours of what is near"


def test_the_panel_shows_every_row_and_every_class(classes: ClassMap) -> None:
    label_HW = np.zeros((30, 40), np.uint8)
    row = PanelRow("first", Tile("image", np.full((15, 20, 3), 77, np.uint8)), label_HW, label_HW)
    one, two = draw_panel([row], classes), draw_panel([row, row], classes)
    assert two.shape[1] == one.shape[1] >= 4 * 300
    assert two.shape[0] > one.shape[0] + 200
    for color in classes.colors[:3]:
        assert (one == color).all(-1).sum() > 200
