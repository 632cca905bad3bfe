"""`train eval` by windows, scales and flips, of some classes, and `train compare` of what it leaves."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segprep.datasets.imageio import read_image
from segprep.datasets.shards import ShardStore
from segprep.train.predict.model import load
from segprep.train.predict.views import Views
from segprep.train.runs.folder import Run

Captured = pytest.CaptureFixture[str]
Train = Callable[..., int]

_SMALL = ["--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32"]


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Path:
    return trained_with(*_SMALL).root


def _metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_an_evaluation_by_views_is_that_of_their_mean_and_stands_beside_the_usual(
    run: Path, train: Train, workspace: Path, capsys: Captured
) -> None:
    assert train("eval", "--at", "network") == 0
    assert train("eval", "--at", "network", "--window", "16x12", "--scales", "0.5,1", "--flip") == 0
    out = capsys.readouterr().out
    assert "at network size, windows of 16x12, scales 0.5, 1, flip" in out
    for word in ("boundary IoU", "precision", "recall", "mean class accuracy", "frequency-weighted IoU", "calibration"):
        assert word in out
    plain, seen = (run / name for name in ("eval-val-network", "eval-val-network-window-16x12-scales-0.5-1-flip"))
    assert _metrics(seen)["views"] == {"window": [16, 12], "stride": [11, 8], "scales": [0.5, 1.0], "flip": True}
    assert _metrics(plain)["views"] == {"window": None, "stride": None, "scales": [1.0], "flip": False}
    model = load(run)
    store = ShardStore.open(workspace / "shards" / "val.zarr")
    for row, key in enumerate(store.keys):
        views = Views((16, 12), scales=(0.5, 1.0), flip=True)
        expected = model.predict({"image": store.read("image", row)}, views=views).ids_HW
        np.testing.assert_array_equal(read_image(seen / "ids" / f"{key}.png"), model.classes.to_raw_ids(expected))


def test_an_evaluation_of_an_earlier_version_is_that_of_a_single_view(run: Path, train: Train) -> None:
    assert train("eval") == 0
    path = run / "eval-val" / "metrics.json"
    old = {k: v for k, v in _metrics(path.parent).items() if k not in ("views", "only_classes", "bands")}
    path.write_text(json.dumps(old))
    assert train("eval") == 0
    assert "views" in _metrics(path.parent)
    assert [each.name for each in run.glob("eval-*")] == ["eval-val"]


def test_only_some_classes_are_judged(run: Path, train: Train) -> None:
    assert train("eval") == 0
    assert train("eval", "--only-classes", "car, sky", "--bands", "5,10") == 0
    folder = run / "eval-val-only-car-sky-bands-5-10"
    metrics, whole = _metrics(folder), _metrics(run / "eval-val")
    assert [each["name"] for each in metrics["classes"]] == ["car", "sky"]
    assert metrics["pixels"] == sum(each["pixels"] for each in whole["classes"] if each["name"] != "road")
    ious = [each["iou"] for each in metrics["classes"] if each["iou"] is not None]
    assert metrics["mean_iou"] == pytest.approx(np.mean(ious))
    header, road, *_ = csv.reader((folder / "confusion.csv").read_text().splitlines())
    assert (header[1], road[1:]) == ("road", ["0", "0", "0"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window", "9"), "a size is WIDTHxHEIGHT"),
        (("--stride", "4x4"), "a stride is from window to window"),
        (("--window", "8x8", "--stride", "9x8"), "leave gaps"),
        (("--scales", "1;2"), "--scales takes numbers with commas"),
        (("--scales", "0"), "scales are one or more numbers above 0"),
        (("--only-classes", "cow"), "there is no class 'cow'"),
        (("--bands", "20,10"), "metres above 0 in rising order"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    run: Path, train: Train, capsys: Captured, options: tuple[str, ...], message: str
) -> None:
    assert train("eval", *options) == 2
    assert message in capsys.readouterr().err
    assert not list(run.glob("eval-*"))


def test_evaluations_are_compared_with_an_interval(run: Path, train: Train, capsys: Captured, tmp_path: Path) -> None:
    assert train("eval") == 0
    assert train("eval", "--flip") == 0
    usual, flipped = run / "eval-val", run / "eval-val-flip"
    capsys.readouterr()
    assert train("compare", "run-001", flipped) == 0
    out = capsys.readouterr().out
    for word in ("run-001/eval-val", "run-001/eval-val-flip", "IoU car", "mean IoU", "95 % interval", "2 images"):
        assert word in out
    assert train("compare", usual, flipped, usual, "--json", "--draws", "50", "--seed", "3") == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["mean_iou"] == pytest.approx(_metrics(usual)["mean_iou"])
    assert rows[1]["mean_iou"] == pytest.approx(_metrics(flipped)["mean_iou"])
    assert rows[1]["difference"] == pytest.approx(rows[1]["mean_iou"] - rows[0]["mean_iou"])
    assert (rows[2]["difference"], rows[2]["interval"], rows[2]["better_in"]) == (0, [0, 0], 0)
    assert train("compare", usual) == 2
    assert "two evaluations or more" in capsys.readouterr().err
    assert train("compare", "run-001", "run-007") == 2
    assert train("compare", "run-001", flipped, "--split", "train") == 3
    assert "run `train eval` (again) for it" in capsys.readouterr().err
    metrics = flipped / "metrics.json"
    metrics.write_text(json.dumps({**_metrics(flipped), "digest": "another"}))
    assert train("compare", usual, flipped) == 5
    assert "digest is another" in capsys.readouterr().err
    (flipped / "images.csv").write_text("nonsense\n")
    assert train("compare", usual, flipped) == 3
    assert "is not what `train eval` writes" in capsys.readouterr().err
