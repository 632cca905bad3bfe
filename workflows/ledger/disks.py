"""Telling local from network disks."""

from pathlib import Path

import psutil

__all__ = ["is_network_disk"]

_NETWORK_TYPES = ("nfs", "cifs", "smb", "lustre", "beegfs", "gpfs", "ceph", "afs", "9p", "virtiofs", "fuse.")


def is_network_disk(folder: Path) -> bool:
    """Whether a folder lies on a file system that other machines may write to."""
    place = folder.resolve()
    mounts = [(Path(p.mountpoint), p.fstype) for p in psutil.disk_partitions(all=True)]
    around = [(mount, kind) for mount, kind in mounts if place == mount or mount in place.parents]
    _, kind = max(around, key=lambda entry: len(entry[0].parts), default=(place, ""))
    return kind.startswith(_NETWORK_TYPES)
