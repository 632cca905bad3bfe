"""Checking a store that another program wrote: there are no checksums to compare, but much else can be wrong."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.shards.arrays import UnreadableRowsError
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.metadata import ROOT_FILE
from segprep.datasets.shards.remote import ZarrArrays
from segprep.datasets.shards.root import StoreRoot, is_foreign, parse_root, read_attributes
from segprep.datasets.shards.rows import text_of
from segprep.datasets.shards.verify import Damage

__all__ = ["foreign_root", "inspect_foreign"]


def foreign_root(path: Path) -> StoreRoot | None:
    """Return the attributes of a local store that another program wrote; None for every other folder.

    Raises:
        DamagedStoreError: If their schema is newer than this program, or they make no sense.
    """
    try:
        attributes = read_attributes(path)
    except DamagedStoreError:
        return None
    return parse_root(attributes, path) if is_foreign(attributes) else None


def inspect_foreign(path: Path, root: StoreRoot, *, fast: bool = False) -> list[Damage]:
    """Return what is wrong with such a store, as far as that can be seen without checksums.

    Args:
        path: The store.
        root: Its attributes.
        fast: Only compare the shapes and dtypes of the arrays with the attributes. Otherwise decode every sample,
            too, and look for label ids that are no class.

    Returns:
        At most one entry per array and sort of fault; its file is the array's folder.
    """
    arrays = ZarrArrays(path, root)
    try:
        arrays.check()
    except DamagedStoreError as error:
        return [Damage(ROOT_FILE, str(error))]
    if fast:
        return []
    specs = {spec.name: spec for spec in root.plan.specs}
    damages: list[Damage] = []
    for name in root.plan.arrays():
        faults: dict[str, list[int]] = {}
        first: dict[str, str] = {}
        for row in range(root.plan.rows):
            for sort, reason in _faults(arrays, name, specs.get(name), row):
                faults.setdefault(sort, []).append(row)
                first.setdefault(sort, reason)
        damages += [
            Damage(name, first[sort], tuple(_name(arrays, row) for row in rows)) for sort, rows in faults.items()
        ]
    return damages


def _faults(arrays: ZarrArrays, name: str, spec: ArraySpec | None, row: int) -> Iterator[tuple[str, str]]:
    """Yield the sort of each fault of a row, and what is wrong."""
    try:
        values = arrays.read(name, row)
    except UnreadableRowsError as error:
        yield "unreadable", error.reason
        return
    if spec is not None and spec.kind is Kind.LABEL:
        wrong = np.unique(values[(values >= len(spec.classes)) & (values != IGNORE_ID)]).tolist()
        if wrong:
            ids = ", ".join(map(str, wrong))
            yield "ids", f"it holds ids that are neither a class 0..{len(spec.classes) - 1} nor {IGNORE_ID}: {ids}"


def _name(arrays: ZarrArrays, row: int) -> str:
    try:
        keys, place = arrays.rows_near("key", row)
        key = text_of(keys[place])
    except (UnreadableRowsError, UnicodeDecodeError):
        return f"row {row}"
    return key
