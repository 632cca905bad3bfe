"""The processes of the benchmark of reading, seen from the program that drives them in turn."""

import importlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from _read_child import Server

__all__ = ["Driven", "Group", "evict", "refresh", "running"]


@dataclass(frozen=True, slots=True)
class Group:
    """Arms that one process has.

    Attributes:
        module: Of the arms.
        python: That has their libraries.
        label: Tells processes apart that have these two in common.
        here: Whether this process has them: quicker to start, for tiny runs.
    """

    module: str
    python: str
    label: str
    here: bool = False


class _Process:
    """A process that replies to lines."""

    def __init__(self, group: Group, errors: IO[str]) -> None:
        command = [group.python, str(Path(__file__).with_name("_read_child.py")), group.module]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )

    def reply(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        return answer or '{"failed": "its process has ended"}'

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Driven:
    """An arm in its process.

    Args:
        name: As its module knows it.
        server: The running process, or what stands for it here.
        folder: Of what is read.
    """

    def __init__(self, name: str, server: _Process | Server, folder: Path) -> None:
        self.name = name
        self._server = server
        self._folder = folder

    def named(self, name: str) -> "Driven":
        """Return another arm of the same process."""
        return Driven(name, self._server, self._folder)

    def do(self, what: str, **command: object) -> Any:  # noqa: ANN401  (any JSON value)
        """Have the arm do something.

        Raises:
            RuntimeError: If it failed; says why.
        """
        line = json.dumps({"do": what, "arm": self.name, "folder": str(self._folder), **command})
        found = json.loads(self._server.reply(line))
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
    servers: dict[Group, _Process | Server] = {}
    with log.open("a") as errors:
        for group in dict.fromkeys(group for _, group in arms.values()):
            servers[group] = Server(importlib.import_module(group.module)) if group.here else _Process(group, errors)
        try:
            opened = {}
            for label, (name, group) in arms.items():
                driven = Driven(name, servers[group], folder)
                try:
                    driven.do("open")
                    opened[label] = driven
                except RuntimeError as error:
                    print(f"not measured: {label}: {error}")
            yield opened
        finally:
            for server in servers.values():
                if isinstance(server, _Process):
                    server.end()


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
