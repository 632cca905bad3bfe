"""`prep init --miniature`: a small rendered dataset in a dataset's own layout."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from segprep.datasets.atomic import write_failed
from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import ConflictError, SegprepError

__all__ = ["written_miniature"]

_UNFINISHED: Final = ".miniature.partial"


@contextmanager
def written_miniature(dataset: str, root: Path, frames: int) -> Iterator[None]:
    """Write a small rendered dataset in a dataset's layout, and do with it what it is for.

    Until that is done the miniature is marked as unfinished: after a kill the same command writes it again.

    Raises:
        ConflictError: If the folder exists and is not empty.
        WriteFailedError: If it cannot be written.
    """
    unfinished = root / _UNFINISHED
    if not unfinished.is_file() and root.is_dir() and any(root.iterdir()):
        raise ConflictError(f"{root} is not empty: name another folder for the miniature, or omit --miniature")
    member = CATALOG.load(dataset)
    try:
        root.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        for left in (path for path in root.iterdir() if path != unfinished):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        member.write_miniature(root, frames)
    except OSError as error:
        if isinstance(error, SegprepError):
            raise
        raise write_failed(error.filename or root, error) from error
    try:
        yield
    except Exception:  # no kill: what is there is whole, and may be given other files now
        unfinished.unlink()
        raise
    unfinished.unlink()
