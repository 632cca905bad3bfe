"""Telling local from network disks, and refusing a second writer."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from segprep.datasets.errors import WorkspaceLockedError, WriteFailedError

__all__ = ["is_network_disk", "writer_lock"]

_NETWORK_TYPES = (
    "nfs",
    "cifs",
    "smb",
    "fuse.sshfs",
    "lustre",
    "beegfs",
    "gpfs",
    "ceph",
    "afs",
    "9p",
    "virtiofs",
    "fuse.",
)


def is_network_disk(folder: Path) -> bool:
    """Whether a folder lies on a file system that other machines may write to."""
    place = folder.resolve()
    mounts = [(Path(p.mountpoint), p.fstype) for p in psutil.disk_partitions(all=True)]
    around = [(mount, kind) for mount, kind in mounts if place == mount or mount in place.parents]
    _, kind = max(around, key=lambda entry: len(entry[0].parts), default=(place, ""))
    return kind.startswith(_NETWORK_TYPES)


@contextmanager
def writer_lock(root: Path) -> Iterator[None]:
    """Hold the workspace's lock. The operating system releases it when the process dies, however it dies.

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
            holder = json.loads(holder_file.read_text(encoding="utf-8"))
            who = f"process {holder['pid']} on {holder['host']}"
        except (OSError, ValueError, KeyError):
            who = "another process"
        raise WorkspaceLockedError(
            f"{root} is being written by {who}: wait until it is done, or stop it (Ctrl-C there keeps its work)"
        ) from error
    except OSError as error:
        raise WriteFailedError(f"{root} cannot be written ({error.strerror}): choose a workspace elsewhere") from error
    try:
        holder_file.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
        yield
    finally:
        lock.release()
