"""The cells of source pixels that the pixels of a smaller picture cover."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Mask

__all__ = ["Axis", "CellGrid", "Taps", "grid", "take_grid"]

_Indices = npt.NDArray[np.intp]
_CHUNK_TAPS = 1 << 18  # bounds the memory for counting: 2 MiB of indices


@dataclass(frozen=True, slots=True)
class Axis:
    """Which source pixels each target pixel of an axis covers.

    Attributes:
        indices_Kt: (K, target) source indices. Targets that cover fewer than K pixels repeat their last one.
        weights_Kt: (K, target) whole numbers, proportional to the covered part; 0 for repetitions.
        total: The sum over K, which all target pixels share.
    """

    indices_Kt: _Indices
    weights_Kt: npt.NDArray[np.int64]
    total: int


@dataclass(frozen=True, slots=True)
class Taps:
    """Source pixels of M cells, K of each.

    Attributes:
        y: (M,) row of the cell.
        x: (M,) column of the cell.
        places_KM: (K, M) indices into the flattened source.
        weights_KM: (K, M) unsigned whole numbers: how much of the cell each covers; a cell's sum is `CellGrid.total`.
    """

    y: _Indices
    x: _Indices
    places_KM: _Indices
    weights_KM: Array


@dataclass(frozen=True, slots=True)
class CellGrid:
    """The cells of a target of at most the source's size along both axes."""

    rows: Axis
    columns: Axis
    source_width: int

    @property
    def total(self) -> int:
        """The weight of a whole cell."""
        return self.rows.total * self.columns.total

    def extremes(self, ids_HW: Array) -> tuple[Array, Array]:
        """Return the smallest and the largest id of each cell: where they are equal the cell holds one id only."""
        low_Wh, high_Wh = (cv2.transpose(e) for e in _extremes(ids_HW, ids_HW, self.rows.indices_Kt))
        low_wh, high_wh = _extremes(low_Wh, high_Wh, self.columns.indices_Kt)
        return cv2.transpose(low_wh), cv2.transpose(high_wh)

    def taps(self, wanted_hw: Mask) -> Iterator[Taps]:
        """Yield the source pixels of the wanted cells, in portions of bounded memory."""
        height_per_cell, width_per_cell = len(self.rows.indices_Kt), len(self.columns.indices_Kt)
        step = max(_CHUNK_TAPS // (height_per_cell * width_per_cell), 1)
        row_offsets_Kt = self.rows.indices_Kt * self.source_width
        # Cells are counted in the smallest type that holds their weight: a byte for most whole factors.
        dtype = np.min_scalar_type(self.total)
        row_weights_Kt, column_weights_Kt = (a.weights_Kt.astype(dtype) for a in (self.rows, self.columns))
        wanted = np.flatnonzero(wanted_hw)
        for start in range(0, wanted.size, step):
            y, x = np.divmod(wanted[start : start + step], wanted_hw.shape[1])
            # np.take, because indexing with [:, y] would lay the result out cell by cell, which makes sums slow.
            places = row_offsets_Kt.take(y, axis=1)[:, None] + self.columns.indices_Kt.take(x, axis=1)
            weights = row_weights_Kt.take(y, axis=1)[:, None] * column_weights_Kt.take(x, axis=1)
            yield Taps(y, x, places.reshape(-1, y.size), weights.reshape(-1, y.size))


def grid(source: tuple[int, int], target: tuple[int, int]) -> CellGrid:
    """Return the cells of a target (width, height) that is nowhere larger than its source (width, height)."""
    return CellGrid(_axis(source[1], target[1]), _axis(source[0], target[0]), source[0])


def take_grid(array_HW: Array, rows: _Indices, columns: _Indices) -> Array:
    """Return the pixels at the crossings of these rows and columns, as a new contiguous array."""
    picked_hW = array_HW[_places(rows)]
    places = _places(columns)
    return picked_hW[:, places].copy() if isinstance(places, slice) else picked_hW.take(places, axis=1)


def _axis(source: int, target: int) -> Axis:
    # In units of 1/target of a source pixel all borders are whole numbers; their common divisor keeps weights small.
    unit = gcd(source, target)
    width, per_pixel = source // unit, target // unit
    starts = np.arange(target, dtype=np.int64) * width
    first = starts // per_pixel
    last = (starts + width - 1) // per_pixel
    indices_Kt = first + np.arange(int((last - first).max()) + 1)[:, None]
    low = np.maximum(indices_Kt * per_pixel, starts)
    high = np.minimum((indices_Kt + 1) * per_pixel, starts + width)
    return Axis(np.minimum(indices_Kt, last).astype(np.intp), np.maximum(high - low, 0), width)


def _extremes(lows_HW: Array, highs_HW: Array, indices_Kt: _Indices) -> tuple[Array, Array]:
    """Return the smallest of `lows` and the largest of `highs` over the rows that each target row covers."""
    places = _places(indices_Kt[0])
    low, high = lows_HW[places].copy(), highs_HW[places].copy()
    for indices in indices_Kt[1:]:
        places = _places(indices)
        np.minimum(low, lows_HW[places], out=low)
        np.maximum(high, highs_HW[places], out=high)
    return low, high


def _places(indices: _Indices) -> slice | _Indices:
    """Return evenly spaced indices, which whole factors give, as a slice: it needs no copy."""
    step = int(indices[1] - indices[0]) if indices.size > 1 else 1
    return slice(int(indices[0]), int(indices[-1]) + 1, step) if step and (np.diff(indices) == step).all() else indices
