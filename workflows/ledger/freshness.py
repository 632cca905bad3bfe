"""Deciding whether a cell is up to date, and saying why it is not."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from segprep.datasets.errors import MissingInputError
from segprep.datasets.file_records import digest_of
from segprep.datasets.kinds import Kind
from segprep.datasets.machine import blame_machine
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.source_files import read_file
from segprep.datasets.workspace import Workspace
from segprep.flow.flow_files import fill_pattern
from segprep.prep.step import UNSAID, Input, Origin, Step
from segprep.workflows.ledger.database import CellRow, CellState, FileRow, KnownSample, SourceRow

__all__ = ["Digests", "State", "Verdict", "examine", "file_source"]

_GONE = "no such file"
_NONE = "none for this sample"
_CODE_OF = "code of"  # before the name of a source: how its file is read


class State(StrEnum):
    """What has to happen with a cell."""

    DONE = "done"
    FAILED = "failed"  # failed before, from the same inputs
    ABSENT = "absent"  # the dataset does not offer an input
    BLOCKED = "blocked"  # an input column failed or was never made
    MISSING = "missing"  # never made
    STALE = "stale"
    UNSURE = "unsure"  # a file's size or time differ; only its content can tell


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of a step's cells, with the reason, and what a new row would carry."""

    state: State
    reason: str = ""
    fingerprint: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    def row(
        self,
        step: Step,
        key: SampleKey,
        column: str,
        state: CellState,
        reason: str = "",
        facts: JsonDict | None = None,
    ) -> CellRow:
        """Return the new row of one of the step's cells, without files."""
        return CellRow(
            key, column, state, self.fingerprint, _recipe_of(step), self.inputs, reason=reason, facts=facts or {}
        )


def _recipe_of(step: Step) -> JsonDict:
    """Return what of a step decides its output: name, version, parameters, but for those that go without saying."""
    said = {name: value for name, value in step.parameters.items() if (name, value) not in UNSAID.items()}
    return {"step": step.name, "version": step.version, "parameters": said}


class Digests:
    """Content hashes of files, quick where size and time are as when they were hashed.

    Args:
        workspace: Where cell paths start; it knows where those of sources start.
        may_hash: False to answer None instead of reading a file.
        keep_contents: Keep what was read for hashing in `contents`, for a caller that decodes it next.

    Attributes:
        contents: Source files that were read, by path: what is decoded is what was hashed, and it is read once.
        hashed: Source files that were hashed, by path.
        gone: Paths of source files that cannot be read now.
    """

    def __init__(self, workspace: Workspace, *, may_hash: bool, keep_contents: bool = False) -> None:
        self._dataset_root = workspace.config.dataset_root
        self._workspace_root = workspace.root
        self._may_hash = may_hash
        self._keep_contents = keep_contents
        self.contents: dict[str, bytes] = {}
        self.hashed: dict[str, SourceRow] = {}
        self.gone: set[str] = set()

    def source(self, source: SourceFile, known: Mapping[str, SourceRow]) -> str | None:
        """Return the digest of a source file; a fixed text if it does not exist; None if only hashing could tell.

        Raises:
            MachineError: If files are read, and the machine is to blame that this one cannot be.
        """
        if source.path in self.hashed:
            return self.hashed[source.path].digest
        path = self._dataset_root / source.path
        try:
            stat = path.stat()
            row = known.get(source.path)
            if row is not None and (row.size, row.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                return row.digest
            if not self._may_hash:
                return None
            if self._keep_contents:
                self.contents[source.path] = read_file(path)
                digest = hashlib.sha256(self.contents[source.path]).hexdigest()
            else:
                digest = digest_of(path)
        except OSError as error:
            if self._may_hash and source.path not in known:
                blame_machine(path, error)
            # A cell outlives its source: a data set may be unmounted or deleted once it is prepared.
            self.gone.add(source.path)
            return _GONE if known.get(source.path) is None else known[source.path].digest
        self.hashed[source.path] = SourceRow(source.path, stat.st_size, stat.st_mtime_ns, digest)
        return digest

    def changed_times(self, files: tuple[FileRow, ...]) -> bool:
        """Whether any of these existing files has another time than its row says."""
        return any((self._workspace_root / f.path).stat().st_mtime_ns != f.mtime_ns for f in files)

    def intact(self, files: tuple[FileRow, ...]) -> bool | None:
        """Whether a cell's files are those that were written; None if only hashing could tell.

        Raises:
            MachineError: If files are read, and the machine is to blame that one of these cannot be.
        """
        for file in files:
            path = self._workspace_root / file.path
            try:
                stat = path.stat()
                if stat.st_size != file.size:
                    return False
                if stat.st_mtime_ns != file.mtime_ns:
                    if not self._may_hash:
                        return None
                    if digest_of(path) != file.digest:
                        return False
            except OSError as error:
                if self._may_hash:
                    blame_machine(path, error)
                return False
        return True


def examine(step: Step, sample: KnownSample, digests: Digests, *, retry_failed: bool = False) -> Verdict:
    """Compare what the ledger knows of a step's cells with how inputs and parameters are now."""
    contents: dict[str, str] = {}
    inputs: dict[str, str] = {}  # the same, but for sources that were there once and are not now
    unsure: Verdict | None = None
    for each in step.inputs:
        found = _input_fingerprint(each, sample, digests)
        if isinstance(found, str):
            contents[f"{each.origin} {each.name}"] = found
            inputs[f"{each.origin} {each.name}"] = _GONE if _is_gone(each, sample, digests) else found
            if each.origin is Origin.SOURCE and each.name in sample.record.sources:
                code = _code_text(sample.record.sources[each.name])
                contents[f"{_CODE_OF} {each.name}"] = inputs[f"{_CODE_OF} {each.name}"] = code
        elif found.state is State.UNSURE:
            unsure = found
        else:
            return found
    recipe = _recipe_of(step)
    fingerprint = _hash([recipe, contents])
    rows = [sample.cells.get(column.name) for column in step.outputs]
    present = [row for row in rows if row is not None]
    if len(present) < len(rows):
        return Verdict(State.MISSING, "never made", fingerprint, inputs)
    if unsure is not None:
        return unsure
    if any(row.fingerprint != fingerprint for row in present):
        return Verdict(State.STALE, _difference(present[0], recipe, contents), fingerprint, inputs)
    absent = next((row for row in present if row.state is CellState.ABSENT), None)
    if absent is not None:
        return Verdict(State.ABSENT, absent.reason, fingerprint, inputs)
    failed = next((row for row in present if row.state is CellState.FAILED), None)
    if failed is not None and failed.is_undecided:
        return Verdict(State.STALE, failed.reason, fingerprint, inputs)
    if failed is not None and any(failed.inputs.get(n) == _GONE != inputs[n] for n in inputs):
        return Verdict(State.STALE, "a source that was missing is back", fingerprint, inputs)
    if failed is not None:
        return Verdict(State.STALE if retry_failed else State.FAILED, failed.reason, fingerprint, inputs)
    damage = next((row.damage for row in present if row.damage), "")
    if damage:
        return Verdict(State.STALE, f"damaged: {damage}", fingerprint, inputs)
    intact = [digests.intact(row.files) for row in present]
    if False in intact:
        return Verdict(State.STALE, "its file is gone or was changed", fingerprint, inputs)
    if None in intact:
        return Verdict(State.UNSURE, "its file has another time", fingerprint, inputs)
    return Verdict(State.DONE, "", fingerprint, inputs)


def _input_fingerprint(each: Input, sample: KnownSample, digests: Digests) -> str | Verdict:
    match each.origin:
        case Origin.SOURCE | Origin.SOURCE_SIZE:
            source = sample.record.sources.get(each.name)
            if source is None and each.optional:
                return _NONE
            if source is None:
                return Verdict(State.ABSENT, f"the dataset has no {each.name} for it")
            digest = digests.source(source, sample.sources)
            if digest is None:
                return Verdict(State.UNSURE, f"source {each.name} has another size or time")
            return digest
        case Origin.RECORD:
            if sample.record.camera is None:
                return Verdict(State.ABSENT, "the dataset has no camera for it")
            return _record_fingerprint(sample.record)
        case Origin.COLUMN:
            row = sample.cells.get(each.name)
            if each.optional and (row is None or row.state is CellState.ABSENT):
                return _NONE
            if row is None:
                return Verdict(State.BLOCKED, f"column {each.name} was not made for it")
            if row.state is CellState.ABSENT:
                return Verdict(State.ABSENT, f"it has no {each.name}")
            if row.state is CellState.FAILED:
                return Verdict(State.BLOCKED, f"its {each.name} failed")
            return row.fingerprint
        case Origin.FILE:
            return _file_fingerprint(each, sample, digests)


def _file_fingerprint(each: Input, sample: KnownSample, digests: Digests) -> str | Verdict:
    try:
        source = file_source(each, sample.record)
    except MissingInputError as error:
        return Verdict(State.ABSENT, str(error))
    digest = digests.source(source, sample.sources)
    if digest is None:
        return Verdict(State.UNSURE, f"{source.path} has another size or time")
    if digest == _GONE and sample.record.neighbour is None:
        return Verdict(State.ABSENT, f"there is no {source.path}, and it has no neighbour")
    return digest


def file_source(each: Input, record: SampleRecord) -> SourceFile:
    """Return the file that an input's pattern means for a sample, relative to the dataset's root or absolute.

    Raises:
        MissingInputError: If the sample lacks what the pattern names.
        ConfigurationError: If the pattern makes no sense.
    """
    image = record.sources.get("image")
    values = {
        "key": record.key,
        "stem": None if image is None else PurePosixPath(image.path).stem,
        "split": record.split,
        "sequence": record.sequence,
        "frame": record.frame,
    }
    return SourceFile(fill_pattern(each.pattern, values).as_posix(), Kind.FLOW, {})


def _is_gone(each: Input, sample: KnownSample, digests: Digests) -> bool:
    if each.origin is Origin.FILE:
        return file_source(each, sample.record).path in digests.gone
    if each.origin not in (Origin.SOURCE, Origin.SOURCE_SIZE) or each.name not in sample.record.sources:
        return False
    return sample.record.sources[each.name].path in digests.gone


def _code_text(source: SourceFile) -> str:
    """Return how a file is read, as a text that is equal for equal codes."""
    return json.dumps({"kind": source.kind.value, **source.code}, sort_keys=True)


def _record_fingerprint(record: SampleRecord) -> str:
    data = record.to_json()
    return _hash({name: data[name] for name in ("camera", "pose", "neighbour", "time")})


def _difference(row: CellRow, recipe: JsonDict, inputs: Mapping[str, str]) -> str:
    if row.state is CellState.ABSENT:
        return "it was absent and is there now"
    if row.recipe["step"] != recipe["step"] or row.recipe["version"] != recipe["version"]:
        return "made by another version of the step"
    names = sorted(name for name in inputs if row.inputs.get(name) != inputs[name])
    codes = [name for name in names if name.startswith(_CODE_OF)]
    known = [name for name in codes if name in row.inputs]
    told = [_change(name, json.loads(row.inputs[name]), json.loads(inputs[name])) for name in known]
    parameters = _changes({**UNSAID, **row.recipe["parameters"]}, {**UNSAID, **recipe["parameters"]})
    if parameters:
        return f"parameters changed: {parameters}" + (f"; inputs changed: {', '.join(told)}" if told else "")
    told += [name for name in names if name not in codes]
    return "inputs changed: " + ", ".join(told or codes)


def _changes(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return ", ".join(_change(name, before.get(name), now.get(name)) for name in changed)


def _change(name: str, before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        return f"{name} ({_changes(before, now)})"
    texts = json.dumps(before), json.dumps(now)
    return name if max(map(len, texts)) > 30 else f"{name} {texts[0]} -> {texts[1]}"


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
