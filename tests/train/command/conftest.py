"""The command in a workspace, and runs there that are trained once for all tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.datasets.program.command_line import run_app
from segprep.train.cli import app
from segprep.train.runs.folder import Run


@pytest.fixture
def train(workspace: Path) -> Callable[..., int]:
    """Run the command in the workspace and return its exit code."""
    return lambda *arguments: run_app(app, "train", [*map(str, arguments), "-C", str(workspace)])


@pytest.fixture(scope="session")
def _kept_runs() -> dict[tuple[str, ...], Path]:
    return {}


@pytest.fixture
def trained_with(
    workspace: Path,
    train: Callable[..., int],
    _kept_runs: dict[tuple[str, ...], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Run]:
    """Give the workspace its first run, trained with these options, or a copy: equal shards make equal runs."""

    def trained(*options: str) -> Run:
        runs = workspace / "runs"
        if options not in _kept_runs:
            assert train("run", *options) == 0
            _kept_runs[options] = tmp_path_factory.mktemp("kept") / "runs"
            shutil.move(runs, _kept_runs[options])
        shutil.copytree(_kept_runs[options], runs)
        return Run(runs / "run-001")

    return trained
