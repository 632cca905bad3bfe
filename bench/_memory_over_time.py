"""The memory of a command and its workers while it runs."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from _measure import table

__all__ = ["memory_report"]

_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class _Moment:
    seconds: float
    command_mb: float
    largest_worker_mb: float


def memory_report(place: Path, samples: int, *arguments: str) -> str:
    """Run a command of `prep` in the workspace at `place` and return its memory by quarters of its time."""
    command = [sys.executable, "-c", "from segprep.workflows.cli import main; main()", *arguments, "-q"]
    began = time.perf_counter()
    with subprocess.Popen([*command, "-C", str(place)], stdout=subprocess.PIPE, text=True) as process:
        moments = []
        while process.poll() is None:
            moments += _look(process.pid, time.perf_counter() - began)
            time.sleep(_EVERY_S)
        printed = "" if process.stdout is None else process.stdout.read()
    if process.returncode:
        raise SystemExit(f"prep {' '.join(arguments)} failed:\n{printed}")
    took = time.perf_counter() - began
    working = [moment for moment in moments if moment.largest_worker_mb]
    rows = [_quarter(working, number) for number in range(4)]
    header = ("quarter of the time", "command (MB)", "largest worker (MB)")
    return f"{samples} samples in {took:.1f} s, start-up included\n\n{table(header, rows)}"


def _quarter(moments: Sequence[_Moment], number: int) -> list[str]:
    part = moments[len(moments) * number // 4 : len(moments) * (number + 1) // 4] or moments
    peaks = max(m.command_mb for m in part), max(m.largest_worker_mb for m in part)
    return [str(number + 1), *(f"{peak:.0f}" for peak in peaks)]


def _look(pid: int, seconds: float) -> list[_Moment]:
    """Return how large the processes are now; nothing where one of them is just ending."""
    try:
        process = psutil.Process(pid)
        own = process.memory_info().rss
        workers = [child.memory_info().rss for child in process.children(recursive=True)]
    except psutil.Error:
        return []
    return [_Moment(seconds, own / 1e6, max(workers, default=0) / 1e6)]
