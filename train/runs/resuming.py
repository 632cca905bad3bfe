"""The command by which a run goes on."""

import shlex
from pathlib import Path

from segprep.train.runs.folder import Run

__all__ = ["resume_command"]


def resume_command(run: Run, processes: int) -> str:
    """Return what to type in this folder, so that a run goes on.

    Args:
        run: The run.
        processes: How many trained it; as many must go on.
    """
    several = f"torchrun --nproc-per-node {processes} --no-python " if processes > 1 else ""
    place = run.root.parents[1]
    where = "" if place.resolve() == Path.cwd() else f" -C {shlex.quote(str(place))}"
    return f"{several}train run --resume --name {run.name}{where}"
