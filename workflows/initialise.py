"""`prep init`: recognise a dataset, list its samples, make the workspace."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import (
    ConfigurationError,
    ConflictError,
    DatasetNotFoundError,
    SegprepError,
    WriteFailedError,
)
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace import CONFIG_NAME, Workspace, WorkspaceConfig, load_workspace, write_config
from segprep.workflows.disks import writer_lock
from segprep.workflows.ledger import Ledger

__all__ = ["Inventory", "initialise", "write_miniature"]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a dataset turned out to hold.

    Attributes:
        workspace: The workspace that was made or updated.
        splits: Split to column to number of samples that have it; "samples" counts all.
        missing: Promised files that do not exist, relative to the dataset's root.
        absent: Columns that the dataset could offer and none of its samples has.
    """

    workspace: Workspace
    splits: dict[str, dict[str, int]]
    missing: tuple[str, ...]
    absent: tuple[str, ...]

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
        }


def write_miniature(dataset: str, root: Path, frames: int) -> None:
    """Write a small rendered dataset in a dataset's layout.

    Raises:
        ConflictError: If the folder exists and is not empty.
        WriteFailedError: If it cannot be written.
    """
    if root.is_dir() and any(root.iterdir()):
        raise ConflictError(f"{root} is not empty: name another folder for the miniature, or leave --miniature away")
    member = CATALOG.load(dataset)
    try:
        root.mkdir(parents=True, exist_ok=True)
        member.write_miniature(root, frames)
    except OSError as error:
        if isinstance(error, WriteFailedError):
            raise
        raise WriteFailedError(f"{error.filename or root} cannot be written: {error.strerror}") from error


def initialise(place: Path, dataset: str, dataset_root: Path, direction: Direction | None) -> Inventory:
    """Make a workspace, or bring the list of samples of an existing one up to date.

    Args:
        place: The workspace's folder.
        dataset: Name in the catalog.
        dataset_root: The dataset's folder. Another one than before is fine: cells depend on contents, not on places.
        direction: Which neighbour makes a motion pair; None keeps what was said before, at first the previous frame.

    Raises:
        UnknownNameError: If the catalog has no such dataset.
        DatasetNotFoundError: If the folder is not that dataset.
        ConfigurationError: If the workspace would lie inside the dataset.
        ConflictError: If the workspace holds another dataset.
        WriteFailedError: If the workspace cannot be written.
    """
    place, dataset_root = place.absolute(), dataset_root.absolute()
    member = CATALOG.load(dataset)
    if not dataset_root.is_dir():
        raise DatasetNotFoundError(f"{dataset_root} is no folder; {dataset} is expected there:\n{member.SPEC.layout}")
    if dataset_root.resolve() in (place.resolve(), *place.resolve().parents):
        raise ConfigurationError(
            f"the workspace {place} would lie inside the dataset {dataset_root}, which is never written to: go to "
            "another folder, or name one with -C DIR"
        )
    existing = load_workspace(place).config if (place / CONFIG_NAME).exists() else None
    if existing is not None and existing.dataset != dataset:
        raise ConflictError(f"{place} holds the dataset {existing.dataset}; make another workspace for {dataset}")
    if direction is None:
        direction = existing.neighbour if existing is not None else Direction.PREVIOUS
    try:
        class_map = existing.class_map if existing is not None else member.class_map(dataset_root)
        records = list(_unique(member.scan(dataset_root, direction), dataset_root))
    except SegprepError:
        raise
    except ValueError as error:  # two files of one stem, a name too long for a key, a camera file that is no JSON
        raise DatasetNotFoundError(f"{dataset_root} cannot be listed: {error}") from error
    if not any("image" in record.sources for record in records):
        raise DatasetNotFoundError(f"{dataset_root} has no images; the expected layout is:\n{member.SPEC.layout}")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailedError(f"{place} cannot be made: {error.strerror}") from error
    splits = tuple(dict.fromkeys(record.split for record in records))
    config = WorkspaceConfig(dataset, dataset_root, direction, class_map, {}, splits)
    with writer_lock(place):
        workspace = write_config(place, config)
        with Ledger(workspace.ledger_path) as ledger:
            ledger.replace_samples(records)
    offered = {name for record in records for name in _columns_of(record)}
    other = {d.value for d in Direction} - {direction.value}
    return Inventory(
        workspace,
        _count(records),
        tuple(_missing(records, dataset_root)),
        tuple(c for c in member.SPEC.columns if c not in offered and c not in other),
    )


def _unique(records: Iterator[SampleRecord], root: Path) -> Iterator[SampleRecord]:
    seen: dict[str, str] = {}
    for record in records:
        path = record.sources["image"].path if "image" in record.sources else record.key
        before = seen.setdefault(record.key.casefold(), path)
        if before != path:
            raise DatasetNotFoundError(
                f"{root}: {before} and {path} would both be sample {record.key} (case does not count): rename one"
            )
        yield record


def _columns_of(record: SampleRecord) -> list[str]:
    return [*record.sources, *(["camera"] if record.camera is not None else [])]


def _count(records: list[SampleRecord]) -> dict[str, dict[str, int]]:
    splits: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        splits[record.split].update(["samples", *_columns_of(record)])
    return {split: dict(counts) for split, counts in splits.items()}


def _missing(records: list[SampleRecord], root: Path) -> list[str]:
    paths = {source.path for record in records for source in record.sources.values()}
    return sorted(path for path in paths if not (root / path).is_file())
