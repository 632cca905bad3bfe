"""The seal of a checkpoint: its `state.json` holds size and SHA-256 of each other file, and a digest of itself."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from segprep.datasets.documents import read_json
from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.file_records import FileRecord, wrong_size
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import JsonDict

__all__ = ["STATE_FILE", "UNSEALED", "open_seal", "sealed"]

STATE_FILE: Final = "state.json"
UNSEALED: Final = "was made without checksums, so damage to it cannot be noticed"
"""What is said of a checkpoint of an earlier version, after its name."""

_FILES: Final = "files"
_DIGEST: Final = "sha256"


def sealed(state: JsonDict, records: Mapping[str, FileRecord]) -> bytes:
    """Return the text of `state.json`.

    Args:
        state: What a checkpoint remembers.
        records: Of the other files, by name.
    """
    content = {**state, _FILES: {name: {"bytes": r.size, "sha256": r.sha256} for name, r in records.items()}}
    return json.dumps({**content, _DIGEST: _digest(content)}, indent=1, allow_nan=False).encode()


def open_seal(folder: Path, files: Iterable[str]) -> tuple[JsonDict, bool]:
    """Read the state of a checkpoint after comparing it and some of the other files with their digests.

    Args:
        folder: Of the checkpoint.
        files: What of it will be read.

    Returns:
        The state as `sealed` got it, and whether there were digests: checkpoints of earlier versions have none.

    Raises:
        DamagedStoreError: If something is not what was written; names the file.
        MachineError: If the machine is to blame that a file cannot be read.
    """
    content = _read(folder / STATE_FILE)
    if not content.keys() & {_FILES, _DIGEST}:
        return content, False
    digest = content.pop(_DIGEST, None)
    if digest != _digest(content):
        raise DamagedStoreError(f"the digest of {STATE_FILE} differs")
    records = content.pop(_FILES)
    for name in files:
        if name not in records:
            raise DamagedStoreError(f"{STATE_FILE} knows no {name}")
        _compare(folder / name, FileRecord(records[name]["bytes"], records[name]["sha256"]))
    return content, True


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except OSError as error:
        blame_machine(path, error)
        raise DamagedStoreError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DamagedStoreError(f"{path.name} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise DamagedStoreError(f"{path.name} holds {content!r:.40} and no object")
    return content


def _compare(path: Path, record: FileRecord) -> None:
    wrong = wrong_size(path, record)
    if wrong is None:
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            blame_machine(path, error)
            wrong = f"it cannot be read: {error.strerror}"
        else:
            wrong = None if found == record.sha256 else "its digest differs"
    if wrong is not None:
        raise DamagedStoreError(f"{path.name}: {wrong}")


def _digest(content: Mapping[str, Any]) -> str:
    """Return the digest of what JSON says, however it is laid out."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
