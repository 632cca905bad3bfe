"""Failures of the machine: it is short of memory, room or open files, or a disk fails or refuses.

No file of the user's is to be mended for them, and what failed may succeed when it is tried again: so it is neither
recorded as a bad sample nor called damage.
"""

import errno
from collections.abc import Iterator
from pathlib import Path

from segprep.datasets.errors import MachineError, SegprepError

__all__ = ["REMEDIES", "blame_machine", "machine_error"]

_MEMORY = "memory is short: end other programs, or run again with fewer --workers"
_ROOM = "free some space and run again"
_PERMISSION = "no permission: change who may read it, or become somebody who may"
_DISK = "check the disk and the connection to it, then run again"

REMEDIES = {
    errno.ENOMEM: _MEMORY,
    errno.EMFILE: "this process may open no more files: raise the limit, for example by `ulimit -n 4096`",
    errno.ENFILE: "the system can open no more files: end other programs and run again",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.ENOSPC: f"the disk is full: {_ROOM}",
    errno.EDQUOT: f"your disk quota is used up: {_ROOM}",
    errno.EROFS: "the file system is read-only: write to another place",
    **{
        getattr(errno, name): _DISK
        for name in (
            *("EIO", "EREMOTEIO", "ENXIO", "ENODEV", "ESTALE", "ETIMEDOUT", "EPIPE", "ENOTCONN", "ESHUTDOWN"),
            *("ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
        )
        if hasattr(errno, name)  # each system has its own
    },
}
"""What to do about an error of the machine, by its number."""

_OPENCV_NO_MEMORY = -4  # cv::Error::StsNoMem
_TORCH_NO_MEMORY = "DefaultCPUAllocator: can't allocate memory"  # torch has a class of its own for graphics cards only


def machine_error(error: BaseException) -> MachineError | None:
    """Return what to tell of an error that the machine is to blame for; None if something else is wrong.

    The machine is to blame if the error, or one that it was raised from, says that memory ran out (Python's, NumPy's,
    OpenCV's or torch's), or is an error of the system with a number of `REMEDIES`.
    """
    for cause in _causes(error):
        if isinstance(cause, MachineError):
            return _numbered(str(cause), cause.errno)
        if _is_of_memory(cause):
            return _told(f"out of memory ({cause})" if str(cause) else "out of memory", errno.ENOMEM)
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in REMEDIES:
            what = str(error) if isinstance(error, SegprepError) else _system_text(cause)
            return _told(what, cause.errno)
    return None


def blame_machine(path: Path | str, error: OSError) -> None:
    """Do nothing if a file cannot be read for a reason of its own.

    Raises:
        MachineError: If the machine is to blame; names the file.
    """
    if isinstance(error, MachineError):
        raise error
    if error.errno is not None and error.errno in REMEDIES:
        raise _told(f"{path} cannot be read: {error.strerror}", error.errno) from error


def _told(what: str, number: int) -> MachineError:
    return _numbered(f"{what}. {REMEDIES[number][:1].upper()}{REMEDIES[number][1:]}", number)


def _numbered(message: str, number: int | None) -> MachineError:
    numbered = MachineError(message)
    numbered.errno = number
    return numbered


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    seen = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _is_of_memory(error: BaseException) -> bool:
    library = type(error).__module__.partition(".")[0]  # they are not loaded for the sake of this question
    return (
        isinstance(error, MemoryError)
        or (library == "cv2" and getattr(error, "code", None) == _OPENCV_NO_MEMORY)
        or (library == "torch" and type(error).__name__ == "OutOfMemoryError")
        or (isinstance(error, RuntimeError) and _TORCH_NO_MEMORY in str(error))
    )


def _system_text(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
