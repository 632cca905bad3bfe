"""The runner: steps over many samples, resumable at any moment."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from segprep.datasets.atomic import remove_partials
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import SampleKey
from segprep.datasets.workspace.cell_files import DamagedCell
from segprep.flow.opencv import OPENCV, require_known_behaviour
from segprep.prep.step import Step
from segprep.workflows.ledger.database import CellState, KnownSample, Selection
from segprep.workflows.ledger.figures import ColumnFigures
from segprep.workflows.ledger.freshness import Digests, State, Verdict, examine
from segprep.workflows.ledger.rows import DEATHS
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.arrival import require_arrived
from segprep.workflows.running.batches import run_in_batches
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.running.outcomes import WorkerDied
from segprep.workflows.running.sharing import shared_with
from segprep.workflows.running.worker import BatchResult, Job, Unmade, process_batch

__all__ = ["RunOptions", "Summary", "plan", "run_steps"]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a command runs, whatever it makes."""

    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    selection: Selection = field(default_factory=Selection)
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """How a selection stands after a run.

    Attributes:
        samples: Number of samples in the selection.
        made: Number of samples of which this run made cells.
        states: Column to number of samples per state.
        failures: All cells of the selection that failed for good, from this run or before.
        clipped: Column to number of pixels that its code could not express.
        absent: Column to reason to number of samples.
        figures: Column to what its cells say, see `segprep.workflows.ledger.figures`.
        warnings: Column to what degrades it.
        damaged: Cells that this run read and that are not what was written; what it would make of them is not made.
        not_made: Cells that this run did not make for a failure of the machine; the next run tries them again.
    """

    samples: int
    made: int
    states: dict[str, dict[str, int]]
    failures: tuple[Unmade, ...]
    clipped: dict[str, int]
    absent: dict[str, dict[str, int]]
    figures: dict[str, dict[str, float]]
    warnings: dict[str, list[str]]
    damaged: tuple[DamagedCell, ...] = ()
    not_made: tuple[Unmade, ...] = ()

    @property
    def failed_samples(self) -> int:
        """Number of samples with any failed cell."""
        return len({f.key for f in self.failures})

    @property
    def not_made_samples(self) -> int:
        """Number of samples with any cell that was not made for a failure of the machine."""
        return len({cell.key for cell in self.not_made})


def plan(table: Table, steps: Sequence[Step], options: RunOptions) -> Iterator[tuple[KnownSample, list[Verdict]]]:
    """Stream the samples of a selection, with a verdict per step; files are looked at but not read."""
    digests = Digests(table.workspace, may_hash=False)
    for sample in table.ledger.samples(options.selection):
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


def run_steps(table: Table, steps: Sequence[Step], options: RunOptions, progress: Progress) -> Summary:
    """Bring the columns of `steps` up to date for a selection. The caller holds the writer lock.

    Raises:
        Interrupted: After Ctrl-C; everything finished is committed.
        WriteFailedError: If the workspace cannot be written; everything committed before is kept.
        ConfigurationError: If a step depends on how OpenCV interpolates, and this one is like no version that is known.
    """
    opencv = any(OPENCV in step.parameters for step in steps)
    if opencv:
        require_known_behaviour()
    _remove_leftovers(table, steps)
    run = _Run(table, tuple(steps), options, progress)
    progress.start(table.ledger.count(options.selection))
    work = partial(process_batch, Job(table.workspace, run.steps, table.columns(), options.retry_failed))
    modules = [type(step).__module__ for step in steps]
    shared = shared_with(table, table.ledger.keys(options.selection), modules=modules, opencv=opencv)
    if run_in_batches(work, run.pending(), options.cluster, run.settle, shared=shared):
        _remove_leftovers(table, steps)
    summary = _summarise(table, steps, options.selection, len(run.touched))
    return replace(summary, damaged=tuple(run.damaged), not_made=tuple(run.not_made))


class _Run:
    """The state of one run: what is pending, what was touched."""

    def __init__(self, table: Table, steps: tuple[Step, ...], options: RunOptions, progress: Progress) -> None:
        self.steps = steps
        self._table = table
        self._options = options
        self._progress = progress
        self._failed = 0
        self.touched: set[SampleKey] = set()
        self.damaged: list[DamagedCell] = []
        self.not_made: list[Unmade] = []

    def pending(self) -> Iterator[KnownSample]:
        """Yield the samples that need work."""
        for sample, verdicts in plan(self._table, self.steps, self._options):
            if _needs_work(sample, self.steps, verdicts):
                yield sample
            else:
                self._progress.advance(1)

    def settle(self, samples: Sequence[KnownSample], result: BatchResult | WorkerDied) -> None:
        """Commit what a batch gave.

        Raises:
            NotArrived: If a file that the rows speak of is not here.
        """
        if isinstance(result, WorkerDied):
            result = self._lost(samples[0])
        root = self._table.workspace.root
        require_arrived((root / file.path, file.size) for row in result.cells for file in row.files)
        self._table.ledger.record(result.cells, result.sources)
        if result.damaged:
            self._table.ledger.mark_damaged(result.damaged)
            self.damaged += result.damaged
        self.not_made += result.not_made
        self._remove_replaced(samples, result)
        self.touched.update(row.key for row in result.cells)
        self._failed += len({row.key for row in result.cells if row.state is CellState.FAILED})
        self._failed += len({cell.key for cell in result.not_made} - {row.key for row in result.cells})
        self._progress.advance(len(samples), f"{self._failed} failed" if self._failed else "")

    def _remove_replaced(self, samples: Sequence[KnownSample], result: BatchResult) -> None:
        """Remove files of a cell that has its files under other names now, as after a change of format."""
        known = {sample.record.key: sample.cells for sample in samples}
        for row in result.cells:
            before = known[row.key].get(row.column)
            if before is not None and row.state is CellState.DONE:
                for path in {f.path for f in before.files} - {f.path for f in row.files}:
                    (self._table.workspace.root / path).unlink(missing_ok=True)

    def _lost(self, sample: KnownSample) -> BatchResult:
        """Return the rows of a sample that killed its process.

        The system that kills for memory and a crash look alike: only after a second run is it the sample's fault.
        """
        reason = "its worker process died twice on it (killed by the system for memory, or a crash in a decoder)"
        digests = Digests(self._table.workspace, may_hash=True)
        rows = []
        for step in self.steps:
            verdict = examine(step, sample, digests, retry_failed=True)
            if verdict.state in (State.DONE, State.ABSENT):
                continue
            for column in step.outputs:
                before = sample.cells.get(column.name)
                deaths = before.deaths if before is not None and before.fingerprint == verdict.fingerprint else 0
                facts = {DEATHS: deaths + 1}
                rows.append(verdict.row(step, sample.record.key, column.name, CellState.FAILED, reason, facts))
        undecided = tuple(Unmade(row.key, row.column, reason) for row in rows if row.is_undecided)
        return BatchResult(tuple(rows), tuple(digests.hashed.values()), not_made=undecided)


def _remove_leftovers(table: Table, steps: Sequence[Step]) -> None:
    """Remove the temporary files of a process that was killed."""
    for split in table.ledger.splits():
        for step in steps:
            for column in step.outputs:
                remove_partials(table.workspace.column_dir(split, column.name))
                remove_partials(table.workspace.mask_dir(split, column.name))


def _summarise(table: Table, steps: Sequence[Step], selection: Selection, made: int) -> Summary:
    names = [column.name for step in steps for column in step.outputs]
    states: dict[str, Counter[str]] = {name: Counter() for name in names}
    absent: dict[str, Counter[str]] = {name: Counter() for name in names}
    figures = {name: ColumnFigures(name) for name in names}
    failures: list[Unmade] = []
    samples = 0
    for sample in table.ledger.samples(selection):
        samples += 1
        for name in names:
            row = sample.cells.get(name)
            states[name]["not made" if row is None or row.is_undecided else row.state.value] += 1
            if row is not None:
                figures[name].add(row)
                if row.state is CellState.ABSENT:
                    absent[name][row.reason] += 1
                if row.state is CellState.FAILED and not row.is_undecided:
                    failures.append(Unmade(sample.record.key, name, row.reason))
    said = {name: each.figures() for name, each in figures.items()}
    return Summary(
        samples,
        made,
        {name: dict(counts) for name, counts in states.items()},
        tuple(failures),
        {name: int(each["clipped_pixels"]) for name, each in said.items() if "clipped_pixels" in each},
        {name: dict(counts) for name, counts in absent.items() if counts},
        said,
        {name: found for name, each in figures.items() if (found := each.warnings())},
    )
