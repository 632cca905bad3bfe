"""Memory for batches that is used again, because fresh memory costs about as much as filling it."""

import math
import weakref
from collections import defaultdict, deque

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array

__all__ = ["Buffers"]


class Buffers:
    """Hands out arrays whose memory comes back by itself.

    Memory is handed out again when nothing refers to the array any more, nor to a tensor or view made of it; so no two
    arrays in use share any, however long somebody keeps one. Threads may share an object.
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, deque[memoryview]] = defaultdict(deque)

    def array(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return an array of any content."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        free = self._free[size]
        try:
            memory = free.pop()
        except IndexError:
            memory = np.empty(size, np.uint8).data
        # Its base is no array, so every view of it refers to it and not to the memory behind it.
        flat = np.frombuffer(memory, dtype)
        weakref.finalize(flat, free.append, memory).atexit = False
        return flat.reshape(shape)
