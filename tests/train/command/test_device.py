"""`--device`: named, refused where it is not there, remembered with the checkpoint but no part of the run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.train.runs.folder import Run
from support.runs import checkpoint_of

_SMALL = ("--steps", "2", "--batch-size", "2", "--base-channels", "2", "--precision", "fp32")


@pytest.fixture
def _only_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segprep.train.network.device._there", lambda: ["cpu"])


@pytest.mark.usefixtures("_only_a_cpu")
@pytest.mark.parametrize(
    ("name", "message"),
    [("cuda:7", "sees no such device here, but cpu"), ("tpu", "--device is cpu, cuda, cuda:N or mps, not 'tpu'")],
)
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(
    name: str, message: str, workspace: Path, train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert train("run", *_SMALL, "--device", name) == 2
    assert message in capfd.readouterr().err
    assert not (workspace / "runs").exists()


@pytest.mark.usefixtures("_only_a_cpu")
def test_a_run_remembers_its_device_and_goes_on_there(
    trained_with: Callable[..., Run],
    train: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    run = trained_with(*_SMALL, "--device", "cpu")
    assert "device" not in run.config_path.read_text()
    assert json.loads((checkpoint_of(run.root) / "state.json").read_text())["device"] == "cpu"
    assert train("eval", "--device", "cpu", "--at", "network", "--json") == 0
    assert train("eval", "--device", "cuda") == 2
    assert train("run", "--resume") == 0
    assert "goes on" not in capfd.readouterr().err
    monkeypatch.setattr("segprep.train.command.device._former", lambda *_: "cuda:1")
    assert train("run", "--resume") == 0
    assert "run-001 was trained on cuda:1 and goes on on cpu: not to the bits" in capfd.readouterr().err
