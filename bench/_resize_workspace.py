"""A workspace on copies of a few pairs, ready for `prep resize`, and the tasks that its workers get."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from _pairs import Pair
from _prep_tasks import Task, init_workspace, make_tasks, run_task

from segprep.datasets.workspace import Workspace

__all__ = ["Task", "copy_pairs", "make_workspace", "run_task", "tasks"]


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
    return init_workspace(place, "folder", root)


def tasks(workspace: Workspace, factor: int, per_batch: int) -> list[Task]:
    """Return what `prep resize --factor N` sends to its workers, cut into batches of `per_batch` samples."""
    return make_tasks(workspace, {"resize": {"factor": factor}}, per_batch)
