"""What a shard store needs of the arrays behind it, wherever they lie and whoever wrote them."""

from collections.abc import Sequence
from typing import Protocol

from segprep.datasets.sample import Array

__all__ = ["Corner", "StoreArrays", "UnreadableRowsError"]

Corner = tuple[int, int]
"""(y, x) in pixels."""


class UnreadableRowsError(Exception):
    """Rows of an array that cannot be read. Never leaves the store, which says of which samples it speaks.

    Attributes:
        where: What is damaged, for example "shard file image/c.3.0.0.0".
        reason: What is wrong with it.
        array: Name of the array.
        rows: Of this array, what cannot be read.
    """

    def __init__(self, where: str, reason: str, array: str, rows: range) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason
        self.array = array
        self.rows = rows


class StoreArrays(Protocol):
    """Reads arrays by name. May be used by several threads, and by a forked process."""

    def check(self) -> None:
        """Check what is cheap to check: that everything is there and of the right size.

        Raises:
            DamagedStoreError: If metadata are missing or wrong.
            UnreadableRowsError: If samples are.
        """

    def replaced(self) -> bool:
        """Return whether another store is known to have been written in place of the one that was opened."""

    def read(self, name: str, row: int) -> Array:
        """Return a sample of a column in memory of its own.

        Raises:
            UnreadableRowsError: If it is missing or damaged.
        """

    def fill(self, name: str, rows: Sequence[int], out: Array, corners: Sequence[Corner] | None) -> None:
        """Write samples of a column into `out`.

        Args:
            name: Of the array.
            rows: Which samples, in any order.
            out: (N, h, w[, C]) of the array's dtype; written to.
            corners: Where a window of h x w pixels begins, one per row; None for whole samples.

        Raises:
            UnreadableRowsError: If a sample is missing or damaged.
        """

    def rows(self, name: str) -> Array:
        """Return an array of one small value per sample, whole.

        Raises:
            UnreadableRowsError: If a part of it is missing or damaged.
        """

    def rows_near(self, name: str, row: int) -> tuple[Array, int]:
        """Return the part of such an array that is read together with a row, and the row's place in it.

        Raises:
            UnreadableRowsError: If this part is missing or damaged.
        """
