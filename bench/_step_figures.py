"""A step against its floor: clocks, their ratio, and a table of where the difference goes."""

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from unittest import mock

from _measure import median_ms, table

__all__ = ["Seconds", "clocked", "difference_table", "ratio_text"]


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a call took, per sample.

    Attributes:
        wall: By the clock on the wall.
        cpu: Of this process's processor time.
        synced: Of the wall's seconds, those spent waiting in `os.fsync`.
    """

    wall: float
    cpu: float
    synced: float


def clocked(work: Callable[[], object], samples: int) -> Seconds:
    """Do the work of so many samples and return what each of them took."""
    waits: list[float] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        began = time.perf_counter()
        really(descriptor)
        waits.append(time.perf_counter() - began)

    with mock.patch.object(os, "fsync", fsync):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        took = time.perf_counter() - wall, time.process_time() - cpu, sum(waits)
    return Seconds(*(seconds / samples for seconds in took))


def ratio_text(floors: Sequence[Seconds], steps: Sequence[Seconds]) -> str:
    """Return a sentence: medians of both, what of them fsync is, and their ratio. Each step has a floor beside it."""
    # The ratio of each pair of neighbours in time, because the machine's speed drifts.
    neighbours = list(zip(steps, floors, strict=True))
    ratios = sorted(step.wall / floor.wall for step, floor in neighbours)
    cpu = statistics.median(step.cpu / floor.cpu for step, floor in neighbours)
    quarter = len(ratios) // 4
    floor_ms, step_ms = (median_ms([each.wall for each in seconds]) for seconds in (floors, steps))
    floor_sync, step_sync = (median_ms([each.synced for each in seconds]) for seconds in (floors, steps))
    return (
        f"floor {floor_ms:.1f} ms, of which fsync {floor_sync:.1f}; step {step_ms:.1f} ms per sample, of which fsync "
        f"{step_sync:.1f}: step / floor = {statistics.median(ratios):.3f} (half of {len(ratios)} measurements lie in "
        f"{ratios[quarter]:.3f}..{ratios[-1 - quarter]:.3f}); in processor time, which other programs disturb less, "
        f"{cpu:.3f}"
    )


def difference_table(
    floors: Sequence[Seconds], steps: Sequence[Seconds], parts: Mapping[str, Sequence[float]], rest: str
) -> str:
    """Return a table of what the step does beyond its floor: its measured parts, more fsync, and the rest."""
    neighbours = list(zip(steps, floors, strict=True))
    difference = median_ms([step.wall - floor.wall for step, floor in neighbours])
    named = {name: median_ms(seconds) for name, seconds in parts.items()}
    named["fsync, of the folders as well"] = median_ms([step.synced - floor.synced for step, floor in neighbours])
    named[rest] = difference - sum(named.values())
    rows = [[name, f"{value:.2f}"] for name, value in sorted(named.items(), key=lambda item: -item[1])]
    rows.append(["**step - floor**", f"**{difference:.2f}**"])
    return table(("what the step does beyond its floor", "ms"), rows)
