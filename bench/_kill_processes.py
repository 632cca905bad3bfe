"""Starting a command and killing it, or one of the processes that it started."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Literal

import numpy as np
from _kill_arms import Arm, command_line

__all__ = ["Command", "Victim"]

Victim = Literal["itself", "all", "another"]
"""Which processes are killed: the one that the user started, all, as without power, or one that it started."""

_LOOK_SECONDS = 0.005
_TICKS = slice(11, 15)  # of the processor: for the process and for those that it has seen end


class Command:
    """A command that runs.

    Args:
        arm: Which.
        workspace: Where.
        said: File for what it says.
    """

    def __init__(self, arm: Arm, workspace: Path, said: Path) -> None:
        self._arm, self._place, self._said = arm, workspace.parent, said
        self._before = _files(self._place)
        self._family: set[int] = set()
        with said.open("wb") as stream:
            # A session of its own: nothing of ours gets its signals.
            self._process = subprocess.Popen(
                command_line(arm, arm.next_words(workspace)),
                cwd=workspace,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                },  # beside other work threads only wait
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Its last words."""
        return self._said.read_text(encoding="utf-8", errors="replace").strip()[-600:]

    @property
    def changed_anything(self) -> bool:
        """Whether any file is other than before."""
        return _files(self._place) != self._before

    def wait_for_change(self) -> float | None:
        """Wait for its first change of a file; return the processor seconds until then, None if it ends without any."""
        while self._process.poll() is None:
            if self.changed_anything:
                return self._worked()
            time.sleep(_LOOK_SECONDS)
        return None

    def wait_until_worked(self, seconds: float) -> bool:
        """Wait until it and its processes have had so many seconds of a processor; False if it ends before."""
        while self._process.poll() is None:
            if self._worked() >= seconds:
                return True
            time.sleep(_LOOK_SECONDS)
        return False

    def _worked(self) -> float:
        family = {self._process.pid} | (_descendants(self._process.pid) if self._arm.workers else set())
        states = [state for pid in family if (state := _state(pid)) is not None]
        return sum(int(ticks) for state in states for ticks in state[_TICKS]) / os.sysconf("SC_CLK_TCK")

    def end(self, seconds: float) -> int | None:
        """Wait for its end; return its exit code, None if it has not ended by then."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self, victim: Victim, rng: np.random.Generator) -> bool:
        """Kill; False if it, or what should be killed, had ended before."""
        if self._process.poll() is not None:
            return False
        self._family = _descendants(self._process.pid)
        if victim == "another":
            others = sorted(self._family)
            return bool(others) and _killed(others[int(rng.integers(len(others)))])
        self._process.kill()
        if victim == "all":
            for pid in self._family:
                _killed(pid)
        return self._process.wait() == -signal.SIGKILL

    def alone(self, seconds: float) -> bool:
        """Wait until the processes that it had started when it was killed have ended, too."""
        deadline = time.monotonic() + seconds
        while any(_lives(pid) for pid in self._family):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True


def _files(place: Path) -> set[tuple[str, int, int]]:
    found = set()
    for folder, _, names in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118  (many times a second)
            with contextlib.suppress(OSError):
                state = os.lstat(path)
                found.add((path, state.st_mtime_ns, state.st_size))
    return found


def _descendants(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for process in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()):
        if (state := _state(process)) is not None:
            children.setdefault(int(state[1]), []).append(process)
    found: set[int] = set()
    parents = [pid]
    while parents:
        own = children.get(parents.pop(), [])
        found.update(own)
        parents += own
    return found


def _killed(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def _lives(pid: int) -> bool:
    state = _state(pid)
    return state is not None and state[0] != "Z"


def _state(pid: int) -> list[str] | None:
    """Return what Linux says of a process: its state, its parent, and more; None if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
