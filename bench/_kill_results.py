"""What a command left, as far as it must not depend on when it was killed, and what `prep status` says of it."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from _commands import answer

__all__ = ["difference", "results"]

_TIMED: Final = ("started", "finished", "images_per_second")


def results(place: Path) -> Mapping[str, str]:
    """Return every file below a place with a hash of its content, and what `prep status` says of the workspace in it.

    Files that tell times count without them. Checkpoints go by the names `last` and `best`: a run that was killed
    between two renames may give its folder another number.
    """
    found = {}
    for path in sorted(path for path in place.rglob("*") if not path.is_dir()):
        name = path.relative_to(place).as_posix()
        if path.parent.name == "events":
            name = "/".join([*name.split("/")[:-1], "events"])  # one more after each start
        if path.parent.parent.name == "checkpoints":
            for role in _roles(path.parent):
                found[name.replace(path.parent.name, role)] = _content(path)
        else:
            found[name] = _content(path)
    found |= {path.relative_to(place).as_posix(): "folder" for path in place.rglob("*.partial") if path.is_dir()}
    found["prep status"] = _hash(answer("prep", "status", "--json", at=place / "workspace").text.encode())
    return found


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """Say in what they differ; None if they do not."""
    lost, left = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    other = sorted(name for name in expected.keys() & found.keys() if expected[name] != found[name])
    kinds = {"lost": lost, "left over": left, "other content": other}
    return "; ".join(f"{what}: {', '.join(names[:4])}" for what, names in kinds.items() if names) or None


def _roles(checkpoint: Path) -> list[str]:
    pointers = [checkpoint.parent / name for name in ("last", "best")]
    roles = [p.name for p in pointers if p.is_file() and p.read_text(encoding="utf-8").strip() == checkpoint.name]
    return [f"the {role} one" for role in roles] or [checkpoint.name]


def _content(path: Path) -> str:
    special: Mapping[str, Callable[[Path], str]] = {
        "ledger.sqlite": _ledger,
        "log.jsonl": _log,
        "last": lambda _: "a pointer",
        "best": lambda _: "a pointer",
        "events": lambda _: "with times",
        ".writer.json": lambda _: "of a process",
    }
    name = "events" if path.parent.name == "events" else path.name
    return special[name](path) if name in special else _hash(path.read_bytes())


def _ledger(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        database.row_factory = sqlite3.Row
        rows = {name: sorted(map(_untimed, database.execute(f'SELECT * FROM "{name}"'))) for name in names}
    rows.pop("runs")
    return _hash(json.dumps(rows, sort_keys=True).encode())


def _untimed(row: sqlite3.Row) -> str:
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118  (a row is a sequence of values)
    if "files" in values:
        values["files"] = [(path, size, digest) for path, size, _, digest in json.loads(values["files"])]
        del values["checksum"]
    return repr(values)


def _log(path: Path) -> str:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return _hash(json.dumps([{k: v for k, v in line.items() if k not in _TIMED} for line in lines]).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
