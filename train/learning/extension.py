"""Making a run longer than it was planned."""

import dataclasses
from pathlib import Path
from typing import Final

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.train.learning.config import RunConfig, config_toml
from segprep.train.learning.schedule import learning_rate
from segprep.train.learning.state import RunState

__all__ = ["extension_told", "same_but_length", "was_extended", "with_length", "write_extended"]

_RECORD: Final = "# extended at step "


def with_length(config: RunConfig, steps: int | None, epochs: float | None) -> RunConfig:
    """Return the configuration of a run of another length.

    Raises:
        ConfigurationError: If both are given, or make no sense.
    """
    return dataclasses.replace(config, steps=steps, epochs=epochs)


def same_but_length(first: RunConfig, second: RunConfig) -> bool:
    """Return whether two configurations differ in nothing but the length of their runs."""
    return with_length(first, 1, None) == with_length(second, 1, None)


def was_extended(path: Path) -> bool:
    """Return whether the `config.toml` of a run says that the run was made longer."""
    return any(line.startswith(_RECORD) for line in path.read_text(encoding="utf-8").splitlines())


def extension_told(name: str, state: RunState, config: RunConfig, steps: int) -> str | None:
    """Return the sentence that says what a longer run changes; None where the length is what it was.

    Args:
        name: Of the run.
        state: Of the checkpoint that it goes on from.
        config: With the new length.
        steps: Of the whole run, by the new length.

    Raises:
        ConflictError: If the run would become shorter.
        ConfigurationError: If its schedule has ended it, so that a longer length would change nothing.
    """
    if steps == state.steps:
        return None
    if steps < state.steps:
        raise ConflictError(
            f"{name} is a run of {state.steps} steps, and would become one of {steps}: a run can only be made longer"
        )
    if state.plateau.stop:
        raise ConfigurationError(
            f"the schedule 'plateau' ended {name} at step {state.step}, and would do so in a longer run: begin a new "
            f"one with --start {name}"
        )
    halvings = state.plateau.halvings
    former = learning_rate(config.schedule, state.step - 1, state.steps, halvings)
    rate = learning_rate(config.schedule, state.step, steps, halvings)
    jump = f"goes from {former:.2e} to {rate:.2e}" if rate != former else f"stays {rate:.2e}"
    every = config.validation_interval(steps)
    before = config.validation_interval(state.steps)
    pauses = "" if every == before else f"; it validates every {every} steps instead of every {before}"
    return (
        f"{name} goes on from step {state.step} to {steps} steps instead of {state.steps}: its schedule "
        f"{config.schedule.kind!r} is that of a run of the new length, so the learning rate {jump}{pauses}"
    )


def write_extended(path: Path, config: RunConfig, state: RunState, steps: int) -> None:
    """Write the configuration of a run that was made longer; comments at its beginning say when that was.

    Args:
        path: `config.toml` of the run.
        config: With the new length.
        state: Of the checkpoint that it goes on from.
        steps: Of the whole run, by the new length.

    Raises:
        WriteFailedError: If it cannot be written.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(_RECORD)]
    lines.append(f"{_RECORD}{state.step}: {steps} steps instead of {state.steps}")
    atomic_write_bytes(path, ("\n".join(lines) + "\n\n" + config_toml(config)).encode())
