"""PARIS's `soft_resize_labels`, pixel for pixel, without its volume of one plane per label.

PARIS makes a float64 plane of zeros and ones for each label but void, resizes all planes linearly, takes the largest
and puts void where it stays below a threshold. OpenCV's linear resize looks at two by two source pixels only, so here
only these are weighed, with OpenCV's coordinates, weights and order of operations.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Mask
from segprep.prep.labels.cells import take_grid
from segprep.prep.labels.method import LabelMethod
from segprep.prep.labels.vote import majority

__all__ = ["paris", "paris_instances"]

_Indices = npt.NDArray[np.intp]
_Weights = npt.NDArray[np.float64]

_CHUNK_PIXELS = 1 << 15  # bounds the memory for weighing


@dataclass(frozen=True, slots=True)
class _Taps:
    """Which four source pixels a target pixel lies between, and how much each counts.

    Attributes:
        rows_2h: (2, h) source rows above and below each target row.
        columns_2w: (2, w) source columns left and right of each target column.
        row_weights_2h: Their weights.
        column_weights_2w: Their weights.
    """

    rows_2h: _Indices
    columns_2w: _Indices
    row_weights_2h: _Weights
    column_weights_2w: _Weights

    def of(self, ids_HW: Array) -> Array:
        """Return (4, h, w): the pixels upper left, upper right, lower left, lower right of each target pixel."""
        return np.stack([take_grid(ids_HW, row, column) for row in self.rows_2h for column in self.columns_2w])

    def sums(self, held_4M: Mask, y: _Indices, x: _Indices) -> _Weights:
        """Return the linear interpolation (M,) of a plane that is one at the pixels that `held` marks, else zero."""
        left, right = self.column_weights_2w.take(x, axis=1)
        above, below = self.row_weights_2h.take(y, axis=1)
        upper, lower = held_4M[0] * left + held_4M[1] * right, held_4M[2] * left + held_4M[3] * right
        value: _Weights = upper * above + lower * below
        return value

    def unreached(self, threshold: float) -> Mask | bool:
        """Return where not even four pixels that agree reach the threshold, since rounded weights may miss 1."""
        both, (above, below) = self.column_weights_2w.sum(axis=0), self.row_weights_2h[..., None]
        lowest = (both.min() * above + both.min() * below).min()
        return bool(lowest < threshold) and both * above + both * below < threshold

    def weights(self, y: _Indices, x: _Indices) -> _Weights:
        """Return the weights (4, M) of the single pixels."""
        rows, columns = self.row_weights_2h.take(y, axis=1), self.column_weights_2w.take(x, axis=1)
        return (rows[:, None] * columns).reshape(4, -1)


def paris(ids_HW: Array, size: tuple[int, int], method: LabelMethod) -> Array:
    """Resize labels as PARIS does.

    Args:
        ids_HW: (H, W) uint8 or uint16.
        size: (width, height) of the result.
        method: Threshold, and the id that is no competitor.

    Returns:
        (height, width) of the same type. Of equally heavy labels, which no threshold above 0.5 lets pass, the smallest
        wins; PARIS takes the first in the order of a Python set. Where OpenCV lets Intel's IPP resize, which it does
        for 1, 3 or 4 labels, shares may differ by up to about 1e-4 at sizes without a whole factor.
    """
    taps = _taps(ids_HW, size)
    ids_4hw = taps.of(ids_HW)
    winners_hw: Array = ids_4hw[0].copy()
    open_hw = ~_agree(ids_4hw) | taps.unreached(method.threshold)
    unclaimed_id = method.void
    if not method.threshold:
        # Where nothing but void is looked at all planes are zero, and the first of them wins.
        open_hw |= winners_hw == method.void
        unclaimed_id = min((i for i in np.unique(ids_HW) if i != method.void), default=method.void)
    for places, y, x in _chunks(open_hw):
        ids_4M = ids_4hw.reshape(4, -1).take(places, axis=1)
        shares_4M = np.stack([taps.sums((ids_4M == id_) & (id_ != method.void), y, x) for id_ in ids_4M])
        share_M = shares_4M.max(axis=0)
        winners_M = np.where(shares_4M == share_M, ids_4M, np.iinfo(ids_4M.dtype).max).min(axis=0)
        winners_M[share_M < method.threshold] = method.void
        winners_M[share_M == 0] = unclaimed_id
        winners_hw[y, x] = winners_M
    return winners_hw


def paris_instances(instances_HW: Array, labels_HW: Array, winners_hw: Array) -> Array:
    """Return, for each target pixel, the heaviest instance of the pixels that `paris` looked at and that won.

    Args:
        instances_HW: (H, W) uint8 or uint16, 0 for none.
        labels_HW: (H, W) what `paris` resized.
        winners_hw: (h, w) what it returned.

    Returns:
        (h, w) of the instances' type: of equally heavy instances the smallest, 0 where no pixel holds the winner.
    """
    taps = _taps(labels_HW, (winners_hw.shape[1], winners_hw.shape[0]))
    instances_4hw, labels_4hw = taps.of(instances_HW), taps.of(labels_HW)
    result_hw: Array = instances_4hw[0].copy()
    settled_hw = _agree(instances_4hw) & (labels_4hw[0] == winners_hw)
    for places, y, x in _chunks(~settled_hw):
        instances_4M, labels_4M = (a.reshape(4, -1).take(places, axis=1) for a in (instances_4hw, labels_4hw))
        weights_4M = taps.weights(y, x) * (labels_4M == winners_hw[y, x])
        result_M, weight_M = majority(instances_4M, weights_4M, instances_4M.min(axis=0))
        result_M[weight_M == 0] = 0
        result_hw[y, x] = result_M
    return result_hw


def _agree(ids_4hw: Array) -> Mask:
    first, second, third, fourth = ids_4hw
    agree: Mask = (first == second) & (third == fourth) & (first == third)
    return agree


def _chunks(wanted_hw: Mask) -> Iterator[tuple[_Indices, _Indices, _Indices]]:
    """Yield where the mask is set: flat index, row and column."""
    wanted = np.flatnonzero(wanted_hw)
    for start in range(0, wanted.size, _CHUNK_PIXELS):
        places = wanted[start : start + _CHUNK_PIXELS]
        y, x = np.divmod(places, wanted_hw.shape[1])
        yield places, y, x


def _taps(ids_HW: Array, size: tuple[int, int]) -> _Taps:
    (height, width), (to_width, to_height) = ids_HW.shape, size
    top, row_share = _places(height, to_height)
    left, column_share = _places(width, to_width)
    # OpenCV repeats border rows with their weights, but gives all weight to the one border column.
    column_share[(left < 0) | (left >= width - 1)] = 0
    return _Taps(
        np.stack([top, top + 1]).clip(0, height - 1),
        np.stack([left, left + 1]).clip(0, width - 1),
        _weights(row_share),
        _weights(column_share),
    )


def _places(source: int, target: int) -> tuple[_Indices, npt.NDArray[np.float32]]:
    """Return the source index before each target centre and how far beyond it the centre lies, in OpenCV's floats."""
    scale = 1 / (target / source)  # OpenCV inverts the ratio that it has computed: not always source / target
    centres = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    before = np.floor(centres)
    return before.astype(np.intp), centres - before


def _weights(share_n: npt.NDArray[np.float32]) -> _Weights:
    return np.stack([np.float32(1) - share_n, share_n]).astype(np.float64)
