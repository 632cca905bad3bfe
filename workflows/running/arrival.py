"""What a worker says to have written is looked at before it counts."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from segprep.workflows.running.outcomes import NotArrived

__all__ = ["require_arrived"]

_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.2


def require_arrived(files: Iterable[tuple[Path, int]]) -> None:
    """See that files are here in the size, in bytes, that was said.

    Network disks may show an older state of a folder for some seconds, so a file that is not there is waited for.

    Raises:
        NotArrived: If one is not.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for path, size in files:
        while (found := _size(path)) != size:
            if time.monotonic() >= deadline:
                how = "is not here" if found is None else f"has {found} bytes here instead of {size}"
                raise NotArrived(f"{path}, which it is said to have written, {how}")
            _look_again(path.parent)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _look_again(folder: Path) -> None:
    """Have NFS ask its server: opening a folder does so, looking at a file's size need not."""
    time.sleep(_PAUSE_SECONDS)
    with suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY))
