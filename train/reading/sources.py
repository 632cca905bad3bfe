"""The data sets of a run: their stores, opened and checked against each other."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError, ConflictError, LabelIdError
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.shards.statistics import LabelStatistics
from segprep.train.reading.reader import Reader

__all__ = ["Source", "identity", "open_sources", "shards_name"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One data set.

    Attributes:
        name: How messages, logs and heads call it.
        train: What to learn from.
        val: What to choose the best weights by, or None.
        class_map: The classes of the target.
        target: The label column that is learned.
    """

    name: str
    train: ShardStore
    val: ShardStore | None
    class_map: ClassMap
    target: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes by train id."""
        return self.class_map.names

    @property
    def label_statistics(self) -> LabelStatistics:
        """What the store counted of its labels."""
        statistics = self.train.statistics.get(self.target)
        if not isinstance(statistics, LabelStatistics):
            raise ConfigurationError(
                f"{self.train.path} does not count the pixels of its classes: class weights need stores of prep shard"
            )
        return statistics

    def to_json(self) -> JsonDict:
        """Return what is kept with the run: where the samples came from, and what changes when they do."""
        return {
            "name": self.name,
            "shards": str(self.train.path),
            "samples": len(self.train),
            "digest": identity(self.train),
            "class_map": self.class_map.to_json(),
            "provenance": self.train.provenance,
        }


def identity(store: ShardStore) -> str:
    """Return what changes when a store's rows, their order or its statistics of their pixels change."""
    rows = "\n".join(f"{key} {variant}" for key, variant in zip(store.keys, store.variants.tolist(), strict=True))
    # Without what earlier versions did not count, so that the same samples stay the same.
    sums = {name: {k: v for k, v in each.to_json().items() if k != "far"} for name, each in store.statistics.items()}
    pixels = json.dumps(dict(sorted(sums.items())))
    return hashlib.sha256(f"{rows}\n{pixels}".encode()).hexdigest()


def open_sources(folders: Sequence[Path], inputs: Sequence[str], target: str = "label") -> tuple[Source, ...]:
    """Open `train.zarr` and, where there is one, `val.zarr` of each folder.

    Raises:
        ConfigurationError: If a column is missing, is no input, or differs between the data sets.
        ConflictError: If training and validation have different classes.
        LabelIdError: If no pixel of a store is labelled.
        DamagedStoreError: If a store is.
    """
    sources = []
    for folder, name in zip(folders, _names(folders), strict=True):
        val = folder / "val.zarr"
        train = ShardStore.open(folder / "train.zarr", "train")
        class_map = Reader(train, inputs, target).class_map
        sources.append(Source(name, train, ShardStore.open(val, "val") if val.exists() else None, class_map, target))
    for source in sources:
        _check(source)
        _check_columns(sources[0], source, inputs)
    return tuple(sources)


def shards_name(folder: Path) -> str:
    """Return how people call a folder of stores: by its workspace, elsewhere by its own name."""
    return folder.parent.name if folder.name == "shards" else folder.name


def _check(source: Source) -> None:
    statistics = source.train.statistics.get(source.target)
    if isinstance(statistics, LabelStatistics) and not any(statistics.pixels):
        raise LabelIdError(
            f"no pixel of {source.train.path} is labelled: check the class map in prep.toml and shard anew"
        )
    if source.val is not None and source.target not in source.val.columns:
        raise ConfigurationError(f"{source.val.path} has no column {source.target!r}: shard both splits alike")
    if source.val is not None and source.val.columns[source.target].classes != source.classes:
        raise ConflictError(f"{source.val.path} and {source.train.path} have different classes: shard both anew")


def _check_columns(first: Source, other: Source, inputs: Sequence[str]) -> None:
    """One network takes the columns of all data sets, so they must hold the same things."""
    for store in (other.train, other.val):
        if store is None:
            continue
        columns = (Reader(first.train, inputs, first.target).columns, Reader(store, inputs, other.target).columns)
        for ours, theirs in zip(*columns, strict=True):
            if (ours.channels, ours.dtype, ours.code) != (theirs.channels, theirs.dtype, theirs.code):
                raise ConfigurationError(
                    f"column {ours.name!r} of {store.path} holds {theirs.dtype} {theirs.code} of "
                    f"{len(theirs.channels)} channels, but that of {first.train.path} {ours.dtype} {ours.code} of "
                    f"{len(ours.channels)}: prepare both alike"
                )


def _names(folders: Sequence[Path]) -> list[str]:
    """Name data sets by their workspaces, and by number where these are called alike."""
    names = [shards_name(folder) for folder in folders]
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names, 1)]
