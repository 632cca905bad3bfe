"""Evaluations of other shards, checkpoints and sizes stand beside each other, and each says what it is of."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segprep.datasets.program.command_line import run_app
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.metadata import ROOT_FILE, root_file
from segprep.datasets.shards.root import read_root
from segprep.train.cli import app
from segprep.train.runs.folder import Run
from support.runs import checkpoint_of
from support.scenes import make_scenes, write_store

Captured = pytest.CaptureFixture[str]

_SMALL = ["--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32"]


def _train(*arguments: object) -> int:
    return run_app(app, "train", [str(a) for a in arguments])


@pytest.fixture
def run(trained_with: Callable[..., Run]) -> Path:
    return trained_with(*_SMALL).root


def _evaluated(run: Path, *options: object) -> str:
    """Evaluate, and return the name of the one folder that is new or was written anew."""
    before = {path: path.read_bytes() for path in run.glob("eval-*/metrics.json")}
    assert _train("eval", "-C", run.parent.parent, *options) == 0
    changed = [path for path in run.glob("eval-*/metrics.json") if before.get(path) != path.read_bytes()]
    lost = [path for path in before if not path.exists()]
    assert len(changed) <= 1
    assert not lost
    return changed[0].parent.name if changed else "as it was"


def _metrics(run: Path, folder: str) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((run / folder / "metrics.json").read_text())
    return metrics


def test_what_is_not_usual_has_a_folder_of_its_own(run: Path, tmp_path: Path) -> None:
    write_store(tmp_path / "others" / "shards" / "val.zarr", make_scenes(range(5, 7)), source_scale=2)
    assert _evaluated(run) == "eval-val"
    assert _evaluated(run, "--checkpoint", "last") == "eval-val-last"
    assert _evaluated(run, "--checkpoint", "step-2") == "eval-val-step-00000002"
    assert _evaluated(run, "--at", "network") == "eval-val-network"
    assert _evaluated(run, "--shards", tmp_path / "others" / "shards") == "eval-val-others"
    assert _evaluated(run, "--split", "train", "--checkpoint", "last", "--at", "network") == "eval-train-last-network"


def test_the_usual_evaluation_however_it_is_asked_for_replaces_itself(run: Path, tmp_path: Path) -> None:
    assert _evaluated(run) == "eval-val"
    assert _evaluated(run) == "as it was"
    assert _evaluated(run, "--shards", tmp_path / "shards", "--at", "source", "--checkpoint", "best") == "as it was"


def test_metrics_say_what_they_are_of(run: Path, tmp_path: Path) -> None:
    _evaluated(run)
    metrics = _metrics(run, "eval-val")
    store = ShardStore.open(tmp_path / "shards" / "val.zarr")
    assert store.digest is not None
    assert (metrics["store"], metrics["digest"]) == (str(store.path), store.digest)
    best = json.loads((checkpoint_of(run, "best") / "state.json").read_text())["step"]
    assert (metrics["checkpoint"], metrics["step"], metrics["at"], metrics["n"]) == ("best", best, "source", 2)
    assert "samples" not in metrics


def test_a_store_that_changed_since_leaves_the_old_numbers_alone(run: Path, tmp_path: Path) -> None:
    _evaluated(run, "--at", "network")
    old = (run / "eval-val-network" / "metrics.json").read_bytes()
    shutil.rmtree(tmp_path / "shards" / "val.zarr")
    store = ShardStore.open(write_store(tmp_path / "shards" / "val.zarr", make_scenes(range(9, 12))))
    assert store.digest is not None
    folder = _evaluated(run, "--at", "network")
    assert folder == f"eval-val-network-{store.digest[:8]}"
    assert _metrics(run, folder)["n"] == 3
    assert (run / "eval-val-network" / "metrics.json").read_bytes() == old
    assert _evaluated(run, "--at", "network") == "as it was"


def test_a_run_that_went_on_leaves_the_old_numbers_alone(run: Path) -> None:
    assert _evaluated(run, "--checkpoint", "last") == "eval-val-last"
    config, state_path = run / "config.toml", checkpoint_of(run) / "state.json"
    state = json.loads(state_path.read_text())
    kept = {name: value for name, value in state.items() if name not in ("sha256", "files", "config")}
    state_path.write_text(json.dumps(kept))  # as earlier versions wrote it, whose configuration could be changed
    config.write_text(config.read_text().replace("steps = 2\n", "steps = 4\n"))
    assert _train("run", "-C", run.parent.parent, "--resume") == 0
    folder = _evaluated(run, "--checkpoint", "last")
    assert folder == "eval-val-last-step-4"
    assert (_metrics(run, "eval-val-last")["step"], _metrics(run, folder)["step"]) == (2, 4)


def test_numbers_that_do_not_say_what_they_are_of_are_left_alone(run: Path) -> None:
    _evaluated(run)
    path = run / "eval-val" / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["digest"]
    path.write_text(json.dumps(metrics))
    assert _evaluated(run).startswith("eval-val-")


def test_pictures_of_an_evaluation_that_was_killed_do_not_stay(run: Path) -> None:
    left = run / "eval-val" / "predictions" / "of_another_store.png"
    left.parent.mkdir(parents=True)
    left.touch()
    assert _evaluated(run) == "eval-val"
    assert {path.stem for path in left.parent.iterdir()} == {"s000", "s001"}
    halves = [left.parent / "s000.png.123.partial", run / "eval-val" / "panel.png.123.partial"]
    for half in halves:
        half.touch()
    assert _evaluated(run) == "as it was"
    assert not any(half.exists() for half in halves)


def test_the_same_evaluation_is_written_by_one_process_at_a_time(run: Path, capfd: Captured) -> None:
    (run / "eval-val").mkdir()
    with writer_lock(run / "eval-val"):
        assert run_app(app, "train", ["eval", "-C", str(run.parents[1])]) == 5
    assert "eval-val is being written by process" in capfd.readouterr().err


def test_what_a_store_lacks_of_its_split_is_said(run: Path, tmp_path: Path, capfd: Captured) -> None:
    path = tmp_path / "shards" / "val.zarr"
    root = read_root(path)
    selection = {"samples": 5, "left_out": {"without depth": 2, "without optical_flow": 1}}
    changed = replace(root, provenance={**root.provenance, "selection": selection})
    (path / ROOT_FILE).write_bytes(root_file(root.plan, changed.to_attributes()))
    capfd.readouterr()
    folder = _evaluated(run)
    metrics = _metrics(run, folder)
    assert (metrics["n"], metrics["samples"], metrics["left_out"]) == (2, 5, selection["left_out"])
    expected = f"2 of 5 samples (left out: 2 without depth, 1 without optical_flow) of {path}"
    assert expected in capfd.readouterr().out


def test_a_store_that_does_not_say_gives_the_number_of_its_samples(run: Path, tmp_path: Path, capfd: Captured) -> None:
    capfd.readouterr()
    _evaluated(run)
    assert f"2 samples of {tmp_path / 'shards' / 'val.zarr'}" in capfd.readouterr().out
