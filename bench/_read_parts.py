"""The parts of the benchmark of reading: each measures its arms in turn and returns a table."""

import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from _measure import in_turn, table
from _read_child import digest
from _read_data import COLUMNS, Scale
from _read_driver import Driven, Group, evict, refresh, running

__all__ = ["Bench", "Opened", "Seconds", "batches", "checksums", "cold", "crops", "single", "warm"]

Seconds = Mapping[str, Sequence[float]]
"""Seconds per sample of each arm, one figure per round."""

Opened = dict[str, Driven]
"""Arms by name."""

_BATCH = 8
_COLD_BATCHES, _COLD_ROUNDS = 6, 3
_DIRECT, _PROCESSES = "in the loop", "2 processes"
_THREADS = {_DIRECT: 0, "1 thread": 1, "2 threads": 2, _PROCESSES: 0}
_AHEAD = {
    _DIRECT: 0,
    "1 thread": 3,
    "2 threads": 3,
    _PROCESSES: 5,
}  # batches that may be ready before they are asked for
_OWN = Group("_read_ours", sys.executable, "own")
_ZARR = Group("_read_ours", sys.executable, "zarr-python")  # has threads of its own


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, and what was.

    Attributes:
        folder: Of everything that is read.
        log: Gets what libraries print.
        scale: Of the data.
        peers: Processes of the other libraries by the names of their arms.
        tiny: Whether it only should run at all.
        measured: By part.
    """

    folder: Path
    log: Path
    scale: Scale
    peers: Mapping[str, Group]
    tiny: bool
    measured: dict[str, Seconds] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """How often each arm has its turn."""
        return 2 if self.tiny else 15

    def rows(self, turn: int, count: int = 64) -> list[int]:
        """Return the rows that every arm reads in a turn."""
        drawn: list[int] = np.random.default_rng(turn).permutation(self.scale.samples)[:count].tolist()
        return drawn

    def share(self, arm: str) -> float:
        """Return the bytes that an arm's data take, relative to those of the raw arrays."""
        files = [file for path in self.paths(arm) for file in (path, *path.rglob("*")) if file.is_file()]
        return sum(file.stat().st_size for file in files) / (self.scale.samples * self.scale.raw_bytes)

    def paths(self, arm: str) -> list[Path]:
        """Return the files, or folders of files, that an arm reads."""
        kind, *options = arm.split()
        if kind == "memmap":
            return sorted(self.folder.glob("*.npy"))
        return [self.folder / (f"{options[0]}.zarr" if kind in ("ours", "zarr-python", "tensorstore") else arm)]


@contextmanager
def warm(bench: Bench) -> Iterator[Opened]:
    """Open all arms that read the right pixels, with everything that they read in memory.

    Those that do not are named and left out.
    """
    own = dict.fromkeys(("memmap", "ours none", "ours lz4", "ours zstd", "png"), replace(_OWN, here=bench.tiny))
    zarr = dict.fromkeys(("zarr-python none", "zarr-python lz4"), replace(_ZARR, here=bench.tiny))
    arms = {name: (name, group) for name, group in {**own, **zarr, **bench.peers}.items()}
    every = list(range(bench.scale.samples))
    arrays = [np.load(bench.folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS]
    expected = {row: digest([values[row] for values in arrays]) for row in every}
    for name in arms:
        refresh(bench.paths(name))
    with running(arms, bench.folder, bench.log) as opened:
        for name, arm in list(opened.items()):
            try:
                found = {int(row): each for row, each in arm.do("digests", rows=every).items()}
                wrong = sorted(row for row, each in found.items() if each != expected[row])
                if wrong or len(found) < len(every) // 4:  # a stream repeats some before it has shown all
                    raise RuntimeError(f"{len(found)} samples, of which these are not what was written: {wrong}")
                arm.do("single", rows=every)
            except RuntimeError as error:
                print(f"not measured: {name}: {error}")
                del opened[name]
        yield opened


def single(bench: Bench, opened: Opened) -> str:
    """One sample after the other, each into fresh memory."""
    seconds = in_turn({name: _reading(bench, arm) for name, arm in opened.items()}, bench.rounds)
    bench.measured["single"] = seconds
    rows = [
        [
            name,
            _rate(each),
            f"{bench.scale.raw_bytes / 1e6 / statistics.median(each):.0f}",
            _times(seconds["memmap"], each),
            _times(seconds["png"], each),
            f"{bench.share(name):.2f}",
        ]
        for name, each in _fastest_first(seconds)
    ]
    return table(("arm", "samples/s [min, max]", "MB/s", "x memmap", "x PNG", "stored / raw bytes"), rows)


def batches(bench: Bench, opened: Opened) -> str:
    """Batches of 8 as tensors per column, channels last, shuffled."""
    count = 1 if bench.tiny else 8
    turns: dict[str, Callable[[], float]] = {}
    with ExitStack() as stack:
        for name, readers in _batch_variants(bench, opened):
            label = f"{name}, {readers}"
            arm = opened[name].named(f"{name} {_THREADS[readers]}") if name.startswith("ours") else opened[name]
            if readers == _PROCESSES:  # they fork from a process in which nothing else has started threads
                group = replace(bench.peers.get(name, _OWN), label=label)
                arm = stack.enter_context(running({name: (arm.name, group)}, bench.folder, bench.log))[name]
            pull = _pulling(arm, readers, count)
            try:
                for _ in range(bench.scale.samples // (_BATCH * count)):  # an epoch
                    pull()
                turns[label] = pull
            except RuntimeError as error:
                print(f"not measured: {label}: {error}")
        seconds = in_turn(turns, bench.rounds)
    bench.measured["batches"] = seconds
    base = seconds[f"memmap, {_DIRECT}"]
    rows = [[name, _rate(each), _times(base, each)] for name, each in _fastest_first(seconds)]
    return table(("arm, read by", "samples/s [min, max]", "x memmap"), rows)


def _batch_variants(bench: Bench, opened: Opened) -> list[tuple[str, str]]:
    """Return arms and who reads for them."""
    if bench.tiny:
        return [("ours lz4", "2 threads"), ("ours lz4", _PROCESSES), ("memmap", _DIRECT)]
    ours = itertools.product(("ours none", "ours lz4"), _THREADS)
    names = [name for name in opened if not name.startswith("ours") and name != "zarr-python lz4"]
    others = itertools.product(names, (_DIRECT, _PROCESSES))
    possible = [each for each in others if not (each[0].startswith("tensorstore") and each[1] == _PROCESSES)]
    return [*ours, ("ours zstd", "2 threads"), *possible]  # tensorstore does not survive a fork


def crops(bench: Bench, opened: Opened) -> str:
    """Windows of a third of the width and two thirds of the height, 256x256 of 768x384, one after the other."""
    width, height = bench.scale.size
    size = (2 * height // 3, width // 3)

    def turn(arm: Driven) -> Callable[[], float]:
        numbers = itertools.count()

        def run() -> float:
            number = next(numbers)
            rows = bench.rows(number)
            free = (height - size[0] + 1, width - size[1] + 1)
            corners = np.random.default_rng(number).integers(0, free, (len(rows), 2)).tolist()
            seconds: float = arm.do("crops", rows=rows, corners=corners, size=size)
            return seconds / len(rows)

        return run

    names = ("memmap", "ours none", "ours lz4", "zarr-python none")
    seconds = in_turn({name: turn(opened[name]) for name in names if name in opened}, bench.rounds)
    bench.measured["crops"] = seconds
    rows = [[name, _rate(each), _times(seconds["memmap"], each)] for name, each in _fastest_first(seconds)]
    return table(("arm", f"samples/s of {size[1]}x{size[0]} [min, max]", "x memmap"), rows)


def checksums(bench: Bench, opened: Opened) -> str:
    """What comparing a chunk's checksum costs: at every read, or once, in a process's first epoch."""
    names, whats = ("ours none", "ours lz4", "ours zstd"), ("single", "checksums", "first")
    turns = {f"{name} {what}": _reading(bench, opened[name], what) for name in names for what in whats}
    measured = in_turn(turns, bench.rounds)
    rows = []
    for name in names:
        steady, alone, first = (measured[f"{name} {what}"] for what in whats)
        share = statistics.median(a / s for a, s in zip(alone, steady, strict=True))
        rows.append([name, _microseconds(steady), _microseconds(alone), f"{share:.0%}", _microseconds(first)])
    header = ("arm", "us/sample as shipped", "us of its checksums", "share", "us/sample when all are compared first")
    return table(header, rows)


def cold(bench: Bench, opened: Opened) -> str:
    """The same, each arm in a fresh process after its files have left the memory; batches without worker processes."""
    names = ["ours lz4"] if bench.tiny else list(opened)
    count = 1 if bench.tiny else _COLD_BATCHES

    def turn(name: str, what: str) -> Callable[[], float]:
        rounds = itertools.count()
        group = bench.peers.get(name, replace(_OWN, here=bench.tiny))

        def run() -> float:
            with running({name: (name, group)}, bench.folder, bench.log) as fresh:
                evict(bench.paths(name))
                if what == "single":
                    return _reading(bench, fresh[name], what, count * _BATCH, next(rounds))()
                return _pulling(fresh[name], _DIRECT, count)()

        return run

    turns = {f"{name} {what}": turn(name, what) for name in names for what in ("single", "batches")}
    measured = in_turn(turns, 1 if bench.tiny else _COLD_ROUNDS)
    rows = []
    for name in names:
        one, many = measured[f"{name} single"], measured[f"{name} batches"]
        rows.append([name, _rate(one), _rate(many), f"{bench.share(name):.2f}"])
    return table(("arm", "single samples/s", "samples/s in batches", "stored / raw bytes"), rows)


def _reading(bench: Bench, arm: Driven, what: str = "single", count: int = 64, start: int = 0) -> Callable[[], float]:
    """Return a function that has an arm read rows, other ones at each call, and returns seconds per sample."""
    numbers = itertools.count(start)

    def run() -> float:
        rows = bench.rows(next(numbers), count)
        seconds: float = arm.do(what, rows=rows)
        return seconds / len(rows)

    return run


def _pulling(arm: Driven, readers: str, count: int) -> Callable[[], float]:
    """Return a function that has an arm make so many batches and returns seconds per sample."""
    how = {"size": _BATCH, "workers": 2 if readers == _PROCESSES else 0, "ahead": _AHEAD[readers], "count": count}

    def run() -> float:
        seconds: float = arm.do("batches", how=how)
        return seconds / (_BATCH * count)

    return run


def _fastest_first(seconds: Seconds) -> list[tuple[str, Sequence[float]]]:
    return sorted(seconds.items(), key=lambda item: statistics.median(item[1]))


def _rate(seconds: Sequence[float]) -> str:
    return f"{1 / statistics.median(seconds):.0f} [{1 / max(seconds):.0f}, {1 / min(seconds):.0f}]"


def _times(base: Sequence[float], seconds: Sequence[float]) -> str:
    """Return the median over the rounds of how many times as fast as the base."""
    return f"{statistics.median(b / s for b, s in zip(base, seconds, strict=True)):.2f}"


def _microseconds(seconds: Sequence[float]) -> str:
    return f"{1e6 * statistics.median(seconds):.0f}"
