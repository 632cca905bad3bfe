"""`prep shard`, the decisions: which rows and columns go into a split's store, and what must be mended before."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.layout import MAX_KEY_BYTES, StorePlan, encode_json, samples_per_shard
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.columns import check_columns
from segprep.prep.step import Step
from segprep.workflows.ledger.database import CellState, KnownSample, Selection
from segprep.workflows.ledger.freshness import Digests, State, examine
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.registry import recorded_steps
from segprep.workflows.stores.augment_request import AugmentRequest
from segprep.workflows.stores.order import StoreOrder, kept_layout, ordered
from segprep.workflows.stores.place import StorePlace
from segprep.workflows.stores.variants import Derived, derived_columns, stored_code

__all__ = ["SplitPlan", "content_fingerprint", "plan_split", "row_fingerprints"]

_ROOM_BYTES = 32
_NEIGHBOURS = tuple(d.value for d in Direction)  # half of the bytes, and seldom trained on: only by name


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """What a split's store will hold.

    Attributes:
        store: Arrays and sizes.
        columns: The columns of the store.
        rows: Sample and number of the variant of each row, in order; the rows of a sample are neighbours.
        fingerprints: Key to a hash over the sample's cells.
        fingerprint: Hash over everything that decides the store's bytes.
        provenance: For the store's attributes.
        left_out: Reason to number of samples.
        dropping: Columns to number of samples that are left out for nothing but these; no set with image or label.
        augment: What variants are drawn from; None if the samples are stored as they are.
        order: Of the samples, to remember.
        derived: Columns of variants that are made anew.
    """

    store: StorePlan
    columns: tuple[Column, ...]
    rows: tuple[tuple[SampleKey, int], ...]
    fingerprints: Mapping[SampleKey, str]
    fingerprint: str
    provenance: JsonDict
    left_out: Mapping[str, int]
    dropping: Mapping[tuple[str, ...], int]
    augment: AugmentRequest | None = None
    order: StoreOrder = field(default_factory=lambda: StoreOrder((), 0))
    derived: tuple[Derived, ...] = ()

    @property
    def keys(self) -> tuple[SampleKey, ...]:
        """Its samples, in order."""
        return tuple(dict.fromkeys(key for key, _ in self.rows))


def plan_split(
    table: Table,
    split: str,
    columns: Sequence[str] | None,
    *,
    codec: str,
    per_shard: int | None,
    require_all: bool,
    augment: AugmentRequest | None = None,
    seed: int | None = None,
    only: Collection[SampleKey] | None = None,
) -> SplitPlan:
    """Decide what goes into a split's store.

    Args:
        table: The open table.
        split: Which split.
        columns: Column names; None for all that have done or failed cells in the split, but neighbours' images.
        codec: "lz4", "none" or "zstd".
        per_shard: Samples per shard; None for about 64 MB of the largest column.
        require_all: Refuse if any sample would be left out.
        augment: Variants to store instead of the samples.
        seed: What the samples are shuffled by; None for what they were shuffled by before, at first 0.
        only: The samples to choose from; None for all of the split.

    Raises:
        ConfigurationError: If a column does not exist, or cannot follow the augmentation.
        SizeMismatchError: If the augmentation crops more than there is.
        ConflictError: If a column is stale, sizes are mixed, no row is left, or what stands in the store's place is not
            the workspace's to replace.
    """
    workspace = table.workspace
    standing = StorePlace(table, split).standing_plan()
    samples = list(table.ledger.samples(Selection(splits=(split,))))
    if only is not None:
        chosen_keys = frozenset(only)
        samples = [sample for sample in samples if sample.record.key in chosen_keys]
    steps = recorded_steps(table)
    chosen = _columns(table, steps, samples, columns)
    blocked = _refuse_stale(workspace, _steps_with_inputs(steps, chosen), samples)
    rows, left_out, dropping = _complete_rows(samples, chosen, blocked)
    if not rows or (require_all and left_out):
        reasons = "; ".join(f"{n} {reason}" for reason, n in sorted(left_out.items()))
        raise ConflictError(
            f"{'no sample' if not rows else f'only {len(rows)} of {len(samples)} samples'} of split {split} "
            f"has every one of the columns {', '.join(c.name for c in chosen)}: {reasons}. Name fewer with "
            "--columns, or see `prep status`"
        )
    specs = tuple(_spec(workspace, column, rows) for column in chosen)
    present = {row.record.key for row in rows}
    known, known_seed = table.ledger.store_order(split)
    order = ordered(known, known_seed, sorted(present), seed)
    keys = [key for key in order.keys if key in present]
    numbered = tuple((key, 0) for key in keys)
    drawn_bytes = 2  # an empty object
    derived: tuple[Derived, ...] = ()
    if augment is not None:
        derived = tuple(derived_columns((step for _, step in steps), table.columns(), chosen))
        anew = {each.column for each in derived}
        check_columns(augment.config, [column for column in chosen if column.name not in anew])
        height, width = specs[0].shape[:2]
        numbered = tuple((key, variant) for key in keys for variant in augment.variants)
        drawn_bytes = max(len(encode_json(augment.draw(k, v, (width, height)).to_json())) for k, v in numbered)
        shape = augment.output_size((width, height))[::-1]
        specs = tuple(replace(spec, shape=(*shape, *spec.shape[2:])) for spec in specs)
    store = StorePlan(
        split=split,
        specs=specs,
        rows=len(numbered),
        samples_per_shard=min(per_shard, len(numbered)) if per_shard else samples_per_shard(specs, len(numbered)),
        codec=codec,
        key_bytes=min(_padded(max(len(key.encode()) for key in keys)), MAX_KEY_BYTES),
        source_bytes=_padded(max(len(encode_json(row.source_paths)) for row in rows)),
        augmentation_bytes=drawn_bytes if augment is None else _padded(drawn_bytes),
        traced=True,
    )
    store = kept_layout(store, standing, free=per_shard is None)
    fingerprints = row_fingerprints(workspace, rows, chosen)
    drawn = None if augment is None else augment.to_json()
    fingerprint = content_fingerprint(workspace, store, [fingerprints[key] for key in keys], drawn)
    provenance = _provenance(table, chosen, fingerprint)
    provenance["selection"] = {"samples": len(samples), "left_out": dict(left_out)}
    if drawn is not None:
        provenance["augmentation"] = drawn
    return SplitPlan(
        store, chosen, numbered, fingerprints, fingerprint, provenance, left_out, dropping, augment, order, derived
    )


def row_fingerprints(
    workspace: Workspace, rows: Sequence[KnownSample], columns: Sequence[Column]
) -> dict[SampleKey, str]:
    """Return a hash over the cells of each sample, all of which are done, and over what shards make of them."""
    raw_labels = any(column.holds_raw_ids for column in columns)
    class_rules = workspace.config.class_map.pixel_rules() if raw_labels else None
    found = {}
    for row in rows:
        cells = {column.name: row.cells[column.name].fingerprint for column in columns}
        cells["camera"] = row.fingerprints.get("camera", "")
        content = [row.record.key, cells, row.source_paths, class_rules]
        found[row.record.key] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return found


def content_fingerprint(
    workspace: Workspace, store: StorePlan, rows: Sequence[str], augmentation: JsonDict | None
) -> str:
    """Return a hash over everything that decides a store's bytes; `rows` are its samples' fingerprints in order."""
    content = [store.to_json(), workspace.config.class_map.to_json(), rows]
    if augmentation is not None:
        content.append(augmentation)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _padded(length: int) -> int:
    """Leave room, so that a new sample with a longer name does not change the files of all others."""
    return -(-length // _ROOM_BYTES) * _ROOM_BYTES


def _columns(
    table: Table, steps: Sequence[tuple[str, Step]], samples: Sequence[KnownSample], names: Sequence[str] | None
) -> tuple[Column, ...]:
    # Cameras become camera_K, pose and motion. What the commands, as they were last run, make no more is left behind.
    made = {column.name for _, step in steps for column in step.outputs}
    existing = {n: column for n, column in table.columns().items() if column.kind is not Kind.CAMERA and n in made}
    if names is None:
        # A column that failed everywhere was wanted, too: without a word it must not be left out.
        tried = {n for s in samples for n, row in s.cells.items() if row.state is not CellState.ABSENT}
        names = [name for name in existing if name in tried and name not in _NEIGHBOURS]
        if not names:
            raise ConflictError("there are no columns to shard yet: run `prep resize` first")
    unknown = sorted(set(names) - set(existing))
    if unknown:
        raise ConfigurationError(
            f"no column {', '.join(unknown)} that can go into shards. There are: {', '.join(existing) or 'none yet'}"
        )
    return tuple(existing[name] for name in sorted(set(names)))


def _refuse_stale(
    workspace: Workspace, steps: Sequence[tuple[str, Step]], samples: Sequence[KnownSample]
) -> dict[SampleKey, str]:
    """Refuse steps of which some cells no longer follow from their inputs, or were made with other parameters.

    Returns:
        Samples whose cells cannot be brought up to date because something before them failed, with the reason.
    """
    digests = Digests(workspace, may_hash=True)
    stale: Counter[tuple[str, str, str]] = Counter()
    blocked: dict[SampleKey, str] = {}
    for sample in samples:
        for command, step in steps:
            name = step.outputs[0].name
            verdict = examine(step, sample, digests)
            gone = verdict.state is State.ABSENT and sample.done(name) is not None
            if verdict.state is State.STALE or gone:
                stale[name, command, verdict.reason] += 1
            elif verdict.state is State.BLOCKED:
                blocked[sample.record.key] = f"whose {name} cannot be made ({verdict.reason})"
    if stale:
        lines = [f"column {column} is stale for {n} samples ({why})" for (column, _, why), n in stale.items()]
        commands = [c for c in dict.fromkeys(c for c, _ in steps) if c in {command for _, command, _ in stale}]
        raise ConflictError("; ".join(lines) + ". Run " + " and then ".join(f"`prep {c}`" for c in commands))
    return blocked


def _steps_with_inputs(steps: Sequence[tuple[str, Step]], columns: Sequence[Column]) -> list[tuple[str, Step]]:
    """Return those of the steps that make these columns and the columns that they are made from."""
    needed = {column.name for column in columns}
    for _, step in reversed(steps):
        if needed & {column.name for column in step.outputs}:
            needed |= {each.name for each in step.inputs}
    return [(command, step) for command, step in steps if needed & {column.name for column in step.outputs}]


def _complete_rows(
    samples: list[KnownSample], chosen: tuple[Column, ...], blocked: Mapping[SampleKey, str]
) -> tuple[list[KnownSample], Mapping[str, int], Mapping[tuple[str, ...], int]]:
    """Return the samples that have all columns, and why others do not: see `left_out` and `dropping` of a plan."""
    rows: list[KnownSample] = []
    left_out: Counter[str] = Counter()
    lacked: Counter[tuple[str, ...]] = Counter()
    for sample in samples:
        lacking = {}
        for column in chosen:
            row = sample.cells.get(column.name)
            if row is None:
                lacking[column.name] = f"without {column.name} (not made yet)"
            elif row.state is not CellState.DONE:
                lacking[column.name] = f"without {column.name} ({row.state})"
        if lacking:
            left_out[next(iter(lacking.values()))] += 1
            lacked[tuple(lacking)] += 1
        elif sample.record.key in blocked:
            left_out[blocked[sample.record.key]] += 1
        else:
            rows.append(sample)
    optional = [names for names in lacked if not {"image", "label"} & set(names) and len(names) < len(chosen)]
    dropping = {names: sum(n for each, n in lacked.items() if set(each) <= set(names)) for names in optional}
    return rows, left_out, dropping


def _spec(workspace: Workspace, column: Column, rows: list[KnownSample]) -> ArraySpec:
    shapes = Counter(tuple(row.cells[column.name].facts["shape"]) for row in rows)
    if len(shapes) > 1:
        found = ", ".join(f"{n} of {s[1]}x{s[0]}" for s, n in shapes.most_common(4))
        raise ConflictError(
            f"column {column.name} has images of different sizes ({found}); a store needs one size. Resize "
            f"them to one: `prep resize --size {shapes.most_common(1)[0][0][1]}x{shapes.most_common(1)[0][0][0]}`"
        )
    code = stored_code(column)
    return ArraySpec.of(
        column.name,
        column.kind,
        next(iter(shapes)),
        code,
        classes=_class_names(workspace, column),
        attributes=_attributes(column),
    )


def _attributes(column: Column) -> dict[str, str]:
    own = {name: value for name, value in column.attributes if name != "classes"}
    return own | ({"ids": "train"} if column.holds_raw_ids else {})


def _class_names(workspace: Workspace, column: Column) -> tuple[str, ...]:
    """Return the names of a label column's ids: its own, if it says so, else those of the class map."""
    if column.kind is not Kind.LABEL:
        return ()
    own = dict(column.attributes).get("classes")
    return workspace.config.class_map.names if own is None else tuple(own.split(","))


def _provenance(table: Table, chosen: tuple[Column, ...], fingerprint: str) -> JsonDict:
    dataset = table.workspace.config.dataset
    spec = CATALOG.load(dataset).SPEC
    names = {column.name for column in chosen}
    commands = {row.command: row.arguments for name, row in table.ledger.columns().items() if name in names}
    packages = ("segprep", "numpy", "opencv-python-headless", "zarr")
    return {
        "dataset": dataset,
        "title": spec.title,
        "licence": spec.licence,
        "citation": spec.citation,
        "commands": commands,
        "fingerprint": fingerprint,
        "versions": {name: version(name) for name in packages},
    }
