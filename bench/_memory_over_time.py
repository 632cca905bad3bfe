"""The memory of a command and its workers while it runs."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from _measure import peak_bytes, table

__all__ = ["Watched", "memory_report", "watch"]

_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class _Moment:
    seconds: float
    command_mb: float
    largest_worker_mb: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A command that was watched while it ran.

    Attributes:
        seconds: What it took, start-up included.
        moments: Memory at moments when there were workers; at all moments if there never were any.
        command_peak_mb: Most that the command itself ever had in memory.
        worker_peak_mb: Most that any process that it started ever had.
    """

    seconds: float
    moments: Sequence[_Moment]
    command_peak_mb: float
    worker_peak_mb: float


def watch(place: Path, *arguments: str) -> Watched:
    """Run a command of `prep` in the workspace at `place` and watch its memory."""
    command = [sys.executable, "-c", "from segprep.workflows.cli import main; main()", *arguments, "-q"]
    began = time.perf_counter()
    with subprocess.Popen([*command, "-C", str(place)], stdout=subprocess.PIPE, text=True) as process:
        moments, peaks = list[_Moment](), list[tuple[float, float]]()
        while process.poll() is None:
            found = _look(process.pid)
            now = time.perf_counter() - began
            for own, *workers in found:
                moments.append(_Moment(now, own.now_mb, max((w.now_mb for w in workers), default=0)))
            peaks += [(own.peak_mb, max((w.peak_mb for w in workers), default=0)) for own, *workers in found]
            time.sleep(_EVERY_S)
        printed = "" if process.stdout is None else process.stdout.read()
    took = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"prep {' '.join(arguments)} failed:\n{printed}")
    working = [moment for moment in moments if moment.largest_worker_mb] or moments
    return Watched(took, working, *(max(each) for each in zip(*peaks, strict=True)))


def memory_report(place: Path, samples: int, *arguments: str) -> str:
    """Run a command of `prep` in the workspace at `place` and return its memory by quarters of its time."""
    watched = watch(place, *arguments)
    rows = [_quarter(watched.moments, number) for number in range(4)]
    header = ("quarter of the time", "command (MB)", "largest worker (MB)")
    return f"{samples} samples in {watched.seconds:.1f} s, start-up included\n\n{table(header, rows)}"


def _quarter(moments: Sequence[_Moment], number: int) -> list[str]:
    part = moments[len(moments) * number // 4 : len(moments) * (number + 1) // 4] or moments
    peaks = max(m.command_mb for m in part), max(m.largest_worker_mb for m in part)
    return [str(number + 1), *(f"{peak:.0f}" for peak in peaks)]


@dataclass(frozen=True, slots=True)
class _Size:
    now_mb: float
    peak_mb: float


def _look(pid: int) -> list[list[_Size]]:
    """Return how large the command and what it started are, as one list; nothing where one is just ending."""
    try:
        process = psutil.Process(pid)
        return [[_size(each) for each in (process, *process.children(recursive=True))]]
    except (psutil.Error, OSError):
        return []


def _size(process: psutil.Process) -> _Size:
    now: int = process.memory_info().rss
    return _Size(now / 1e6, (peak_bytes(process.pid) or now) / 1e6)
