"""What one decoded file says of itself: its size and type, the classes of its labels, the range of its distances."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap, Color
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.packed_colors import pack_colors, unpack_colors
from segprep.datasets.sample import Array, Mask
from segprep.prep.inspection.number_signs import NumberSigns, read_signs

__all__ = [
    "BANDS",
    "DistanceFacts",
    "LabelFacts",
    "LabelValue",
    "PictureFacts",
    "count_labels",
    "describe",
    "measure_distances",
]

Counts = npt.NDArray[np.int64]

LabelValue = int | Color
"""What a pixel of a label file holds: an id or a colour."""

BANDS = 4
"""Labels are counted in so many bands of equal height: where a class lies tells more than how large it is."""

_MOST_KEPT = 256  # all ids of 8 bits; more values than that are mixtures of colours
_MOST_RANKED = 1 << 18  # percentiles of so many pixels are those of all to a few thousandths


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """The form of a picture as its file holds it.

    Attributes:
        width: In pixels.
        height: In pixels.
        channels: 1 for (H, W).
        dtype: For example "uint8".
    """

    width: int
    height: int
    channels: int
    dtype: str

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.width, self.height


@dataclass(frozen=True, slots=True, eq=False)
class LabelFacts:
    """What the pixels of a label are.

    Attributes:
        train_ids: (K,) of the classes that occur, in order.
        pixels_KB: (K, 4) int64 pixels of each, in four bands from the top to the bottom.
        ignored: Pixels that the class map ignores.
        unknown: (id or colour, pixels) outside the class map, the most frequent first; at most 256 of them.
        unknown_values: How many different ones there are.
        unknown_pixels: How many pixels hold them.
    """

    train_ids: tuple[int, ...]
    pixels_KB: Counts
    ignored: int
    unknown: tuple[tuple[LabelValue, int], ...] = ()
    unknown_values: int = 0
    unknown_pixels: int = 0


@dataclass(frozen=True, slots=True)
class DistanceFacts:
    """The range of a depth (metres) or disparity (pixels) image.

    Attributes:
        valid: Share of the pixels that are valid.
        far: Share of the pixels that are valid and infinitely far.
        percentiles: 1st, 50th and 99th of the finite values; None if there are none.
        constant: Whether all finite values are the same one.
        below_above: Median of the lowest third of the rows divided by that of the uppermost third; None if either has
            no finite value. The ground is near, so that depths have less than 1.
        signs: What the file's own numbers say of their code; None of those that are no 16-bit numbers.
    """

    valid: float
    far: float
    percentiles: tuple[float, float, float] | None
    constant: bool
    below_above: float | None = None
    signs: NumberSigns | None = None


def describe(picture: Array) -> PictureFacts:
    """Return the form of (H, W) or (H, W, C)."""
    channels = picture.shape[2] if picture.ndim == 3 else 1
    return PictureFacts(picture.shape[1], picture.shape[0], channels, picture.dtype.name)


def count_labels(raw: Array, class_map: ClassMap) -> LabelFacts:
    """Count the pixels of each class, and of each id or colour that the class map does not know.

    Args:
        raw: (H, W) ids, or (H, W, 3) uint8 colours.
        class_map: Says what they mean.
    """
    values, counts_NB = _histogram(raw)
    known = _is_known(values, class_map)
    pixels = np.zeros((IGNORE_ID + 1, BANDS), np.int64)
    if known.any():
        np.add.at(pixels, class_map.to_train_ids(values[known][None])[0], counts_NB[known])
    unknown: Counter[LabelValue] = Counter()
    for value, count in zip(values[~known].tolist(), counts_NB[~known].sum(axis=1).tolist(), strict=True):
        unknown[tuple(value) if raw.ndim == 3 else value // class_map.raw_id_divisor] += count
    in_order = sorted(unknown.items(), key=lambda entry: (-entry[1], entry[0]))
    present = np.flatnonzero(pixels[:IGNORE_ID].any(axis=1))
    return LabelFacts(
        train_ids=tuple(present.tolist()),
        pixels_KB=pixels[present],
        ignored=int(pixels[IGNORE_ID].sum()),
        unknown=tuple(in_order[:_MOST_KEPT]),
        unknown_values=len(in_order),
        unknown_pixels=sum(unknown.values()),
    )


def measure_distances(
    values_HW: Array, valid_HW: Mask | None, *, zero_is_far: bool, picture: Array | None = None
) -> DistanceFacts:
    """Measure a depth or disparity image.

    Args:
        values_HW: (H, W) metres or pixels, infinity where infinitely far.
        valid_HW: (H, W) bool, None for valid everywhere.
        zero_is_far: Whether 0 means infinitely far, as disparities do.
        picture: What the file holds, for its signs.
    """
    seen_HW = np.ones(values_HW.shape, np.bool_) if valid_HW is None else valid_HW
    far_HW = seen_HW & (np.isposinf(values_HW) | ((values_HW <= 0) if zero_is_far else np.False_))
    finite_HW = seen_HW & ~far_HW & ~np.isnan(values_HW)
    finite = values_HW[finite_HW]
    share = 1 / max(values_HW.size, 1)
    valid, far = float(seen_HW.sum()) * share, float(far_HW.sum()) * share
    signs = None if picture is None else read_signs(picture)
    if not finite.size:
        return DistanceFacts(valid, far, None, constant=True, signs=signs)
    low, median, high = np.percentile(_some(finite), [1, 50, 99]).tolist()
    third = values_HW.shape[0] // 3
    above, below = values_HW[:third][finite_HW[:third]], values_HW[-third:][finite_HW[-third:]]
    below_above = None
    if third and above.size and below.size:
        below_above = float(np.median(_some(below)) / max(np.median(_some(above)), np.finfo(np.float32).tiny))
    constant = bool(finite.min() == finite.max())
    return DistanceFacts(valid, far, (low, median, high), constant, below_above, signs)


def _some(values: Array) -> Array:
    return values[:: max(1, values.size // _MOST_RANKED)]


def _histogram(raw: Array) -> tuple[Array, Counts]:
    """Return the different values (N,) or (N, 3), and how many pixels of each band hold them (N, 4).

    Labels come in runs along their rows, so that few values have to be sorted.
    """
    flat: Array = (raw if raw.ndim == 2 else pack_colors(raw)).ravel()
    limits = np.arange(1, BANDS) * raw.shape[0] // BANDS * raw.shape[1]
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.unique(np.concatenate([[0], limits, changes]))
    lengths = np.diff(starts, append=flat.size)
    values, places = np.unique(flat[starts], return_inverse=True)
    counts_NB = np.zeros((values.size, BANDS), np.int64)
    np.add.at(counts_NB, (places, np.searchsorted(limits, starts, side="right")), lengths)
    if raw.ndim == 3:
        values = unpack_colors(values).astype(np.uint8)
    return values, counts_NB


def _is_known(values: Array, class_map: ClassMap) -> Mask:
    known: Mask
    if class_map.snap_distance:  # what is near no value is ignored
        return np.ones(len(values), np.bool_)
    if values.ndim == 1:
        ids = [i for c in class_map.classes for i in c.raw_ids] + list(class_map.ignored_raw_ids)
        known = np.isin(values // class_map.raw_id_divisor, ids)
        return known
    colors = {color for c in class_map.classes for color in c.raw_colors or (c.color,)} | {*class_map.ignored_colors}
    known = np.array([tuple(value) in colors for value in values.tolist()], np.bool_)
    return known
