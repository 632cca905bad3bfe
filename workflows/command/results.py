"""What `prep` prints: tables for people, JSON for machines."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from segprep.datasets.json_values import json_of
from segprep.datasets.notices import FoundValue
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.verify import Damage
from segprep.datasets.workspace import Workspace
from segprep.flow.evaluation import FlowEvaluation
from segprep.prep.step import Step
from segprep.workflows.ledger.database import KnownSample
from segprep.workflows.ledger.freshness import State, Verdict
from segprep.workflows.running.runner import Summary
from segprep.workflows.running.worker import Unmade
from segprep.workflows.samples.initialise import Inventory
from segprep.workflows.samples.listing import ListReport
from segprep.workflows.stores.planning import SplitPlan
from segprep.workflows.stores.writing import SplitResult
from segprep.workflows.views.status import Status

__all__ = [
    "damages",
    "flow_errors",
    "inventory",
    "lists",
    "plan",
    "row",
    "shards",
    "status",
    "summary",
    "unequal_columns",
]

_MOST_LINES = 10
_MOST_VALUES = 24


def inventory(found: Inventory) -> list[RenderableType]:
    """Draw what `prep init` found."""
    table = Table()
    names = list(dict.fromkeys(["samples", *(c for counts in found.splits.values() for c in counts)]))
    table.add_column("split")
    for name in names:
        table.add_column(name, justify="right")
    for split, counts in found.splits.items():
        table.add_row(split, *(str(counts.get(name, 0)) for name in names))
    values = [_label_values(found.values)] if found.values else []
    notes = [
        f"{len(found.workspace.config.class_map.classes)} classes: {', '.join(found.workspace.config.class_map.names)}"
    ]
    if found.absent:
        notes.append(f"not offered: {', '.join(found.absent)}")
    if found.missing:
        notes.append(f"{len(found.missing)} promised files do not exist, their samples will fail:")
        notes += [f"  {path}" for path in found.missing]  # all: people mend them by this list
    notes += map(str, found.notices)
    if found.unknown_cells:
        notes.append("the workspace had no ledger: what was prepared in it is not known, and is made again")
    notes.append(f"workspace: {found.workspace.root}")
    return [f"{found.workspace.config.dataset}: {found.workspace.config.dataset_root}", table, *values, *notes]


def _label_values(values: Sequence[FoundValue]) -> Table:
    table = Table()
    table.add_column("label value", no_wrap=True)
    for name in ("pixels", "files"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("becomes")
    for each in values[:_MOST_VALUES]:
        name = "others" if each.value is None else str(each.value)
        table.add_row(name, f"{each.share:.3%}", str(each.files) if each.files else "", each.becomes)
    if rest := values[_MOST_VALUES:]:
        table.add_row("others", f"{sum(each.share for each in rest):.3%}", "", f"{len(rest)} more, see --json")
    return table


def plan(
    command: str,
    arguments: JsonDict,
    steps: Sequence[Step],
    verdicts: Iterable[tuple[KnownSample, list[Verdict]]],
    *,
    as_json: bool,
) -> JsonDict | list[RenderableType]:
    """Draw what a dry run would do."""
    counts: dict[str, Counter[str]] = {column.name: Counter() for step in steps for column in step.outputs}
    for _, each in verdicts:
        for step, verdict in zip(steps, each, strict=True):
            for column in step.outputs:
                counts[column.name][verdict.state] += 1
    if as_json:
        return {"command": command, "arguments": arguments, "columns": {n: dict(c) for n, c in counts.items()}}
    lines = _state_table(f"prep {command} would do, with {json.dumps(arguments)}", counts)
    return [*lines, "missing, stale and unsure ones would be made; nothing was written"]


def summary(command: str, found: Summary, workspace: Workspace, *, as_json: bool) -> JsonDict | list[RenderableType]:
    """Draw how a selection stands after a run."""
    if as_json:
        return {
            "command": command,
            "workspace": str(workspace.root),
            "samples": found.samples,
            "made": found.made,
            "columns": found.states,
            "clipped": found.clipped,
            "figures": found.figures,
            "warnings": found.warnings,
            "failed": list(map(json_of, found.failures)),
            "not_made": list(map(json_of, found.not_made)),
        }
    lines = _state_table(f"prep {command}: {found.samples} samples, {found.made} worked on now", found.states)
    notes = [
        f"{name}: {n} of {found.samples} samples have none: {reason}"
        for name, reasons in found.absent.items()
        for reason, n in reasons.items()
        if 2 * n > found.samples  # the first frame of a recording has no neighbour, and that is as it should be
    ]
    notes += [f"{name}: {text}" for name, texts in found.warnings.items() for text in texts]
    if found.failures:
        notes.append(f"{found.failed_samples} samples failed (`--retry-failed` tries them again):")
        notes += _reasons(found.failures)
    if found.not_made:
        notes.append(
            f"{found.not_made_samples} samples were not done because of the machine; the next run tries again:"
        )
        notes += _reasons(found.not_made)
    return [*lines, *notes]


def status(found: Status) -> list[RenderableType]:
    """Draw the table of what exists."""
    counts = {f"{c.split} {c.column}": c.counts for c in found.columns}
    if not counts:
        samples = ", ".join(f"{n} of {split}" for split, n in found.samples.items())
        return [f"{samples} samples, no columns yet: run `prep resize`", *map(str, found.notices)]
    notes = [f"{c.split} {c.column}: {n} {reason}" for c in found.columns for reason, n in c.reasons.items()]
    notes += [f"{c.split} {c.column}: {'; '.join(texts)}" for c in found.columns if (texts := c.headlines + c.warnings)]
    stale = sorted({c.command for c in found.columns if c.counts.get(State.STALE)})
    if stale:
        notes.append("to mend what is stale: " + ", ".join(f"`prep {command}`" for command in stale))
    notes += [f"shards {split}: {state}" for split, state in found.stores.items()]
    notes += [f"shards {split}: {notice}" for split, notices in found.store_notices.items() for notice in notices]
    notes += map(str, found.notices)
    return [*_state_table("samples per state", counts), *notes]


def flow_errors(found: FlowEvaluation) -> list[RenderableType]:
    """Draw errors of flow, a row per field and one over all their pixels."""
    table = Table()
    table.add_column("flow", no_wrap=True)
    for name in ("EPE", "median", "angle", "Fl-all", ">1 px", ">3 px", "covered"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = [*found.fields, *([("all", found.pooled)] if len(found.fields) > 1 else [])]
    for name, e in rows:
        shares = (f"{share:.1%}" for share in (e.fl_all, e.over_1px, e.over_3px, e.coverage))
        table.add_row(name, f"{e.epe_mean:.3f}", f"{e.epe_median:.3f}", f"{e.angular_mean:.1f}°", *shares)
    return [table, f"{found.pooled.pixels} pixels; EPE: length of the error vectors in pixels, mean and median"]


def shards(
    workspace: Workspace, plans: Sequence[tuple[SplitPlan, SplitResult | None]], *, as_json: bool
) -> JsonDict | list[RenderableType]:
    """Draw which stores were written or were there already; None where nothing was done."""
    if as_json:
        return {
            p.store.split: {
                "path": str(workspace.store_path(p.store.split)),
                "written": None if result is None else result.written,
                "samples": len(p.fingerprints),
                "rows": p.store.rows,
                "shards": p.store.shards,
                "columns": [c.name for c in p.columns],
                "left_out": dict(p.left_out),
                "dropping": {",".join(names): n for names, n in p.dropping.items()},
                "clipped": {} if result is None else dict(result.clipped),
            }
            for p, result in plans
        }
    lines: list[str] = []
    for p, result in plans:
        word = "would be written" if result is None else "written" if result.written else "up to date"
        path, columns = workspace.store_path(p.store.split), ", ".join(c.name for c in p.columns)
        of = "" if p.augment is None else f"{p.store.rows} variants of "
        lines.append(f"{path}: {word}, {of}{len(p.fingerprints)} samples in {p.store.shards} shards; columns {columns}")
        lines += [f"  left out: {n} {reason}" for reason, n in sorted(p.left_out.items())]
        for names, n in p.dropping.items():
            lines.append(f"  {n} more would go in without {', '.join(names)}: {_without(p, names)}")
        clipped = {} if result is None else result.clipped
        lines += [
            f"  {n} pixels of {name} were clipped to the range of its code" for name, n in sorted(clipped.items())
        ]
    return list[RenderableType](lines)


def _without(plan: SplitPlan, columns: Sequence[str]) -> str:
    return f"`prep shard --columns {','.join(c.name for c in plan.columns if c.name not in columns)}`"


def unequal_columns(plans: Sequence[SplitPlan]) -> str | None:
    """Say which columns only some of the splits' stores get; None if all get the same."""
    names = {p.store.split: {column.name for column in p.columns} for p in plans}
    common = set.intersection(*names.values())
    lacking = {split: sorted(set.union(*names.values()) - own) for split, own in names.items()}
    if not any(lacking.values()):
        return None
    told = "; ".join(f"{split} has no {', '.join(missing)}" for split, missing in lacking.items() if missing)
    remedy = f"; `prep shard --columns {','.join(sorted(common))}` gives all of them the same" if common else ""
    return f"the splits' stores get different columns: {told}{remedy}"


def lists(written: ListReport) -> list[RenderableType]:
    """Draw which lists were written, and which samples stand in none."""
    lines = [f"{path}: {rows} samples" for path, rows in written.files]
    reasons = Counter(written.left_out.values())
    lines += [f"  left out: {n} {reason}" for reason, n in sorted(reasons.items())]
    return list[RenderableType](lines if written.reader_note is None else [*lines, f"note: {written.reader_note}"])


def damages(found: Mapping[str, Sequence[Damage]], *, as_json: bool) -> JsonDict | list[RenderableType]:
    """Draw what `prep verify` found."""
    if as_json:
        return {
            path: [{"file": d.file, "reason": d.reason, "keys": list(d.keys)} for d in each]
            for path, each in found.items()
        }
    lines: list[str] = []
    for path, each in found.items():
        lines.append(f"{path}: {'whole' if not each else f'{len(each)} damaged files'}")
        for damage in each:
            keys = ", ".join(damage.keys[:_MOST_LINES]) + (", ..." if len(damage.keys) > _MOST_LINES else "")
            lines.append(f"  {damage.file}: {damage.reason}" + (f"; samples {keys}" if keys else ""))
    return list[RenderableType](lines)


def row(found: JsonDict, picture: Path) -> list[RenderableType]:
    """Draw what `prep peek` found in a row of a store."""
    table = Table()
    for name in ("column", "kind", "shape", "stored", "valid", "infinitely far"):
        table.add_column(name, justify="left" if name in ("column", "kind") else "right")
    for name, column in found["columns"].items():
        shape = "x".join(str(n) for n in column["shape"])
        numbers = "nothing" if column["smallest"] is None else f"{column['smallest']}..{column['largest']}"
        shares = ("" if column[share] is None else f"{column[share]:.2%}" for share in ("valid", "infinitely_far"))
        table.add_row(name, column["kind"], shape, f"{column['dtype']} {numbers}", *shares)
    lines: list[RenderableType] = [
        f"row {found['row']}: {found['key']}, variant {found['variant']}",
        f"from {found['source_size'][0]}x{found['source_size'][1]}: {', '.join(found['source_paths'].values())}",
    ]
    if found["augmentation"]:
        lines.append(f"augmentation: {json.dumps(found['augmentation'])}")
    if found["camera_K"] is not None:
        lines.append("K: " + "; ".join(" ".join(f"{v:.3f}" for v in line) for line in found["camera_K"]))
    return [*lines, table, str(picture)]


def _state_table(title: str, counts: Mapping[str, Mapping[str, int]]) -> list[RenderableType]:
    table = Table()
    table.add_column("column")
    states = list(dict.fromkeys(state for each in counts.values() for state in each))
    for state in states:
        table.add_column(state, justify="right")
    for name, each in counts.items():
        table.add_row(name, *(str(each.get(state, "")) for state in states))
    return [title, table]


def _reasons(cells: Sequence[Unmade]) -> list[str]:
    more = len(cells) - _MOST_LINES
    lines = [f"  {cell.key} {cell.column}: {cell.reason}" for cell in cells[:_MOST_LINES]]
    return [*lines, f"  and {more} more"] if more > 0 else lines
