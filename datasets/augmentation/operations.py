"""What the rule of `follow` needs and NumPy and torch do not spell alike."""

from typing import Final, Protocol, TypeVar

import cv2
import numpy as np

from segprep.datasets.sample import Array

__all__ = ["NUMPY", "NumpyOperations", "Operations"]

ArrayT = TypeVar("ArrayT")
NumberT = TypeVar("NumberT", contravariant=True)


class Operations(Protocol[ArrayT, NumberT]):
    """Operations on arrays or tensors of floating numbers, (..., H, W).

    Maps are made of numbers: Python's where all arrays have one map, else small arrays that broadcast.
    """

    def mixed(self, x: ArrayT, a: NumberT, y: ArrayT, b: NumberT) -> ArrayT:
        """Return a x + b y, a new array."""

    def root(self, values: ArrayT) -> ArrayT:
        """Return the square root."""

    def at_least(self, values: ArrayT, low: float) -> ArrayT:
        """Raise smaller values to `low`, in place, and return them."""

    def put(self, values: ArrayT, where: ArrayT, value: float) -> None:
        """Set the values where a mask holds, in place."""

    def arange(self, count: int) -> ArrayT:
        """Return 0 to count - 1 in single precision."""


class NumpyOperations:
    """`Operations` on NumPy's arrays of single or double precision."""

    def mixed(self, x: Array, a: float, y: Array, b: float) -> Array:
        """See `Operations.mixed`."""
        return np.asarray(cv2.addWeighted(x, a, y, b, 0))  # two products and a sum at once: three times as fast

    def root(self, values: Array) -> Array:
        """See `Operations.root`."""
        return np.asarray(np.sqrt(values))

    def at_least(self, values: Array, low: float) -> Array:
        """See `Operations.at_least`."""
        return np.asarray(np.maximum(values, low, out=values))

    def put(self, values: Array, where: Array, value: float) -> None:
        """See `Operations.put`."""
        np.copyto(values, value, where=where)

    def arange(self, count: int) -> Array:
        """See `Operations.arange`."""
        return np.arange(count, dtype=np.float32)


NUMPY: Final = NumpyOperations()
