"""Which checkpoint of a run is the last one, and which the best: of each a text file with the name of its folder.

Earlier versions made symbolic links, which not every disk takes. They are read as before, and the next checkpoint puts
files in their place.
"""

import re
import shutil
from pathlib import Path
from typing import Final

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.errors import DamagedStoreError

__all__ = ["CHECKPOINT_NAME", "POINTERS", "checkpoint_kept", "checkpoint_path", "point_at", "pointed_at"]

POINTERS: Final = ("last", "best")
CHECKPOINT_NAME: Final = re.compile(r"step-(\d+)(?:-\d+)?")
"""Of the folder of a checkpoint; the number is that of its steps."""


def point_at(folder: Path, pointer: str, name: str) -> None:
    """Let a pointer name a checkpoint.

    Args:
        folder: Of all checkpoints of a run.
        pointer: `last` or `best`.
        name: Of the checkpoint's folder.

    Raises:
        WriteFailedError: If it cannot be written; it is as before then.
    """
    path = folder / pointer
    if path.is_dir() and not path.is_symlink():  # see `pointed_at`; what it held is not the latest any more
        shutil.rmtree(path)
    atomic_write_bytes(path, f"{name}\n".encode())


def pointed_at(folder: Path, pointer: str) -> str | None:
    """Return the name that a pointer says; None if there is no such pointer.

    Raises:
        DamagedStoreError: If it names no checkpoint.
    """
    path = folder / pointer
    if path.is_symlink():
        return path.readlink().name
    if path.is_dir():  # a link whose target was copied into its place
        return pointer
    try:
        name = path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedStoreError(f"{path} cannot be read: {error}") from error
    if CHECKPOINT_NAME.fullmatch(name) is None:
        raise DamagedStoreError(
            f"{path} says {name!r:.60}, which is no checkpoint: write the name of a folder beside it into it, such as "
            "step-00000400"
        )
    return name


def checkpoint_path(folder: Path, name: str) -> Path | None:
    """Return the folder of a checkpoint; None if there is none of this name.

    Args:
        folder: Of all checkpoints of a run.
        name: `last`, `best`, or that of a checkpoint. What a pointer names need not be there.

    Raises:
        DamagedStoreError: If the pointer names no checkpoint.
    """
    if name in POINTERS:
        target = pointed_at(folder, name)
        return None if target is None else folder / target
    return folder / name if (folder / name).is_dir() else None


def checkpoint_kept(folder: Path) -> str:
    """Return words for what there is to go on from."""
    last = pointed_at(folder, "last")
    return f"there is no checkpoint yet in {folder}" if last is None else f"the checkpoint {folder / last} is kept"
