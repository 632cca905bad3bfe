"""A run is made longer, never shorter, and what this changes is said and written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segprep.train.learning.config import parse_config, read_toml
from segprep.train.runs.folder import Run
from support.runs import checkpoint_of

_SMALL = ("--batch-size", "2", "--precision", "fp32", "--base-channels", "2")


def _state(run: Run) -> dict[str, object]:
    state: dict[str, object] = json.loads((checkpoint_of(run.root) / "state.json").read_text())
    return state


def test_a_finished_run_goes_on_with_the_rates_of_its_new_length(
    trained_with: Callable[..., Run], train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    run = trained_with("--steps", "2", *_SMALL, "--schedule", "cosine")
    before = run.config_path.read_text()
    capfd.readouterr()
    assert train("run", "--resume", "--steps", "1") == 5
    assert "a run of 2 steps, and would become one of 1: a run can only be made longer" in capfd.readouterr().err
    assert train("run", "--resume", "--steps", "4", "--lr", "1") == 2
    assert "or --steps or --epochs of a longer run" in capfd.readouterr().err
    assert train("run", "--resume", "--steps", "2") == 0  # the length that it has
    assert run.config_path.read_text() == before

    assert train("run", "--resume", "--steps", "4") == 0
    told = (
        "run-001 goes on from step 2 to 4 steps instead of 2: its schedule 'cosine' is that of a run of the new "
        "length, so the learning rate stays 5.00e-04"
    )
    assert told in capfd.readouterr().err
    rates = [json.loads(line)["lr"] for line in run.log_path.read_text().splitlines()]
    assert rates == pytest.approx([1e-3, 5e-4, 5e-4, 1.4645e-4], rel=1e-4)  # by half a wave over 2, then over 4
    assert (_state(run)["step"], _state(run)["steps"]) == (4, 4)
    assert run.config_path.read_text().startswith("# extended at step 2: 4 steps instead of 2\n\n")

    assert train("run", "--resume", "--epochs", "2") == 0  # 5 samples in batches of 2 are 5 steps
    assert "the learning rate goes from 1.46e-04 to 9.55e-05" in capfd.readouterr().err
    assert "# extended at step 4: 5 steps instead of 4" in run.config_path.read_text()
    config = parse_config(read_toml(run.config_path), "config.toml")
    assert (config.steps, config.epochs) == (None, 2.0)
    assert train("run", "--resume") == 0
    assert train("eval", "--at", "network") == 0
    assert "goes on from" not in capfd.readouterr().err


def test_what_was_never_saved_cannot_be_extended(
    workspace: Path, trained_with: Callable[..., Run], train: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    run = trained_with("--steps", "2", *_SMALL)
    (run.checkpoints / "last").unlink()
    assert train("run", "--resume", "--steps", "4") == 2
    assert "run-001 has no checkpoint that could be extended" in capfd.readouterr().err
