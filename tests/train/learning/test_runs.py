"""Whole runs on small stores: learning, resuming, stopping."""

import itertools
import json
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from segprep.datasets.errors import ConfigurationError, ConflictError, DamagedStoreError, DivergedError
from segprep.datasets.imageio import read_image
from segprep.datasets.program.command_line import run_app
from segprep.datasets.shards.swap import exchange
from segprep.train.cli import app
from segprep.train.command import run as commands
from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import TrainedRun
from segprep.train.learning import loop
from segprep.train.learning.beginning import fresh_segmenter
from segprep.train.learning.config import parse_config
from segprep.train.learning.losses import Loss
from segprep.train.learning.step import BatchPart, StepResult, TrainingStep
from segprep.train.learning.validation import Validation
from segprep.train.reading.order import Order
from segprep.train.reading.sources import open_sources
from segprep.train.runs.folder import Run, create_run
from segprep.train.runs.monitor import Monitor
from segprep.train.runs.processes import Processes
from support.runs import checkpoint_of
from support.scenes import make_scenes, write_store

_FLAGS: dict[str, Any] = {
    "steps": 6,
    "val_every": 2,
    "data": {"batch_size": 2},
    "model": {"base_channels": 2, "precision": "fp32"},
}


def _place(shards: Path) -> TrainingPlace:
    return TrainingPlace((shards,), True, shards.parent / "runs")


def _start(shards: Path, name: str, max_minutes: float | None = None, **flags: Any) -> TrainedRun:
    (trained,) = commands.start_run(_place(shards), name, None, {**_FLAGS, **flags}, max_minutes)
    return trained


def _resume(shards: Path, name: str | None) -> TrainedRun:
    (trained,) = commands.resume_run(_place(shards), name, None, None)
    return trained


def _weights(run: Run) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(checkpoint_of(run.root) / "weights.safetensors")


def _assert_equal_runs(first: Run, second: Run) -> None:
    first_weights, second_weights = _weights(first), _weights(second)
    assert first_weights.keys() == second_weights.keys()
    assert [k for k, v in first_weights.items() if not torch.equal(v, second_weights[k])] == []
    first_log, second_log = _log(first), _log(second)
    assert [(e["step"], e["loss"], e["lr"]) for e in first_log] == [(e["step"], e["loss"], e["lr"]) for e in second_log]


def _log(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.log_path.read_text().splitlines()]


def test_four_samples_can_be_learned_by_heart(tmp_path: Path) -> None:
    columns = make_scenes(range(4))
    write_store(tmp_path / "shards" / "train.zarr", columns)
    write_store(tmp_path / "shards" / "val.zarr", columns)
    flags: dict[str, Any] = {
        "data": {"batch_size": 4},
        "augmentation": {"preset": "none"},
        "schedule": {"lr": 0.01},
        "model": {"base_channels": 8, "precision": "fp32"},
    }
    trained = _start(tmp_path / "shards", "memory", steps=50, val_every=50, **flags)
    assert trained.outcome.best is not None
    assert trained.outcome.best > 0.95


def test_a_run_stopped_by_the_clock_goes_on_to_the_same_bits(shards: Path) -> None:
    whole = _start(shards, "whole")
    halves = _start(shards, "halves", max_minutes=0.0)
    assert (halves.outcome.why, halves.outcome.step) == ("time", 1)
    resumed = _resume(shards, "halves")
    assert (resumed.outcome.why, resumed.outcome.step) == ("finished", 6)
    _assert_equal_runs(whole.run, resumed.run)


def test_a_run_killed_between_checkpoints_goes_on_to_the_same_bits(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _start(shards, "whole", val_every=3)
    update, calls = TrainingStep.__call__, itertools.count(1)

    def die_in_the_fifth_step(self: TrainingStep, parts: Sequence[BatchPart]) -> StepResult:
        if next(calls) == 5:
            raise RuntimeError("killed")
        return update(self, parts)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingStep, "__call__", die_in_the_fifth_step)
        with pytest.raises(RuntimeError, match="killed"):
            _start(shards, "killed", val_every=3)
    run = Run(shards.parent / "runs" / "killed")
    assert [e["step"] for e in _log(run)] == [1, 2, 3, 4]
    resumed = _resume(shards, None)
    assert resumed.run == run
    _assert_equal_runs(whole.run, run)
    assert resumed.outcome.best == whole.outcome.best


def test_a_run_killed_before_its_first_checkpoint_begins_again(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _start(shards, "whole")
    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "train", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            _start(shards, "killed")
    _assert_equal_runs(whole.run, _resume(shards, "killed").run)


def test_what_a_killed_run_left_half_written_goes_when_it_goes_on(shards: Path) -> None:
    run = _start(shards, "killed", max_minutes=0.0).run
    left = [run.root / "panel.png.123.partial", run.root / "log.jsonl.123.partial"]
    left += [run.checkpoints / "last.123.partial", run.checkpoints / "step-00000002.123.partial" / "optimizer.pt"]
    left[-1].parent.mkdir()
    for path in left:
        path.write_bytes(b"half")
    others = [run.root / "mine.partial", run.root / "eval-val" / "panel.png.123.partial"]  # not of this program or run
    others[1].parent.mkdir()
    for path in others:
        path.write_bytes(b"other")
    assert _resume(shards, "killed").outcome.why == "finished"
    assert [path for path in left if path.exists()] == []
    assert all(path.exists() for path in others)


def test_a_store_that_is_written_anew_ends_the_run_with_what_was_learned_saved(
    shards: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = _start(shards, "whole", steps=10, val_every=10)
    place, other, kept = (folder / "train.zarr" for folder in (shards, shards.parent / "other", shards.parent / "kept"))
    shutil.copytree(place, kept)
    write_store(other, make_scenes(range(20, 25)))
    update, calls = TrainingStep.__call__, itertools.count(1)

    def written_anew(self: TrainingStep, parts: Sequence[BatchPart]) -> StepResult:
        if next(calls) == 3:  # a few of the next batches are in memory already
            assert exchange(place, other)
            shutil.rmtree(other)
        return update(self, parts)

    def train(*arguments: str) -> int:
        return run_app(app, "train", ["run", "-C", str(shards.parent), "--name", "cut", *arguments])

    small = ["--shards", str(shards), "--steps", "10", "--val-every", "10", "--batch-size", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(TrainingStep, "__call__", written_anew)
        assert train(*small, "--base-channels", "2", "--precision", "fp32") == 5
    run, err = Run(shards.parent / "runs" / "cut"), capfd.readouterr().err
    saved = checkpoint_of(run.root)
    assert json.loads((saved / "state.json").read_text())["step"] == _log(run)[-1]["step"] >= 3
    assert f"{place} was written anew since it was opened" in err
    assert f"the checkpoint {saved} is kept; go on with `train run --resume --name cut -C " in err
    assert train("--resume") == 5
    shutil.rmtree(place)
    kept.rename(place)
    assert train("--resume") == 0
    _assert_equal_runs(whole.run, run)


def test_a_validation_that_cannot_be_read_ends_the_run_with_what_was_learned_saved(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise DamagedStoreError("val.zarr: shard file label/c.0 is damaged")

    whole = _start(shards, "whole", steps=2)
    with monkeypatch.context() as patch:
        patch.setattr(Validation, "run", fail)
        with pytest.raises(DamagedStoreError, match=r"is damaged\. The run: the checkpoint .*step-00000002 is kept"):
            _start(shards, "cut", steps=2)
    resumed = _resume(shards, "cut")
    assert resumed.outcome == whole.outcome, "what could not be validated is validated when the run goes on"
    assert _log(resumed.run)[-1]["val_mean_iou"] == _log(whole.run)[-1]["val_mean_iou"]
    assert (resumed.run.checkpoints / "best").exists()


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore"), "the GPU's memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the memory of this machine"),
        (MemoryError(), "the memory of this machine"),
    ],
)
def test_too_little_memory_is_told_with_what_to_do(
    shards: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    def fail(*_: object) -> StepResult:
        raise error

    monkeypatch.setattr(TrainingStep, "__call__", fail)
    with pytest.raises(ConfigurationError, match=f"{where} does not suffice .*smaller --batch-size") as raised:
        _start(shards, "large")
    assert "more\n" not in str(raised.value)


def test_resuming_a_finished_run_changes_nothing(shards: Path) -> None:
    trained = _start(shards, "done")
    before = {p: p.read_bytes() for p in trained.run.root.rglob("*") if p.is_file()}
    again = _resume(shards, "done")
    assert again.outcome == trained.outcome
    assert {p: p.read_bytes() for p in trained.run.root.rglob("*") if p.is_file()} == before


def test_the_seed_decides_the_run(shards: Path) -> None:
    runs = [_start(shards, f"seed-{n}", seed=seed, steps=2).run for n, seed in enumerate((3, 3, 4))]
    losses = [[entry["loss"] for entry in _log(run)] for run in runs]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.usefixtures("real_curves")
def test_the_log_and_the_checkpoints_tell_of_the_run(shards: Path) -> None:
    trained = _start(shards, "told")
    for picture in ("curves.png", "panel.png"):
        assert read_image(trained.run.root / picture).shape[2] == 3
    assert len(list((trained.run.root / "events").iterdir())) == 1
    entries = _log(trained.run)
    assert [e["step"] for e in entries] == [1, 2, 3, 4, 5, 6]
    assert all(e["images_per_second"] > 0 and e["loss"] > 0 for e in entries)
    assert entries[0]["lr"] == 1e-3 > entries[-1]["lr"] > 0
    validated = {e["step"]: e["val_mean_iou"] for e in entries if "val_mean_iou" in e}
    assert sorted(validated) == [2, 4, 6]
    best = json.loads((checkpoint_of(trained.run.root, "best") / "state.json").read_text())
    assert best["scores"]["val_mean_iou"] == max(validated.values()) == trained.outcome.best
    assert validated[best["step"]] == best["scores"]["val_mean_iou"]
    assert json.loads((checkpoint_of(trained.run.root) / "state.json").read_text())["step"] == 6
    names = {p.name for p in trained.run.checkpoints.iterdir()}
    assert names == {"last", "best", "step-00000006", f"step-{best['step']:08d}"}


def test_several_columns_can_be_the_input(shards: Path) -> None:
    trained = _start(shards, "both", data={"inputs": ["image", "flow"], "batch_size": 2})
    assert _weights(trained.run)["trunk.stem.weight"].shape[1] == 6


def test_without_a_validation_store_the_last_weights_are_the_result(tmp_path: Path) -> None:
    write_store(tmp_path / "shards" / "train.zarr", make_scenes(range(3)))
    said: list[str] = []
    (trained,) = commands.start_run(_place(tmp_path / "shards"), "alone", None, _FLAGS, None, said.append)
    assert [each for each in said if "val.zarr" in each] == [
        "there is no val.zarr beside train.zarr: nothing will be validated, and `last` will be the result"
    ]
    assert not trained.validated
    assert trained.outcome.best is None
    assert sorted(p.name for p in trained.run.checkpoints.iterdir()) == ["last", "step-00000006"]


def test_a_loss_that_is_not_finite_stops_the_run_names_the_batch_and_keeps_the_checkpoint(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, calls = Loss.total, itertools.count(1)

    def diverge(self: Loss, logits_NCHW: torch.Tensor, labels_NHW: torch.Tensor) -> torch.Tensor:
        return total(self, logits_NCHW, labels_NHW) * (float("nan") if next(calls) == 4 else 1)

    monkeypatch.setattr(Loss, "total", diverge)
    with pytest.raises(DivergedError, match=r"the loss became nan .* at step 4: lower --lr") as raised:
        _start(shards, "diverged")
    assert raised.value.exit_code == 3
    run = Run(shards.parent / "runs" / "diverged")
    assert json.loads((checkpoint_of(run.root) / "state.json").read_text())["step"] == 2
    report = json.loads((run.root / "diverged.json").read_text())
    rows = Order([5], None, 0).rows(3 * 2, 2)
    assert report["step"] == 4
    assert [key for _, key in report["samples"]] == [f"s{row.index:03d}" for row in rows]


def test_weights_that_are_not_finite_are_not_saved(shards: Path) -> None:
    config = parse_config({**_FLAGS, "shards": [str(shards)]}, "test")
    sources = open_sources([shards], ["image"])
    training = loop.Training(config, sources, fresh_segmenter(config, sources, Processes()))
    run = create_run(shards.parent / "runs", "broken", "")
    with torch.no_grad():
        next(training.segmenter.parameters()).fill_(float("inf"))
    with pytest.raises(DivergedError, match="a weight is no longer finite"), Monitor(run, 0, writes=False) as monitor:
        training._validate_and_save(run, monitor, validate=False)
    assert not run.checkpoints.exists()


def test_a_batch_larger_than_the_data_set_is_refused_before_a_run_is_made(shards: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"a batch of 6 is larger than .*holds 5 samples"):
        _start(shards, "large", data={"batch_size": 6})
    assert not (shards.parent / "runs").exists()


def test_a_run_does_not_go_on_with_other_samples(shards: Path, tmp_path: Path) -> None:
    _start(shards, "first")
    write_store(tmp_path / "other" / "train.zarr", make_scenes(range(4)))
    with pytest.raises(ConflictError, match="holds other samples than when first began"):
        commands.resume_run(TrainingPlace((tmp_path / "other",), True, shards.parent / "runs"), "first", None, None)


def test_labels_without_a_labelled_pixel_are_refused(tmp_path: Path) -> None:
    columns = make_scenes(range(2))
    columns["label"] = np.full_like(columns["label"], 255)
    write_store(tmp_path / "shards" / "train.zarr", columns)
    with pytest.raises(ValueError, match=r"no pixel of .* is labelled"):
        _start(tmp_path / "shards", "unlabelled")


def test_ctrl_c_finishes_the_step_saves_and_resumes_to_the_same_bits(
    shards: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = _start(shards, "whole", steps=10, val_every=5)
    arguments = ["run", "-C", str(shards.parent), "--shards", str(shards), "--name", "stopped", "--steps", "10"]
    arguments += ["--val-every", "5", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32"]
    update, calls = TrainingStep.__call__, itertools.count(1)

    def interrupted(self: TrainingStep, parts: Sequence[BatchPart]) -> StepResult:
        if next(calls) == 7:
            signal.raise_signal(signal.SIGINT)
        return update(self, parts)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingStep, "__call__", interrupted)
        assert run_app(app, "train", arguments) == 130
    assert "train run --resume --name stopped" in capfd.readouterr().err
    run = Run(shards.parent / "runs" / "stopped")
    assert json.loads((checkpoint_of(run.root) / "state.json").read_text())["step"] == 7
    assert [entry["step"] for entry in _log(run)] == [*range(1, 8)]
    _resume(shards, "stopped")
    _assert_equal_runs(whole.run, run)
