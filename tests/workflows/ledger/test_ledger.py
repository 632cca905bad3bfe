"""The ledger remembers exactly, selects in the dataset's order, and refuses what is not its own."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.codes import DepthCode, IdCode, PlainCode, VelodyneCode
from segprep.datasets.errors import ConflictError, DamagedLedgerError, UnreadableFileError, WriteFailedError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import Camera, SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.workflows.ledger.database import CellRow, CellState, FileRow, Ledger, Selection, SourceRow
from segprep.workflows.ledger.making import make_ledger

KEYS = ("b_2", "b_10", "a_1", "B_3", "c[1]", "a_2")
SPLITS = ("val", "val", "train", "train", "train", "val")


def _record(key: str, split: str, **sources: str) -> SampleRecord:
    files = {"image": SourceFile(f"{split}/{key}.png", Kind.IMAGE, PlainCode().to_json())}
    files |= {name: SourceFile(path, Kind.LABEL, IdCode().to_json()) for name, path in sources.items()}
    return SampleRecord(SampleKey(key), split, files)


def _cell(key: str, column: str = "image", state: CellState = CellState.DONE) -> CellRow:
    return CellRow(
        SampleKey(key),
        column,
        state,
        fingerprint="f" * 64,
        recipe={"step": "resize image", "version": 1, "parameters": {"factor": 2, "list": [1, 2.5, None]}},
        inputs={"source image": "d" * 64},
        files=(FileRow(f"val/image_data/{key}.png", 123, 1_700_000_000_123_456_789, "e" * 64),),
        reason="ünlesbar",
        facts={"shape": [4, 6, 3], "clipped": 3},
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    make_ledger(tmp_path / "ledger.sqlite")
    with Ledger(tmp_path / "ledger.sqlite", writes=True) as opened:
        opened.replace_samples(_record(k, s) for k, s in zip(KEYS, SPLITS, strict=True))
        yield opened


# -- selections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), KEYS),
        (Selection(splits=("train",)), ("a_1", "B_3", "c[1]")),
        (Selection(splits=("train", "val")), KEYS),
        (Selection(only="b_*"), ("b_2", "b_10")),
        (Selection(only="b_?"), ("b_2",)),
        (Selection(only="[ab]_2"), ("b_2", "a_2")),
        (Selection(only="a_1"), ("a_1",)),
        (Selection(only="a"), ()),
        (Selection(only="%"), ()),
        (Selection(limit=2), ("b_2", "b_10")),
        (Selection(limit=99), KEYS),
        (Selection(splits=("val",), only="*_2", limit=1), ("b_2",)),
        (Selection(splits=("test",)), ()),
    ],
)
def test_selections_take_splits_globs_and_limits_in_the_datasets_order(
    ledger: Ledger, selection: Selection, expected: tuple[str, ...]
) -> None:
    assert tuple(ledger.keys(selection)) == expected
    assert tuple(s.record.key for s in ledger.samples(selection)) == expected
    assert ledger.count(selection) == len(expected)


def test_splits_come_in_the_datasets_order(ledger: Ledger) -> None:
    assert ledger.splits() == ["val", "train"]


def test_samples_may_be_recorded_while_they_are_streamed(ledger: Ledger) -> None:
    seen = []
    for sample in ledger.samples(Selection()):
        seen.append(sample.record.key)
        ledger.record([_cell(sample.record.key)], [])
    assert tuple(seen) == KEYS


def test_an_unknown_key_is_a_key_error(ledger: Ledger) -> None:
    with pytest.raises(KeyError, match="zzz"):
        ledger.sample(SampleKey("zzz"))


# -- memory --------------------------------------------------------------------------------------------------------


def test_what_is_recorded_comes_back_after_reopening(ledger: Ledger, tmp_path: Path) -> None:
    cells = [_cell("b_2"), _cell("b_2", "label", CellState.FAILED), _cell("a_1", state=CellState.ABSENT)]
    source = SourceRow("val/b_2.png", 2**40, 2**60 + 1, "a" * 64)
    column = Column("depth", Kind.DEPTH, DepthCode(0.005), (("source", "stereo"),))
    ledger.record(cells, [source, SourceRow("of/no/sample.png", 1, 1, "b")])
    ledger.set_columns([column], "resize", {"factor": None, "size": [8, 4]})
    with Ledger(tmp_path / "ledger.sqlite", writes=True) as again:
        known = again.sample(SampleKey("b_2"))
        assert known.cells == {"image": cells[0], "label": cells[1]}
        assert known.sources == {source.path: source}
        assert again.sample(SampleKey("a_1")).cells == {"image": cells[2]}
        row = again.columns()["depth"]
        assert (row.column, row.command, row.arguments) == (column, "resize", {"factor": None, "size": [8, 4]})


def test_a_later_row_takes_the_place_of_an_earlier_one(ledger: Ledger) -> None:
    ledger.record([_cell("b_2", state=CellState.FAILED)], [SourceRow("val/b_2.png", 1, 1, "old")])
    ledger.record([_cell("b_2")], [SourceRow("val/b_2.png", 2, 2, "new")])
    known = ledger.sample(SampleKey("b_2"))
    assert known.cells["image"].state is CellState.DONE
    assert known.sources["val/b_2.png"].digest == "new"


def test_samples_that_are_no_more_are_forgotten_and_the_others_keep_their_cells(ledger: Ledger) -> None:
    ledger.record([_cell("b_2"), _cell("a_1")], [])
    ledger.replace_samples([_record("new", "test"), _record("b_2", "test")])
    assert ledger.keys(Selection()) == ["new", "b_2"]
    assert ledger.splits() == ["test"]
    assert set(ledger.sample(SampleKey("b_2")).cells) == {"image"}
    ledger.replace_samples([_record("a_1", "test")])
    assert ledger.sample(SampleKey("a_1")).cells == {}, "it was away in between"


def test_what_fails_inside_a_transaction_leaves_nothing(ledger: Ledger) -> None:
    def records() -> Iterator[SampleRecord]:
        yield _record("new", "train")
        raise RuntimeError("the scan broke")

    with pytest.raises(RuntimeError, match="the scan broke"):
        ledger.replace_samples(records())
    assert tuple(ledger.keys(Selection())) == KEYS
    ledger.record([_cell("b_2")], [])  # and the ledger still works


def test_runs_and_shards_are_noted(ledger: Ledger, tmp_path: Path) -> None:
    first = ledger.start_run("resize", {"factor": 2}, {"numpy": "2"}, "2026-01-01T00:00:00+00:00")
    second = ledger.start_run("flow", {}, {}, "2026-01-02T00:00:00+00:00")
    assert second > first
    ledger.finish_run(first, 4, "2026-01-01T01:00:00+00:00")
    ledger.record_shard("train", 0, "f0", {"rows": 3})
    ledger.record_shard("train", 1, "f1", {"rows": 2})
    ledger.record_shard("train", 1, "f2", {"rows": 1})
    assert ledger.shard_reports("train") == {0: ("f0", {"rows": 3}), 1: ("f2", {"rows": 1})}
    assert ledger.shard_reports("val") == {}
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    rows = database.execute("SELECT command, exit_code, finished FROM runs ORDER BY id").fetchall()
    database.close()
    assert rows == [("resize", 4, "2026-01-01T01:00:00+00:00"), ("flow", None, None)]


def test_columns_of_the_dataset_are_told_with_the_image_first(ledger: Ledger) -> None:
    ledger.replace_samples([_record("a", "train", label="l/a.png"), _record("b", "train", instance="i/b.png")])
    found = ledger.source_columns()
    assert list(found) == ["image", "instance", "label"]
    assert (found["label"].kind, found["label"].code) == (Kind.LABEL, IdCode().to_json())
    assert not ledger.has_cameras()
    camera = Camera(np.eye(3), 4, 4)
    ledger.replace_samples([_record("a", "train"), replace(_record("b", "train"), camera=camera)])
    assert ledger.has_cameras()


def test_files_of_one_column_with_two_codes_are_refused(ledger: Ledger) -> None:
    other = _record("b", "train")
    grey = SourceFile("train/b.pgm", Kind.IMAGE, PlainCode(channels=()).to_json())
    ledger.replace_samples([_record("a", "train"), replace(other, sources={"image": grey})])
    with pytest.raises(ConflictError, match="column image has files of different kinds or codes"):
        ledger.source_columns()


def test_points_may_come_from_several_places_of_the_scanner(ledger: Ledger) -> None:
    records = []
    for x, key in enumerate("ba"):
        code = VelodyneCode((1, 0, 0, x, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)).to_json()
        record = _record(key, "train")
        points = SourceFile(f"{key}.bin", Kind.POINTS, code)
        records.append(replace(record, sources={**record.sources, "points": points}))
    ledger.replace_samples(records)
    assert ledger.source_columns()["points"] == records[1].sources["points"], "the first by its path"


# -- other files ---------------------------------------------------------------------------------------------------


OPENINGS = (Ledger, partial(Ledger, writes=True), make_ledger)


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(
    tmp_path: Path, opening: Callable[[Path], object]
) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"these are my notes, not a ledger at all" * 40)
    with pytest.raises(DamagedLedgerError, match=r"file is not a database.*`prep rebuild`") as caught:
        opening(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"these are my notes, not a ledger at all" * 40


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("version", [0, 1, 7])
def test_the_database_of_another_program_is_refused_and_stays_as_it_is(
    tmp_path: Path, version: int, opening: Callable[[Path], object]
) -> None:
    path = tmp_path / "ledger.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE bookings(amount INTEGER)")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    database.close()
    before = path.read_bytes()
    with pytest.raises(ConflictError, match="the database of another program"):
        opening(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.sqlite"]


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    path = tmp_path / "ledger.sqlite"
    make_ledger(path)
    database = sqlite3.connect(path)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    with pytest.raises(ConflictError, match=f"newer segprep \\(schema {version + 1}\\): update segprep"):
        opening(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(WriteFailedError, match="cannot be written"):
        make_ledger(tmp_path / "nowhere" / "ledger.sqlite")
    (tmp_path / "ledger.sqlite").mkdir()
    for opening in (make_ledger, partial(Ledger, writes=True)):
        with pytest.raises(WriteFailedError, match="cannot be written"):
            opening(tmp_path / "ledger.sqlite")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        Ledger(tmp_path / "ledger.sqlite")


def test_notices_are_kept_until_the_samples_are_listed_again(tmp_path: Path) -> None:
    said = [Notice(About.GUESSED, "depth", "millimetres"), Notice(About.SUSPECT, "camera", "für 640x480")]
    make_ledger(tmp_path / "ledger.sqlite")
    with Ledger(tmp_path / "ledger.sqlite", writes=True) as ledger:
        ledger.replace_samples([_record("a", "train")], said)
        assert ledger.notices() == said
        ledger.replace_samples([_record("a", "train")])
        assert ledger.notices() == []


def _as_of(path: Path, version: int) -> None:
    """Give a ledger the form that an older version made."""
    database = sqlite3.connect(path)
    for table in ("samples", "sources", "columns", "cells") if version < 4 else ():
        database.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    if version < 3:
        database.execute("DROP TABLE notices")
    if version < 2:
        database.execute("DROP TABLE store_rows")
    database.execute("PRAGMA application_id = 0")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    database.close()


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_ledger_of_an_older_form_is_read_without_being_changed_and_written_in_the_present_form(
    ledger: Ledger, tmp_path: Path, version: int
) -> None:
    path = tmp_path / "ledger.sqlite"
    cell = _cell("b_2")
    ledger.record([cell], [SourceRow("val/b_2.png", 1, 2, "d")])
    ledger.set_columns([Column("depth", Kind.DEPTH, DepthCode(0.005))], "resize", {"factor": 2})
    ledger.__exit__()
    _as_of(path, version)
    before = path.read_bytes()
    with Ledger(path) as old:
        known = old.sample(SampleKey("b_2"))
        assert known.cells == {"image": cell}
        assert known.sources.keys() == {"val/b_2.png"}
        assert old.columns()["depth"].arguments == {"factor": 2}
        assert old.notices() == []
        assert old.store_order("train") == ([], 0)
        with pytest.raises(WriteFailedError):
            old.record([cell], [])
    assert path.read_bytes() == before
    with Ledger(path, writes=True) as now:
        now.record([_cell("a_1")], [])
        assert now.sample(SampleKey("b_2")).cells == {"image": cell}
        assert now.notices() == []
    database = sqlite3.connect(path)
    checksums = database.execute("SELECT key, checksum IS NULL FROM cells ORDER BY key").fetchall()
    database.close()
    assert checksums == [("a_1", 0), ("b_2", 1)]


# -- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE samples SET record = replace(record, 'b_2.png', 'b_3.png') WHERE key = 'b_2'",
        "UPDATE samples SET record = substr(record, 9) WHERE key = 'b_2'",
        "UPDATE samples SET record = NULL, checksum = NULL WHERE key = 'b_2'",
        "UPDATE samples SET record = CAST(x'7b80ff' AS TEXT) WHERE key = 'b_2'",
        "UPDATE samples SET split = 'trbin' WHERE key = 'b_2'",
        "UPDATE cells SET fingerprint = replace(fingerprint, 'ff', 'fe')",
        "UPDATE cells SET facts = '[1]', checksum = NULL",
        "UPDATE cells SET state = 'dona', checksum = NULL",
        "UPDATE cells SET files = '[[1, 2]]', checksum = NULL",
        "UPDATE cells SET files = '7', checksum = NULL",
        "UPDATE sources SET digest = 'a'",
        "UPDATE sources SET checksum = 'text'",
    ],
)
def test_a_row_that_is_not_what_was_written_is_damage_with_a_remedy(
    ledger: Ledger, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger.record([_cell("b_2")], [SourceRow("val/b_2.png", 1, 2, "d")])
    database = sqlite3.connect(path)
    assert database.execute(change).rowcount == 1
    database.commit()
    database.close()
    with pytest.raises(DamagedLedgerError, match=r"ledger.sqlite is damaged \(.*`prep rebuild`"):
        list(ledger.samples(Selection()))


@pytest.mark.parametrize("column", ["spec", "arguments"])
def test_a_damaged_column_is_damage(ledger: Ledger, tmp_path: Path, column: str) -> None:
    ledger.set_columns([Column("depth", Kind.DEPTH, DepthCode(0.005))], "resize", {"factor": 5})
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.execute(f"UPDATE columns SET {column} = replace({column}, '5', '6')")
    database.commit()
    database.close()
    with pytest.raises(DamagedLedgerError, match="the row of depth is not what was written"):
        ledger.columns()


def test_wherever_pages_are_damaged_reading_ends_with_one_error(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger.record([_cell(key, f"column{i}") for key in KEYS for i in range(20)], [])
    ledger.__exit__()
    whole = path.read_bytes()
    told = 0
    for start in range(0, len(whole), 4096):
        path.write_bytes(whole[:start] + b"\xa5" * 4096 + whole[start + 4096 :])
        try:
            with Ledger(path) as damaged:
                list(damaged.samples(Selection()))
                damaged.columns(), damaged.notices(), damaged.source_columns(), damaged.shard_reports("train")
                damaged.splits(), damaged.prepared_splits(), damaged.store_order("train"), damaged.has_cameras()
        except DamagedLedgerError:
            told += 1
    assert told >= len(whole) // 4096 - 3, "two pages, of runs and an index of its own, are not read"


# -- ledgers of killed processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["no bytes", "no tables", "no version"])
def test_a_ledger_that_a_killed_process_began_is_ended_by_the_next_one(tmp_path: Path, state: str) -> None:
    path = tmp_path / "ledger.sqlite"
    if state == "no version":  # as versions up to 3 left it
        make_ledger(path)
        _as_of(path, 1)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 0")
    if state == "no tables":
        database.execute("PRAGMA journal_mode = WAL")
    database.close()
    path.touch()
    for opening in (Ledger, partial(Ledger, writes=True)):
        with pytest.raises(DamagedLedgerError, match="is empty: run `prep rebuild`"):
            opening(path)
    make_ledger(path)
    with Ledger(path, writes=True) as ended:
        ended.replace_samples([_record("a", "train")])
        ended.record([_cell("a")], [])


def test_only_making_makes_a_ledger(tmp_path: Path) -> None:
    for opening in (Ledger, partial(Ledger, writes=True)):
        with pytest.raises(DamagedLedgerError, match="is missing: run `prep rebuild`"):
            opening(tmp_path / "ledger.sqlite")
    assert not list(tmp_path.iterdir())
