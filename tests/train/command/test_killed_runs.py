"""A run that is killed at a bad moment: the same command, or --resume, ends as if nothing had happened."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from segprep.train.network.checkpoint import list_checkpoints
from segprep.train.runs.folder import Run
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
    workspace: Path, train: Callable[..., int], run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    at_the_kill, rename = workspace.parent / f"{workspace.name}-at-the-kill", Path.replace

    def copied(source: Path, target: Path) -> Path:
        if target == run.checkpoints / name:  # a kill leaves what is on the disk now
            shutil.copytree(run.root, at_the_kill)
        return rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", copied)
        assert train("run", *_SMALL) == 0
    shutil.rmtree(run.root)
    at_the_kill.rename(run.root)
    assert [path.name.split(".")[0] for path in run.root.rglob("*.partial")] == [name]
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
