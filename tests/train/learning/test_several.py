"""Batches in several parts, from several data sets, in several processes: it must not matter how a batch lies."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.train.command import run as commands
from segprep.train.command.evaluation import evaluate_run
from segprep.train.command.place import TrainingPlace
from segprep.train.command.run import TrainedRun
from segprep.train.runs.folder import Run
from support.gate import Gate
from support.runs import checkpoint_of
from support.scenes import make_scenes, write_store

# Group norm sees each sample alone; plain gradient steps make weights from gradients and nothing else.
_FLAGS: dict[str, Any] = {
    "steps": 1,
    "val_every": 1,
    "data": {"batch_size": 4},
    "model": {"base_channels": 4, "precision": "fp32", "gn_groups": 2},
    "optimizer": {"kind": "sgd", "momentum": 0.0},
    "schedule": {"kind": "constant", "lr": 0.1},
}


def _start(folders: tuple[Path, ...], runs: Path, name: str, **changes: Any) -> TrainedRun:
    flags = {
        key: {**value, **changes.pop(key, {})} if isinstance(value, dict) else value for key, value in _FLAGS.items()
    }
    (trained,) = commands.start_run(TrainingPlace(folders, True, runs), name, None, {**flags, **changes}, None)
    return trained


def _weights(run: Run) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(checkpoint_of(run.root) / "weights.safetensors")


def _losses(run: Run) -> list[float]:
    return [json.loads(line)["loss"] for line in run.log_path.read_text().splitlines()]


def _assert_close(first: Run, second: Run) -> None:
    torch.testing.assert_close(_weights(first), _weights(second), rtol=1e-4, atol=1e-6)
    assert _losses(first) == pytest.approx(_losses(second), rel=1e-5)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two data sets: b has more samples, and its labels but two classes, much of them ignored."""
    first, second = make_scenes(range(4)), make_scenes(range(10, 16))
    second["label"][second["label"] == 2] = 255
    for name, columns in (("a", first), ("b", second)):
        for split in ("train", "val"):
            write_store(tmp_path / name / "shards" / f"{split}.zarr", columns)
    return tmp_path / "a" / "shards", tmp_path / "b" / "shards"


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(two: tuple[Path, Path], tmp_path: Path, loss: str) -> None:
    changes: dict[str, Any] = {"loss": {"kind": loss, "class_weights": "median_frequency"}}
    whole = _start(two, tmp_path / "runs", "whole", **changes)
    for parts in (2, 4):
        again = _start(two, tmp_path / "runs", f"parts-{parts}", data={"accumulate": parts}, **changes)
        _assert_close(again.run, whole.run)


def test_a_batch_that_cannot_be_divided_is_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a batch of 4 cannot be divided into 3 parts for each of 1 processes"):
        _start(two, tmp_path / "runs", "thirds", data={"accumulate": 3})


def test_each_data_set_has_its_head_its_scores_and_its_share_of_the_batches(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    trained = _start(two, tmp_path / "runs", "both", steps=8, val_every=8, data={"weights": [3.0, 1.0]})
    entries = [json.loads(line) for line in trained.run.log_path.read_text().splitlines()]
    assert {key for entry in entries for key in entry if key.startswith("loss/")} == {"loss/a", "loss/b"}
    last = entries[-1]
    assert last["val_mean_iou"] == pytest.approx((last["val_mean_iou/a"] + last["val_mean_iou/b"]) / 2)
    heads = {name.split(".")[1] for name in _weights(trained.run) if name.startswith("heads.")}
    assert heads == {"0", "1"}
    place = TrainingPlace(two, True, tmp_path / "runs")
    for name, mean in (("a", last["val_mean_iou/a"]), ("b", last["val_mean_iou/b"])):
        report = evaluate_run(place, "both", "last", "val", None, None, name)
        assert report.folder.name == f"eval-val-{name}-last"
        assert report.metrics["mean_iou"] == pytest.approx(mean)
    with pytest.raises(ConfigurationError, match="both learned a, b: say which with --dataset"):
        evaluate_run(place, "both", None, "val", "network", None)
    kept = json.loads((trained.run.root / "shards.json").read_text())
    assert [each["name"] for each in kept] == ["a", "b"]


def test_data_sets_of_different_sizes_learn_together(two: tuple[Path, Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wide = {
        "image": rng.integers(0, 256, (3, 12, 40, 3), np.uint8),
        "label": rng.integers(0, 3, (3, 12, 40), np.uint8),
    }
    write_store(tmp_path / "c" / "shards" / "train.zarr", wide)
    folders = (*two, tmp_path / "c" / "shards")
    apart = _start(folders, tmp_path / "runs", "sizes", steps=3, val_every=3)
    assert all(np.isfinite(_losses(apart.run)))
    cropped = {"augmentation": {"preset": "flip", "crop_size": [16, 12]}}
    assert all(np.isfinite(_losses(_start(folders, tmp_path / "runs", "crops", steps=3, val_every=3, **cropped).run)))


def test_data_sets_whose_columns_hold_other_things_are_refused(two: tuple[Path, Path], tmp_path: Path) -> None:
    columns = make_scenes(range(3))
    columns["image"] = columns["image"][..., :1].repeat(3, -1)
    columns["thermal"] = columns["image"][..., 0]
    first = write_store(tmp_path / "8" / "train.zarr", columns).parent
    columns["thermal"] = columns["thermal"].astype(np.uint16)
    second = write_store(tmp_path / "16" / "train.zarr", columns).parent
    with pytest.raises(
        ConfigurationError, match=r"column 'thermal' of .*16.* holds uint16 .* uint8 .* prepare both alike"
    ):
        _start((first, second), tmp_path / "runs", "mixed", data={"inputs": ["thermal"]})


def test_two_processes_train_as_one_through_a_signal_and_a_death(two: tuple[Path, Path], tmp_path: Path) -> None:
    one = _start(two, tmp_path / "runs", "one", schedule={"lr": 0.01}, steps=4, val_every=1)
    arguments = ["run", "--shards", two[0], "--shards", two[1], "--name", "two", "--steps", 4, "--val-every", 1]
    arguments += ["--precision", "fp32", "--base-channels", 4, "--optimizer", "sgd", "--lr", 0.01]
    arguments += ["--schedule", "constant", "--set", "model.gn_groups=2", "--set", "optimizer.momentum=0.0"]
    run = Run(tmp_path / "runs" / "two")

    # A signal that only the second process gets, while the first one writes a checkpoint.
    gate = Gate(tmp_path / "signal", "*/two/checkpoints/step-00000001*/state.json", 1)
    processes = _begin_two(arguments, tmp_path, gate)
    gate.wait_until_reached(processes[0])
    processes[1].send_signal(signal.SIGTERM)
    gate.open()
    (stopped, message), (silent, _) = _ended(processes, (130, 130))
    assert silent == ""
    stop_step = json.loads((checkpoint_of(run.root) / "state.json").read_text())["step"]
    assert f"step {stop_step} of 4" in stopped
    assert stop_step in (1, 2)
    again = "torchrun --nproc-per-node 2 --no-python train run --resume --name two"
    assert f"interrupted; the learning rate has not come to its end. Saved; go on with `{again}`" in message

    # The second process dies, while the first one writes the next checkpoint.
    gate = Gate(tmp_path / "death", f"*/two/checkpoints/step-0000000{stop_step + 1}*/state.json", 1)
    processes = _begin_two(["run", "--resume", "--name", "two"], tmp_path, gate)
    gate.wait_until_reached(processes[0])
    processes[1].kill()
    gate.open()
    (_, message), _ = _ended(processes, (3, -signal.SIGKILL))
    kept = checkpoint_of(run.root)
    assert kept.name == f"step-0000000{stop_step + 1}"
    assert "process 1 of 0 to 1 ended or was killed while the others waited" in message
    assert f"the checkpoint {kept} is kept): go on with `{again}`" in message
    assert "bug" not in message

    # What both messages said, as it was said.
    programs = {
        "torchrun": [sys.executable, "-m", "torch.distributed.run"],
        "train": [str(Path(sys.executable).with_name("train"))],
    }
    command = [part for word in again.split() for part in programs.get(word, [word])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "step 4 of 4" in done.stdout
    _assert_close(run, one.run)
    scores = [[entry.get("val_mean_iou") for entry in map(json.loads, each.log_path.read_text().splitlines())]
              for each in (run, one.run)]  # fmt: skip
    assert scores[0] == pytest.approx(scores[1], abs=0.01)
    with pytest.raises(ConflictError, match="the run was trained by 2 processes, not 1"):
        commands.resume_run(TrainingPlace(two, True, tmp_path / "runs"), "two", None, None)


def _begin_two(arguments: list[Any], place: Path, gate: Gate) -> "list[subprocess.Popen[str]]":
    """Start `train` in two processes that find each other as those of torchrun do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [
        sys.executable,
        "-W",
        "error::DeprecationWarning:segprep",
        "-c",
        "from segprep.train.cli import main; main()",
    ]
    return [
        subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=place,
            env={**os.environ, **gate.environment, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]


def _ended(processes: "list[subprocess.Popen[str]]", codes: tuple[int, int]) -> list[tuple[str, str]]:
    """Wait for both, and return what each printed on stdout and stderr."""
    outputs = [process.communicate(timeout=120) for process in processes]
    assert tuple(process.returncode for process in processes) == codes, outputs
    return outputs
