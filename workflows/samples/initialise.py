"""`prep init`: recognise a dataset, list its samples, make the workspace."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from segprep.datasets.atomic import write_failed
from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetMember, DatasetSource
from segprep.datasets.class_files import read_class_map
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import with_label_reading
from segprep.datasets.codes.depth_units import depth_unit, with_depth_unit
from segprep.datasets.errors import (
    ConfigurationError,
    ConflictError,
    DatasetNotFoundError,
    MissingInputError,
    SegprepError,
    UnreadableFileError,
)
from segprep.datasets.imageio import FOREIGN_SUFFIXES, image_size
from segprep.datasets.json_values import json_of
from segprep.datasets.kinds import Kind
from segprep.datasets.lists.files import find_lists
from segprep.datasets.notices import About, FoundValue, Notice
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace import (
    CONFIG_NAME,
    LEDGER_NAME,
    Workspace,
    WorkspaceConfig,
    load_workspace,
    write_config,
)
from segprep.workflows.ledger.database import Ledger
from segprep.workflows.ledger.making import holds_samples, make_ledger
from segprep.workflows.samples.quantities import examine_quantities

__all__ = ["InitRequest", "Inventory", "initialise", "list_again"]


@dataclass(frozen=True, slots=True)
class InitRequest:
    """What the user says of a dataset.

    Attributes:
        dataset: Name in the catalog.
        given: The dataset's folder; for a dataset that is read from lists, these or their folder.
        root: Folder in which the paths of lists start; None for the lists' own.
        columns: What the entries of a row in lists without a header are; None for the formats' own meaning.
        classes: Name of a class scheme of the dataset, or a file with a class map; None keeps what the workspace has,
            at first the dataset's own.
        direction: Which neighbour makes a motion pair; None keeps what was said before, at first the previous frame.
        depth_unit: In which unit the depth files are read, see `segprep.datasets.codes.depth_units`; None keeps what
            was said before, at first what the dataset says.
        snap_labels: See `ClassMap.snap_distance`; None keeps what was said before, at first 0.
    """

    dataset: str
    given: tuple[Path, ...]
    root: Path | None = None
    columns: tuple[str, ...] | None = None
    classes: str | None = None
    direction: Direction | None = None
    depth_unit: str | None = None
    snap_labels: float | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a dataset turned out to hold.

    Attributes:
        workspace: The workspace that was made or updated.
        splits: Split to column to number of samples that have it; "samples" counts all, "poses" those with a camera
            whose place or motion is known.
        missing: Promised files that do not exist, relative to the dataset's root.
        absent: Columns that the dataset could offer and none of its samples has.
        notices: What was guessed, and what looks wrong.
        values: What the labels hold, where they were read to find the classes.
        unknown_cells: Whether cells lie in the workspace, and there was no ledger that knew them.
    """

    workspace: Workspace
    splits: dict[str, dict[str, int]]
    missing: tuple[str, ...]
    absent: tuple[str, ...]
    notices: tuple[Notice, ...]
    values: tuple[FoundValue, ...] = ()
    unknown_cells: bool = False

    def to_json(self) -> JsonDict:
        """Return it for `--json`."""
        return {
            "workspace": str(self.workspace.root),
            "dataset": self.workspace.config.dataset,
            "dataset_root": str(self.workspace.config.dataset_root),
            "classes": list(self.workspace.config.class_map.names),
            "splits": self.splits,
            "missing": list(self.missing),
            "absent": list(self.absent),
            "notices": [json_of(notice) for notice in self.notices],
            "label_values": [json_of(value) for value in self.values],
            "unknown_cells": self.unknown_cells,
        }


def initialise(place: Path, request: InitRequest) -> Inventory:
    """Make a workspace, or bring the list of samples of an existing one up to date.

    Args:
        place: The workspace's folder.
        request: The dataset. Another place of it than before is fine: cells depend on contents, not on places.

    Raises:
        UnknownNameError: If the catalog has no such dataset, or there is no such unit of depth.
        DatasetNotFoundError: If the folder is not that dataset, or samples cannot be told apart.
        ConfigurationError: If the workspace would lie inside the dataset, there is no such class scheme, a unit was
            given and there is no depth, or a quantity cannot be as it is read.
        ConflictError: If the workspace holds another dataset, or another process writes to it.
        WriteFailedError: If the workspace cannot be written.
    """
    place = place.absolute()
    with ExitStack() as held:
        existing = None
        if (place / CONFIG_NAME).exists():  # its lock first: what it says must still be true when it is written
            held.enter_context(writer_lock(place))
            existing = load_workspace(place).config
        ledger = place / LEDGER_NAME
        if existing is None or holds_samples(ledger):
            said = _notices(ledger) if existing is not None else []
            return _initialise(place, request, existing, said, ledger, held)
        inventory = _initialise(place, request, existing, [], ledger, held)
        lie_here = any(next(place.glob(f"{split}/*_data/*"), None) for split in inventory.splits)
        return replace(inventory, unknown_cells=lie_here)


def list_again(workspace: Workspace, request: InitRequest, said: Sequence[Notice], ledger: Path) -> Inventory:
    """List the samples of a workspace into a ledger of another name. The caller holds the writer lock.

    Args:
        workspace: What it says of classes, neighbours and units holds.
        request: The dataset, and where it is.
        said: What was said of the dataset when it was listed before.
        ledger: The file to make.

    Raises:
        SegprepError: As `initialise`.
    """
    with ExitStack() as held:
        return _initialise(workspace.root, request, workspace.config, said, ledger, held)


def _notices(ledger: Path) -> list[Notice]:
    with Ledger(ledger) as known:
        return known.notices()


def _initialise(
    place: Path,
    request: InitRequest,
    existing: WorkspaceConfig | None,
    said: Sequence[Notice],
    ledger: Path,
    held: ExitStack,
) -> Inventory:
    member: DatasetMember = CATALOG.load(request.dataset)
    source = _source(member, request)
    _refuse_place(place, source.root, request.dataset, existing)
    config, records = _listed(member, source, request, existing)
    offered = {name for record in records for name in _columns_of(record)}
    if config.depth_unit is not None:
        records = _in_unit(records, config.depth_unit, asked=request.depth_unit is not None)
    quantities = examine_quantities(records, source.root, member.SPEC, said=config.depth_unit is not None)
    source.notices.extend((*quantities, *_foreign_formats(records, source.root)))
    notices = tuple(dict.fromkeys(source.notices))  # files of one kind say the same
    if existing is not None and config.class_map == existing.class_map and config.class_map.found:
        # Labels were not read again, and what was guessed of them still holds.
        notices = (*(n for n in said if n.subject == "label" and n not in notices), *notices)
    if existing is None:
        _make_folder(place)
        held.enter_context(writer_lock(place))
        if (place / CONFIG_NAME).exists():
            raise ConflictError(f"{place} was made a workspace by another process just now: run the command again")
    asked = request.classes is not None or request.snap_labels is not None
    workspace = write_config(place, config, replace_classes=asked)
    make_ledger(ledger)
    with Ledger(ledger, writes=True) as listed:
        listed.replace_samples(records, notices)
    neighbours = {direction.value for direction in Direction if direction is not config.neighbour}
    return Inventory(
        workspace,
        _count(records),
        tuple(_missing(records, source.root)),
        tuple(column for column in member.SPEC.columns if column not in offered | neighbours),
        notices,
        tuple(source.values),
    )


def _refuse_place(place: Path, dataset_root: Path, dataset: str, existing: WorkspaceConfig | None) -> None:
    if dataset_root.resolve() in (place.resolve(), *place.resolve().parents):
        raise ConfigurationError(
            f"the workspace {place} would lie inside the dataset {dataset_root}, which is never written to: go to "
            "another folder, or name one with -C DIR"
        )
    if existing is not None and existing.dataset != dataset:
        raise ConflictError(f"{place} holds the dataset {existing.dataset}; make another workspace for {dataset}")


def _make_folder(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failed(place, error) from error


def _listed(
    member: DatasetMember, source: DatasetSource, request: InitRequest, existing: WorkspaceConfig | None
) -> tuple[WorkspaceConfig, list[SampleRecord]]:
    """Return what `prep.toml` is to say, and the samples as the dataset has them; what was not asked for stays."""
    direction, unit = request.direction, request.depth_unit
    if existing is not None:
        direction = direction or existing.neighbour
        unit = existing.depth_unit if unit is None else unit
    direction = direction or Direction.PREVIOUS
    if unit is not None:
        depth_unit(unit)  # a wrong one is told now, and not when everything was listed
    try:
        class_map = _class_map(member, source, request, existing)
        records = [with_label_reading(r, class_map.reading) for r in member.scan(source, direction)]
    except SegprepError:
        raise
    except ValueError as error:  # two files of one stem, a name too long for a key, a camera file that is no JSON
        raise DatasetNotFoundError(f"{source.root} cannot be listed: {error}") from error
    _refuse_duplicates(records, source.root)
    if not any("image" in record.sources for record in records):
        raise DatasetNotFoundError(f"{source.root} has no images; the expected layout is:\n{member.SPEC.layout}")
    splits = tuple(dict.fromkeys(record.split for record in records))
    return WorkspaceConfig(request.dataset, source.root, direction, class_map, {}, splits, unit), records


def _class_map(
    member: DatasetMember, source: DatasetSource, request: InitRequest, existing: WorkspaceConfig | None
) -> ClassMap:
    """Return the classes that the user named, else those of the workspace, else those of the dataset.

    How label files are read is decided together with the classes; both stand in `prep.toml`.
    """
    given = _chosen_classes(member, source, request.classes)
    snap = request.snap_labels
    if given is None and existing is not None:
        return existing.class_map if snap is None else replace(existing.class_map, snap_distance=snap)
    if member.SPEC.finds_classes:
        return member.class_map(replace(source, classes=given, snap_distance=snap))
    chosen = given if given is not None else member.class_map(source)
    return chosen if snap is None else replace(chosen, snap_distance=snap)


def _source(member: DatasetMember, request: InitRequest) -> DatasetSource:
    """Settle where the dataset's files start and which lists name them."""
    paths = tuple(path.absolute() for path in request.given)
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        raise DatasetNotFoundError(
            f"{', '.join(absent)} does not exist; {request.dataset} is expected there:\n{member.SPEC.layout}"
        )
    lists = tuple(path for path in paths if path.is_file())
    if lists and not member.SPEC.takes_lists:
        raise DatasetNotFoundError(
            f"{lists[0]} is no folder; {request.dataset} is expected there:\n{member.SPEC.layout}"
        )
    folders = [path for path in paths if path not in lists]
    if len(folders) + bool(lists) != 1:
        raise ConfigurationError("name one folder" + (", or lists" if member.SPEC.takes_lists else ""))
    if (request.root is not None or request.columns is not None) and not member.SPEC.takes_lists:
        raise ConfigurationError("--root and --columns are about lists: they go with `prep init list`")
    root = folders[0] if folders else Path(os.path.commonpath([path.parent for path in lists]))
    if request.root is not None:
        root, lists = request.root.absolute(), lists or find_lists(folders[0])
    if not root.is_dir():
        raise DatasetNotFoundError(f"{root} is no folder")
    return DatasetSource(root, lists, request.columns)


def _chosen_classes(member: DatasetMember, source: DatasetSource, classes: str | None) -> ClassMap | None:
    if classes is None:
        return None
    if classes in member.SPEC.schemes:
        return member.class_map(replace(source, scheme=classes))
    if not Path(classes).is_file():
        schemes = f"a class scheme ({', '.join(member.SPEC.schemes)}) nor a file" if member.SPEC.schemes else "a file"
        raise ConfigurationError(f"--classes {classes}: this is neither {schemes}".replace("neither a file", "no file"))
    return read_class_map(Path(classes))


def _in_unit(records: list[SampleRecord], unit: str, *, asked: bool) -> list[SampleRecord]:
    """Return the records with depth in another unit.

    Raises:
        ConfigurationError: If the user asked for it just now and there is no depth at all.
    """
    if asked and not any(s.kind in (Kind.DEPTH, Kind.DISPARITY) for r in records for s in r.sources.values()):
        raise ConfigurationError(f"--depth-unit {unit}: no sample has files of depth or disparity")
    return [with_depth_unit(record, unit) for record in records]


def _refuse_duplicates(records: Iterable[SampleRecord], root: Path) -> None:
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for record in records:
        paths[record.key.casefold()].append(record.sources["image"].path if "image" in record.sources else record.key)
    same = {key: found for key, found in paths.items() if len(found) > 1}
    if same:
        lines = [f"  {key}: {', '.join(found)}" for key, found in same.items()]
        raise DatasetNotFoundError(
            f"{root}: {len(same)} keys belong to several samples (case does not count); rename files, so that each has "
            "its own:\n" + "\n".join(lines)
        )


def _foreign_formats(records: Iterable[SampleRecord], root: Path) -> Iterator[Notice]:
    """Yield what is wrong with columns whose files are of formats that are not read."""
    paths: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        for name, source in record.sources.items():
            suffix = PurePosixPath(source.path).suffix.lower()
            if suffix in FOREIGN_SUFFIXES:
                paths[name, suffix].append(source.path)
    for (name, suffix), found in paths.items():
        try:
            image_size(root / found[0])  # the suffix may be wrong
        except UnreadableFileError as error:
            yield Notice(
                About.SUSPECT, name, f"{len(found)} files end in {suffix}, and the first cannot be used: {error}"
            )
        except MissingInputError:
            pass  # said elsewhere


def _columns_of(record: SampleRecord) -> list[str]:
    return [*record.sources, *(["camera"] if record.camera is not None else [])]


def _count(records: list[SampleRecord]) -> dict[str, dict[str, int]]:
    splits: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        counts = splits[record.split]
        counts.update(["samples", *_columns_of(record)])
        if record.camera is not None:  # many recordings know K alone: 0 poses are said, too
            moved = record.neighbour is not None and record.neighbour.motion is not None
            counts["poses"] += record.pose is not None or moved
    return {split: dict(counts) for split, counts in splits.items()}


def _missing(records: list[SampleRecord], root: Path) -> list[str]:
    paths = {source.path for record in records for source in record.sources.values()}
    return sorted(path for path in paths if not (root / path).is_file())
