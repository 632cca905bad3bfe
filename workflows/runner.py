"""The runner: steps over many samples, resumable at any moment."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from segprep.datasets.atomic import remove_partials
from segprep.datasets.interrupt import StopRequest
from segprep.datasets.progress import Progress
from segprep.datasets.sample import SampleKey
from segprep.datasets.workspace import Workspace
from segprep.prep.step import Step
from segprep.workflows.cluster import ClusterOptions, Executor, Outcome, WorkerDied, make_executor
from segprep.workflows.freshness import Digests, State, Verdict, examine, recipe_of
from segprep.workflows.ledger import CellRow, CellState, KnownSample, Ledger, Selection
from segprep.workflows.worker import Batch, BatchResult, process_batch

__all__ = ["Failure", "Interrupted", "RunOptions", "Summary", "plan", "run_steps"]

_BATCH_SECONDS = 1.0
_MAX_BATCH = 256


class Interrupted(Exception):  # noqa: N818  (the user's wish, no error)
    """Ctrl-C: what was running is finished and committed."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a command runs, whatever it makes."""

    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    selection: Selection = field(default_factory=Selection)
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A sample that failed: file and reason are in the text."""

    key: SampleKey
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How a selection stands after a run.

    Attributes:
        samples: Number of samples in the selection.
        made: Number of samples of which this run made cells.
        states: Column to number of samples per state.
        failures: All failed cells of the selection, from this run or before.
        clipped: Column to number of pixels that its code could not express.
    """

    samples: int
    made: int
    states: dict[str, dict[str, int]]
    failures: tuple[Failure, ...]
    clipped: dict[str, int]

    @property
    def failed_samples(self) -> int:
        """Number of samples with any failed cell."""
        return len({f.key for f in self.failures})


def plan(
    workspace: Workspace, ledger: Ledger, steps: Sequence[Step], options: RunOptions
) -> Iterator[tuple[KnownSample, list[Verdict]]]:
    """Stream the samples of a selection, with a verdict per step; files are looked at but not read."""
    digests = Digests(workspace.config.dataset_root, workspace.root, may_hash=False)
    for sample in ledger.samples(options.selection):
        yield sample, [examine(s, sample, digests, retry_failed=options.retry_failed) for s in steps]


def _needs_work(sample: KnownSample, steps: Sequence[Step], verdicts: list[Verdict]) -> bool:
    for step, verdict in zip(steps, verdicts, strict=True):
        if verdict.state in (State.MISSING, State.STALE, State.UNSURE):
            return True
        if verdict.state is State.ABSENT:
            rows = [sample.cells.get(c.name) for c in step.outputs]
            if any(row is None or row.state is not CellState.ABSENT for row in rows):
                return True
    return False


def run_steps(
    workspace: Workspace, ledger: Ledger, steps: Sequence[Step], options: RunOptions, progress: Progress
) -> Summary:
    """Bring the columns of `steps` up to date for a selection. The caller holds the writer lock.

    Raises:
        Interrupted: After Ctrl-C; everything finished is committed.
        WriteFailedError: If the workspace cannot be written; everything committed before is kept.
    """
    _remove_leftovers(workspace, ledger, steps)
    run = _Run(workspace, ledger, tuple(steps), options, progress)
    with StopRequest() as stop:
        run.execute(stop)
        if run.worker_died:
            _remove_leftovers(workspace, ledger, steps)
        if stop.why:
            raise Interrupted
    return _summarise(ledger, steps, options.selection, len(run.touched))


class _Run:
    """The state of one run: what is pending, how large batches are, what was touched."""

    def __init__(
        self, workspace: Workspace, ledger: Ledger, steps: tuple[Step, ...], options: RunOptions, progress: Progress
    ) -> None:
        self._workspace = workspace
        self._ledger = ledger
        self._steps = steps
        self._options = options
        self._progress = progress
        self._columns = {name: row.column for name, row in ledger.columns().items()}
        self._split_batches: list[Batch] = []
        self._seconds_per_sample: float | None = None
        self._deaths: Counter[SampleKey] = Counter()
        self._failed = 0
        self.worker_died = False
        self.touched: set[SampleKey] = set()

    def execute(self, stop: StopRequest) -> None:
        self._progress.start(self._ledger.count(self._options.selection))
        pending = self._pending()
        first = next(pending, None)
        if first is None:
            return
        with make_executor(process_batch, self._options.cluster) as executor:
            samples: Iterator[KnownSample] = _chain(first, pending)
            exhausted = False
            while True:
                while not (stop.why or exhausted) and executor.running < executor.slots:
                    batch = self._next_batch(samples)
                    if batch is None:
                        exhausted = True
                    else:
                        executor.submit(batch)
                if not executor.running:
                    if stop.why or not self._split_batches:
                        return
                    exhausted = False
                    continue
                self._settle(executor, executor.next())
                exhausted = exhausted and not self._split_batches

    def _pending(self) -> Iterator[KnownSample]:
        for sample, verdicts in plan(self._workspace, self._ledger, self._steps, self._options):
            if _needs_work(sample, self._steps, verdicts):
                yield sample
            else:
                self._progress.advance(1)

    def _next_batch(self, samples: Iterator[KnownSample]) -> Batch | None:
        if self._split_batches:
            return self._split_batches.pop()
        size = 1
        if self._seconds_per_sample:
            size = int(min(max(_BATCH_SECONDS / self._seconds_per_sample, 1), _MAX_BATCH))
        chosen = [s for _, s in zip(range(size), samples, strict=False)]
        return self._batch(tuple(chosen)) if chosen else None

    def _batch(self, samples: tuple[KnownSample, ...]) -> Batch:
        return Batch(self._workspace, self._steps, self._columns, samples, self._options.retry_failed)

    def _settle(self, executor: Executor[Batch, BatchResult], outcome: Outcome[Batch, BatchResult]) -> None:
        batch = outcome.task
        if isinstance(outcome.error, WorkerDied):
            self._isolate(batch)
            return
        if outcome.error is not None:
            raise outcome.error
        result = outcome.result
        if result is None:
            raise RuntimeError("a task returned nothing")
        self._ledger.record(result.cells, result.sources)
        self.touched.update(row.key for row in result.cells)
        seconds = result.seconds / len(batch.samples)
        before = self._seconds_per_sample
        self._seconds_per_sample = seconds if before is None else 0.5 * (before + seconds)
        self._advance(len(batch.samples), result.cells)

    def _advance(self, samples: int, rows: Sequence[CellRow]) -> None:
        self._failed += len({row.key for row in rows if row.state is CellState.FAILED})
        self._progress.advance(samples, f"{self._failed} failed" if self._failed else "")

    def _isolate(self, batch: Batch) -> None:
        """Split a batch that killed its worker until the sample stands alone; then record it."""
        self.worker_died = True
        if len(batch.samples) > 1:
            middle = len(batch.samples) // 2
            self._split_batches += [self._batch(batch.samples[:middle]), self._batch(batch.samples[middle:])]
            return
        (sample,) = batch.samples
        self._deaths[sample.record.key] += 1
        if self._deaths[sample.record.key] < 2:  # once more, alone: the first death may have had another cause
            self._split_batches.append(batch)
            return
        reason = "its worker process died twice on it (killed by the system for memory, or a crash in a decoder)"
        digests = Digests(self._workspace.config.dataset_root, self._workspace.root, may_hash=True)
        rows = []
        for step in self._steps:
            verdict = examine(step, sample, digests, retry_failed=True)
            if verdict.state not in (State.DONE, State.ABSENT):
                rows += [
                    CellRow(
                        sample.record.key,
                        column.name,
                        CellState.FAILED,
                        verdict.fingerprint,
                        recipe_of(step),
                        verdict.inputs,
                        reason=reason,
                    )
                    for column in step.outputs
                ]
        self._ledger.record(rows, digests.hashed.values())
        self.touched.add(sample.record.key)
        self._advance(1, rows)


def _chain(first: KnownSample, rest: Iterator[KnownSample]) -> Iterator[KnownSample]:
    yield first
    yield from rest


def _remove_leftovers(workspace: Workspace, ledger: Ledger, steps: Sequence[Step]) -> None:
    """Remove the temporary files of a process that was killed."""
    for split in ledger.splits():
        for step in steps:
            for column in step.outputs:
                remove_partials(workspace.column_dir(split, column.name))
                remove_partials(workspace.mask_dir(split, column.name))


def _summarise(ledger: Ledger, steps: Sequence[Step], selection: Selection, made: int) -> Summary:
    names = [column.name for step in steps for column in step.outputs]
    states: dict[str, Counter[str]] = {name: Counter() for name in names}
    clipped: Counter[str] = Counter()
    failures: list[Failure] = []
    samples = 0
    for sample in ledger.samples(selection):
        samples += 1
        for name in names:
            row = sample.cells.get(name)
            states[name]["not made" if row is None else row.state.value] += 1
            if row is not None:
                clipped[name] += row.facts.get("clipped", 0)
                if row.state is CellState.FAILED:
                    failures.append(Failure(sample.record.key, name, row.reason))
    return Summary(samples, made, {n: dict(c) for n, c in states.items()}, tuple(failures), dict(+clipped))
