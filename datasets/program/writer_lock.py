"""Refusing a second writer of a folder."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from segprep.datasets.atomic import write_failed
from segprep.datasets.documents import read_json
from segprep.datasets.errors import WorkspaceLockedError

__all__ = ["writer_lock"]


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Hold the lock of a folder that one process writes, a workspace or a run.

    The operating system releases it when the process dies, however it dies. Who only reads needs none.

    Raises:
        WorkspaceLockedError: If another process holds it; names host and process.
        WriteFailedError: If the lock cannot be made.
    """
    holder_file = root / ".writer.json"
    lock = FileLock(root / ".writer.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        try:
            holder = read_json(holder_file)
            who = f"process {holder['pid']} on {holder['host']}"
        except (OSError, ValueError, TypeError, LookupError):
            who = "another process"
        raise WorkspaceLockedError(
            f"{root} is being written by {who}: wait until it is done, or stop it (Ctrl-C there keeps its work)"
        ) from error
    except OSError as error:
        raise write_failed(root, error) from error
    try:
        try:
            holder_file.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
        except OSError as error:
            raise write_failed(holder_file, error) from error
        yield
    finally:
        lock.release()
