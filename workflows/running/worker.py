"""What a worker does with a batch: read, compute, write files, return small rows. No ledger and no Dask here."""

import hashlib
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segprep.datasets.atomic import StagedFile, commit, discard, stage
from segprep.datasets.errors import (
    ConfigurationError,
    MissingInputError,
    SegprepError,
    UnreadableFileError,
    WriteFailedError,
)
from segprep.datasets.imageio import image_size
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, Pose, Sample
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Cell, Column, StoredCell, decode_cell, decode_source, encode_cell
from segprep.prep.step import Absent, Input, Origin, Step
from segprep.workflows.ledger.database import CellRow, CellState, FileRow, KnownSample, SourceRow
from segprep.workflows.ledger.freshness import Digests, State, Verdict, examine, file_source, recipe_of

__all__ = ["BatchResult", "Job", "process_batch"]


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
class BatchResult:
    """What a task returns: rows to commit."""

    cells: tuple[CellRow, ...]
    sources: tuple[SourceRow, ...]


def process_batch(job: Job, samples: Sequence[KnownSample]) -> BatchResult:
    """Bring the cells of several samples up to date.

    All files of the batch are written under temporary names and synced, then renamed, then the rows are returned.

    Raises:
        WriteFailedError: If the workspace cannot be written; no file of the batch is kept.
    """
    cells: list[_NewCell] = []
    sources: dict[str, SourceRow] = {}
    staged: list[StagedFile] = []
    try:
        for sample in samples:
            work = _SampleWork(job, sample)
            work.run(staged)
            cells += work.new_cells
            sources.update(work.digests.hashed)
        commit(staged)
    except BaseException:
        discard(staged)
        raise
    rows = tuple(_with_times(job.workspace.root, cell) for cell in cells)
    return BatchResult(rows, tuple(sources.values()))


@dataclass(frozen=True, slots=True)
class _NewCell:
    row: CellRow
    digests: Mapping[str, str]  # path relative to the workspace -> content hash of a file that this batch writes


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
    """The work on one sample: inputs are read once, however many steps need them."""

    def __init__(self, job: Job, sample: KnownSample) -> None:
        self._job = job
        self._workspace = job.workspace
        self._known = sample
        self._record = sample.record
        self._sources: dict[str, Cell] = {}
        self._columns: dict[str, Cell] = {}
        self.digests = Digests(job.workspace.config.dataset_root, job.workspace.root, may_hash=True, keep_contents=True)
        self._files_read: list[str] = []
        self.new_cells: list[_NewCell] = []

    def run(self, staged: list[StagedFile]) -> None:
        for step in self._job.steps:
            verdict = examine(step, self._known, self.digests, retry_failed=self._job.retry_failed)
            match verdict.state:
                case State.FAILED | State.BLOCKED:
                    continue
                case State.DONE:
                    self._refresh_times(step)
                case State.ABSENT:
                    self._note(step, verdict, CellState.ABSENT, verdict.reason)
                case _:
                    self._make(step, verdict, staged)

    def _make(self, step: Step, verdict: Verdict, staged: list[StagedFile]) -> None:
        self._files_read = []
        try:
            made = step(self._sample(step))
            stored = {c.name: encode_cell(c, self._record.key, made[c.name]) for c in step.outputs}
        except WriteFailedError:
            raise
        except Absent as nothing:
            self._note(step, verdict, CellState.ABSENT, str(nothing))
            return
        except SegprepError as error:
            self._note(step, verdict, CellState.FAILED, str(error))
            return
        except Exception as error:  # noqa: BLE001  (one bad sample must not end a run of thousands; the reason is kept)
            where = traceback.extract_tb(error.__traceback__)[-1]
            reason = (
                f"{type(error).__name__}: {error} (at {Path(where.filename).name}:{where.lineno}, step {step.name})"
            )
            self._note(step, verdict, CellState.FAILED, reason)
            return
        for name, cell in stored.items():
            self._store(step, verdict, name, cell, staged)

    def _store(self, step: Step, verdict: Verdict, name: str, cell: StoredCell, staged: list[StagedFile]) -> None:
        digests = {}
        for path, data in cell.files:
            relative = f"{self._record.split}/{path}"
            staged.append(stage(self._workspace.root / relative, data))
            digests[relative] = hashlib.sha256(data).hexdigest()
        self._columns[name] = cell.cell
        facts = cell.cell.facts | ({"read": self._files_read} if self._files_read else {})
        row = self._row(step, verdict, name, CellState.DONE, facts=facts)
        self._remember(_NewCell(row, digests))

    def _note(self, step: Step, verdict: Verdict, state: CellState, reason: str) -> None:
        for column in step.outputs:
            row = self._row(step, verdict, column.name, state, reason)
            if state is CellState.FAILED or self._known.cells.get(column.name) != row:
                self._remember(_NewCell(row, {}))

    def _refresh_times(self, step: Step) -> None:
        """Note new times of unchanged files, so that they need no hashing again."""
        for column in step.outputs:
            row = self._known.cells[column.name]
            if self.digests.changed_times(row.files):
                self.new_cells.append(_NewCell(row, {f.path: f.digest for f in row.files}))

    def _remember(self, cell: _NewCell) -> None:
        self.new_cells.append(cell)
        self._known = replace(self._known, cells={**self._known.cells, cell.row.column: cell.row})

    def _row(
        self,
        step: Step,
        verdict: Verdict,
        column: str,
        state: CellState,
        reason: str = "",
        facts: JsonDict | None = None,
    ) -> CellRow:
        return CellRow(
            key=self._record.key,
            column=column,
            state=state,
            fingerprint=verdict.fingerprint,
            recipe=recipe_of(step),
            inputs=verdict.inputs,
            reason=reason,
            facts=facts or {},
        )

    # -- inputs ----------------------------------------------------------------------------------------------------

    def _sample(self, step: Step) -> Sample:
        arrays: dict[str, Array] = {}
        kinds: dict[str, Kind] = {}
        valid: dict[str, Mask] = {}
        meta: JsonDict = {}
        camera, pose = None, None
        for each in step.inputs:
            if each.optional and self._lacks(each):
                continue
            match each.origin:
                case Origin.SOURCE_SIZE:
                    meta[f"{each.name}_size"] = self._source_size(each.name)
                    continue
                case Origin.RECORD:
                    camera, pose = self._record.camera, self._record.pose
                    near = self._record.neighbour
                    meta["neighbour"] = None if near is None else self._record.to_json()["neighbour"]
                    continue
                case Origin.SOURCE:
                    cell = self._source(each.name)
                    kinds[each.name] = self._record.sources[each.name].kind
                case Origin.COLUMN:
                    cell = self._column(each.name)
                case Origin.FILE:
                    cell = self._file(each)
            if isinstance(cell.values, dict):
                camera = Camera.from_json(cell.values)
                pose = None if cell.values["pose"] is None else Pose(cell.values["pose"])
                meta.update(cell.values)
                continue
            arrays[each.name] = cell.values
            if cell.valid is not None:
                valid[each.name] = cell.valid
        return Sample(self._record.key, arrays, kinds, valid, camera, pose, meta)

    def _lacks(self, each: Input) -> bool:
        if each.origin is Origin.SOURCE:
            return each.name not in self._record.sources
        row = self._known.cells.get(each.name)
        return row is None or row.state is CellState.ABSENT

    def _file(self, each: Input) -> Cell:
        """Read what another program made; it need not be a picture, so its own reader opens it."""
        if each.read is None:
            raise ConfigurationError(f"nothing is known that reads {each.name}")
        source = file_source(each, self._record)
        cell = each.read(self._workspace.config.dataset_root / source.path)
        self._files_read.append(source.path)
        return cell

    def _source_path(self, name: str) -> Path:
        return self._workspace.config.dataset_root / self._record.sources[name].path

    def _source_size(self, name: str) -> tuple[int, int]:
        if name in self._sources:
            values = self._sources[name].values
            if not isinstance(values, dict):
                return values.shape[1], values.shape[0]
        return image_size(self._source_path(name))

    def _source(self, name: str) -> Cell:
        if name not in self._sources:
            path = self._source_path(name)
            try:
                data = self.digests.contents.pop(self._record.sources[name].path, None) or path.read_bytes()
            except FileNotFoundError as error:
                raise MissingInputError(f"{path} does not exist, but the dataset's layout promises it") from error
            except OSError as error:
                raise UnreadableFileError(f"{path} cannot be read: {error.strerror}") from error
            self._sources[name] = decode_source(self._record.sources[name], data, path)
        return self._sources[name]

    def _column(self, name: str) -> Cell:
        if name not in self._columns:
            column = self._job.columns[name]
            self._columns[name] = decode_cell(self._workspace, self._record.split, column, self._record.key)
        return self._columns[name]
