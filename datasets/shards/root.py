"""The attributes of a finished shard store: what they hold, their digest, and refusing those that are not right."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segprep.datasets.classes import ClassMap
from segprep.datasets.documents import read_json
from segprep.datasets.errors import ConfigurationError, DamagedStoreError, StoreNotFoundError
from segprep.datasets.file_records import FileRecord
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.layout import SCHEMA_VERSION, StorePlan, encode_json
from segprep.datasets.shards.metadata import ROOT_FILE
from segprep.datasets.shards.statistics import Statistics, statistics_from_json
from segprep.datasets.source_files import MAX_BYTES

__all__ = [
    "MISPLACED_REMEDY",
    "REMEDY",
    "StoreRoot",
    "is_foreign",
    "newer_schema",
    "parse_root",
    "read_attributes",
    "read_root",
    "wrong_split",
]

REMEDY = "Copy the store anew, or run `prep verify --repair` in its workspace"
MISPLACED_REMEDY = "Put the stores back in their places, or run `prep shard`, which makes them anew"

_USUAL_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class StoreRoot:
    """What the attributes of a finished store say.

    Attributes:
        plan: Columns, sizes and codec.
        class_map: Classes of the column `label`, by which predictions go back to raw ids.
        statistics: By column; instance ids have none.
        provenance: What the maker of the store said about its origin.
        files: Path relative to the store, of every file but the root's `zarr.json`.
        digest: Over all of these attributes as they were read; None of another program's, and before they are written.
    """

    plan: StorePlan
    class_map: ClassMap
    statistics: Mapping[str, Statistics]
    provenance: JsonDict
    files: Mapping[str, FileRecord]
    digest: str | None = None

    def to_attributes(self) -> JsonDict:
        """Return the attributes, the digest over the others among them."""
        attributes: JsonDict = {
            "schema_version": SCHEMA_VERSION,
            **self.plan.to_json(),
            "class_map": self.class_map.to_json(),
            "statistics": {name: s.to_json() for name, s in sorted(self.statistics.items())},
            "provenance": self.provenance,
            "files": {path: [r.size, r.sha256] for path, r in sorted(self.files.items())},
        }
        plain: JsonDict = json.loads(encode_json(attributes))  # as a reader will see them, whose digest must agree
        return plain | {"digest": _digest(plain)}

    @classmethod
    def from_attributes(cls, data: Mapping[str, Any]) -> "StoreRoot":
        """Build it from what `to_attributes` returned."""
        return cls(
            plan=StorePlan.from_json(data),
            class_map=ClassMap.from_json(data["class_map"]),
            statistics={name: statistics_from_json(s) for name, s in data["statistics"].items()},
            provenance=data["provenance"],
            files={path: FileRecord(size, sha256) for path, (size, sha256) in data["files"].items()},
            digest=data.get("digest"),
        )


def read_root(store: Path) -> StoreRoot:
    """Read and check the attributes of a store that segprep wrote.

    Raises:
        StoreNotFoundError: If there is no such folder.
        DamagedStoreError: If it is no store, it is unfinished, its schema is newer than this program, or its
            attributes are not those that were written.
    """
    attributes = read_attributes(store)
    if "digest" not in attributes:
        raise DamagedStoreError(
            f"the shard store {store} is unfinished: its attributes, which are written last, are absent. "
            "Run `prep shard` again, it resumes"
        )
    return parse_root(attributes, store, remedy=f". {REMEDY}")


def read_attributes(store: Path) -> JsonDict:
    """Return the attributes of a store as they stand there, unchecked.

    Raises:
        StoreNotFoundError: If there is no such folder.
        DamagedStoreError: If there are none that can be read.
    """
    if not store.is_dir():
        raise StoreNotFoundError(f"there is no shard store {store}: no such folder. `prep shard` makes one")
    try:
        attributes = read_json(store / ROOT_FILE, MAX_BYTES)["attributes"]
    except FileNotFoundError as error:
        raise DamagedStoreError(f"{store} is no shard store: it has no {ROOT_FILE}") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        if isinstance(error, OSError):
            blame_machine(store / ROOT_FILE, error)
        raise DamagedStoreError(f"{store / ROOT_FILE} is not readable: {error}. {REMEDY}") from error
    if not isinstance(attributes, dict):
        raise DamagedStoreError(f"{store / ROOT_FILE} is not readable: its attributes are no object. {REMEDY}")
    return attributes


def parse_root(attributes: JsonDict, store: Path | str, *, remedy: str = "") -> StoreRoot:
    """Check attributes and return what they say.

    Args:
        attributes: Of a finished store; another program's have no `files` and no `digest`, so that is not compared.
        store: Where they were read, for messages.
        remedy: End of the messages about damage.

    Raises:
        DamagedStoreError: If the schema is newer than this program, the digest differs or they make no sense.
    """
    if newer_schema(attributes):
        raise DamagedStoreError(
            f"the shard store {store} has schema version {attributes['schema_version']}; this program reads up to "
            f"{SCHEMA_VERSION}. Update segprep"
        )
    if not is_foreign(attributes) and not _is_intact(attributes):
        raise DamagedStoreError(
            f"the attributes in {store}/{ROOT_FILE} are not those that were written: their digest differs{remedy}"
        )
    try:
        return StoreRoot.from_attributes({"files": {}, **attributes})
    except (ConfigurationError, LookupError, TypeError, ValueError) as error:
        raise DamagedStoreError(f"the attributes in {store}/{ROOT_FILE} make no sense: {error!r}{remedy}") from error


def is_foreign(attributes: JsonDict) -> bool:
    """Whether these are the attributes of a store that another program wrote, which recorded no checksums."""
    return "schema_version" in attributes and not attributes.keys() & {"files", "digest"}


def newer_schema(attributes: JsonDict) -> bool:
    """Whether a program newer than this one wrote these attributes. A flipped bit, too, may make a number larger."""
    schema = attributes.get("schema_version", SCHEMA_VERSION)
    if isinstance(schema, int) and schema <= SCHEMA_VERSION:
        return False
    return not _is_intact(attributes | {"schema_version": SCHEMA_VERSION})


def wrong_split(store: Path | str, plan: StorePlan, split: str | None = None) -> str | None:
    """Return what is wrong with a store's place, or None: a store says of which split it is.

    Args:
        store: Where it lies.
        plan: What it holds.
        split: What it must hold. None if only its name tells: a store that is called as splits usually are must hold
            the split of this name; any other name says nothing.
    """
    name = str(store).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].removesuffix(".zarr")
    expected = name if split is None and name in _USUAL_SPLITS else split
    if expected is None or plan.split == expected:
        return None
    return f"it holds split {plan.split} and stands in the place of split {expected}"


def _is_intact(attributes: JsonDict) -> bool:
    others = {name: value for name, value in attributes.items() if name != "digest"}
    try:
        return _digest(others) == attributes.get("digest")
    except ValueError:  # NaN, which no writer puts there
        return False


def _digest(attributes: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode_json(attributes)).hexdigest()
