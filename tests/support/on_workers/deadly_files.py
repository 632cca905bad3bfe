"""Work on files that tests send to worker processes; the folder is put on the workers' path."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from segprep.datasets.classes import ClassMap
from segprep.datasets.record import SourceFile
from segprep.workflows.checks.facts import FileFacts, inspect_files

__all__ = ["VICTIM", "double", "inspect_deadly_files"]

VICTIM = 13


def double(diary: Path, numbers: Sequence[int]) -> list[int]:
    """Note each number in a file, and kill the process at the victim."""
    doubled = []
    for number in numbers:
        with diary.open("a") as file:
            file.write(f"{number}\n")
        if number == VICTIM:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)
        doubled.append(2 * number)
    return doubled


def inspect_deadly_files(root: Path, class_map: ClassMap, sources: Sequence[SourceFile]) -> list[FileFacts]:
    """Inspect files as `prep check` does, but die of those that say so."""
    for source in sources:
        path = root / source.path
        if path.is_file() and path.read_bytes() == b"deadly":
            os.kill(os.getpid(), signal.SIGKILL)
    return inspect_files(root, class_map, sources)
