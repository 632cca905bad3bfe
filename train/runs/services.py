"""What a run logs, sent to Weights & Biases and MLflow. A service that fails never ends a run."""

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.documents import read_json
from segprep.datasets.program.extras import optional_packages
from segprep.train.runs.folder import Run

__all__ = ["SERVICES", "Services", "check_services"]

_FILE: Final = "services.json"  # ids of the run there, by service
_PROJECT: Final = "segprep"
_LONGEST: Final = 500  # of a parameter's text, in MLflow


class _Service(Protocol):
    """A run in a service."""

    id: str

    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def close(self, finished: bool) -> None: ...


class _WandbRun:
    """Configured by wandb's own variables: WANDB_PROJECT, WANDB_MODE and others."""

    def __init__(self, run: Run, known: str | None, config: Mapping[str, Any]) -> None:
        self.id = known or secrets.token_hex(8)
        project = os.environ.get("WANDB_PROJECT", _PROJECT)
        self._run = import_module("wandb").init(
            project=project, name=run.name, id=self.id, resume="allow", dir=str(run.root), config=dict(config)
        )

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)


class _MlflowRun:
    """Configured by MLflow's own variables: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME and others."""

    def __init__(self, run: Run, known: str | None, config: Mapping[str, Any]) -> None:
        self._entities = import_module("mlflow.entities")
        self._client = import_module("mlflow.tracking").MlflowClient()
        if known is not None:
            self._client.update_run(known, status="RUNNING")
            self.id = known
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT)
        found = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name) if found is None else found.experiment_id
        self.id = self._client.create_run(experiment, run_name=run.name).info.run_id
        for key, value in _flat(config).items():
            self._client.log_param(self.id, key, str(value)[:_LONGEST])

    def log(self, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        named = {re.sub(r"[^\w\-./ ]", "_", name): value for name, value in values.items()}
        metrics = [self._entities.Metric(name, float(value), now, step) for name, value in named.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def close(self, finished: bool) -> None:
        self._client.set_terminated(self.id, "FINISHED" if finished else "FAILED")


SERVICES: Final[Mapping[str, Callable[[Run, str | None, Mapping[str, Any]], _Service]]] = {
    "wandb": _WandbRun,
    "mlflow": _MlflowRun,
}
"""By the name of the package."""


def check_services(names: Sequence[str]) -> None:
    """Import the packages of services.

    Raises:
        ConfigurationError: If one is not installed.
    """
    for name in names:
        with optional_packages(f"--log-to {name}"):
            import_module(name)


class Services:
    """The services that a run logs to; a run that goes on goes on there, too.

    Args:
        run: The run.
        names: Of `SERVICES`.
        config: Tables of the run's configuration, which the services show.
        say: Gets a sentence about a service that fails. It is asked nothing more then.
    """

    def __init__(self, run: Run, names: Sequence[str], config: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self._say = say
        self._open: dict[str, _Service] = {}
        path = run.root / _FILE
        known = _read(path)
        for name in names:

            def begin(name: str = name) -> None:
                self._open[name] = SERVICES[name](run, known.get(name), config)

            self._try(name, begin)
        ids = known | {name: service.id for name, service in self._open.items()}
        if ids != known:
            atomic_write_bytes(path, json.dumps(ids).encode())

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Send what a step did."""
        for name, service in list(self._open.items()):
            self._try(name, lambda service=service: service.log(values, step))  # type: ignore[misc]  # cannot infer it

    def close(self, finished: bool) -> None:
        """Say that nothing more comes.

        Args:
            finished: Whether the run ended without an error.
        """
        for name, service in list(self._open.items()):
            self._try(name, lambda service=service: service.close(finished))  # type: ignore[misc]  # cannot infer it
        self._open.clear()

    def _try(self, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001  (whatever a service raises is no reason to stop training)
            self._open.pop(name, None)
            why = str(error).partition("\n")[0] or type(error).__name__
            self._say(f"{name} failed ({why}): the run goes on and logs nothing more there")


def _flat(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tables.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        ids = read_json(path)
    except (OSError, ValueError):
        return {}
    return {str(name): str(each) for name, each in ids.items()} if isinstance(ids, dict) else {}
