"""`prep init --miniature`: a small rendered dataset in a dataset's own layout."""

import shutil
from pathlib import Path
from typing import Final

from segprep.datasets.atomic import write_failed
from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import ConflictError, SegprepError

__all__ = ["write_miniature"]

_UNFINISHED: Final = ".miniature.partial"


def write_miniature(dataset: str, root: Path, frames: int) -> None:
    """Write a small rendered dataset in a dataset's layout.

    One that a killed process left unfinished is written again.

    Raises:
        ConflictError: If the folder exists and is not empty.
        WriteFailedError: If it cannot be written.
    """
    unfinished = root / _UNFINISHED
    if unfinished.is_file():
        shutil.rmtree(root, ignore_errors=True)
    if root.is_dir() and any(root.iterdir()):
        raise ConflictError(f"{root} is not empty: name another folder for the miniature, or omit --miniature")
    member = CATALOG.load(dataset)
    try:
        root.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        member.write_miniature(root, frames)
        unfinished.unlink()
    except OSError as error:
        if isinstance(error, SegprepError):
            raise
        raise write_failed(error.filename or root, error) from error
