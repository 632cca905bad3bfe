"""A workspace made by the program itself, and the tasks that the workers of one of its commands get."""

import io
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segprep.datasets.program.command_line import run_app
from segprep.datasets.workspace import Workspace, load_workspace
from segprep.prep.step import Step
from segprep.workflows.cli import app
from segprep.workflows.ledger.database import KnownSample
from segprep.workflows.ledger.freshness import State
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.runner import RunOptions, plan
from segprep.workflows.running.worker import BatchResult, Job, process_batch
from segprep.workflows.stages.registry import build_steps, resolve

__all__ = ["Task", "init_workspace", "make_tasks", "prep", "run_task"]


@dataclass(frozen=True, slots=True)
class Task:
    """A batch of samples."""

    job: Job
    samples: tuple[KnownSample, ...]


def run_task(task: Task) -> BatchResult:
    """Do what a worker does with a batch."""
    return process_batch(task.job, task.samples)


def prep(place: Path, *arguments: str) -> None:
    """Run a command of `prep`, in this process, in the workspace at `place`; what it says is shown if it fails."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = run_app(app, "prep", [*arguments, "-C", str(place)])
    if code:
        raise SystemExit(f"prep {' '.join(arguments)} failed:\n{said.getvalue()}")


def init_workspace(place: Path, dataset: str, root: Path) -> Workspace:
    """Make a workspace for the dataset below `root`."""
    prep(place, "init", dataset, str(root))
    return load_workspace(place)


def make_tasks(workspace: Workspace, stages: Mapping[str, Mapping[str, Any]], per_batch: int) -> list[Task]:
    """Return what a command sends to its workers, cut into batches of `per_batch` samples.

    Samples that lack an input, as the first frame of a sequence lacks the one before, are left out. Nothing is made by
    this, so a batch can be processed again and again and does all of its work each time.

    Args:
        workspace: With all columns that are read.
        stages: Name of each stage, such as "flow" or "modality hha", to what the command line says about it.
        per_batch: Samples of a batch.
    """
    with Table(workspace, writes=True) as table:
        ledger = table.ledger
        steps: list[Step] = []
        for stage, given in stages.items():
            settled = resolve(stage, given, table)
            made = build_steps(stage, table, settled.arguments, steps)
            ledger.set_columns([column for step in made for column in step.outputs], stage, settled.values)
            steps += made
        columns = table.columns()
        planned = list(plan(table, steps, RunOptions()))
    samples = [sample for sample, verdicts in planned if all(v.state is not State.ABSENT for v in verdicts)]
    starts = range(0, len(samples), per_batch)
    job = Job(workspace, tuple(steps), columns)
    return [Task(job, tuple(samples[start : start + per_batch])) for start in starts]
