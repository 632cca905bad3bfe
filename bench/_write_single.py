"""Our writer against zarr-python's in one process: speed by codec, and what a process grows by."""

import itertools
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from _measure import in_turn, peak_growth_of, table
from _read_data import Scale
from _read_driver import Driven, Group, running
from _step_figures import Seconds
from _write_arms import KINDS, arm_path
from _write_zarr import refuse_other_bytes

__all__ = ["single_report"]


def single_report(folder: Path, scale: Scale, codecs: Sequence[str], rounds: int, log: Path, *, tiny: bool) -> str:
    """Measure the writers in turn, each in a process of its own; return figures and tables.

    Args:
        folder: Holds the arrays, gets the stores.
        scale: Of the arrays.
        codecs: To write with.
        rounds: Over all shards.
        log: Gets what the processes print.
        tiny: Take one process for all writers, and measure the memory of ours alone.

    Raises:
        SystemExit: If the files of the two differ.
    """
    arms = {f"{kind} {codec}": kind for codec in codecs for kind in KINDS}
    for name in arms:
        shutil.rmtree(arm_path(name, folder), ignore_errors=True)
    groups = {
        name: (name, Group("_write_arms", sys.executable, "all" if tiny else kind)) for name, kind in arms.items()
    }
    shards = scale.samples // scale.per_shard
    took: dict[str, list[Seconds]] = {name: [] for name in arms}
    with running(groups, folder, log) as opened:
        if len(opened) < len(arms):
            raise SystemExit("a writer does not run")
        for arm in opened.values():
            arm.do("begin", per_shard=scale.per_shard)
        turns = {name: _turn(arm, scale.per_shard, shards, took[name]) for name, arm in opened.items()}
        in_turn(turns, rounds * shards)
    for codec in codecs:
        ours, *others = (arm_path(f"{kind} {codec}", folder) for kind in KINDS)
        for other in others:
            refuse_other_bytes(ours, other)
    head = (
        f"shards of {scale.per_shard} samples, {scale.per_shard * scale.raw_bytes / 1e6:.0f} MB raw, each of {shards} "
        f"written {rounds} times; the files of all writers are equal byte for byte"
    )
    tables = (
        _speed_table(took, scale),
        _ratio_table(took, codecs),
        _growth_table(folder, scale, codecs, KINDS[:1] if tiny else KINDS),
    )
    return "\n\n".join((head, *tables))


def _turn(arm: Driven, per_shard: int, shards: int, took: list[Seconds]) -> Callable[[], float]:
    def run() -> float:
        seconds = Seconds(**arm.do("write", per_shard=per_shard, shard=len(took) % shards))
        took.append(seconds)
        return seconds.wall

    return run


def _speed_table(took: dict[str, list[Seconds]], scale: Scale) -> str:
    rows = []
    for name, each in took.items():
        walls = sorted(seconds.wall for seconds in each)
        wall, cpu, synced = (statistics.median(getattr(s, part) for s in each) for part in ("wall", "cpu", "synced"))
        rows.append(
            [
                name,
                f"{1 / wall:.0f} [{1 / walls[-1]:.0f}, {1 / walls[0]:.0f}]",
                f"{scale.raw_bytes / 1e6 / wall:.0f}",
                f"{1e3 * synced:.2f}",
                f"{1e3 * cpu:.2f}",
            ]
        )
    return table(("arm", "samples/s [min, max]", "raw MB/s", "fsync, ms/sample", "processor, ms/sample"), rows)


def _ratio_table(took: dict[str, list[Seconds]], codecs: Sequence[str]) -> str:
    """Return how many times as fast ours is, turn by turn, because the machine's and the disk's speed drift."""
    rows = []
    for codec, other in itertools.product(codecs, KINDS[1:]):
        row = [codec, other]
        for part in (_wall, _without_sync, _cpu):
            pairs = zip(took[f"{KINDS[0]} {codec}"], took[f"{other} {codec}"], strict=True)
            ratios = sorted(part(theirs) / part(ours) for ours, theirs in pairs)
            row.append(f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]")
        rows.append(row)
    header = ("codec", "ours against", "x its speed", "x, without waiting for fsync", "x less processor time")
    return table(header, rows)


def _wall(seconds: Seconds) -> float:
    return seconds.wall


def _without_sync(seconds: Seconds) -> float:
    return seconds.wall - seconds.synced


def _cpu(seconds: Seconds) -> float:
    return seconds.cpu


def _growth_table(folder: Path, scale: Scale, codecs: Sequence[str], kinds: Sequence[str]) -> str:
    growth = partial(peak_growth_of, str(Path(__file__).with_name("_write_arms.py")))
    options = str(folder), str(scale.per_shard)
    rows = [[codec, *(_mb(growth(f"{kind} {codec}", *options)) for kind in kinds)] for codec in codecs]
    return table(("a fresh process grows by, MB", *kinds), rows)


def _mb(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:.0f}"
