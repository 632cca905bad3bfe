"""What a worker does with a batch: failures stay with their sample, and files are written all or not at all."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from segprep.datasets import source_files
from segprep.datasets.atomic import stage
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import PlainCode
from segprep.datasets.errors import SizeMismatchError, WriteFailedError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, SampleRecord, SourceFile
from segprep.datasets.sample import JsonDict, Sample, SampleKey
from segprep.datasets.workspace import Workspace, WorkspaceConfig
from segprep.datasets.workspace.cells import Cell, Column, decode_source
from segprep.prep.step import Input, Origin
from segprep.workflows.ledger.database import CellState, Selection
from segprep.workflows.ledger.table import Table
from segprep.workflows.running import inputs, worker
from segprep.workflows.running.worker import BatchResult, Job, process_batch
from support.ledgers import listed

KEYS = ("a", "b", "c")


@dataclass(frozen=True)
class Calling:
    """Calls a function on the image."""

    function: Callable[[Sample], Mapping[str, Cell]]
    origin: Origin = Origin.SOURCE
    reads: str = "image"
    makes: tuple[str, ...] = ("copy",)
    name: str = "calling"

    version: ClassVar[int] = 1
    parameters: ClassVar[JsonDict] = {}

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (Input(self.reads, self.origin),)

    @property
    def outputs(self) -> tuple[Column, ...]:
        return tuple(Column(name, Kind.IMAGE, PlainCode()) for name in self.makes)

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        return self.function(sample)


def _copy(sample: Sample) -> dict[str, Cell]:
    return {"copy": Cell(sample.arrays["image"])}


def _break_on(key: str, error: Exception) -> Callable[[Sample], dict[str, Cell]]:
    def broken(sample: Sample) -> dict[str, Cell]:
        if sample.key == key:
            raise error
        return _copy(sample)

    return broken


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for key in KEYS:
        write_image(tmp_path / f"data/{key}.png", np.full((4, 6, 3), ord(key), np.uint8))
    classes = ClassMap((SemanticClass("road", (0, 0, 0), (0,)),), ())
    (tmp_path / "ws").mkdir()
    return Workspace(tmp_path / "ws", WorkspaceConfig("folder", tmp_path / "data", Direction.PREVIOUS, classes, {}))


@pytest.fixture
def table(workspace: Workspace) -> Iterator[Table]:
    files = {k: SourceFile(f"{k}.png", Kind.IMAGE, PlainCode().to_json()) for k in KEYS}
    with listed(workspace, [SampleRecord(SampleKey(k), "train", {"image": files[k]}) for k in KEYS]) as opened:
        yield opened


def _process(table: Table, *steps: Calling) -> BatchResult:
    columns = {c.name: c for s in steps for c in s.outputs}
    return process_batch(Job(table.workspace, steps, columns), tuple(table.ledger.samples(Selection())))


def _states(result: BatchResult, column: str = "copy") -> dict[str, CellState]:
    return {row.key: row.state for row in result.cells if row.column == column}


DONE, FAILED = CellState.DONE, CellState.FAILED


def test_an_unexpected_exception_fails_its_sample_with_type_and_place_and_the_others_go_on(table: Table) -> None:
    result = _process(table, Calling(_break_on("b", ZeroDivisionError("by nothing"))))
    assert _states(result) == {"a": DONE, "b": FAILED, "c": DONE}
    (failed,) = [row for row in result.cells if row.state is FAILED]
    assert failed.reason.startswith("ZeroDivisionError: by nothing (at test_worker.py:")
    assert failed.reason.endswith(", step calling)")
    assert failed.files == ()
    assert failed.fingerprint
    assert {p.stem for p in (table.workspace.root / "train/copy_data").iterdir()} == {"a", "c"}


def test_an_error_of_the_users_is_the_reason_as_it_stands(table: Table) -> None:
    result = _process(table, Calling(_break_on("a", SizeMismatchError("label is 2x2, its image 4x4"))))
    assert [row.reason for row in result.cells if row.state is FAILED] == ["label is 2x2, its image 4x4"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 3 GiB"),
        OSError(errno.EMFILE, "Too many open files", "b.png"),
        OSError(errno.EIO, "Input/output error", "b.png"),
        PermissionError(errno.EACCES, "Permission denied", "b.png"),
    ],
)
def test_a_failure_of_the_machine_is_not_recorded_and_the_next_run_tries_again(table: Table, error: Exception) -> None:
    result = _process(table, Calling(_break_on("b", error), makes=("copy",)))
    assert _states(result) == {"a": DONE, "c": DONE}
    (not_made,) = result.not_made
    assert (not_made.key, not_made.column) == ("b", "copy")
    assert str(error).partition("] ")[2].partition(": ")[0] in not_made.reason
    table.ledger.record(result.cells, result.sources)
    again = _process(table, Calling(_copy))
    assert (_states(again), again.not_made) == ({"b": DONE}, ())


def test_a_source_that_the_disk_does_not_deliver_is_named_and_its_sample_not_failed(
    table: Table, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, opener = workspace.config.dataset_root / "b.png", source_files._opened

    def broken(path: str, flags: int) -> int:
        if Path(path) == source:
            raise OSError(errno.EIO, "Input/output error")
        return opener(path, flags)

    monkeypatch.setattr(source_files, "_opened", broken)
    result = _process(table, Calling(_copy))
    assert _states(result) == {"a": DONE, "c": DONE}
    (not_made,) = result.not_made
    assert not_made.reason.startswith(f"{source} cannot be read: Input/output error. Check the disk")


def test_a_cell_that_the_disk_does_not_deliver_is_not_made_again(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _process(table, Calling(_copy))
    table.ledger.record(first.cells, first.sources)
    cell, stat = table.workspace.root / "train/copy_data/b.png", Path.stat

    def broken(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == cell:
            raise OSError(errno.EIO, "Input/output error")
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", broken)
    result = _process(table, Calling(_copy))
    assert result.cells == ()
    assert [each.reason.partition(". ")[0] for each in result.not_made] == [
        f"{cell} cannot be read: Input/output error"
    ]


def test_a_step_that_forgets_a_column_or_makes_no_picture_fails_and_leaves_no_file(table: Table) -> None:
    def one_of_two(sample: Sample) -> dict[str, Cell]:
        return _copy(sample)

    result = _process(table, Calling(one_of_two, makes=("copy", "second")))
    assert set(_states(result).values()) == set(_states(result, "second").values()) == {FAILED}
    assert "KeyError: 'second'" in result.cells[0].reason

    def no_picture(sample: Sample) -> dict[str, Cell]:
        return {"copy": Cell(sample.arrays["image"][..., 0])}

    result = _process(table, Calling(no_picture))
    assert set(_states(result).values()) == {FAILED}
    assert "a picture must have the shape (H, W, 3), not (4, 6)" in result.cells[0].reason
    assert not list(table.workspace.root.rglob("*.png*"))


def test_a_later_step_sees_what_an_earlier_one_of_the_same_batch_stored(table: Table) -> None:
    def brighter(sample: Sample) -> dict[str, Cell]:
        return {"copy": Cell(sample.arrays["image"].astype(np.float64) + 0.4)}  # rounded when stored

    def second(sample: Sample) -> dict[str, Cell]:
        assert sample.arrays["copy"].dtype == np.uint8
        return {"second": Cell(sample.arrays["copy"] + np.uint8(1))}

    steps = Calling(brighter), Calling(second, Origin.COLUMN, "copy", ("second",), "second")
    result = _process(table, *steps)
    assert _states(result) == _states(result, "second") == dict.fromkeys(KEYS, DONE)
    assert (read_image(table.workspace.root / "train/second_data/a.png") == ord("a") + 1).all()


def test_the_rows_describe_the_files_that_were_written(table: Table) -> None:
    result = _process(table, Calling(_copy))
    for row in result.cells:
        (file,) = row.files
        stat = (table.workspace.root / file.path).stat()
        assert (file.path, file.size, file.mtime_ns) == (
            f"train/copy_data/{row.key}.png",
            stat.st_size,
            stat.st_mtime_ns,
        )
        assert row.facts == {"shape": [4, 6, 3]}
    assert {source.path for source in result.sources} == {"a.png", "b.png", "c.png"}


def test_a_batch_whose_files_cannot_be_written_leaves_none_of_them(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def stage_twice(path: Path, data: bytes) -> object:
        nonlocal count
        count += 1
        if count > 2:
            raise WriteFailedError(f"{path} cannot be written: the disk is full")
        return stage(path, data)

    monkeypatch.setattr(worker, "stage", stage_twice)
    with pytest.raises(WriteFailedError, match="the disk is full"):
        _process(table, Calling(_copy))
    assert not [p for p in table.workspace.root.rglob("*") if p.is_file() and not p.name.startswith("ledger")]


def test_sources_that_several_steps_read_are_decoded_once(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []

    def counted(source: SourceFile, data: bytes, path: Path) -> Cell:
        decoded.append(path.name)
        return decode_source(source, data, path)

    monkeypatch.setattr(inputs, "decode_source", counted)
    second = Calling(lambda s: {"second": Cell(s.arrays["image"])}, makes=("second",), name="second")
    _process(table, Calling(_copy), second)
    assert decoded == ["a.png", "b.png", "c.png"]
