"""What a file of another framework holds: numbers by name."""

import math
import mmap
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.sample import Array
from segprep.datasets.source_files import open_file

__all__ = ["FLOATS", "MAX_VALUES", "ForeignTensors", "as_array", "checked_shape", "is_of_training", "mapped_file"]

FLOATS: Final[Mapping[int, str]] = {1: "<f4", 2: "<f8", 19: "<f2"}
"""NumPy's names of TensorFlow's DataType (types.proto) that weights have."""

MAX_VALUES: Final = 2**29
"""Of one tensor; VGG16's largest has 1.03e8."""

_MAX_DIMENSIONS: Final = 16
_COUNTERS: Final = ("global_step", "beta1_power", "beta2_power")
_SLOTS: Final = ("adam", "adam_1", "momentum", "rmsprop", "rmsprop_1", "adagrad", "exponentialmovingaverage")


@dataclass(frozen=True, slots=True)
class ForeignTensors:
    """The weights of a file.

    Attributes:
        arrays: By name, little-endian numbers of 16, 32 or 64 bits.
        of_training: How many further entries only training needs: slots of the optimizer, counters.
    """

    arrays: Mapping[str, Array]
    of_training: int


def is_of_training(name: str) -> bool:
    """Whether a variable is one of TensorFlow's optimizers, or counts steps."""
    last = name.removesuffix(":0").rpartition("/")[2].lower()
    return last in _COUNTERS or last in _SLOTS


def checked_shape(shape: Sequence[Any]) -> tuple[int, ...]:
    """Return a shape that a file promises.

    Raises:
        ValueError: If no tensor of weights can have it.
    """
    sizes = tuple(int(size) for size in shape)
    if len(sizes) > _MAX_DIMENSIONS or min(sizes, default=0) < 0 or math.prod(sizes) > MAX_VALUES:
        raise ValueError(f"a tensor of shape {str(list(sizes))[:80]} is none of a network that is read")
    return sizes


def mapped_file(path: Path) -> memoryview:
    """Return the bytes of a regular file, which are read when they are looked at.

    Raises:
        OSError: If it cannot be read.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def as_array(data: bytes | memoryview, dtype: str, shape: tuple[int, ...]) -> Array:
    """Return bytes as numbers of this shape.

    Raises:
        ValueError: If they are not as many.
    """
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != expected:
        raise ValueError(f"a tensor of shape {list(shape)} needs {expected} bytes, and has {len(data)}")
    values: Array = np.frombuffer(data, dtype).reshape(shape)
    return values
