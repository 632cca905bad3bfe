"""The folder of a run: its configuration, its log, its checkpoints."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from segprep.datasets.atomic import PARTIAL_SUFFIX, atomic_write_bytes, remove_partials, write_failed
from segprep.datasets.documents import parse_json
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.program.writer_lock import writer_lock

__all__ = ["Run", "create_run", "find_run", "next_name"]


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run keeps its files.

    Attributes:
        root: `runs/<name>`.
    """

    root: Path

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.root.name

    @property
    def config_path(self) -> Path:
        """The resolved configuration."""
        return self.root / "config.toml"

    @property
    def log_path(self) -> Path:
        """One JSON object per step."""
        return self.root / "log.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The folder of `last` and `best`."""
        return self.root / "checkpoints"

    def log(self, entry: dict[str, Any]) -> None:
        """Append a line to the log.

        Raises:
            WriteFailedError: If the disk is full.
        """
        try:
            with self.log_path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry, allow_nan=False) + "\n")
        except OSError as error:
            raise write_failed(self.log_path, error) from error

    def describe_shards(self, sources: Sequence[Mapping[str, Any]]) -> None:
        """Keep what the run learns from, in `shards.json`, unless that is known."""
        path = self.root / "shards.json"
        if not path.exists():
            atomic_write_bytes(path, json.dumps(list(sources), indent=1).encode())

    def cut_log(self, step: int) -> int:
        """Remove what was logged after `step`: those steps come again. A line cut by a crash goes too.

        Returns:
            How many other lines went, because they cannot be read.
        """
        if not self.log_path.exists():
            return 0
        lines = self.log_path.read_bytes().splitlines()
        steps = [_step(line) for line in lines]
        kept = [line for line, of in zip(lines, steps, strict=True) if of is not None and of <= step]
        atomic_write_bytes(self.log_path, *(line + b"\n" for line in kept))
        return steps[:-1].count(None)


def next_name(runs: Path) -> str:
    """Return the next free name of the form run-001; a start that was killed leaves its name free."""
    names = [p.name for p in runs.glob("run-*") if not _is_killed_start(p)]
    numbers = [int(m[1]) for name in names if (m := re.fullmatch(r"run-(\d+)", name))]
    return f"run-{max(numbers, default=0) + 1:03d}"


def create_run(runs: Path, name: str, config: str) -> Run:
    """Make the folder of a new run with its configuration in it; one that a killed start left is taken over.

    Raises:
        ConfigurationError: If the name is no plain file name.
        ConflictError: If the run exists, or something else of its name.
        WorkspaceLockedError: If another process begins it just now.
        WriteFailedError: If the folder cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ConfigurationError(f"a run's name consists of letters, digits, '.', '_' and '-', unlike {name!r}")
    run = Run(runs / name)
    _refuse_existing(run)
    try:
        run.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failed(run.root, error) from error
    with writer_lock(run.root):
        _refuse_existing(run)  # it may have come meanwhile
        remove_partials(run.root)
        atomic_write_bytes(run.config_path, config.encode())
    return run


def find_run(runs: Path, name: str | None) -> Run:
    """Return the run of this name, or the one that was written to last.

    Raises:
        ConfigurationError: If there is none; lists those that exist.
    """
    found = {p.parent.name: p.parent for p in sorted(runs.glob("*/config.toml"))}
    if name is None and found:
        return max((Run(root) for root in found.values()), key=_last_written)
    if name in found:
        return Run(found[name])
    wanted = "no run yet" if name is None else f"no run {name!r}"
    known = f". Runs: {', '.join(found)}" if found else ": begin one with `train run`"
    raise ConfigurationError(f"there is {wanted} in {runs}{known}")


def _refuse_existing(run: Run) -> None:
    if run.config_path.exists():
        held = f"the run {run.root} exists: continue it with --resume --name {run.name}"
    elif run.root.exists() and not _is_killed_start(run.root):
        held = f"{run.root} exists and holds no run: move it away"
    else:
        return
    raise ConflictError(f"{held}, or choose another --name")


def _is_killed_start(root: Path) -> bool:
    """Return whether nothing stands there but what `create_run` makes before the configuration."""
    return root.is_dir() and all(
        path.name.startswith(".writer.") or fnmatchcase(path.name, f"config.toml.*{PARTIAL_SUFFIX}")
        for path in root.iterdir()
    )


def _last_written(run: Run) -> tuple[float, str]:
    newest = max(p.stat().st_mtime for p in (run.config_path, run.log_path) if p.exists())
    return newest, run.name


def _step(line: bytes) -> float | None:
    try:
        return float(parse_json(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None
