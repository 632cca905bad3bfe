"""A workspace on copies of a few pairs, ready for `prep resize`, and the tasks that its workers get."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _pairs import Pair

from segprep.datasets.workspace import Workspace, load_workspace
from segprep.workflows.ledger import KnownSample, Ledger
from segprep.workflows.runner import RunOptions, plan
from segprep.workflows.stages import build_steps, resolve
from segprep.workflows.worker import BatchResult, Job, process_batch

__all__ = ["Task", "copy_pairs", "make_workspace", "run_task", "tasks"]


@dataclass(frozen=True, slots=True)
class Task:
    """A batch of `prep resize`."""

    job: Job
    samples: tuple[KnownSample, ...]


def run_task(task: Task) -> BatchResult:
    """Do what a worker does with a batch."""
    return process_batch(task.job, task.samples)


def copy_pairs(pairs: Sequence[Pair], count: int, root: Path) -> None:
    """Lay `count` pairs out in the layout of dataset `folder`: each pair is copied once, then linked."""
    for part in ("image", "label"):
        folder = root / f"{part}_data"
        folder.mkdir(parents=True)
        for number in range(count):
            target = folder / f"{number:03d}.png"
            if number < len(pairs):
                shutil.copyfile(getattr(pairs[number], part), target)
            else:
                os.link(folder / f"{number % len(pairs):03d}.png", target)


def make_workspace(place: Path, root: Path) -> Workspace:
    """Make a workspace for the dataset below `root`."""
    init = [sys.executable, "-c", "from segprep.workflows.cli import main; main()", "init", "folder", str(root)]
    subprocess.run([*init, "-C", str(place)], stdout=subprocess.DEVNULL, check=True)
    return load_workspace(place)


def tasks(workspace: Workspace, factor: int, per_batch: int) -> list[Task]:
    """Return what `prep resize --factor N` sends to its workers, cut into batches of `per_batch` samples.

    Nothing is made by this, so a batch can be processed again and again and does all of its work each time.
    """
    with Ledger(workspace.ledger_path, workspace.config.splits) as ledger:
        arguments = resolve("resize", {"factor": factor}, workspace, ledger).values
        steps = tuple(build_steps("resize", workspace, ledger, arguments))
        ledger.set_columns([column for step in steps for column in step.outputs], "resize", arguments)
        columns = {name: row.column for name, row in ledger.columns().items()}
        samples = [sample for sample, _ in plan(workspace, ledger, steps, RunOptions())]
    starts = range(0, len(samples), per_batch)
    job = Job(workspace, steps, columns)
    return [Task(job, tuple(samples[start : start + per_batch])) for start in starts]
