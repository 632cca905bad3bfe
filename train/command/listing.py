"""What `train list` says of the runs of a workspace. It reads texts only: neither weights nor torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from segprep.datasets.documents import read_toml
from segprep.datasets.errors import ConfigurationError, SegprepError
from segprep.datasets.json_values import is_number, json_of
from segprep.datasets.sample import JsonDict
from segprep.datasets.source_files import size_text
from segprep.train.network.pointers import checkpoint_path
from segprep.train.network.seal import open_seal
from segprep.train.runs.folder import Run, find_run

__all__ = ["RunSummary", "differences", "differences_text", "print_table", "summaries", "summary_json"]

Status = Literal["finished", "unfinished", "no checkpoint", "damaged"]
_UNSAID = "not said"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in a line.

    Attributes:
        name: Of its folder.
        status: Whether it came to its end.
        network: Name of the network.
        inputs: Its columns.
        step: Steps done.
        steps: Of the whole run.
        metric: What the best weights are chosen by.
        best: Its best value.
        written: When it was written to last, ISO 8601 in UTC.
        bytes: Size of its folder.
        why: What is damaged, or None.
    """

    name: str
    status: Status
    network: str | None = None
    inputs: tuple[str, ...] = ()
    step: int | None = None
    steps: int | None = None
    metric: str | None = None
    best: float | None = None
    written: str
    bytes: int
    why: str | None = None


def summaries(runs: Path) -> list[RunSummary]:
    """Return what there is to say of each run, by name; those that are damaged say so."""
    return [_summary(Run(path.parent)) for path in sorted(runs.glob("*/config.toml"))]


def summary_json(summary: RunSummary) -> JsonDict:
    """Return plain values."""
    return json_of(summary)


def print_table(found: list[RunSummary]) -> None:
    """Print a line for each run."""
    table = Table()
    for heading in ("run", "network", "inputs", "step", "best", "last written", "size", "status"):
        table.add_column(heading, overflow="fold")
    for each in found:
        table.add_row(
            each.name,
            each.network or "",
            ",".join(each.inputs),
            "" if each.step is None else f"{each.step} of {each.steps}",
            "" if each.best is None else f"{each.best:.4f} {each.metric}",
            f"{each.written[:16].replace('T', ' ')} UTC",
            size_text(each.bytes),
            each.status,
        )
    Console(highlight=False, soft_wrap=True).print(table)


def differences(runs: Path, first: str, second: str) -> dict[str, list[Any]]:
    """Return the entries of two configurations that differ, both values by `section.key`.

    Raises:
        ConfigurationError: If there is no such run, or its configuration cannot be read.
    """
    ours, theirs = (_flat(_config(find_run(runs, name))) for name in (first, second))
    keys = sorted(ours.keys() | theirs.keys())
    return {key: [ours.get(key), theirs.get(key)] for key in keys if ours.get(key) != theirs.get(key)}


def differences_text(found: Mapping[str, list[Any]], first: str, second: str) -> str:
    """Return a line for each entry that differs."""
    if not found:
        return f"{first} and {second} have equal configurations"
    lines = [f"{key}: {_shown(ours)} in {first}, {_shown(theirs)} in {second}" for key, (ours, theirs) in found.items()]
    return "\n".join(lines)


def _summary(run: Run) -> RunSummary:
    known: dict[str, Any] = {"name": run.name, "written": _written(run), "bytes": _size(run.root)}
    try:
        config = _config(run)
        model, data, kept = (_table(config, name) for name in ("model", "data", "checkpoint"))
        known |= {
            "network": model.get("name"),
            "inputs": tuple(data.get("inputs", ())),
            "metric": kept.get("metric"),
        }
        folder = checkpoint_path(run.checkpoints, "last")
        if folder is None:
            return RunSummary(**known, status="no checkpoint")
        state, _ = open_seal(folder, ())
        step, steps, best = state.get("step"), state.get("steps"), state.get("best")
        if not isinstance(step, int) or not isinstance(steps, int):
            return RunSummary(**known, status="damaged", why=f"{folder} does not say how far it is")
        ended = step >= steps or bool(_table(state, "plateau").get("stop"))
        known |= {"step": step, "steps": steps, "best": best if is_number(best) else None}
        return RunSummary(**known, status="finished" if ended else "unfinished")
    except SegprepError as error:
        return RunSummary(**known, status="damaged", why=str(error))


def _config(run: Run) -> dict[str, Any]:
    try:
        return read_toml(run.config_path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the configuration {run.config_path} cannot be read: {error}") from error


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tables.get(name)
    return table if isinstance(table, Mapping) else {}


def _flat(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tables.items():
        found |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return found


def _shown(value: object) -> str:
    if value is None:
        return _UNSAID
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _written(run: Run) -> str:
    newest = max(path.stat().st_mtime for path in (run.config_path, run.log_path) if path.exists())
    return datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds")


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # a run that trains just now removes what it no longer needs
            continue
    return total
