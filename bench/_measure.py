"""What the benchmarks share: arms measured in turn, medians, the load of the machine, the memory of a fresh process."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["in_turn", "load_line", "median_ms", "peak_bytes", "peak_growth", "peak_growth_of", "table", "timed"]

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def load_line(when: str) -> str:
    """Return the number of cores and the load average over the last minute."""
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    return f"{os.cpu_count()} cores, load average {load} {when}"


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Return a function that does the work and returns the seconds that it took."""

    def run() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return run


def in_turn(arms: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each arm's calls. Every round calls each arm once and starts with another one."""
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    names = list(arms)
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            seconds[name].append(arms[name]())
    return seconds


def median_ms(seconds: Sequence[float]) -> float:
    """Return the median in milliseconds."""
    return 1e3 * statistics.median(seconds)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [list(header), ["---"] * len(header), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def peak_growth(work: Callable[[], object]) -> int | None:
    """Return by how many bytes this process grew at the most while `work` ran; None where Linux's /proc is not there.

    The peak is reset before: `ru_maxrss` cannot be, and would hide whatever is smaller than the imports were.
    """
    if not (_STATUS.exists() and _RESET.exists()):
        return None
    _RESET.write_text("5")
    before = _status_bytes("VmRSS")
    work()
    return _status_bytes("VmHWM") - before


def peak_growth_of(script: str, *arguments: str) -> int | None:
    """Run `script` with arguments in a fresh process; it prints what `peak_growth` returned there."""
    done = subprocess.run([sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    printed = done.stdout.strip()
    return None if printed == "None" else int(printed)


def peak_bytes(pid: int) -> int | None:
    """Return the most that a running process ever had in memory; None where Linux's /proc is not there, or no more."""
    status = Path(f"/proc/{pid}/status")
    try:
        return _status_bytes("VmHWM", status)
    except (OSError, ValueError):  # also what has ended and was not waited for: its status has no such line
        return None


def _status_bytes(field: str, status: Path = _STATUS) -> int:
    text = status.read_text(encoding="utf-8", errors="replace")
    (line,) = [each for each in text.splitlines() if each.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024
