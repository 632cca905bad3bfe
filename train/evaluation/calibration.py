"""Whether the network is as sure as it is right: the expected calibration error."""

from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, JsonDict

__all__ = ["CALIBRATION_BINS", "Calibration"]

CALIBRATION_BINS: Final = 15


class Calibration:
    """Valid pixels by the probability of the class that was predicted, in 15 bins of equal width.

    Bin b holds probabilities from b / 15 to below (b + 1) / 15; the last one holds 1, too. The error is the mean over
    all pixels of |share that is right - mean probability| of their bins.

    Source: Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks. ICML 2017, equation 3.

    Attributes:
        pixels: (15,) int64.
        right: (15,) int64, how many of them are predicted right.
        confidence: (15,) float64, sums of their probabilities.
    """

    def __init__(self) -> None:
        self.pixels: npt.NDArray[np.int64] = np.zeros(CALIBRATION_BINS, np.int64)
        self.right: npt.NDArray[np.int64] = np.zeros(CALIBRATION_BINS, np.int64)
        self.confidence: npt.NDArray[np.float64] = np.zeros(CALIBRATION_BINS)

    def update(self, prediction_HW: Array, label_HW: Array, confidence_HW: npt.NDArray[np.float32]) -> None:
        """Count one picture: train ids, 255 = void in the label, and the probability of what is predicted."""
        counted = label_HW != IGNORE_ID
        sure = confidence_HW[counted].astype(np.float64)
        bins = np.minimum((sure * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        right = bins[prediction_HW[counted] == label_HW[counted]]
        self.pixels += np.bincount(bins, minlength=CALIBRATION_BINS)
        self.right += np.bincount(right, minlength=CALIBRATION_BINS)
        self.confidence += np.bincount(bins, sure, minlength=CALIBRATION_BINS)

    def error(self) -> float:
        """Return the expected calibration error, 0 to 1; NaN without any valid pixel."""
        if not self.pixels.sum():
            return float("nan")
        return float(np.abs(self.right - self.confidence).sum() / self.pixels.sum())

    def to_json(self) -> list[JsonDict]:
        """Return the bins that hold pixels: from where on, pixels, share that is right, mean probability."""
        return [
            {
                "from": b / CALIBRATION_BINS,
                "pixels": int(self.pixels[b]),
                "right": float(self.right[b] / self.pixels[b]),
                "confidence": float(self.confidence[b] / self.pixels[b]),
            }
            for b in range(CALIBRATION_BINS)
            if self.pixels[b]
        ]
