"""The ledger remembers exactly, selects in the dataset's order, and refuses what is not its own."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.codes import DepthCode, IdCode, PlainCode, VelodyneCode
from segprep.datasets.errors import ConflictError, WriteFailedError
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import Camera, SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.workflows.ledger.database import CellRow, CellState, FileRow, Ledger, Selection, SourceRow

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
    with Ledger(tmp_path / "ledger.sqlite") as opened:
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
    with Ledger(tmp_path / "ledger.sqlite") as again:
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


def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"these are my notes, not a ledger at all" * 40)
    with pytest.raises(ConflictError, match="is no ledger") as caught:
        Ledger(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"these are my notes, not a ledger at all" * 40


@pytest.mark.parametrize("version", [0, 1, 7])
def test_the_database_of_another_program_is_refused_and_stays_as_it_is(tmp_path: Path, version: int) -> None:
    path = tmp_path / "ledger.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE bookings(amount INTEGER)")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    database.close()
    before = path.read_bytes()
    with pytest.raises(ConflictError, match="the database of another program"):
        Ledger(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).__exit__()
    database = sqlite3.connect(path)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    with pytest.raises(ConflictError, match=f"newer segprep \\(schema {version + 1}\\): update segprep"):
        Ledger(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(WriteFailedError, match="cannot be opened"):
        Ledger(tmp_path / "nowhere" / "ledger.sqlite")
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(WriteFailedError, match="cannot be opened"):
        Ledger(tmp_path / "ledger.sqlite")


def test_notices_are_kept_until_the_samples_are_listed_again(tmp_path: Path) -> None:
    said = [Notice(About.GUESSED, "depth", "millimetres"), Notice(About.SUSPECT, "camera", "für 640x480")]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.replace_samples([_record("a", "train")], said)
        assert ledger.notices() == said
        ledger.replace_samples([_record("a", "train")])
        assert ledger.notices() == []


def test_a_ledger_from_before_notices_gets_room_for_them(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.replace_samples([_record("a", "train")])
    database = sqlite3.connect(path)
    database.execute("DROP TABLE notices")
    database.execute("PRAGMA user_version = 2")
    database.close()
    with Ledger(path) as ledger:
        assert ledger.notices() == []
        assert ledger.count(Selection()) == 1
