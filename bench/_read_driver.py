"""The processes of the benchmark of reading, seen from the program that drives them in turn."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Driven", "Group", "evict", "refresh", "running"]


@dataclass(frozen=True, slots=True)
class Group:
    """Arms that one process has.

    Attributes:
        module: Of the arms.
        python: That has their libraries.
        label: Tells processes apart that have these two in common.
    """

    module: str
    python: str
    label: str


class Driven:
    """An arm in its process.

    Args:
        name: As its module knows it.
        process: The running process.
        folder: Of what is read.
    """

    def __init__(self, name: str, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.name = name
        self._process = process
        self._folder = folder

    def named(self, name: str) -> "Driven":
        """Return another arm of the same process."""
        return Driven(name, self._process, self._folder)

    def do(self, what: str, **command: object) -> Any:  # noqa: ANN401  (any JSON value)
        """Have the arm do something.

        Raises:
            RuntimeError: If it failed; says why.
        """
        line = json.dumps({"do": what, "arm": self.name, "folder": str(self._folder), **command})
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        found = json.loads(answer or '{"failed": "its process has ended"}')
        if "failed" in found:
            raise RuntimeError(found["failed"])
        return found["ok"]


@contextmanager
def running(arms: Mapping[str, tuple[str, Group]], folder: Path, log: Path) -> Iterator[dict[str, Driven]]:
    """Start a process for each group of arms; those that cannot open what they read are named and left out.

    Args:
        arms: Label to the arm's name in its module, and its group.
        folder: Of what is read.
        log: Gets what the processes print.
    """
    processes: dict[Group, subprocess.Popen[str]] = {}
    with log.open("a") as errors:
        for group in dict.fromkeys(group for _, group in arms.values()):
            command = [group.python, str(Path(__file__).with_name("_read_child.py")), group.module]
            processes[group] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        try:
            opened = {}
            for label, (name, group) in arms.items():
                driven = Driven(name, processes[group], folder)
                try:
                    driven.do("open")
                    opened[label] = driven
                except RuntimeError as error:
                    print(f"not measured: {label}: {error}")
            yield opened
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        pipe.close()


def evict(paths: Sequence[Path]) -> None:
    """Have the system forget what it keeps in memory of these files, or of all files below these folders."""
    for file in _files(paths):
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def refresh(paths: Sequence[Path]) -> None:
    """Have the system read the files anew, from their beginning to their end.

    How files lie in memory depends on how they came there, and copying from there is up to 15 % faster or slower by it.
    """
    evict(paths)
    for file in _files(paths):
        with file.open("rb", buffering=0) as opened:
            while opened.read(2**20):
                pass


def _files(paths: Sequence[Path]) -> list[Path]:
    return sorted({file for path in paths for file in (path, *path.rglob("*")) if file.is_file()})
