"""What `prep check` prints: a table of what was found, then the findings."""

from collections import Counter
from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from segprep.workflows.checks.checking import CheckResult
from segprep.workflows.checks.findings import Category, Finding, Severity

__all__ = ["draw_findings"]

_LISTED_IN_FULL = (
    Category.NOT_CHECKED,
    Category.UNREADABLE,
    Category.MISSING,
    Category.UNPAIRED,
)  # people mend them by this list
_MOST_LINES = 10


def draw_findings(result: CheckResult) -> list[RenderableType]:
    """Draw what a check found."""
    counts = Counter(f.severity for f in result.findings)
    words = ", ".join(f"{counts[s]} {s.value}{'' if counts[s] == 1 else 's'}" for s in Severity)
    head = [f"{result.samples} samples, {result.files} files: {words}"]
    head += [f"{name}: {depth['text']}" for name, depth in result.summary["depth_m"].items()]
    groups = {c: [f for f in result.findings if f.category is c] for c in Category}
    shown = {category: found for category, found in groups.items() if found}
    if not shown:
        return list[RenderableType](head)
    return [*head, _table(shown), *(line for found in shown.values() for line in _lines(found))]


def _table(groups: dict[Category, list[Finding]]) -> Table:
    table = Table()
    table.add_column("what", no_wrap=True)
    for severity in Severity:
        table.add_column(f"{severity.value}s", justify="right")
    table.add_column("samples", justify="right")
    table.add_column("first", overflow="fold")
    for category, found in groups.items():
        counts = Counter(f.severity for f in found)
        samples = {key for f in found for key in f.keys}
        first = found[0].paths[0] if found[0].paths else next(iter(found[0].keys), "")
        table.add_row(category.value, *(str(counts[s] or "") for s in Severity), str(len(samples) or ""), first)
    return table


def _lines(found: Sequence[Finding]) -> list[RenderableType]:
    most = len(found) if found[0].category in _LISTED_IN_FULL else _MOST_LINES
    lines: list[RenderableType] = [f"{f.severity.value}: {f.message}" for f in found[:most]]
    if len(found) > most:
        lines.append(f"  and {len(found) - most} more about {found[0].category.value} (--json lists all)")
    return lines
