import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from segprep.datasets.sample import Array
from segprep.train.reading.buffers import Buffers


def test_an_array_has_the_shape_and_dtype_asked_for_and_may_be_written() -> None:
    buffers = Buffers()
    for dtype in ("uint8", "int16", "uint16"):
        array = buffers.array((2, 3, 5, 4), dtype)
        assert (array.shape, array.dtype) == ((2, 3, 5, 4), np.dtype(dtype))
        array[...] = 7
        assert (array == 7).all()


def test_memory_comes_back_when_nothing_refers_to_it() -> None:
    buffers = Buffers()
    first = buffers.array((2, 8), "uint8")
    address = first.ctypes.data
    second = buffers.array((4, 4), "uint8")
    assert second.ctypes.data != address
    del first
    assert buffers.array((16,), "uint8").ctypes.data == address
    assert buffers.array((2, 4), "int16").ctypes.data == address  # the line before has let go of it at once


@pytest.mark.parametrize(
    "derive",
    [
        lambda array: array[0, 1:],
        lambda array: array.T,
        lambda array: array.view(np.int8).reshape(-1)[3:4],
        lambda array: memoryview(array),
        torch.from_numpy,
        lambda array: torch.from_numpy(array).permute(1, 0)[2:],
        lambda array: torch.from_numpy(array[1]).view(2, 4).detach(),
    ],
)
def test_whatever_is_made_of_an_array_keeps_its_memory(derive: Callable[[Array], object]) -> None:
    buffers = Buffers()
    array = buffers.array((4, 8), "uint8")
    address = array.ctypes.data
    kept = derive(array)
    del array
    gc.collect()
    assert buffers.array((4, 8), "uint8").ctypes.data != address
    del kept
    others = [buffers.array((4, 8), "uint8") for _ in range(2)]
    assert address in [other.ctypes.data for other in others]


def test_threads_never_get_the_same_memory_at_a_time() -> None:
    buffers, start = Buffers(), threading.Barrier(4)

    def fill(value: int) -> bool:
        start.wait()
        held = []
        for turn in range(300):
            array = buffers.array((64,), "uint8")
            array[...] = value
            held.append(array)
            if len(held) > turn % 3:
                held.pop(0)
            if not all((each == value).all() for each in held):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fill, range(4))) == [True] * 4
