"""What a worker does with a batch: decide, compute, write files, return small rows. No ledger and no Dask here."""

import hashlib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segprep.datasets.atomic import StagedFile, commit, discard, stage
from segprep.datasets.errors import DamagedCellError, SegprepError, WriteFailedError
from segprep.datasets.file_records import wrong_content
from segprep.datasets.machine import machine_error
from segprep.datasets.sample import SampleKey
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cell_files import DamagedCell
from segprep.datasets.workspace.cells import Column, StoredCell, encode_cell
from segprep.prep.step import Absent, Origin, Step
from segprep.workflows.ledger.database import CellRow, CellState, FileRow, KnownSample, SourceRow
from segprep.workflows.ledger.freshness import Digests, State, Verdict, examine, file_source
from segprep.workflows.running.inputs import SampleInputs, StoredInputs

__all__ = ["BatchResult", "Job", "Unmade", "process_batch"]


@dataclass(frozen=True, slots=True)
class Job:
    """What all batches of a run have in common.

    Attributes:
        workspace: Where to read and write.
        steps: In the order in which they depend on one another.
        columns: The columns that exist already and serve as inputs.
        retry_failed: Whether cells that failed before are tried again.
    """

    workspace: Workspace
    steps: tuple[Step, ...]
    columns: Mapping[str, Column]
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class Unmade:
    """A cell that was not made, and why."""

    key: SampleKey
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a task returns.

    Attributes:
        cells: Rows to commit.
        sources: Rows to commit.
        damaged: Cells that were read and are not what was written.
        not_made: Cells that the machine failed to make. Nothing is recorded of them: the next run tries again.
    """

    cells: tuple[CellRow, ...]
    sources: tuple[SourceRow, ...]
    damaged: tuple[DamagedCell, ...] = ()
    not_made: tuple[Unmade, ...] = ()


def process_batch(job: Job, samples: Sequence[KnownSample]) -> BatchResult:
    """Bring the cells of several samples up to date.

    All files of the batch are written under temporary names and synced, then renamed, then the rows are returned.

    Raises:
        WriteFailedError: If the workspace cannot be written; no file of the batch is kept.
    """
    staged: list[StagedFile] = []
    cells: list[_NewCell] = []
    sources: dict[str, SourceRow] = {}
    damaged: list[DamagedCell] = []
    not_made: list[Unmade] = []
    try:
        for sample in samples:
            work = _SampleWork(job, sample, staged)
            work.run()
            cells += work.cells
            damaged += work.damaged
            not_made += work.not_made
            sources.update(work.digests.hashed)
        commit(staged)
    except BaseException:
        discard(staged)
        raise
    rows = tuple(_with_times(job.workspace.root, cell) for cell in cells)
    return BatchResult(rows, tuple(sources.values()), tuple(damaged), tuple(not_made))


@dataclass(frozen=True, slots=True)
class _NewCell:
    row: CellRow
    digests: Mapping[str, str] = field(default_factory=dict)  # path in the workspace -> content hash of a file


def _with_times(root: Path, cell: _NewCell) -> CellRow:
    """Complete a row with size and time of its files, which are known once they have their final names."""
    if cell.row.state is not CellState.DONE:
        return cell.row
    files = []
    for path, digest in cell.digests.items():
        stat = (root / path).stat()
        files.append(FileRow(path, stat.st_size, stat.st_mtime_ns, digest))
    return replace(cell.row, files=tuple(files))


class _SampleWork:
    """The work on one sample: what to do about each step, and what comes of it."""

    def __init__(self, job: Job, sample: KnownSample, staged: list[StagedFile]) -> None:
        self._job = job
        self._known = sample
        self._staged = staged
        self.digests = Digests(job.workspace, may_hash=True, keep_contents=True)
        stored = StoredInputs(job.workspace, sample, job.columns, self.digests.contents)
        self._inputs = SampleInputs(sample.record.key, stored.read)
        self.cells: list[_NewCell] = []
        self.damaged: list[DamagedCell] = []
        self.not_made: list[Unmade] = []

    def run(self) -> None:
        for step in self._job.steps:
            try:
                self._bring_up_to_date(step)
            except WriteFailedError:
                raise
            except Exception as error:
                failed = machine_error(error)
                if failed is None:
                    raise
                self.not_made += [Unmade(self._known.record.key, column.name, str(failed)) for column in step.outputs]

    def _bring_up_to_date(self, step: Step) -> None:
        verdict = examine(step, self._known, self.digests, retry_failed=self._job.retry_failed)
        match verdict.state:
            case State.FAILED | State.BLOCKED:
                return
            case State.DONE:
                self._refresh_times(step)
            case State.ABSENT:
                self._note(step, verdict, _Nothing(CellState.ABSENT, verdict.reason))
            case _:
                self._make(step, verdict)

    def _make(self, step: Step, verdict: Verdict) -> None:
        try:
            made = _made(step, self._known.record.key, self._inputs)
        except DamagedCellError:
            # The step did not fail: it goes on as soon as its input is made again.
            self.damaged += self._damaged_inputs(step)
            return
        if isinstance(made, _Nothing):
            self._note(step, verdict, made)
        else:
            self._write(step, verdict, made)

    def _damaged_inputs(self, step: Step) -> Iterator[DamagedCell]:
        for each in step.inputs:
            row = self._known.done(each.name) if each.origin is Origin.COLUMN else None
            for file in () if row is None else row.files:
                reason = wrong_content(self._job.workspace.root / file.path, file.record)
                if reason is not None:
                    yield DamagedCell(self._known.record.key, each.name, file.path, reason)

    def _refresh_times(self, step: Step) -> None:
        """Note new times of unchanged files, so that they need no hashing again."""
        for column in step.outputs:
            row = self._known.cells[column.name]
            if self.digests.changed_times(row.files):
                self.cells.append(_NewCell(row, {f.path: f.digest for f in row.files}))

    def _note(self, step: Step, verdict: Verdict, nothing: "_Nothing") -> None:
        for column in step.outputs:
            row = verdict.row(step, self._known.record.key, column.name, nothing.state, nothing.reason)
            self._inputs.keep(column, None)
            if nothing.state is CellState.FAILED or self._known.cells.get(column.name) != row:
                self._remember(_NewCell(row))

    def _write(self, step: Step, verdict: Verdict, made: Mapping[str, StoredCell]) -> None:
        record = self._known.record
        read = [file_source(each, record).path for each in step.inputs if each.origin is Origin.FILE]
        for column in step.outputs:
            stored, digests = made[column.name], {}
            for path, data in stored.files:
                relative = f"{record.split}/{path}"
                self._staged.append(stage(self._job.workspace.root / relative, data))
                digests[relative] = hashlib.sha256(data).hexdigest()
            self._inputs.keep(column, stored.cell)
            facts = stored.cell.facts | ({"read": read} if read else {})
            row = verdict.row(step, record.key, column.name, CellState.DONE, facts=facts)
            self._remember(_NewCell(row, digests))

    def _remember(self, cell: _NewCell) -> None:
        self.cells.append(cell)
        self._known = replace(self._known, cells={**self._known.cells, cell.row.column: cell.row})


@dataclass(frozen=True, slots=True)
class _Nothing:
    """Why a step made nothing: there was nothing to make, or it failed."""

    state: CellState
    reason: str


def _made(step: Step, key: SampleKey, inputs: SampleInputs) -> dict[str, StoredCell] | _Nothing:
    """Return the cells that a step makes, as their files will hold them.

    Raises:
        DamagedCellError: If an input is not what was written.
        Exception: Anything that the machine is to blame for.
    """
    try:
        cells = step(inputs.sample(step))
        return {column.name: encode_cell(column, key, cells[column.name]) for column in step.outputs}
    except DamagedCellError:
        raise
    except Absent as nothing:
        return _Nothing(CellState.ABSENT, str(nothing))
    except Exception as error:  # one bad sample must not end a run of thousands; the reason is kept
        if machine_error(error) is not None:
            raise
        if isinstance(error, SegprepError):
            return _Nothing(CellState.FAILED, str(error))
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        return _Nothing(CellState.FAILED, f"{type(error).__name__}: {error} (at {place}, step {step.name})")
