"""`train list`: every run in a line, damaged ones too, and what differs between two."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.train.runs.folder import Run
from support.runs import checkpoint_of

_SMALL = ("--steps", "2", "--batch-size", "2", "--precision", "fp32", "--base-channels", "2")


def test_runs_are_listed_and_compared(
    workspace: Path, trained_with: Callable[..., Run], train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    run = trained_with(*_SMALL)
    stopped, torn, begun = (Run(run.root.with_name(name)) for name in ("stopped", "torn", "begun"))
    for each in (stopped, torn, begun):
        shutil.copytree(run.root, each.root)
    config = stopped.config_path.read_text()
    stopped.config_path.write_text(config.replace("lr = 0.001", "lr = 0.1").replace("nesterov = false\n", ""))
    (checkpoint_of(torn.root) / "state.json").write_text('{"step": 2')
    shutil.rmtree(begun.checkpoints)
    capfd.readouterr()

    assert train("list", "--json") == 0
    listed = {each["name"]: each for each in json.loads(capfd.readouterr().out)}
    assert list(listed) == ["begun", "run-001", "stopped", "torn"]
    found = listed["run-001"]
    assert (found["network"], found["inputs"], found["step"], found["steps"]) == ("frrn", ["image"], 2, 2)
    assert (found["status"], found["metric"], found["why"]) == ("finished", "mean_iou", None)
    assert 0 <= found["best"] <= 1
    assert found["bytes"] == sum(path.stat().st_size for path in run.root.rglob("*") if path.is_file())
    assert [listed[name]["status"] for name in ("begun", "torn")] == ["no checkpoint", "damaged"]
    assert "state.json is no JSON" in listed["torn"]["why"]

    assert train("list") == 0
    out, err = capfd.readouterr()
    assert "2 of 2" in out
    assert "torn: state.json is no JSON" in err

    assert train("list", "--diff", "run-001", "stopped") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines == [
        "optimizer.nesterov: false in run-001, not said in stopped",
        "schedule.lr: 0.001 in run-001, 0.1 in stopped",
    ]
    assert train("list", "--diff", "run-001", "begun") == 0
    assert "run-001 and begun have equal configurations" in capfd.readouterr().out
    assert train("list", "--diff", "run-001", "run-009") == 2
    assert "there is no run 'run-009'" in capfd.readouterr().err


def test_without_runs_it_says_so(train: Callable[..., int], capfd: pytest.CaptureFixture[str]) -> None:
    assert train("list") == 0
    assert "there is no run in" in capfd.readouterr().err


def test_a_configuration_that_cannot_be_read_is_named(
    workspace: Path, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(workspace / "runs" / "odd")
    run.root.mkdir(parents=True)
    run.config_path.write_text("model = [")
    assert train("list") == 0
    out, err = capfd.readouterr()
    assert "damaged" in out
    assert f"odd: the configuration {run.config_path} cannot be read" in err
    assert train("list", "--diff", "odd", "odd") == 2
