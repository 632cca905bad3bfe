"""`predictions.jsonl`: what was predicted in a folder, by which network, from what. It lets a call go on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from segprep.datasets.atomic import atomic_write_bytes, write_failed
from segprep.datasets.documents import parse_json
from segprep.datasets.errors import ConflictError, UnreadableFileError
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import JsonDict
from segprep.datasets.source_files import MAX_BYTES, read_file

__all__ = ["RECORD_FILE", "Record"]

RECORD_FILE: Final = "predictions.jsonl"

_MADE_BY: Final = "made_by"
_LOCK_FILES: Final = (".writer.lock", ".writer.json")


class Record:
    """The record of a folder, whose writer's lock the caller holds.

    The first line says by what it was made, each further one of what became of an item; of several lines about an item
    the last one counts. A line that a killed process left unfinished is dropped.

    Args:
        folder: Of the predictions.
        made_by: The network and the options that decide what predictions hold; JSON values.

    Raises:
        ConflictError: If the folder holds predictions of another network or other options, or something else.
        UnreadableFileError: If the record cannot be read.
        WriteFailedError: If it cannot be written.
    """

    def __init__(self, folder: Path, made_by: JsonDict) -> None:
        self._folder, self._path = folder, folder / RECORD_FILE
        self._entries: dict[str, JsonDict] = {}
        first, *others = self._lines() or [{_MADE_BY: made_by}]
        self._check(first.get(_MADE_BY), made_by)
        self._entries = {entry["name"]: entry for entry in others if isinstance(entry.get("name"), str)}
        lines = [{_MADE_BY: made_by}, *self._entries.values()]
        atomic_write_bytes(self._path, "".join(f"{json.dumps(line)}\n" for line in lines).encode())

    def done(self, name: str) -> JsonDict | None:
        """Return what was recorded of an item that was predicted and whose files are still there."""
        entry = self._entries.get(name)
        if entry is None or not isinstance(entry.get("files"), dict) or not isinstance(entry.get("inputs"), dict):
            return None
        return entry if all(self._has(path, size) for path, size in entry["files"].items()) else None

    def add(self, entry: JsonDict) -> None:
        """Append what became of an item.

        Raises:
            WriteFailedError: If the disk is full.
        """
        self._entries[entry["name"]] = entry
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(entry)}\n")
        except OSError as error:
            raise write_failed(self._path, error) from error

    def _has(self, relative: str, size: object) -> bool:
        try:
            return (self._folder / relative).stat().st_size == size
        except OSError:
            return False

    def _lines(self) -> list[JsonDict]:
        try:
            data = read_file(self._path, MAX_BYTES)
        except FileNotFoundError:
            strangers = sorted(p.name for p in self._folder.iterdir() if p.name not in _LOCK_FILES)
            if strangers:
                raise ConflictError(
                    f"{self._folder} holds {strangers[0]!r} and no {RECORD_FILE}: predictions go into a folder of "
                    "their own. Name another --out"
                ) from None
            return []
        except OSError as error:
            blame_machine(self._path, error)
            raise UnreadableFileError(f"{self._path} cannot be read: {error.strerror or error}") from error
        lines = []
        for number, line in enumerate(data.split(b"\n")[:-1], 1):  # behind the last line end stands nothing, or a part
            try:
                entry = parse_json(line)
            except ValueError as error:
                raise self._damaged(number, str(error)) from error
            if not isinstance(entry, dict):
                raise self._damaged(number, "it is no JSON object")
            lines.append(entry)
        return lines

    def _damaged(self, number: int, why: str) -> UnreadableFileError:
        return UnreadableFileError(
            f"line {number} of {self._path} is not what was written ({why}): delete the file's folder, or name another "
            "--out"
        )

    def _check(self, found: Any, wanted: Mapping[str, Any]) -> None:  # noqa: ANN401  (whatever the file holds)
        if not isinstance(found, dict):
            raise self._damaged(1, "it does not say by what the predictions were made")
        differ = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
        if not differ:
            return
        told = "; ".join(
            "they are of another network"
            if name == "network"
            else f"{name.replace('_', ' ')} was {_shown(found.get(name))} and is {_shown(wanted.get(name))}"
            for name in differ
        )
        raise ConflictError(
            f"{self._folder} holds predictions that were made otherwise ({told}): name another --out, or delete it"
        )


def _shown(value: object) -> str:
    return "not said" if value is None else value if isinstance(value, str) else json.dumps(value)
