"""`prep shard`, the work: one task per shard, then the attributes, then the stores change places."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segprep.datasets.atomic import atomic_write_bytes, sync_folder, write_failed
from segprep.datasets.errors import ConflictError, DamagedCellError, DamagedStoreError, SegprepError, WriteFailedError
from segprep.datasets.file_records import wrong_content, wrong_size
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.metadata import ROOT_FILE, root_file
from segprep.datasets.shards.root import StoreRoot, read_root
from segprep.datasets.shards.writer import ShardReport, create_store, finish_store, write_shard
from segprep.datasets.workspace.cell_files import damaged_cells
from segprep.workflows.ledger.damage import damage_told
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.arrival import require_arrived
from segprep.workflows.running.batches import run_in_batches
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.running.outcomes import WorkerDied
from segprep.workflows.running.sharing import shared_with
from segprep.workflows.stores.content import ShardTask, shard_rows
from segprep.workflows.stores.place import FinishedStore, StorePlace, put_in_place, settle
from segprep.workflows.stores.planning import SplitPlan

__all__ = ["SplitResult", "write_split"]


@dataclass(frozen=True, slots=True)
class SplitResult:
    """How writing a split's store ended.

    Attributes:
        written: False if it existed already with just this content.
        clipped: Column name to number of pixels that an augmentation made its code clip.
    """

    written: bool
    clipped: Mapping[str, int]


def write_split(
    table: Table,
    plan: SplitPlan,
    cluster: ClusterOptions,
    progress: Progress,
    *,
    rebuild: frozenset[int] | None = None,
) -> SplitResult:
    """Write a split's store beside the old one, then put it in its place. The caller holds the writer lock.

    Shards that are in the old one with just their content are taken over as they are.

    Args:
        table: The open table.
        plan: What the store will hold.
        cluster: Where to work.
        progress: Told of each shard.
        rebuild: To repair a store: the shards that are not to be taken over. It must come out as it was finished.

    Raises:
        Interrupted: After Ctrl-C; finished shards are kept for the next run.
        ConflictError: If a repaired store would hold something else than before.
        DamagedCellError: If a cell is not what was written; such cells are then stale.
        WriteFailedError: If the workspace cannot be written, or a worker died.
    """
    place = StorePlace(table, plan.store.split)
    try:
        settle(place.final)
        if rebuild is None and place.holds(plan.fingerprint):
            place.remember(plan.order, FinishedStore(read_root(place.final), plan.keys))
            shutil.rmtree(place.building, ignore_errors=True)
            return SplitResult(False, {})
        _start(place.building, plan.store)
        reports = _Shards(place, plan, rebuild or frozenset(), progress).written(cluster)
        shards = map(ShardReport.from_json, reports)
        finish_store(place.building, plan.store, shards, table.workspace.config.class_map, plan.provenance)
        for name in plan.store.arrays():
            sync_folder(place.building / name)
        if rebuild is not None:
            _refuse_other_content(place)
        # Before the store is in its place: a killed run is then repeated with the same order.
        place.remember(plan.order, FinishedStore(read_root(place.building), plan.keys))
        put_in_place(place.building, place.final)
    except DamagedCellError as error:
        all_of_them = _damage(table, plan)
        if all_of_them is None:
            raise
        raise all_of_them from error
    except OSError as error:
        if isinstance(error, SegprepError):
            raise
        raise write_failed(error.filename or place.final, error) from error
    clipped = Counter[str]()
    for report in reports:
        clipped.update(report.get("clipped", {}))
    return SplitResult(True, clipped)


def _damage(table: Table, plan: SplitPlan) -> DamagedCellError | None:
    """Return an error that names all damaged cells of a store's rows, and remember them; None if there are none."""
    columns = {*plan.store.cells, *(source.name for each in plan.derived for source in each.sources)}
    _, damaged = damaged_cells(table.workspace, keys=frozenset(plan.keys), columns=columns)
    if not damaged:
        return None
    table.ledger.mark_damaged(damaged)
    return DamagedCellError(damage_told(table, damaged, "prep shard"))


def _refuse_other_content(place: StorePlace) -> None:
    """Refuse a repaired store whose files are not those that the damaged one was finished with."""
    found, before = read_root(place.building), place.standing_root()
    if before is None:
        known = place.last_finished()
        before = found if known is None else known.root  # stores that are older than this memory of the ledger
    if found != before:
        shutil.rmtree(place.building)
        raise ConflictError(
            f"{place.final} cannot be repaired: the workspace no longer holds what it was made from. `prep shard` "
            "makes it anew"
        )


def _start(path: Path, store: StorePlan) -> None:
    try:
        if read_root(path).plan == store:  # killed when all was done but the last rename
            atomic_write_bytes(path / ROOT_FILE, root_file(store, {}))
    except DamagedStoreError:
        pass  # there is none, or it is unfinished as usual
    try:
        create_store(path, store)
    except ConflictError:  # of an earlier run with other columns or sizes
        shutil.rmtree(path)
        create_store(path, store)


@dataclass(frozen=True, slots=True, eq=False)
class _Shards:
    """The shards of a store: which are there already, and the making of the others.

    Attributes:
        place: Where they go.
        plan: What they hold.
        rebuild: Those that are not to be taken over.
        progress: Told of each.
    """

    place: StorePlace
    plan: SplitPlan
    rebuild: frozenset[int]
    progress: Progress

    def written(self, cluster: ClusterOptions) -> list[JsonDict]:
        """Write the shards that are not there yet; return the reports of all."""
        count = self.plan.store.shards
        self.progress.start(count)
        fingerprints = [_shard_fingerprint(self.plan, index) for index in range(count)]
        reports = self._kept(fingerprints)
        self.progress.advance(len(reports))

        def note(done: Sequence[ShardTask], result: JsonDict | WorkerDied) -> None:
            index = done[0].index
            if isinstance(result, WorkerDied):
                raise WriteFailedError(
                    f"a worker process died twice while it wrote shard {index} of split {self.place.split}: out of "
                    "memory? Try fewer --workers or --samples-per-shard"
                )
            files = ShardReport.from_json(result).files
            require_arrived((self.place.building / name, record.size) for name, record in files.items())
            self.place.record_shard(index, fingerprints[index], result)
            reports[index] = result
            self.progress.advance(1)

        pending = [index for index in range(count) if index not in reports]
        write = partial(_write_one, self.place.building)
        shared = shared_with(self.place.table, self.plan.keys, opencv=self.plan.augment is not None)
        run_in_batches(write, map(self._task, pending), cluster, note, shared=shared, largest=1)
        return list(reports.values())

    def _kept(self, fingerprints: Sequence[str]) -> dict[int, JsonDict]:
        """Return the reports of the shards that are there with just their content, or now are."""
        kept: dict[int, JsonDict] = {}
        standing = self.place.standing_root()
        for index, (fingerprint, report) in sorted(self.place.shard_reports().items()):
            if index not in range(len(fingerprints)):
                continue
            if fingerprint != fingerprints[index]:
                # Killed in a moment, its files are no more what that report says.
                self.place.record_shard(index, "", report)
            elif self._is_there(index, ShardReport.from_json(report), standing):
                kept[index] = report
        return kept

    def _is_there(self, index: int, report: ShardReport, standing: StoreRoot | None) -> bool:
        building, final = self.place.building, self.place.final
        if index in self.rebuild:  # its files there may be links to the damaged ones
            return _holds_exactly(building, report)
        if _holds(building, report):
            return True
        if standing is None:  # then nobody says what its files are
            there = _holds_exactly(final, report)
        else:
            there = standing.files.items() >= report.files.items() and _holds(final, report)
        if there:
            _take_over(final, building, report)
        return there

    def _task(self, index: int) -> ShardTask:
        plan, table = self.plan, self.place.table
        rows = [plan.rows[row] for row in plan.store.shard_rows(index)]
        samples = {key: table.ledger.sample(key) for key, _ in rows}
        numbered = tuple((samples[key], variant) for key, variant in rows)
        return ShardTask(table.workspace, plan.store, plan.columns, index, numbered, plan.augment, plan.derived)


def _holds(store: Path, report: ShardReport) -> bool:
    return all(wrong_size(store / name, record) is None for name, record in report.files.items())


def _holds_exactly(store: Path, report: ShardReport) -> bool:
    return all(wrong_content(store / name, record) is None for name, record in report.files.items())


def _take_over(old: Path, new: Path, report: ShardReport) -> None:
    """Give the files of a shard of the old store to the new one, too."""
    for name in report.files:
        (new / name).unlink(missing_ok=True)
        try:
            os.link(old / name, new / name)
        except OSError:  # a disk without links
            atomic_write_bytes(new / name, (old / name).read_bytes(), durable=True)


def _shard_fingerprint(plan: SplitPlan, index: int) -> str:
    rows = [
        (plan.fingerprints[key], variant) for key, variant in map(plan.rows.__getitem__, plan.store.shard_rows(index))
    ]
    augment = None if plan.augment is None else plan.augment.to_json()
    store = {name: value for name, value in plan.store.to_json().items() if name != "rows"}  # of the other shards
    return hashlib.sha256(json.dumps([store, rows, augment], sort_keys=True).encode()).hexdigest()


def _write_one(folder: Path, tasks: Sequence[ShardTask]) -> JsonDict:
    """Write one shard of every column into a store's folder; runs in a worker."""
    (task,) = tasks
    rows, clipped = shard_rows(task)
    return write_shard(folder, task.store, task.index, rows).to_json() | {"clipped": clipped}
