"""Predicting items one after the other: read beside the network, written beside it, recorded, gone on with later."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from segprep.datasets.atomic import StagedFile, commit, discard, remove_partials, stage
from segprep.datasets.errors import MachineError, SegprepError
from segprep.datasets.program.interrupt import StopRequest, Why
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.train.predict.enlarging import Answer
from segprep.train.predict.item import Item
from segprep.train.predict.predictor import Predictor, Ready, in_batches
from segprep.train.predict.record import Record
from segprep.train.reading.reader import prefetched

__all__ = ["Bad", "Predicted", "predict_items"]


@dataclass(frozen=True, slots=True)
class Bad:
    """An item that could not be predicted, and why."""

    source: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.source in self.reason else f"{self.source}: {self.reason}"


@dataclass(slots=True)
class Predicted:
    """What became of the items.

    Attributes:
        done: How many were predicted now.
        kept: How many had been predicted already, from the same.
        bad: Those that could not be.
        seconds: How long it took.
        clipped: By column how many pixels its code could not express; they got its nearest value.
        why: Why it was stopped before all was done; None if it was not.
        archive: What is to be sent to the server of a benchmark.
    """

    done: int = 0
    kept: int = 0
    bad: list[Bad] = field(default_factory=list)
    seconds: float = 0.0
    clipped: dict[str, int] = field(default_factory=dict)
    why: Why | None = None
    archive: Path | None = None

    def add(self, other: "Predicted") -> None:
        """Add what became of further items."""
        self.done += other.done
        self.kept += other.kept
        self.bad += other.bad
        self.seconds += other.seconds
        for name, count in other.clipped.items():
            self.clipped[name] = self.clipped.get(name, 0) + count

    @property
    def settled(self) -> int:
        """How many items are settled, one way or another."""
        return self.done + self.kept + len(self.bad)


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    item: Item
    reason: str = ""


def predict_items(
    items: Sequence[Item], predictor: Predictor, folder: Path, record: Record, stop: StopRequest, *, quiet: bool = False
) -> Predicted:
    """Predict items into a folder whose writer's lock the caller holds.

    An item that cannot be read or prepared is recorded with its reason, and the rest goes on. What is recorded as done,
    from the same inputs and with all files that are wanted, is not made again.

    Raises:
        MachineError: If the machine is to blame: no sample is.
        WriteFailedError: If the folder cannot be written.
    """
    outcome = Predicted()
    for output in predictor.files.save:
        for kept in (folder / output).rglob("*") if (folder / output).is_dir() else ():
            if kept.is_dir():
                remove_partials(kept)
        remove_partials(folder / output)
    todo = [item for item in items if not _is_kept(item, predictor, record)]
    outcome.kept = len(items) - len(todo)
    started = time.monotonic()

    def load(item: Item) -> tuple[_Held, Ready | None]:
        try:
            return _Held(item), predictor.ready(item.read())
        except MachineError:
            raise
        except SegprepError as error:
            return _Held(item, str(error)), None

    def answered() -> Iterator[tuple[_Held, Ready | None, Answer | None]]:
        wanted = takewhile(lambda _: stop.why is None, todo)
        for batch in in_batches(prefetched(load, wanted), predictor.batch_size):
            ready = [each for _, each in batch if each is not None]
            if not ready:
                yield from ((held, None, None) for held, _ in batch)
                continue
            yield from zip((held for held, _ in batch), ready, predictor.answers(ready), strict=True)

    def write(each: tuple[_Held, Ready | None, Answer | None]) -> tuple[_Held, Ready | None, dict[str, int]]:
        held, ready, answer = each
        if ready is None or answer is None:
            return held, None, {}
        names = predictor.files.names(held.item.name)
        data = predictor.files.encoded(answer, ready.rgb_HWC)
        _write({folder / names[output]: content for output, content in data.items()})
        return held, ready, {names[output]: len(content) for output, content in data.items()}

    with Progress("picture", quiet=quiet) as progress:
        progress.start(len(items), outcome.kept)
        for held, ready, files in prefetched(write, answered()):
            record.add(_entry(held, ready, files, record))
            if ready is None:
                outcome.bad.append(Bad(held.item.source, held.reason))
                progress.note(str(outcome.bad[-1]))
            else:
                outcome.done += 1
                for name, count in ready.clipped.items():
                    outcome.clipped[name] = outcome.clipped.get(name, 0) + count
            progress.advance()
    outcome.seconds = time.monotonic() - started
    return outcome


def _is_kept(item: Item, predictor: Predictor, record: Record) -> bool:
    entry = record.done(item.name)
    if entry is None:
        return False
    wanted = set(predictor.files.names(item.name).values())
    return wanted <= entry["files"].keys() and item.unchanged(entry["inputs"])


def _entry(held: _Held, ready: Ready | None, files: dict[str, int], record: Record) -> JsonDict:
    about: JsonDict = {"name": held.item.name, "source": held.item.source}
    if ready is None:
        return about | {"error": held.reason}
    earlier = record.done(held.item.name)
    if earlier is not None and earlier["inputs"] == ready.inputs:
        files = earlier["files"] | files  # outputs that an earlier call saved, and this one did not
    return about | {"size": list(ready.size), "inputs": ready.inputs, "files": files}


def _write(files: dict[Path, bytes]) -> None:
    """Write the files of one item together; without waiting for the disk, as they can be made again."""
    staged: list[StagedFile] = []
    try:
        for path, content in files.items():
            staged.append(stage(path, content, durable=False))
        commit(staged, durable=False)
    except BaseException:
        discard(staged)
        raise
