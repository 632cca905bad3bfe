"""What `train time` does, between the command line and the parts."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.names import nearest_name
from segprep.datasets.program.progress import Progress
from segprep.datasets.program.values import parse_size
from segprep.datasets.sample import JsonDict
from segprep.train.command.place import runs_of
from segprep.train.export.arms import Arm
from segprep.train.export.exporting import exported, noise_samples, write_exported
from segprep.train.export.formats import FORMATS
from segprep.train.export.text_table import text_table
from segprep.train.export.timing import INCLUDED, Timing, processor, timed_apart
from segprep.train.network.named import named_weights
from segprep.train.predict.model import load
from segprep.train.runs.folder import find_run

__all__ = ["TimingWishes", "time_networks", "timing_json", "timing_text"]

_RUNTIMES: Final = ("eager", "compiled", "onnx")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingWishes:
    """What the user wants.

    Attributes:
        sizes: (width, height) of the pictures; None for that of the training.
        batches: Samples at once.
        runtimes: How runs and weights are timed.
        threads: Of the processor; 0 for all.
        device: Where PyTorch computes; None for the first GPU, else the CPU.
        warm_up: Batches that do not count.
        runs: Batches that count.
    """

    sizes: tuple[tuple[int, int] | None, ...]
    batches: tuple[int, ...]
    runtimes: tuple[str, ...]
    threads: int
    device: str | None
    warm_up: int
    runs: int

    @classmethod
    def read(
        cls,
        sizes: str | None,
        batches: str,
        runtimes: str,
        threads: int,
        device: str | None,
        warm_up: int,
        runs: int,
    ) -> "TimingWishes":
        """Read what stands on the command line.

        Raises:
            ConfigurationError: If a list holds what makes no sense.
        """
        names = tuple(name.strip() for name in runtimes.split(","))
        for name in names:
            if name not in _RUNTIMES:
                raise ConfigurationError(f"--runtimes has no {name!r}. {nearest_name(name, _RUNTIMES)}")
        return cls(
            sizes=(None,) if sizes is None else tuple(_size(each) for each in sizes.split(",")),
            batches=tuple(_count(each) for each in batches.split(",")),
            runtimes=names,
            threads=threads,
            device=device,
            warm_up=warm_up,
            runs=runs,
        )


def time_networks(
    workspace: Path, named: Sequence[str], wishes: TimingWishes, say: Say = lambda _: None
) -> list[Timing]:
    """Time networks, each of their ways at each batch and size, one after the other.

    Args:
        workspace: Where runs are looked for.
        named: Runs and files; none for the last run.
        wishes: What is wanted.
        say: Gets sentences for the user.

    Raises:
        ConfigurationError: If there is no such run or file, or nothing of it can be timed.
    """
    folder = runs_of(workspace)
    names = named or [find_run(folder, None).name]
    with tempfile.TemporaryDirectory() as made:
        places = [place for number, name in enumerate(names) for place in _places(name, folder, number, wishes, made)]
        arms = [
            Arm(
                name=name,
                path=path,
                runtime=runtime,
                batch=batch,
                size=size,
                threads=wishes.threads,
                device=wishes.device,
                warm_up=wishes.warm_up,
                runs=wishes.runs,
            )
            for size in wishes.sizes
            for batch in wishes.batches
            for name, path, runtime in places
        ]
        timings = list(_timed(arms))
    for each in timings:
        if each.failed is not None:
            say(f"{each.name}, {each.runtime}, could not be timed: {each.failed}")
    if all(each.failed is not None for each in timings):
        raise ConfigurationError("nothing could be timed")
    return timings


def timing_json(timings: Sequence[Timing], wishes: TimingWishes) -> JsonDict:
    """Return the timings and what they were measured with, as JSON values."""
    return {
        "included": INCLUDED,
        "processor": processor(),
        "warm_up": wishes.warm_up,
        "runs": wishes.runs,
        "timings": [each.to_json() for each in timings],
    }


def timing_text(timings: Sequence[Timing], wishes: TimingWishes) -> str:
    """Return a table for the terminal, and what must be known to read it."""
    rows: list[tuple[str, ...]] = [
        ("network", "runtime", "size", "batch", "median ms", "p90", "p99", "images/s", "first ms", "MB")
    ]
    measured = [each for each in timings if each.failed is None]
    for each in measured:
        numbers = (each.median_ms, each.p90_ms, each.p99_ms, each.images_per_second, each.first_ms, each.memory_mb)
        rows.append(
            (
                *(each.name, f"{each.runtime} {each.precision}", "{}x{}".format(*each.size), str(each.batch)),
                *(_shown(number) for number in numbers),
            )
        )
    devices = ", ".join(sorted({each.device for each in measured}))
    threads = ", ".join(sorted({str(each.threads) for each in measured}))
    notes = (
        f"{wishes.runs} batches each, after {wishes.warm_up} to warm up and the first, which stands apart",
        INCLUDED,
        f"on {devices}; the processor: {processor()}, {threads} threads",
        "MB: the most memory that a process held, which is each row's own; on a GPU what PyTorch held there",
    )
    return "\n".join([text_table(rows, left=2), *notes])


def _places(name: str, runs: Path, number: int, wishes: TimingWishes, made: str) -> Iterator[tuple[str, Path, str]]:
    """Yield name, file and runtime of what a name means."""
    path = Path(name).expanduser()
    runtime = next((to for to, each in FORMATS.items() if path.suffix == each.SUFFIX), None)
    if runtime is not None:
        if not path.is_file():
            raise ConfigurationError(f"there is no file {path}: check the path")
        yield path.name, path, runtime
        return
    weights = named_weights(name, runs)
    for each in wishes.runtimes:
        if each != "onnx":
            yield name, weights, each
            continue
        model = load(weights, device="cpu")
        file = Path(made) / f"{number}.onnx"
        write_exported(exported(model, "onnx", noise_samples(model), file), file)
        yield name, file, each


def _timed(arms: Sequence[Arm]) -> Iterator[Timing]:
    with Progress("row") as progress:
        progress.start(len(arms))
        for arm in arms:
            yield timed_apart(arm)
            progress.advance()


def _size(text: str) -> tuple[int, int]:
    width, height = parse_size(text) or (0, 0)
    return width, height


def _shown(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.4g}" if number < 1000 else f"{number:.0f}"


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise ConfigurationError(f"--batch-sizes holds whole numbers from 1 on, not {text!r}")
    return count
