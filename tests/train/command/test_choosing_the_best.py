"""The best checkpoint: by which rule it is chosen, and metrics that can choose none."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from support.runs import checkpoint_of
from support.scenes import make_scenes, write_store

_SMALL = ("--steps", "2", "--val-every", "1", "--batch-size", "2", "--precision", "fp32", "--base-channels", "2")


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., int]:
    """Run the command on shards in whose validation labels no pixel is a car."""
    for split, numbers in (("train", range(3)), ("val", range(3, 5))):
        columns = make_scenes(numbers)
        if split == "val":
            columns["label"] = np.where(columns["label"] == 1, 255, columns["label"]).astype(np.uint8)
        write_store(tmp_path / "shards" / f"{split}.zarr", columns)

    def command(*arguments: object) -> int:
        shards = ("--shards", str(tmp_path / "shards"))
        return run_app(app, "train", [*map(str, arguments), "-C", str(tmp_path), *shards])

    return command


def test_a_metric_that_can_never_choose_is_refused_before_a_run_begins(
    tmp_path: Path, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *_SMALL, "--set", "checkpoint.metric=iou/car") == 2
    err = capfd.readouterr().err
    assert "val.zarr is of class 'car': iou/car is not defined there and can choose no best checkpoint" in err
    columns = make_scenes(range(2))
    columns["label"] = np.full_like(columns["label"], 255)
    write_store(tmp_path / "none" / "val.zarr", columns)
    (tmp_path / "shards" / "val.zarr").rename(tmp_path / "former")
    (tmp_path / "none" / "val.zarr").rename(tmp_path / "shards" / "val.zarr")
    assert train("run", *_SMALL) == 2
    assert "val.zarr is labelled: mean_iou is not defined there" in capfd.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_where_a_store_counts_no_pixels_the_first_validation_tells(
    tmp_path: Path, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    columns = make_scenes(range(2))
    columns["label"] = np.full_like(columns["label"], 255)
    shutil.rmtree(tmp_path / "shards" / "val.zarr")
    store = write_store(tmp_path / "shards" / "val.zarr", columns)
    attributes = zarr.open_group(store, mode="r+", use_consolidated=False).attrs
    for name in ("files", "digest"):
        del attributes[name]
    attributes["statistics"] = {}
    assert train("run", *_SMALL) == 0
    err = capfd.readouterr().err
    assert "nothing is labelled; mean_iou is not defined, so that no checkpoint is the best" in err
    assert not (tmp_path / "runs" / "run-001" / "checkpoints" / "best").exists()


def test_a_best_checkpoint_of_the_former_rule_is_validated_anew(
    tmp_path: Path, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *_SMALL, "--max-minutes", 0) == 0
    checkpoints = tmp_path / "runs" / "run-001" / "checkpoints"
    path = checkpoint_of(checkpoints, "best") / "state.json"
    state = json.loads(path.read_text())
    assert state["rule"] == "union"
    for name in ("rule", "files", "sha256"):
        del state[name]
    path.write_text(json.dumps(state | {"best": 0.99}))  # as if the former rule had found so much
    capfd.readouterr()
    assert train("run", "--resume") == 0
    found = state["best"]
    assert f"a mean over the classes in the labels, 0.9900; over those that are predicted, too, it is {found:.4f}" in (
        capfd.readouterr().err
    )
    resumed = json.loads((checkpoint_of(checkpoints) / "state.json").read_text())
    scores = [json.loads(line)["val_mean_iou"] for line in (checkpoints.parent / "log.jsonl").read_text().splitlines()]
    assert resumed["rule"] == "union"
    assert resumed["best"] == max(scores)
