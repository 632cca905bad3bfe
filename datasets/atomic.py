"""Writing files so that a reader sees the old content or the new one, never a part.

Data go to a temporary name in the same folder, are synced to the disk, and are renamed. A batch of files is staged
first and renamed together, so that each folder is synced once.
"""

import contextlib
import errno
import glob
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.errors import WriteFailedError
from segprep.datasets.machine import REMEDIES

__all__ = [
    "PARTIAL_SUFFIX",
    "StagedFile",
    "atomic_write_bytes",
    "commit",
    "discard",
    "remove_partial_folders_of",
    "remove_partials",
    "remove_partials_of",
    "stage",
    "sync_folder",
    "write_failed",
]

PARTIAL_SUFFIX = ".partial"
"""Last part of temporary names: `<name>.<pid>.partial`."""

_PARTIAL = re.compile(r".+\.\d+" + re.escape(PARTIAL_SUFFIX))

_REMEDIES = REMEDIES | {
    errno.EACCES: "no permission: make the folder writable or write to another place",
    errno.EPERM: "no permission: make the folder writable or write to another place",
    errno.ENAMETOOLONG: "the name is too long for this file system: use a shorter folder name",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EISDIR: "a folder of this name is in the way: move it away",
}


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that is complete on the disk but does not have its name yet.

    Attributes:
        temporary: Where its bytes are.
        final: The name that `commit` gives it.
    """

    temporary: Path
    final: Path


def atomic_write_bytes(path: Path, *data: bytes, durable: bool = True) -> None:
    """Write a whole file at once; missing folders are made.

    Args:
        path: Its name; an existing file is replaced.
        data: Its content, in one part or several.
        durable: Whether to wait until the disk has it. Without, a power cut may lose the file; it is atomic anyway.

    Raises:
        WriteFailedError: If it cannot be written. Nothing is left behind and an older file stays as it was.
    """
    staged = stage(path, *data, durable=durable)
    try:
        commit([staged], durable=durable)
    except BaseException:
        discard([staged])
        raise


def stage(path: Path, *data: bytes, durable: bool = True) -> StagedFile:
    """Write data under a temporary name beside `path`; missing folders are made.

    Raises:
        WriteFailedError: If it cannot be written. Nothing is left behind.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.writelines(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        discard([StagedFile(temporary, path)])
        raise write_failed(path, error) from error
    except BaseException:
        discard([StagedFile(temporary, path)])
        raise
    return StagedFile(temporary, path)


def commit(staged: Iterable[StagedFile], *, durable: bool = True) -> None:
    """Give staged files their names, then sync each of their folders once.

    Raises:
        WriteFailedError: If a rename fails. Files before it have their names, `discard` removes the others.
    """
    folders: dict[Path, None] = {}
    for each in staged:
        try:
            each.temporary.replace(each.final)
        except OSError as error:
            raise write_failed(each.final, error) from error
        folders[each.final.parent] = None
    if durable:
        for folder in folders:
            sync_folder(folder)


def discard(staged: Iterable[StagedFile]) -> None:
    """Remove the temporary files of staged files that were not committed; those that are gone already do not matter."""
    for each in staged:
        with contextlib.suppress(OSError):
            each.temporary.unlink()


def remove_partials(folder: Path) -> int:
    """Remove what killed processes left in a folder (not below it), and return how many files that were.

    Call it only where no other process writes.

    Raises:
        WriteFailedError: If a file cannot be removed.
    """
    if not folder.is_dir():
        return 0
    partials = [p for p in sorted(folder.iterdir()) if _PARTIAL.fullmatch(p.name) and p.is_file()]
    for path in partials:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_failed(path, error) from error
    return len(partials)


def remove_partials_of(path: Path) -> None:
    """Remove what killed processes left beside a file in a folder that is not ours.

    What a living process writes stays; one of another machine that shares the disk counts as dead.
    """
    with contextlib.suppress(OSError):
        for each in path.parent.glob(f"{glob.escape(path.name)}.*{PARTIAL_SUFFIX}"):
            number = each.name.removeprefix(f"{path.name}.").removesuffix(PARTIAL_SUFFIX)
            if number.isdecimal() and not _lives(int(number)):
                each.unlink(missing_ok=True)


def remove_partial_folders_of(path: Path) -> None:
    """Remove what killed processes left of a folder that they made under a temporary name beside its own.

    What a living process writes stays, as in `remove_partials_of`.
    """
    with contextlib.suppress(OSError):
        for each in path.parent.glob(f"{glob.escape(path.name)}.*{PARTIAL_SUFFIX}"):
            number = each.name.removeprefix(f"{path.name}.").removesuffix(PARTIAL_SUFFIX)
            if each.is_dir() and not each.is_symlink() and number.isdecimal() and not _lives(int(number)):
                shutil.rmtree(each, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder.

    Raises:
        WriteFailedError: If the disk refuses.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders; there renames need no sync
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync folders. That is no loss of data that was promised.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise write_failed(folder, error) from error
    finally:
        os.close(descriptor)


def write_failed(path: Path | str, error: OSError) -> WriteFailedError:
    """Return the error that says which file cannot be written, why, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "check the disk and the folder, then run again")
    failed = WriteFailedError(f"{path} cannot be written ({error.strerror or error}): {remedy}")
    failed.errno = error.errno
    return failed
