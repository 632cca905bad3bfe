"""Exact integer sums over the stored values of a column: they add up over shards in any order."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import json_of, of_json
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = [
    "FarPixels",
    "LabelStatistics",
    "Statistics",
    "ValueStatistics",
    "far_count",
    "id_counts",
    "statistics_from_json",
    "sum_of",
]

_EXACT: Final = 2**18  # squares of so many values sum up to 2^50, which a double holds with two digits to spare
_COUNTED: Final = 2**24  # as OpenCV counts in single precision


@dataclass(frozen=True, slots=True)
class FarPixels:
    """The valid pixels of a column that are infinitely far.

    Attributes:
        number: What is stored for them.
        pixels: How many there are.
    """

    number: int
    pixels: int


@dataclass(frozen=True, slots=True)
class ValueStatistics:
    """Sums over the valid pixels of a column, in stored codes (before `code_scale` and `code_offset`).

    Attributes:
        count: Number of valid pixels, infinitely far ones among them.
        sums: Sum per channel.
        square_sums: Sum of squares per channel.
        far: What of all this is infinitely far, and enters neither `mean` nor `std`. None where the code has no number
            for that, and in stores whose writer did not count it: see `store_statistics`.
    """

    count: int
    sums: tuple[int, ...]
    square_sums: tuple[int, ...]
    far: FarPixels | None = None

    @property
    def finite(self) -> int:
        """Number of valid pixels that are not infinitely far."""
        return self.count - (self.far.pixels if self.far else 0)

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean per channel of the finite values; NaN without any."""
        n = self.finite
        return tuple(total / n if n else math.nan for total, _ in self._finite_sums())

    @property
    def std(self) -> tuple[float, ...]:
        """Population standard deviation per channel of the finite values; NaN without any. Values 1, 3 give 1."""
        n = self.finite
        return tuple(
            math.sqrt(n * squares - total * total) / n if n else math.nan for total, squares in self._finite_sums()
        )

    def with_far(self, far: FarPixels) -> "ValueStatistics":
        """Return the same sums, of which is known how many pixels are infinitely far."""
        return replace(self, far=far)

    def __add__(self, other: "ValueStatistics") -> "ValueStatistics":
        far = None
        if self.far is not None and other.far is not None:
            far = FarPixels(self.far.number, self.far.pixels + other.far.pixels)
        return ValueStatistics(
            self.count + other.count,
            _added(self.sums, other.sums),
            _added(self.square_sums, other.square_sums),
            far,
        )

    def to_json(self) -> JsonDict:
        """Return plain values. The sums are those of all valid pixels, as in stores that say nothing of far ones."""
        plain = {"count": self.count, "sum": list(self.sums), "sum_squares": list(self.square_sums)}
        return plain if self.far is None else plain | {"far": json_of(self.far)}

    @classmethod
    def of(cls, stored_NHWC: Array, valid_NHW: Mask | None, far: int | None = None) -> "ValueStatistics":
        """Measure a block of integers of at most 16 bits.

        Args:
            stored_NHWC: (N, H, W) or (N, H, W, C).
            valid_NHW: Without a mask all is valid.
            far: The number of infinitely far, for (N, H, W).
        """
        channels = stored_NHWC.shape[3] if stored_NHWC.ndim == 4 else 1
        count, sums, square_sums, far_pixels = 0, [0] * channels, [0] * channels, 0
        for sample, stored in enumerate(stored_NHWC):  # one at a time: it fits the processor's cache
            marks_HW = None if valid_NHW is None else valid_NHW[sample].view(np.uint8)
            count += stored.size // channels if marks_HW is None else int(np.count_nonzero(marks_HW))
            for c, plane_HW in enumerate(cv2.split(np.ascontiguousarray(stored))):
                values = plane_HW if marks_HW is None else cv2.copyTo(plane_HW, marks_HW)
                total, squares = _exact_sums(values.ravel())
                sums[c] += total
                square_sums[c] += squares
            if far is not None:
                far_pixels += far_count(stored, None if valid_NHW is None else valid_NHW[sample], far)
        return cls(count, tuple(sums), tuple(square_sums), None if far is None else FarPixels(far, far_pixels))

    def _finite_sums(self) -> list[tuple[int, int]]:
        """Return sum and sum of squares of the finite values, per channel."""
        number, pixels = (self.far.number, self.far.pixels) if self.far else (0, 0)
        return [
            (total - pixels * number, squares - pixels * number**2)
            for total, squares in zip(self.sums, self.square_sums, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class LabelStatistics:
    """Pixel counts of a label column.

    Attributes:
        pixels: Number of pixels per train id.
        present: Number of samples in which the class has at least one pixel.
        labelled_where_present: Sum of the labelled (not ignored) pixels of those samples; median-frequency weights need
            it: freq(c) = pixels / labelled_where_present.
        ignored: Number of pixels with 255.
    """

    pixels: tuple[int, ...]
    present: tuple[int, ...]
    labelled_where_present: tuple[int, ...]
    ignored: int

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each class in the labelled pixels; NaN where nothing is labelled."""
        labelled = sum(self.pixels)
        return tuple(p / labelled if labelled else math.nan for p in self.pixels)

    @property
    def median_frequency_weights(self) -> tuple[float, ...]:
        """Weight per class: median(freq) / freq; 0 for a class without a pixel, which no median counts.

        freq(c) is the share of c in the labelled pixels of the samples that show c. Source: Eigen, Fergus: Predicting
        depth, surface normals and semantic labels with a common multi-scale convolutional architecture. ICCV 2015.
        Frequencies .5, .25 and .125 give weights .5, 1 and 2.
        """
        freqs = [p / n if n else 0.0 for p, n in zip(self.pixels, self.labelled_where_present, strict=True)]
        seen = [f for f in freqs if f]
        median = statistics.median(seen) if seen else 0.0
        return tuple(median / f if f else 0.0 for f in freqs)

    @property
    def enet_weights(self) -> tuple[float, ...]:
        """Weight per class: 1 / ln(1.02 + share); 0 for a class without a pixel.

        Source: Paszke, Chaurasia, Kim, Culurciello: ENet. arXiv 1606.02147. Shares .5 and .01 give 2.39 and 33.8.
        """
        return tuple(1 / math.log(1.02 + share) if share > 0 else 0.0 for share in self.shares)

    @property
    def inverse_weights(self) -> tuple[float, ...]:
        """Weight per class: 1 / (share * number of classes with a pixel); 0 for a class without a pixel.

        The mean weight over the labelled pixels is 1. Shares .5, .25 and .25 give weights .667, 1.33 and 1.33.
        """
        seen = sum(p > 0 for p in self.pixels)
        return tuple(1 / (share * seen) if share > 0 else 0.0 for share in self.shares)

    def __add__(self, other: "LabelStatistics") -> "LabelStatistics":
        return LabelStatistics(
            _added(self.pixels, other.pixels),
            _added(self.present, other.present),
            _added(self.labelled_where_present, other.labelled_where_present),
            self.ignored + other.ignored,
        )

    def to_json(self) -> JsonDict:
        """Return plain values."""
        return json_of(self)

    @classmethod
    def of(cls, counts_N256: npt.NDArray[np.int64], classes: int) -> "LabelStatistics":
        """Sum up the (N, 256) pixel counts per sample and id."""
        counts_NC = counts_N256[:, :classes]
        present_NC = counts_NC > 0
        labelled = np.where(present_NC, counts_NC.sum(1, keepdims=True), 0)
        return cls(
            tuple(counts_NC.sum(0).tolist()),
            tuple(present_NC.sum(0).tolist()),
            tuple(labelled.sum(0).tolist()),
            int(counts_N256[:, IGNORE_ID].sum()),
        )


def far_count(stored_HW: Array, valid_HW: Mask | None, far: int) -> int:
    """Return how many valid pixels of a sample hold the number of infinitely far."""
    beyond = np.equal(stored_HW, far)
    return int(np.count_nonzero(beyond if valid_HW is None else beyond & valid_HW))


def id_counts(label_HW: Array) -> npt.NDArray[np.int64]:
    """Return the number of pixels of each id, (256,), given ids of 8 bits."""
    ids = np.ascontiguousarray(label_HW).ravel()
    parts = [ids[start : start + _COUNTED] for start in range(0, len(ids), _COUNTED)]
    counts_M256 = [cv2.calcHist([part], [0], None, [256], [0, 256]).ravel().astype(np.int64) for part in parts]
    counts_256: npt.NDArray[np.int64] = np.sum(counts_M256, axis=0, dtype=np.int64)
    return counts_256


Statistics = ValueStatistics | LabelStatistics


def sum_of(first: Statistics, second: Statistics) -> Statistics:
    """Return the statistics of two parts of a column.

    Raises:
        ConfigurationError: If they are not of the same sort.
    """
    if isinstance(first, LabelStatistics) and isinstance(second, LabelStatistics):
        return first + second
    if isinstance(first, ValueStatistics) and isinstance(second, ValueStatistics):
        return first + second
    raise ConfigurationError("the reports of the shards are not of one plan: their statistics differ in sort")


def statistics_from_json(data: Mapping[str, Any]) -> Statistics:
    """Build statistics from what `to_json` of either class returned."""
    if "pixels" in data:
        return of_json(LabelStatistics, data)
    far = of_json(FarPixels, data["far"]) if "far" in data else None
    return ValueStatistics(data["count"], tuple(data["sum"]), tuple(data["sum_squares"]), far)


def _exact_sums(values: Array) -> tuple[int, int]:
    """Return the sum and the sum of squares of integers of at most 16 bits, (N,): 20 times as fast as in 64 bits."""
    total = squares = 0
    for start in range(0, len(values), _EXACT):
        part = values[start : start + _EXACT]
        if part.dtype.kind == "i":  # OpenCV's sum of the least 16-bit number overflows
            part = part.astype(np.float64)
        total += round(cv2.sumElems(part)[0])
        squares += round(cv2.norm(part, cv2.NORM_L2SQR))  # some builds square the root again
    return total, squares


def _added(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))
