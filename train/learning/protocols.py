"""Protocols: the package's by name, and those of several stages, such as SSMA's: experts first, then their fusion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segprep.datasets.errors import ConfigurationError

__all__ = ["ProtocolStage", "configuration_file", "merged_tables", "protocol_names", "stages_of"]

_KEY = "stage"
_FOLDER: Final = Path(__file__).parents[1] / "protocols"


@dataclass(frozen=True, slots=True)
class ProtocolStage:
    """One run of a protocol.

    Attributes:
        run: Name of its run.
        table: Its configuration, as `parse_config` takes it.
    """

    run: str
    table: dict[str, Any]


def protocol_names() -> tuple[str, ...]:
    """Return the names of the protocols that come with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def configuration_file(named: Path, say: Callable[[str], None]) -> Path:
    """Return the file that people mean: their own, or the protocol of this name that comes with the package.

    Args:
        named: What they wrote.
        say: Gets a sentence where both are there; theirs is read.

    Raises:
        ConfigurationError: If there is neither.
    """
    names = protocol_names()
    is_ours = str(named) in names
    if named.exists():
        if is_ours:
            say(f"the file {named} is read, not the protocol of this name that comes with the package")
        return named
    if not is_ours:
        raise ConfigurationError(
            f"there is no configuration {named}: name a TOML file, or one of the protocols {', '.join(names)}"
        )
    return _FOLDER / f"{named}.toml"


def stages_of(table: Mapping[str, Any], name: str) -> list[ProtocolStage]:
    """Return the runs that a configuration describes, in their order.

    A file without `[[stage]]` is one run of this name. Otherwise the tables outside of the stages hold for all of them,
    a stage's own tables win, and its run is called `<name>-<stage's name>`. Where `model.start` or `model.experts`
    names an earlier stage, it is the run of that stage.

    Raises:
        ConfigurationError: If a stage has no name, or the name of another.
    """
    if _KEY not in table:
        return [ProtocolStage(name, dict(table))]
    common = {key: value for key, value in table.items() if key != _KEY}
    stages: list[ProtocolStage] = []
    runs: dict[str, str] = {}
    for number, own in enumerate(_tables(table[_KEY]), 1):
        stage = own.get("name")
        if not isinstance(stage, str) or stage in runs:
            raise ConfigurationError(f'[[stage]] {number} needs a name of its own: name = "...", not {stage!r}')
        merged = merged_tables(common, {key: value for key, value in own.items() if key != "name"})
        if isinstance(model := merged.get("model"), dict):
            merged["model"] = {**model, **_resolved(model, runs)}
        runs[stage] = f"{name}-{stage}"
        stages.append(ProtocolStage(runs[stage], merged))
    return stages


def merged_tables(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay changes over a table, key by key in tables within. `steps` replaces `epochs` and the other way round."""
    merged = dict(table)
    for name, value in changes.items():
        former = merged.get(name)
        merged[name] = merged_tables(former, value) if isinstance(value, dict) and isinstance(former, dict) else value
    for length, other in (("steps", "epochs"), ("epochs", "steps")):
        if length in changes and other not in changes:
            merged.pop(other, None)
    return merged


def _resolved(model: Mapping[str, Any], runs: Mapping[str, str]) -> dict[str, Any]:
    """Return the entries of `[model]` that name runs, with the runs of stages in place of stages."""
    found: dict[str, Any] = {}
    if isinstance(start := model.get("start"), str):
        found["start"] = runs.get(start, start)
    if isinstance(experts := model.get("experts"), dict):
        found["experts"] = {column: runs.get(run, run) for column, run in experts.items()}
    return found


def _tables(stages: object) -> list[Mapping[str, Any]]:
    if not isinstance(stages, list) or not all(isinstance(each, dict) for each in stages):
        raise ConfigurationError("stages are tables, each with a heading [[stage]]")
    return stages
