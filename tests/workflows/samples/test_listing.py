"""Lists of a workspace: of the dataset's files and of the prepared ones, and back into records."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.class_files import read_class_map, write_paris_description
from segprep.datasets.codes import DepthFileCode, IdCode, code_from_json
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.files import read_lists
from segprep.datasets.record import Direction, SampleRecord, SourceFile
from segprep.datasets.sample import Camera, SampleKey
from segprep.datasets.synthetic import write_drive
from segprep.datasets.workspace import Workspace, WorkspaceConfig, write_config
from segprep.datasets.workspace.cells import Column
from segprep.workflows.ledger.database import CellState, Selection
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.worker import Job, process_batch
from segprep.workflows.samples.listing import ListReport, check_target, prepared_class_map, write_lists
from segprep.workflows.stages.registry import build_steps, resolve
from support.ledgers import listed

ALL = Selection()
KEYS = ("train_drive00_000000", "train_drive00_000001", "train_drive00_000002", "val_drive00_000000")


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drive") / "Straße 1"
    write_drive(root, splits={"train": 3, "val": 1}, width=32, height=16)
    return root


@pytest.fixture
def workspace(drive: Path, tmp_path: Path) -> Workspace:
    (tmp_path / "ws").mkdir()
    source = DatasetSource(drive)
    classes = CATALOG.load("synthetic").class_map(source)
    return write_config(tmp_path / "ws", WorkspaceConfig("synthetic", drive, Direction.PREVIOUS, classes, {}))


@pytest.fixture
def records(drive: Path) -> list[SampleRecord]:
    return list(CATALOG.load("synthetic").scan(DatasetSource(drive), Direction.PREVIOUS))


@pytest.fixture
def table(workspace: Workspace, records: list[SampleRecord]) -> Iterator[Table]:
    with listed(workspace, records) as opened:
        yield opened


def _resize(table: Table, **arguments: object) -> None:
    settled = resolve("resize", {"factor": 2} | arguments, table)
    steps = tuple(build_steps("resize", table, settled.arguments))
    table.ledger.set_columns([c for s in steps for c in s.outputs], "resize", settled.values)
    result = process_batch(Job(table.workspace, steps, {}), tuple(table.ledger.samples(ALL)))
    table.ledger.record(result.cells, result.sources)


def _sources(table: Table, out: Path, *columns: str, **more: object) -> ListReport:
    arguments = {"selection": ALL, "prepared": False} | more
    return write_lists(table, out=out, columns=columns or None, **arguments)  # type: ignore[arg-type]


def _prepared(table: Table, out: Path, *columns: str, **more: object) -> ListReport:
    return _sources(table, out, *columns, prepared=True, **more)


# -- the dataset's files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_list_of_everything_gives_the_datasets_records_back(
    table: Table, records: list[SampleRecord], tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"lists/all{suffix}"
    report = _sources(table, out)
    assert report == ListReport(((out, 4),), {})
    read = read_lists([out], table.workspace.config.dataset_root)
    assert [r.to_json() for r in read] == [r.to_json() for r in records]
    assert any(r.camera and r.pose and r.neighbour for r in read)


def test_one_csv_per_split_is_as_paris_has_it(table: Table, tmp_path: Path) -> None:
    report = _sources(table, tmp_path / "{split}.csv")
    assert report.files == ((tmp_path / "train.csv", 3), (tmp_path / "val.csv", 1))
    assert (tmp_path / "val.csv").read_text() == "val/drive00/rgb/000000.png, val/drive00/label/000000.png\n"
    read = read_lists([path for path, _ in report.files], table.workspace.config.dataset_root)
    assert [r.split for r in read] == ["train"] * 3 + ["val"]
    assert all((table.workspace.config.dataset_root / s.path).is_file() for r in read for s in r.sources.values())


def test_text_lists_hold_one_split_unless_it_is_a_column(table: Table, tmp_path: Path) -> None:
    for name in ("x.csv", "x.txt"):
        with pytest.raises(ConfigurationError, match=r"there are train, val: .*\{split\}\."):
            _sources(table, tmp_path / name)
        with pytest.raises(ConfigurationError, match="there are train, val"):
            check_target(table, ALL, tmp_path / name)
        check_target(table, Selection(splits=("val",)), tmp_path / name)
    report = _sources(table, tmp_path / "val.txt", selection=Selection(splits=("val",)))
    assert report.files == ((tmp_path / "val.txt", 1),)
    assert (tmp_path / "val.txt").read_text() == "val/drive00/rgb/000000.png val/drive00/label/000000.png\n"
    _sources(table, tmp_path / "all.csv", "key", "split", "image", "depth")
    assert (tmp_path / "all.csv").read_text().splitlines()[::4] == [
        "key,split,image,depth",
        f"{KEYS[3]},val,val/drive00/rgb/000000.png,val/drive00/depth/000000.png",
    ]
    assert not (tmp_path / "x.csv").exists()


def test_columns_are_required_and_nothing_else_is_listed(table: Table, tmp_path: Path) -> None:
    report = _sources(table, tmp_path / "x.jsonl", "image", "previous", "nir")
    assert report.files == ((tmp_path / "x.jsonl", 2),)
    assert report.left_out == {KEYS[0]: "without previous", KEYS[3]: "without previous"}
    first = json.loads((tmp_path / "x.jsonl").read_text().splitlines()[0])
    assert set(first) == {"key", "split", "image", "previous", "nir", "sequence", "frame", "time", "neighbour"}
    assert report.to_json()["left_out"][0] == {"key": KEYS[0], "reason": "without previous"}
    assert report.to_json()["files"] == [{"path": str(tmp_path / "x.jsonl"), "rows": 2}]


def test_an_ssma_list_names_the_label_last(table: Table, tmp_path: Path) -> None:
    _sources(table, tmp_path / "{split}.txt", "label", "image", "nir")
    assert (tmp_path / "val.txt").read_text().split() == [
        f"val/drive00/{part}/000000.png" for part in ("rgb", "nir", "label")
    ]


def test_samples_to_skip_are_in_no_list_and_in_the_report(table: Table, tmp_path: Path) -> None:
    report = _sources(table, tmp_path / "{split}.csv", skip={SampleKey(KEYS[1]), SampleKey(KEYS[3])})
    assert report.files == ((tmp_path / "train.csv", 2),)
    assert set(report.left_out) == {KEYS[1], KEYS[3]}
    assert "000001" not in (tmp_path / "train.csv").read_text()


def test_nothing_to_list_is_a_conflict_that_says_why(table: Table, tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="there is no sample to list: 4 to be left out"):
        _sources(table, tmp_path / "x.jsonl", skip=KEYS)
    with pytest.raises(ConflictError, match="none is selected"):
        _sources(table, tmp_path / "x.jsonl", selection=Selection(only="nothing"))
    assert not list(tmp_path.glob("x.*"))


def test_unknown_columns_are_named_with_those_that_there_are(table: Table, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"no selected sample has hha in the dataset; there are: .*nir.*camera"
    ):
        _sources(table, tmp_path / "x.jsonl", "image", "hha")
    with pytest.raises(
        ConfigurationError, match="no selected sample has image, label in the workspace; there are: none"
    ):
        _prepared(table, tmp_path / "{split}.csv")
    with pytest.raises(ConfigurationError, match="camera is no file"):
        _sources(table, tmp_path / "{split}.csv", "image", "camera")


def test_nothing_is_written_into_the_dataset(table: Table, tmp_path: Path) -> None:
    root = table.workspace.config.dataset_root
    before = sorted(root.rglob("*"))
    (tmp_path / "link").symlink_to(root)
    for place in (root, root / "new", tmp_path / "link", root / "train/../../Straße 1"):
        with pytest.raises(ConfigurationError, match="would lie inside the dataset"):
            _sources(table, place / "{split}.csv")
        with pytest.raises(ConfigurationError, match="would lie inside the dataset"):
            check_target(table, ALL, place / "all.jsonl")
    assert sorted(root.rglob("*")) == before


def test_refused_names_leave_no_list_of_any_split(table: Table, tmp_path: Path) -> None:
    known = [s.record for s in table.ledger.samples(ALL)]
    blank = replace(known[3], sources={n: replace(s, path=f"a b/{n}.png") for n, s in known[3].sources.items()})
    table.ledger.replace_samples([*known[:3], blank])
    with pytest.raises(ConfigurationError, match=r"2 names hold blanks(.|\n)*a b/image\.png\n  a b/label\.png"):
        _sources(table, tmp_path / "{split}.txt")
    assert not list(tmp_path.glob("*.txt"))
    assert len(_sources(table, tmp_path / "{split}.csv").files) == 2


# -- the workspace's files -----------------------------------------------------------------------------------------


def test_prepared_files_are_listed_with_the_codes_that_they_have(table: Table, tmp_path: Path) -> None:
    _resize(table)
    report = _prepared(table, tmp_path / "all.jsonl")
    assert report == ListReport(((tmp_path / "all.jsonl", 4),), {}, {"label": "train"})
    columns = table.columns()
    for record in read_lists([tmp_path / "all.jsonl"], table.workspace.root):
        assert record.key in KEYS
        assert set(record.sources) | {"previous", "camera"} == set(columns)
        assert ("previous" in record.sources) == (record.neighbour is not None) == (not record.key.endswith("000000"))
        for name, source in record.sources.items():
            assert source.path == f"{record.split}/{name}_data/{record.key}.png"
            assert code_from_json(source.code) == columns[name].code
            stored, _ = code_from_json(source.code).from_file(read_image(table.workspace.root / source.path))
            assert stored.shape[:2] == (8, 16)
        cell = json.loads((table.workspace.root / f"{record.split}/camera_data/{record.key}.json").read_text())
        assert record.camera is not None
        assert record.camera.to_json() == Camera.from_json(cell).to_json()
        assert (record.camera.width, record.camera.height) == (16, 8)
        assert record.pose is not None
        assert record.pose.matrix.tolist() == cell["pose"]
        assert record.to_json()["neighbour"] == cell["neighbour"]


def test_prepared_labels_and_their_description_are_what_paris_needs(table: Table, tmp_path: Path) -> None:
    _resize(table)
    report = _prepared(table, tmp_path / "{split}.csv")
    described = prepared_class_map(table.workspace.config.class_map, table.columns())
    write_paris_description(tmp_path / "drive.json", described, "drive")
    classes = read_class_map(tmp_path / "drive.json")
    assert classes.names == table.workspace.config.class_map.names
    for record in read_lists([path for path, _ in report.files], table.workspace.root):
        label = read_image(table.workspace.root / record.sources["label"].path)
        assert np.array_equal(classes.to_train_ids(label), label)


def test_labels_that_kept_raw_ids_keep_the_class_map(table: Table, tmp_path: Path) -> None:
    _resize(table, label_ids="raw")
    raw = replace(table.workspace.config.class_map, raw_id_divisor=256)  # the files hold ids that were divided already
    assert prepared_class_map(raw, table.columns()) == table.workspace.config.class_map
    _prepared(table, tmp_path / "{split}.csv")
    (record,) = read_lists([tmp_path / "val.csv"], table.workspace.root)
    label = read_image(table.workspace.root / record.sources["label"].path)
    table.workspace.config.class_map.to_train_ids(label)
    assert set(np.unique(label)) <= {i for c in raw.classes for i in c.raw_ids} | set(raw.ignored_raw_ids)


def test_only_samples_whose_columns_are_done_are_listed(table: Table, tmp_path: Path) -> None:
    _resize(table)
    cells = [s.cells for s in table.ledger.samples(ALL)]
    failed = replace(cells[1]["depth"], state=CellState.FAILED, files=(), reason="broken")
    table.ledger.record([failed], [])
    (table.workspace.root / f"train/nir_data/{KEYS[2]}.png").unlink()
    report = _prepared(table, tmp_path / "x.jsonl")
    assert report.files == ((tmp_path / "x.jsonl", 2),)
    assert report.left_out == {KEYS[1]: "without depth (failed)", KEYS[2]: "without nir (its file is gone)"}
    report = _prepared(table, tmp_path / "y.jsonl", "image", "label", "previous")
    assert report.left_out == {KEYS[0]: "without previous (absent)", KEYS[3]: "without previous (absent)"}
    table.ledger.set_columns([Column("hha", Kind.INDEX, IdCode())], "modality", {})
    table.ledger.record([replace(cells[0]["nir"], column="hha")], [])
    report = _prepared(table, tmp_path / "z.jsonl")
    assert report.left_out[SampleKey(KEYS[3])] == "without hha (not made yet)"
    assert [r.key for r in read_lists([tmp_path / "z.jsonl"], table.workspace.root)] == [KEYS[0]]


def test_lists_of_sources_do_not_depend_on_what_is_prepared(table: Table, tmp_path: Path) -> None:
    _sources(table, tmp_path / "before.jsonl")
    _resize(table)
    _sources(table, tmp_path / "after.jsonl")
    assert (tmp_path / "before.jsonl").read_bytes() == (tmp_path / "after.jsonl").read_bytes()


def test_a_list_of_lists_keeps_the_codes_of_others(table: Table, tmp_path: Path) -> None:
    """Depth in millimetres, as a plain list means it, is still that after a second list."""
    path = tmp_path / "train.csv"
    path.write_text("image,depth\na.png,d.png\n")
    table.ledger.replace_samples(read_lists([path], table.workspace.config.dataset_root))
    _sources(table, tmp_path / "again.jsonl")
    (record,) = read_lists([tmp_path / "again.jsonl"], table.workspace.config.dataset_root)
    assert record.sources["depth"] == SourceFile("d.png", Kind.DEPTH, DepthFileCode(0.001).to_json())
    assert (record.key, record.split) == ("a", "train")
