"""A run that is killed at a bad moment: the same command, or --resume, ends as if nothing had happened."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from segprep.train.network.checkpoint import list_checkpoints
from segprep.train.runs.folder import Run
from support.gate import Gate
from support.runs import checkpoint_of

_SMALL = ("--steps", "2", "--val-every", "2", "--batch-size", "2", "--precision", "fp32", "--base-channels", "2")


@pytest.fixture
def train(workspace: Path) -> Callable[..., int]:
    return lambda *arguments: run_app(app, "train", [*map(str, arguments), "-C", str(workspace)])


@pytest.fixture
def run(workspace: Path) -> Run:
    return Run(workspace / "runs" / "run-001")


def _steps(run: Run) -> list[int]:
    return [json.loads(line)["step"] for line in run.log_path.read_text().splitlines()]


@pytest.mark.parametrize("name", ["best", "last"])
def test_killed_while_it_points_at_a_checkpoint_a_run_ends_as_without(
    workspace: Path, train: Callable[..., int], run: Run, name: str
) -> None:
    gate = Gate(workspace / "gate", f"*/checkpoints/{name}", 1)
    command = [sys.executable, "-c", "from segprep.train.cli import main; main()", "run", *_SMALL]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=workspace, stdout=pipe, stderr=pipe, text=True, env=gate.environment) as process:
        gate.wait_until_reached(process)
        process.kill()
    assert train("run", "--resume") == 0
    assert _steps(run) == [1, 2]
    assert [(each.step, each.pointers) for each in list_checkpoints(run.checkpoints)] == [(2, ("last", "best"))]
    assert not list(run.root.rglob("*.partial"))


def test_a_start_that_was_killed_before_there_was_a_configuration_is_repeated(
    train: Callable[..., int], run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    run.root.mkdir(parents=True)
    (run.root / ".writer.lock").touch()
    (run.root / "config.toml.123.partial").write_text("[data")
    assert train("run", *_SMALL) == 0
    assert [path.name for path in run.root.parent.iterdir()] == ["run-001"]
    assert not list(run.root.glob("*.partial"))
    capfd.readouterr()
    assert train("run", "--name", "run-001", *_SMALL) == 5
    assert "exists: continue it with --resume --name run-001" in capfd.readouterr().err


def test_what_a_killed_run_did_not_come_to_is_made_by_resuming(
    train: Callable[..., int], run: Run, real_curves: None
) -> None:
    assert train("run", *_SMALL) == 0
    kept = {name: (run.root / name).read_bytes() for name in ("shards.json", "curves.png")}
    for name in kept:
        (run.root / name).unlink()
    half_removed = run.checkpoints / "step-00000001"
    half_removed.mkdir()
    shutil.copy(checkpoint_of(run.root) / "state.json", half_removed)
    (run.checkpoints / "step-00000001.unused.123.partial").mkdir()
    assert train("run", "--resume") == 0
    assert {name: (run.root / name).read_bytes() for name in kept} == kept
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["best", "last", "step-00000002"]
