"""How long a network takes, in a process of its own: arrays in memory to class ids in memory."""

import multiprocessing
import platform
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.errors import SegprepError
from segprep.datasets.json_values import json_of
from segprep.datasets.sample import Array, JsonDict
from segprep.train.export.arms import Arm, Call, ready

__all__ = ["INCLUDED", "Timing", "percentiles", "processor", "timed", "timed_apart"]

INCLUDED: Final = (
    "timed: arrays in memory to class ids in memory, with coding, scaling, copies to a GPU and back, probabilities and "
    "the choice of the class; without reading and decoding files"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What an arm took.

    Attributes:
        name: What was timed.
        runtime: In which way.
        batch: Samples at once.
        size: (width, height).
        precision: In which it computed.
        threads: Of the processor.
        device: Where it computed.
        first_ms: The first batch, with what is made ready then: compiling is.
        median_ms: Of the batches that count.
        p90_ms: Nine of ten took at most this.
        p99_ms: Of a hundred, all but one.
        images_per_second: Samples over the time of all that count.
        memory_mb: The most that the process held, the programs themselves included; on a GPU the most that torch held
            there.
        failed: Why there is nothing of it; None else.
    """

    name: str
    runtime: str
    batch: int
    size: tuple[int, int]
    precision: str = ""
    threads: int = 0
    device: str = ""
    first_ms: float | None = None
    median_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    images_per_second: float | None = None
    memory_mb: float | None = None
    failed: str | None = None

    def to_json(self) -> JsonDict:
        """Return plain values."""
        return json_of(self)


def timed_apart(arm: Arm) -> Timing:
    """Time an arm in a fresh process, so that neither memory nor threads of another one count."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(timed, arm).result()
        except BrokenProcessPool:
            return _failure(arm, "its process was killed: memory may not have sufficed")


def timed(arm: Arm) -> Timing:
    """Time an arm in this process. What cannot run is told by the result."""
    try:
        network = ready(arm)
        durations_ms = _durations_ms(network.call, 1 + arm.warm_up + arm.runs)
    except (SegprepError, RuntimeError, ValueError, OSError, MemoryError) as error:
        return _failure(arm, str(error).strip().partition("\n")[0] or type(error).__name__)
    counted = durations_ms[1 + arm.warm_up :]
    median_ms, p90_ms, p99_ms = percentiles(counted)
    return Timing(
        name=arm.name,
        runtime=arm.runtime,
        batch=arm.batch,
        size=network.size,
        precision=network.precision,
        threads=network.threads,
        device=network.device,
        first_ms=durations_ms[0],
        median_ms=median_ms,
        p90_ms=p90_ms,
        p99_ms=p99_ms,
        images_per_second=1000 * arm.batch * len(counted) / sum(counted),
        memory_mb=_peak_mb() if network.memory_mb is None else network.memory_mb(),
    )


def percentiles(durations_ms: Sequence[float]) -> tuple[float, float, float]:
    """Return the median and what 90 % and 99 % take at most: durations that were measured, the median a mean of two."""
    values: Array = np.array(durations_ms)
    p90, p99 = (float(np.percentile(values, share, method="higher")) for share in (90, 99))
    return float(np.median(values)), p90, p99


def processor() -> str:
    """Return what the processor is called."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _durations_ms(call: Call, count: int) -> list[float]:
    durations = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        durations.append(1000 * (time.perf_counter() - begin))
    return durations


def _peak_mb() -> float:
    """Return the most memory that this process held; what it says itself on Linux may be its parent's."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes there, kibibytes on Linux


def _failure(arm: Arm, why: str) -> Timing:
    place: dict[str, Any] = {"name": arm.name, "runtime": arm.runtime, "batch": arm.batch, "size": arm.size or (0, 0)}
    return Timing(**place, failed=why)
