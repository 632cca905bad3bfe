"""The workers of `prep resize` on copies of a few pairs."""

from collections.abc import Sequence
from pathlib import Path

from _pairs import Pair
from _resize_workspace import copy_pairs, make_workspace, tasks
from _worker_arms import arms_report

__all__ = ["workers_report"]


def workers_report(pairs: Sequence[Pair], factor: int, samples: int, per_batch: int, rounds: int, out: Path) -> str:
    """Measure one and two workers against plain processes; return figures and table."""
    copy_pairs(pairs, samples, out / "workers-source")
    workspace = make_workspace(out / "workers-workspace", out / "workers-source")
    return arms_report(workspace, tasks(workspace, factor, per_batch), rounds)
