"""`prep list`: a workspace's samples as lists, of the dataset's files or of the prepared ones."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from segprep.datasets.atomic import atomic_write_bytes, remove_partials_of
from segprep.datasets.class_files import train_id_map, void_first_map
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import IdCode, VoidFirstCode
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.kinds import Kind
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.lists.files import TEXT_SUFFIXES, encode_list, list_suffix, only_columns
from segprep.datasets.record import SampleRecord, SourceFile
from segprep.datasets.sample import Camera, JsonDict, SampleKey
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Column, read_record_cell
from segprep.workflows.ledger.database import CellState, KnownSample, Selection
from segprep.workflows.ledger.table import Table

__all__ = [
    "SPLIT_MARK",
    "ListReport",
    "check_target",
    "ids_of",
    "prepared_class_map",
    "refuse_inside_dataset",
    "write_lists",
]

SPLIT_MARK = "{split}"
"""Stands for the split in the name of lists."""

_NAMES_OF_ROWS = ("key", "split")

_READERS: Final = {
    "train": "its labels hold 0 to C-1 for the classes and 255 for what is ignored. SMSnet and SSMA read 0 as void and "
    "classes from 1: `prep resize --label-ids void0` writes that",
    "void0": "its labels hold 0 for what is ignored and 1 to C for the classes, as SMSnet and SSMA read them",
    "raw": "its labels hold the dataset's own ids. SMSnet and SSMA read 0 as void and classes from 1: `prep resize "
    "--label-ids void0` and `prep list --prepared` give that",
}


@dataclass(frozen=True, slots=True)
class ListReport:
    """What was written.

    Attributes:
        files: The lists with their numbers of rows.
        left_out: Samples that stand in none of them, with the reason.
        ids: Of each label column of prepared files, what its files hold: "train" ids, "void0" or "raw".
        reader_note: What programs that take such lists must know of the labels; None where nothing.
    """

    files: tuple[tuple[Path, int], ...]
    left_out: Mapping[SampleKey, str]
    ids: Mapping[str, str] = field(default_factory=dict)
    reader_note: str | None = None

    def to_json(self) -> JsonDict:
        """Return it for `--json`."""
        return {
            "files": [{"path": str(path), "rows": rows} for path, rows in self.files],
            "left_out": [{"key": key, "reason": reason} for key, reason in self.left_out.items()],
            "ids": dict(self.ids),
        }


def write_lists(
    table: Table,
    selection: Selection,
    out: Path,
    *,
    columns: Sequence[str] | None,
    prepared: bool,
    skip: Collection[SampleKey] = (),
) -> ListReport:
    """Write samples to one list, or to one per split.

    Args:
        table: The open table.
        selection: Which samples.
        out: The list; its suffix says the format. `{split}` in it makes one per split, which .csv and .txt, having no
            splits, need for several (a .csv does not if `split` is one of its columns).
        columns: What a sample must have and the lists hold; None for image and label in .csv and .txt, and for
            everything that a sample has in .jsonl and .parquet.
        prepared: List the workspace's own cells, relative to it, instead of the dataset's files, relative to its root.
        skip: Samples to leave out.

    Raises:
        ConfigurationError: If the format is unknown or cannot hold this, a column does not exist, `{split}` is missing,
            or a list would lie inside the dataset.
        ConflictError: If no sample is left.
        WriteFailedError: If a list cannot be written.
    """
    if columns is None and list_suffix(out) in TEXT_SUFFIXES:
        columns = ("image", "label")
    samples = list(table.ledger.samples(selection))
    _check_target(table.workspace, out, columns, _splits(sample.record for sample in samples))
    rows, left_out = _rows(table, samples, columns, prepared=prepared, skip=skip)
    if not rows:
        reasons = "; ".join(f"{n} {reason}" for reason, n in sorted(Counter(left_out.values()).items()))
        raise ConflictError(f"there is no sample to list: {reasons or 'none is selected'}. See `prep status`")
    lists: dict[Path, list[SampleRecord]] = {}
    for record in rows:
        lists.setdefault(_list_of(out, record.split), []).append(record)
    listed = {name for record in rows for name in record.sources}
    labels = {name: each for name, each in table.columns().items() if name in listed and each.kind is Kind.LABEL}
    ids = {name: ids_of(each) for name, each in labels.items()} if prepared else {}
    contents = {path: encode_list(path, records, columns, ids) for path, records in lists.items()}
    for path, data in contents.items():
        remove_partials_of(path)
        atomic_write_bytes(path, data)
    note = _READERS[ids.get("label", "raw")] if list_suffix(out) == ".txt" and "label" in listed else None
    return ListReport(tuple((path, len(records)) for path, records in lists.items()), left_out, ids, note)


def check_target(table: Table, selection: Selection, out: Path) -> None:
    """Refuse a place for lists that `write_lists` would refuse, before long work on what they will hold.

    Raises:
        ConfigurationError: As `write_lists` does, without `columns`.
    """
    _check_target(table.workspace, out, None, _splits(sample.record for sample in table.ledger.samples(selection)))


def refuse_inside_dataset(workspace: Workspace, path: Path) -> None:
    """Refuse to write into the dataset.

    Raises:
        ConfigurationError: If the file would lie inside the dataset's root, links followed.
    """
    root = workspace.config.dataset_root
    if root.resolve() in path.resolve().parents:
        raise ConfigurationError(
            f"{path} would lie inside the dataset {root}, which is never written to: name another place"
        )


def prepared_class_map(class_map: ClassMap, columns: Mapping[str, Column]) -> ClassMap:
    """Return the class map of the label files that a workspace holds: of train ids, unless they hold others."""
    label = columns.get("label")
    ids = "train" if label is None else ids_of(label)
    if ids == "raw":  # they were read, snapped and divided when they were made
        return replace(class_map, raw_id_divisor=1, reading=LabelReading.STORED, snap_distance=0.0)
    return void_first_map(class_map) if ids == "void0" else train_id_map(class_map)


def ids_of(column: Column) -> Literal["train", "void0", "raw"]:
    """Return which ids the files of a label column hold."""
    if column.holds_raw_ids:
        return "raw"
    return "void0" if isinstance(column.code, VoidFirstCode) else "train"


def _rows(
    table: Table,
    samples: Sequence[KnownSample],
    columns: Sequence[str] | None,
    *,
    prepared: bool,
    skip: Collection[SampleKey],
) -> tuple[list[SampleRecord], dict[SampleKey, str]]:
    wanted = None if columns is None else tuple(c for c in columns if c not in _NAMES_OF_ROWS)
    offered = _prepared_columns(table, samples) if prepared else _source_columns(samples)
    unknown = [] if wanted is None else [name for name in wanted if name not in offered]
    if unknown and samples:
        where = "workspace" if prepared else "dataset"
        raise ConfigurationError(
            f"no selected sample has {', '.join(unknown)} in the {where}; there are: {', '.join(offered) or 'none'}"
        )
    rows: list[SampleRecord] = []
    left_out: dict[SampleKey, str] = {}
    for sample in samples:
        key = sample.record.key
        if key in skip:
            left_out[key] = "to be left out"
            continue
        lacking = _lacking(table.workspace, sample, wanted, offered, prepared=prepared)
        if lacking:
            left_out[key] = lacking
            continue
        record = _cells_record(table.workspace, sample, wanted, offered) if prepared else sample.record
        rows.append(only_columns(record, wanted))
    return rows, left_out


def _lacking(
    workspace: Workspace,
    sample: KnownSample,
    wanted: Sequence[str] | None,
    offered: Mapping[str, Column | None],
    *,
    prepared: bool,
) -> str:
    """Return why a sample cannot be listed, "" if it can."""
    if not prepared:
        has = {*sample.record.sources, *(["camera"] if sample.record.camera is not None else [])}
        lacking = [name for name in (wanted or ("image",)) if name not in has]
        return f"without {lacking[0]}" if lacking else ""
    for name in wanted or offered:
        cell = sample.cells.get(name)
        if cell is None:
            return f"without {name} (not made yet)"
        if cell.state is CellState.ABSENT and wanted is None and name != "image":
            continue  # the dataset has none for it
        if cell.state is not CellState.DONE:
            return f"without {name} ({cell.state})"
        if not all((workspace.root / file.path).is_file() for file in cell.files):
            return f"without {name} (its file is gone)"
    return ""


def _cells_record(
    workspace: Workspace, sample: KnownSample, wanted: Sequence[str] | None, offered: Mapping[str, Column | None]
) -> SampleRecord:
    """Return the record of a sample's cells: the first file of each, a second one would be its mask."""
    sources: dict[str, SourceFile] = {}
    camera = None
    for name in wanted or offered:
        column, cell = offered[name], sample.done(name)
        if cell is None:
            continue
        path = cell.files[0].path
        if column is not None and column.code is not None:
            # The list is of files, and its readers number the classes as these do.
            code = IdCode() if isinstance(column.code, VoidFirstCode) else column.code
            sources[name] = SourceFile(path, column.kind, code.to_json())
        else:
            camera = Camera.from_json(read_record_cell(workspace.root / path, cell.files[0].digest))
    near = sample.record.neighbour
    shown = near is not None and near.direction.value in sources
    return replace(sample.record, sources=sources, camera=camera, neighbour=near if shown else None)


def _source_columns(samples: Iterable[KnownSample]) -> dict[str, Column | None]:
    names = dict.fromkeys(name for sample in samples for name in sample.record.sources)
    if any(sample.record.camera is not None for sample in samples):
        names["camera"] = None
    return {**names}


def _prepared_columns(table: Table, samples: Sequence[KnownSample]) -> dict[str, Column | None]:
    """Return the columns of which any cell is done, the image first as in every list."""
    done = {name for sample in samples for name in sample.cells if sample.done(name) is not None}
    columns = {name: column for name, column in table.columns().items() if name in done}
    return {name: columns[name] for name in sorted(columns, key=lambda name: (name != "image", name))}


def _splits(records: Iterable[SampleRecord]) -> list[str]:
    return list(dict.fromkeys(record.split for record in records))


def _list_of(out: Path, split: str) -> Path:
    return Path(str(out).replace(SPLIT_MARK, split))


def _check_target(workspace: Workspace, out: Path, columns: Sequence[str] | None, splits: Sequence[str]) -> None:
    splitless = list_suffix(out) in TEXT_SUFFIXES and SPLIT_MARK not in str(out) and "split" not in (columns or ())
    if splitless and len(splits) > 1:
        raise ConfigurationError(
            f"{out} can hold one split and there are {', '.join(splits)}: name one with --split, or write one list "
            f"each with {SPLIT_MARK} in the name, such as {out.with_stem(SPLIT_MARK)}"
        )
    for split in splits:
        refuse_inside_dataset(workspace, _list_of(out, split))
