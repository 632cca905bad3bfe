"""What makes a process a good worker."""

import ctypes
import signal
from contextlib import suppress
from typing import Any, Final

import cv2
from threadpoolctl import threadpool_limits

__all__ = ["dask_setup", "settle_process"]

# Of glibc's malloc.h: larger blocks are mapped one by one (32 MB is the most that it takes), and so much free memory is
# kept. Arrays of a sample are smaller, and a worker stays far below 1 GB.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_MAPPED_BYTES: Final = 32 * 2**20
_KEPT_BYTES: Final = 256 * 2**20


def settle_process() -> threadpool_limits:
    """Make this process a good worker: one thread, because parallelism is between processes, and memory that it keeps.

    By default freed arrays of some megabytes go back to the system and are mapped anew page by page a moment later:
    the kernels of flow took about twice as long at 768x384. The result can undo the limit of threads for BLAS.
    """
    cv2.setNumThreads(1)
    with suppress(AttributeError, OSError, TypeError):  # glibc only
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    return threadpool_limits(1)


def dask_setup(worker: Any) -> None:  # noqa: ANN401  (Dask calls it in each worker process that preloads this module)
    """Prepare a local worker process: one thread, and Ctrl-C is for the process that the user started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle_process()
