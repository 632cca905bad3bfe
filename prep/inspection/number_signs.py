"""What the whole numbers of a depth file say of their own code: order of bits, common divisor, steps of the sensor."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Mask

__all__ = ["ORDERS", "NumberSigns", "read_signs"]

Numbers = npt.NDArray[np.uint16]
Counts = npt.NDArray[np.int64]

ORDERS: Final = ("plain", "rotated", "swapped")
"""In which order the 16 bits may stand: as they are, rotated to the left by three (SUN RGB-D), bytes swapped."""

_MULTIPLES: Final = (10, 5)
_NEARLY_ALL: Final = 0.99
_FEWEST_VALUES: Final = 30
_LEAST_STEP: Final = 3  # smaller steps are lost in the rounding
_MOST_SPREAD: Final = 1.35  # of the steps about the law, and of the law between near and far
_KINECT_NONE: Final = 2047
_OFTEN: Final = 0.01
_MOST_ROWS: Final = 256
_MAX: Final = 65535


@dataclass(frozen=True, slots=True)
class NumberSigns:
    """Signs in a file of 16-bit numbers.

    Attributes:
        multiple: The largest of 10 and 5 that nearly all numbers are multiples of; else 1.
        low_bits: Whether the lowest three bits are 0 or 1 nearly everywhere, as those of SUN RGB-D's rotated numbers.
        eleven_bits: Whether the largest number is 2047 and frequent, as in raw disparities of the first Kinect.
        roughness: How much neighbours differ, as a share of the mean, for each of `ORDERS`; a right reading has some
            thousandths.
        square_step: a where the step from one number n to the next is a n^2, as from sensors that measure disparity
            in steps (structured light); None where the steps do not follow that law.
    """

    multiple: int
    low_bits: bool
    eleven_bits: bool
    roughness: tuple[float, float, float]
    square_step: float | None


def read_signs(picture: Array) -> NumberSigns | None:
    """Return the signs of a depth file; None if it holds no 16-bit numbers, or too few different ones.

    Args:
        picture: (H, W) or (H, W, C), of which the first channel counts, as the file holds it.
    """
    if picture.dtype != np.uint16:
        return None
    numbers_HW: Numbers = np.ascontiguousarray(picture[..., 0] if picture.ndim == 3 else picture)
    counts = np.bincount(numbers_HW.ravel(), minlength=_MAX + 1)
    counts[[0, _MAX]] = 0
    values = np.flatnonzero(counts)
    if values.size < _FEWEST_VALUES:
        return None
    counts = counts[values]

    def nearly_all(are: Mask) -> bool:
        return bool(counts[are].sum() >= _NEARLY_ALL * counts.sum())

    rows_HW: Numbers = numbers_HW[:: max(1, numbers_HW.shape[0] // _MOST_ROWS)]
    rotated_HW = ((rows_HW >> 3) | (rows_HW << 13)).astype(np.uint16)
    plain, rotated, swapped = (_roughness(each) for each in (rows_HW, rotated_HW, rows_HW.byteswap()))
    return NumberSigns(
        next((m for m in _MULTIPLES if nearly_all(values % m == 0)), 1),
        nearly_all((values & 7) <= 1),
        bool(values[-1] == _KINECT_NONE and counts[-1] > _OFTEN * counts.sum()),
        (plain, rotated, swapped),
        _square_step(values, counts),
    )


def _roughness(numbers_HW: Numbers) -> float:
    left, right = numbers_HW[:, :-1].astype(np.int32), numbers_HW[:, 1:].astype(np.int32)
    both = (left > 0) & (right > 0)
    if not both.any():
        return 0.0
    return float(np.abs(left - right)[both].mean() / left[both].mean())


def _square_step(values: Counts, counts: Counts) -> float | None:
    """Return a of the law step = a n^2, fitted in the nearer and the farther half of the pixels, which must agree.

    Disparity d in steps of e gives depth z = f b / d in steps of e z^2 / (f b).
    """
    up_to = np.cumsum(counts) / counts.sum()
    low, middle, high = values[np.searchsorted(up_to, (0.02, 0.5, 0.98))].tolist()
    steps, centres = np.diff(values), (values[1:] + values[:-1]) / 2
    found = []
    for start, end in ((low, middle), (middle, high)):
        within = (centres > start) & (centres <= end)
        if np.count_nonzero(within) < _FEWEST_VALUES // 3 or np.median(steps[within]) < _LEAST_STEP:
            return None
        first, median, last = np.percentile(steps[within] / centres[within] ** 2, [20, 50, 80]).tolist()
        if last > _MOST_SPREAD * first:
            return None
        found.append(median)
    return float(np.mean(found)) if max(found) < _MOST_SPREAD * min(found) else None
