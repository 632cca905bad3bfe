"""Learning another label column than `label`, and seeing what an input brings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.made_classes import MOTION_CLASSES
from segprep.datasets.shards import ShardStore
from segprep.train.command import run as commands
from segprep.train.command.evaluation import evaluate_run
from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import TrainedRun
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import build_segmenter, input_columns
from segprep.train.reading.config import DataConfig
from segprep.train.reading.reader import Reader
from support.scenes import make_scenes, write_store

_FLAGS: dict[str, Any] = {
    "steps": 40,
    "val_every": 40,
    "model": {"base_channels": 4, "precision": "fp32"},
    "augmentation": {"preset": "none"},
    "schedule": {"lr": 0.01},
}


def _start(folder: Path, name: str, **data: Any) -> TrainedRun:
    flags = {**_FLAGS, "data": {"batch_size": 4, **data}}
    (trained,) = commands.start_run(TrainingPlace((folder,), True, folder.parent / "runs"), name, None, flags, None)
    return trained


@pytest.fixture
def moving(tmp_path: Path) -> Path:
    """A store with `motion_label`: what moves is seen in `flow` alone."""
    rng = np.random.default_rng(0)
    for split, numbers in (("train", range(4)), ("val", range(4, 8))):
        columns = make_scenes(numbers)
        label = (rng.random((4, 5, 7)) < 0.5).astype(np.uint8).repeat(4, 1).repeat(4, 2)
        columns["motion_label"] = np.where(columns["label"] == 255, 255, label).astype(np.uint8)
        columns["flow"] = np.repeat(128 + 60 * label[..., None], 3, -1).astype(np.uint8)
        write_store(tmp_path / "shards" / f"{split}.zarr", columns)
    return tmp_path / "shards"


def test_what_moves_is_learned_from_the_motion_image_and_not_without_it(moving: Path) -> None:
    both = {"inputs": ["image", "flow"], "target": "motion_label"}
    seen, blind = _start(moving, "seen", **both), _start(moving, "blind", **both, blank=["flow"])
    assert seen.outcome.best is not None
    assert seen.outcome.best > 0.75
    assert blind.outcome.best is not None
    assert blind.outcome.best < 0.6
    report = evaluate_run(TrainingPlace((moving,), True, moving.parent / "runs"), "seen", None, "val", None, moving)
    assert [row["name"] for row in report.metrics["classes"]] == ["static", "moving"]
    assert report.metrics["mean_iou"] == pytest.approx(seen.outcome.best, abs=1e-3)
    assert "was made, and has no files of its own" in report.metrics["why_not_source"]


def test_what_moves_has_one_colour_everywhere(moving: Path) -> None:
    reader = Reader(ShardStore.open(moving / "train.zarr"), ["image"], "motion_label")
    assert reader.class_map.colors[:2].tolist() == MOTION_CLASSES.colors[:2].tolist()
    static, moves = (tuple(color) for color in MOTION_CLASSES.colors[:2].tolist())
    assert moves[0] > 2 * max(moves[1:]), "what moves is not red"
    assert static[0] < 2 * min(static[1:]), "what stands is red"


def test_a_blank_column_is_zeros_for_the_network_whatever_it_holds(moving: Path) -> None:
    reader = Reader(ShardStore.open(moving / "train.zarr"), ["image", "flow"])
    columns = input_columns(reader.columns, reader.store.statistics)
    config = NetworkConfig(name="frrn", options={"base_channels": 2}, precision="fp32")
    torch.manual_seed(0)
    segmenter = build_segmenter(config, columns, [3], blank=["flow"]).eval()
    inputs_NHWC = torch.randint(0, 256, (1, 16, 16, 6), dtype=torch.uint8)
    others_NHWC = inputs_NHWC.clone()
    others_NHWC[..., 3:] = 255 - others_NHWC[..., 3:]
    with torch.inference_mode():
        assert torch.equal(segmenter.logits(inputs_NHWC), segmenter.logits(others_NHWC))


def test_a_target_that_is_no_label_is_refused(moving: Path) -> None:
    store = ShardStore.open(moving / "train.zarr")
    with pytest.raises(ConfigurationError, match=r"column 'flow' of .* holds coded and no labels"):
        Reader(store, ["image"], "flow")
    with pytest.raises(ConfigurationError, match="no column 'hha'"):
        Reader(store, ["image"], "hha")
    with pytest.raises(ConfigurationError, match="blank names hha, but the inputs are image"):
        DataConfig(blank=("hha",))


def test_a_run_is_not_evaluated_on_other_classes(moving: Path) -> None:
    _start(moving, "motion", target="motion_label")
    place = TrainingPlace((moving,), True, moving.parent / "runs")
    config = moving.parent / "runs" / "motion" / "config.toml"
    config.write_text(config.read_text().replace("motion_label", "label"))
    with pytest.raises(ConfigurationError, match=r"trained on the 2 classes static, moving, but .* the 3 classes road"):
        evaluate_run(place, "motion", None, "val", "network", None)
