"""What the benchmark of reading should show, and whether it did."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from _measure import table
from _read_parts import Bench

__all__ = ["verdict"]

_STORED = 0.65  # of the raw bytes, with the default codec


@dataclass(frozen=True, slots=True)
class _Target:
    """In a part, an arm is to be so many times as fast as each of some others."""

    part: str
    arm: str
    others: Sequence[str]
    factor: float


def _targets(bench: Bench) -> list[_Target]:
    made = [name for name in bench.measured.get("batches", {}) if name.rpartition(",")[0] in bench.peers]
    return [
        _Target("single", "ours none", ["memmap"], 0.9),
        _Target("single", "ours none", ["MDS"], 1.3),
        _Target("single", "ours none", ["LitData"], 2.5),
        _Target("single", "ours lz4", ["WebDataset"], 2.3),
        _Target("single", "ours lz4", ["png"], 15),
        _Target("batches", "ours none, 2 threads", made, 1.3),
        _Target("batches", "ours lz4, 2 threads", made, 1.3),
    ]


def verdict(bench: Bench) -> str:
    """Return a table of the targets whose arms were measured."""
    share = bench.share("ours lz4")
    rows = [["ours lz4, stored / raw bytes", "", f"<= {_STORED}", f"{share:.3f}", _reached(share <= _STORED)]]
    for target in _targets(bench):
        seconds = bench.measured.get(target.part, {})
        others = [name for name in target.others if name in seconds]
        if target.arm in seconds and others:
            best = min(others, key=lambda name: statistics.median(seconds[name]))
            ratios = [other / ours for other, ours in zip(seconds[best], seconds[target.arm], strict=True)]
            ratio = statistics.median(ratios)
            found = f"{ratio:.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
            rows.append(
                [f"{target.part}: {target.arm}", best, f">= {target.factor}", found, _reached(ratio >= target.factor)]
            )
    return table(("arm", "against", "target", "median [min, max] over rounds", ""), rows)


def _reached(reached: bool) -> str:
    return "reached" if reached else "NOT reached"
