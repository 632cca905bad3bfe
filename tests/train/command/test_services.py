"""`--log-to`: services get what is logged, go on with the same run, and never end one."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.train.runs.folder import Run
from segprep.train.runs.services import Services, check_services

_SMALL = ("--steps", "2", "--batch-size", "2", "--precision", "fp32", "--base-channels", "2")


class _Wandb:
    """Stands in for the package."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.begun: list[dict[str, Any]] = []
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.ended: list[int] = []
        self._fails_at = fails_at

    def init(self, **arguments: Any) -> SimpleNamespace:
        self.begun.append(arguments)
        return SimpleNamespace(log=self._log, finish=lambda exit_code: self.ended.append(exit_code))

    def _log(self, values: dict[str, float], step: int) -> None:
        if step == self._fails_at:
            raise ConnectionError("the service is away\nand more")
        self.logged.append((step, values))


class _Mlflow:
    """Stands in for `mlflow.tracking.MlflowClient`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def get_experiment_by_name(self, name: str) -> None:
        self.calls.append(("experiment?", name))

    def create_experiment(self, name: str) -> str:
        return f"of {name}"

    def create_run(self, experiment: str, run_name: str) -> SimpleNamespace:
        self.calls.append(("run", experiment, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def update_run(self, run: str, status: str) -> None:
        self.calls.append(("again", run, status))

    def log_param(self, run: str, key: str, value: str) -> None:
        self.calls.append(("param", run, key, value))

    def log_batch(self, run: str, metrics: list[Any]) -> None:
        self.calls.append(("metrics", run, metrics))

    def set_terminated(self, run: str, status: str) -> None:
        self.calls.append(("end", run, status))


def _stand_in(monkeypatch: pytest.MonkeyPatch, wandb: _Wandb, mlflow: _Mlflow) -> None:
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for name, module in {
        "mlflow": SimpleNamespace(),
        "mlflow.tracking": SimpleNamespace(MlflowClient=lambda: mlflow),
        "mlflow.entities": SimpleNamespace(Metric=lambda *values: values),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_services_get_the_log_and_go_on_with_the_same_run(
    workspace: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wandb, mlflow = _Wandb(), _Mlflow()
    _stand_in(monkeypatch, wandb, mlflow)
    assert train("run", *_SMALL, "--log-to", "wandb,mlflow") == 0
    run = Run(workspace / "runs" / "run-001")
    logged = [json.loads(line) for line in run.log_path.read_text().splitlines()]
    assert [step for step, _ in wandb.logged] == [1, 2]
    assert wandb.logged[0][1]["train/loss"] == logged[0]["loss"]
    assert wandb.logged[1][1]["val/mean_iou"] == logged[1]["val_mean_iou"]
    assert wandb.begun[0]["config"]["model"]["name"] == "frrn"
    assert ("param", "r1", "optimizer.kind", "adam") in mlflow.calls
    metrics = [call[2] for call in mlflow.calls if call[0] == "metrics"]
    assert next((name, value, step) for name, value, _, step in metrics[0]) == ("train/loss", logged[0]["loss"], 1)
    assert wandb.ended == [0]
    assert mlflow.calls[-1] == ("end", "r1", "FINISHED")

    assert train("run", "--resume", "--steps", "3") == 0
    assert [each["id"] for each in wandb.begun] == [wandb.begun[0]["id"]] * 2
    assert [each["resume"] for each in wandb.begun] == ["allow"] * 2
    assert ("again", "r1", "RUNNING") in mlflow.calls
    assert sum(call[0] == "run" for call in mlflow.calls) == 1
    assert [step for step, _ in wandb.logged] == [1, 2, 3]
    assert "failed" not in capfd.readouterr().err


def test_a_service_that_fails_is_told_once_and_asked_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb, mlflow = _Wandb(fails_at=2), _Mlflow()
    _stand_in(monkeypatch, wandb, mlflow)
    said: list[str] = []
    services = Services(Run(tmp_path), ["wandb", "mlflow"], {}, said.append)
    for step in (1, 2, 3):
        services.log({"train/iou (odd)": 0.5}, step)
    services.close(finished=False)
    assert said == ["wandb failed (the service is away): the run goes on and logs nothing more there"]
    assert [step for step, _ in wandb.logged] == [1]
    assert [call[2][0][0] for call in mlflow.calls if call[0] == "metrics"] == ["train/iou _odd_"] * 3
    assert mlflow.calls[-1] == ("end", "r1", "FAILED")


def test_a_service_that_is_not_installed_or_not_known_is_refused_before_anything_is_written(
    workspace: Path, train: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigurationError, match=r"--log-to wandb needs wandb: install it with .*segprep\[wandb\]"):
        check_services(["wandb"])
    assert train("run", *_SMALL, "--log-to", "wandb") == 2
    assert train("run", *_SMALL, "--log-to", "tensorboard") == 2
    assert "must be wandb, mlflow or both" in capfd.readouterr().err
    assert not (workspace / "runs").exists()
