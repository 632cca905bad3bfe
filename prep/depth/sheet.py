"""An elastic sheet that hangs from some pixels of a grid: each of the others is the weighted mean of its neighbours."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Mask

__all__ = ["Sheet", "hang_sheet"]

_Float = npt.NDArray[np.float32]

_SWEEPS: Final = 6  # over the finest grid
_COARSE_SWEEPS: Final = 18  # over each of the others, which together cost as much


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """What holds a sheet, and how stiff it is.

    Attributes:
        fixed_FHW: (F, H, W) float32 values of F sheets of the same kind; only those at `held_HW` count.
        held_HW: (H, W) bool, where the sheets are held; at least one pixel.
        across_HW: (H, W - 1) float32, at least 1: resistance between a pixel and the one to its right. A neighbour's
            weight is 1 / resistance.
        down_HW: (H - 1, W) likewise to the one below.
    """

    fixed_FHW: _Float
    held_HW: Mask
    across_HW: _Float
    down_HW: _Float


def hang_sheet(sheet: Sheet) -> _Float:
    """Return the (F, H, W) values that the sheets take, everywhere within the range of the held ones up to rounding.

    The equations are relaxed on grids of 2x2, 4x4, ... pixels first, from the one whose every cell holds a fixed value,
    and each result is where the next finer grid starts: so values cross wide holes in few steps.

    Source: Bornemann, Deuflhard: The cascadic multigrid method for elliptic problems. Numerische Mathematik 75, 1996.
    """
    sheets = [sheet]
    while not sheets[-1].held_HW.all():  # at the latest a single cell is
        sheets.append(_coarser(sheets[-1]))
    hanging_FHW = sheets.pop().fixed_FHW
    for each in reversed(sheets):
        hanging_FHW = _refined(each, hanging_FHW, _SWEEPS if each is sheet else _COARSE_SWEEPS)
    return hanging_FHW


def _coarser(sheet: Sheet) -> Sheet:
    """Merge cells two by two in both directions; the last ones of odd numbers stay narrow."""
    held_HW = sheet.held_HW.astype(np.float32)
    counts_HW = _pairs(_pairs(held_HW, 0), 1)
    sums_FHW = _pairs(_pairs(sheet.fixed_FHW * held_HW, 1), 2)
    means_FHW: _Float = np.divide(sums_FHW, np.maximum(counts_HW, 1))
    return Sheet(means_FHW, counts_HW > 0, _merged(sheet.across_HW), _merged(sheet.down_HW.T).T)


def _merged(across_HW: _Float) -> _Float:
    """Return the resistances between merged cells: three in a row add up, the two rows conduct side by side."""
    inside, between = across_HW[:, 0::2] / 2, across_HW[:, 1::2].copy()
    links = between.shape[1]
    between += inside[:, :links]
    between[:, : inside.shape[1] - 1] += inside[:, 1 : links + 1]
    merged: _Float = np.reciprocal(_pairs(np.reciprocal(between), 0))
    return merged


def _pairs(values: _Float, axis: int, combine: np.ufunc = np.add) -> _Float:
    """Combine the first and second, third and fourth, ... place along an axis; an odd last one stays alone."""
    places = np.moveaxis(values, axis, 0)
    combined = places[0::2].copy()
    alone = len(places) % 2
    whole = combined[: len(combined) - alone]
    combine(whole, places[1::2], out=whole)
    return np.moveaxis(combined, 0, axis)


def _refined(sheet: Sheet, coarser_FHW: _Float, sweeps: int) -> _Float:
    """Start from the values of merged cells and relax."""
    held_HW, fixed_FHW = sheet.held_HW, np.where(sheet.held_HW, sheet.fixed_FHW, 0)
    weights_4HW = np.zeros((4, *held_HW.shape), np.float32)  # of the neighbours to the left, right, above and below
    weights_4HW[1, :, :-1] = weights_4HW[0, :, 1:] = np.reciprocal(sheet.across_HW)
    weights_4HW[3, :-1] = weights_4HW[2, 1:] = np.reciprocal(sheet.down_HW)

    # A cell that an edge cuts has a value of neither side, of which relaxation would take long to get rid: in a first
    # mean that includes the cell itself it counts less.
    trust_HW = np.where(held_HW, np.float32(1), _trust(sheet))
    start_FHW = np.where(held_HW, fixed_FHW, _doubled(coarser_FHW, held_HW.shape))
    trusted = _padded(np.concatenate([start_FHW * trust_HW, trust_HW[None]]))
    sums = np.empty((len(fixed_FHW) + 1, *held_HW.shape), np.float32)
    _add_neighbours(weights_4HW, trusted, trusted[:, 1:-1, 1:-1], sums)

    weights_HW = (weights_4HW[0] + weights_4HW[1]) + (weights_4HW[2] + weights_4HW[3])
    weights_4HW *= np.divide(1, weights_HW, out=np.zeros_like(weights_HW), where=~held_HW)
    now = _padded(np.where(held_HW, fixed_FHW, sums[:-1] / sums[-1]))
    following = now.copy()
    for _ in range(sweeps):
        _add_neighbours(weights_4HW, now, fixed_FHW, following[:, 1:-1, 1:-1])
        now, following = following, now
    relaxed: _Float = now[:, 1:-1, 1:-1]
    return relaxed


def _trust(sheet: Sheet) -> _Float:
    """Return 1 / the largest resistance within the merged cell that a cell belongs to."""
    largest_HW = np.ones([(places + 1) // 2 for places in sheet.held_HW.shape], np.float32)
    across_HW = _pairs(sheet.across_HW[:, 0::2], 0, np.maximum)
    down_HW = _pairs(sheet.down_HW[0::2], 1, np.maximum)
    beside, above = largest_HW[:, : across_HW.shape[1]], largest_HW[: len(down_HW)]
    np.maximum(beside, across_HW, out=beside)
    np.maximum(above, down_HW, out=above)
    trust_HW: _Float = _doubled(np.reciprocal(largest_HW)[None], sheet.held_HW.shape)[0]
    return trust_HW


def _doubled(values_FHW: _Float, shape: tuple[int, ...]) -> _Float:
    height, width = shape
    doubled: _Float = values_FHW.repeat(2, axis=1)[:, :height].repeat(2, axis=2)[:, :, :width]
    return doubled


def _padded(values_FHW: _Float) -> _Float:
    return np.pad(values_FHW, ((0, 0), (1, 1), (1, 1)))


def _add_neighbours(weights_4HW: _Float, padded: _Float, base_FHW: _Float, sums_FHW: _Float) -> None:
    """Write the base plus the weighted sum of the four neighbours."""
    left, right, above, below = weights_4HW
    for values, base, sums in zip(padded, base_FHW, sums_FHW, strict=True):
        np.copyto(sums, base)
        cv2.accumulateProduct(left, values[1:-1, :-2], sums)
        cv2.accumulateProduct(right, values[1:-1, 2:], sums)
        cv2.accumulateProduct(above, values[:-2, 1:-1], sums)
        cv2.accumulateProduct(below, values[2:, 1:-1], sums)
