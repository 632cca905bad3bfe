"""Fitting a model to flow that is wrong, or moves by itself, in places: Gauss-Newton with Tukey's weights.

Nothing is drawn at random: the same arrays give the same result.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Mask, Matrix

__all__ = ["Fit", "Model", "Noise", "fit", "spread_sample"]

_TUKEY: Final = 3.0  # not the usual 4.685: flow is wrong to one side at edges, and what is nearly right biases most
_QUANTILE: Final = 1 / 3
_PER_SIGMA: Final = math.sqrt(-2 * math.log(1 - _QUANTILE))  # that quantile of the lengths of Gaussian vectors: 0.90
_MIN_SCALE: Final = 0.25  # standard deviations; flow that is nearly exact is used as such, but not without bounds
_STILL_PX: Final = 1e-3  # steps that move the prediction by less change nothing
_DAMPING: Final = 1e-3
_ITERATIONS: Final = 30
_COARSE: Final = 8  # the search for a start takes every eighth observation ...
_COARSE_ITERATIONS: Final = 20  # ... and at most this many steps
_REACH: Final = 3.0  # ... with bounds on what single observations can do, such as depths of a few millimetres
_TINY: Final = 1e-12
_MIN_PART: Final = 20  # observations
_GOOD_ENOUGH: Final = 0.2  # truncated error: four fifths and more agree, so no other fit has a majority
_TRUNCATION: Final = 1.5  # an error grows no further in the search beyond so many times the limit of agreement
_CELLS: Final = (12, 16)  # rows and columns of the grid over which samples are spread


@dataclass(frozen=True, slots=True)
class Noise:
    """Which error of a flow vector is nothing special.

    Attributes:
        floor_px: Standard deviation of the flow itself in pixels.
        share: Standard deviation as a share of the vector's length: what a relative error of depth does.
        inlier_sigmas: Up to how many standard deviations a vector agrees with a model. The defaults make it one pixel
            for short vectors and a tenth of their length for long ones.
    """

    floor_px: float = 0.5
    share: float = 0.05
    inlier_sigmas: float = 2.0

    def sigma(self, uv_2N: Matrix) -> Matrix:
        """Return the (N,) standard deviations of flow vectors (2, N), in pixels."""
        sigma_N: Matrix = np.hypot(self.floor_px, self.share * np.hypot(uv_2N[0], uv_2N[1]))
        return sigma_N


@dataclass(frozen=True, slots=True, eq=False)
class Model(ABC):
    """Where N pixels were seen to go, and where a state, some matrix, lets them go.

    Attributes:
        pixels_2N: (2, N) x and y of the pixels.
        target_2N: (2, N) where their flow ends.
        sigma_N: (N,) standard deviation of the flow in pixels.
    """

    pixels_2N: Matrix
    target_2N: Matrix
    sigma_N: Matrix

    @abstractmethod
    def take(self, chosen: slice | Mask) -> Self:
        """Return the model of some of the pixels."""

    @abstractmethod
    def predict(self, state: Matrix) -> tuple[Matrix, Mask]:
        """Return the predicted targets (2, N) and which of them exist (N,); those behind a camera do not."""

    @abstractmethod
    def linearize(self, state: Matrix) -> tuple[Matrix, Mask, Matrix]:
        """Return what `predict` does, and how predictions change with each of P parameters of a step, (P, 2, N)."""

    @abstractmethod
    def moved(self, state: Matrix, step_P: Matrix) -> Matrix:
        """Return the state after a step."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted matrix and how well it explains the flow.

    Attributes:
        matrix: The state that was found.
        inlier_share: Share (0..1) of the sampled pixels whose flow agrees with it.
        residual_px: Median length of flow minus prediction over the sampled pixels, in pixels.
        iterations: Steps of the last refinement.
        pixels: Number of sampled pixels.
    """

    matrix: Matrix
    inlier_share: float
    residual_px: float
    iterations: int
    pixels: int


def spread_sample(usable_HW: Mask, count: int) -> tuple[npt.NDArray[np.intp], float]:
    """Choose about `count` usable pixels: equally many from each cell of a grid, evenly within the cell.

    Returns:
        Flat indices (N,), fewer where cells have not enough, and the share (0..1) of cells that have any.
    """
    height, width = usable_HW.shape
    rows, columns = (np.linspace(0, side, n + 1).astype(int) for side, n in zip((height, width), _CELLS, strict=True))
    quota = -(-count // (_CELLS[0] * _CELLS[1]))
    chosen = []
    for top, bottom in pairwise(rows.tolist()):
        for left, right in pairwise(columns.tolist()):
            at = np.flatnonzero(usable_HW[top:bottom, left:right])
            kept = min(quota, at.size)
            y, x = np.divmod(at[np.arange(kept) * at.size // max(kept, 1)], max(right - left, 1))
            chosen.append((y + top) * width + x + left)
    return np.concatenate(chosen), sum(at.size > 0 for at in chosen) / len(chosen)


def fit(model: Model, starts: Sequence[Matrix], noise: Noise, acceptable: Callable[[Matrix], bool]) -> Fit:
    """Fit a model to its observations, from the best of several rough fits.

    Rough fits go from every start to all observations and to halves of them (left, right, both sides, above, below),
    then to all. A half without the large moving thing leads to the background, where all of it leads to something
    between the two. The best has the least truncated squared error over all; acceptable ones go before others. The
    search ends where nearly all agree.

    Weights are Tukey's biweight with c = 3 max(0.25, s) standard deviations, where s is that of Gaussian vectors whose
    shortest third is as long as that of the residuals: right even where half of the observations are wrong.
    """
    coarse = model.take(slice(None, None, _COARSE))
    from_middle_2N = coarse.pixels_2N - np.median(coarse.pixels_2N, axis=1, keepdims=True)
    x_N, y_N = from_middle_2N
    sides_N = np.abs(x_N)
    halves: list[Mask] = [x_N < 0, x_N >= 0, sides_N > np.median(sides_N), y_N < 0, y_N >= 0]
    parts = [coarse] + [coarse.take(half) for half in halves if half.sum() >= _MIN_PART]
    rough: list[tuple[bool, float, int, Matrix]] = []
    for start in starts:
        for part in parts:
            state, _ = _refined(part, start, _COARSE_ITERATIONS, _REACH)
            state, _ = _refined(coarse, state, _COARSE_ITERATIONS, _REACH)
            rough.append((not acceptable(state), _truncated(coarse, state, noise), len(rough), state))
            if rough[-1][:2] <= (False, _GOOD_ENOUGH):
                break
    state, iterations = _refined(model, min(rough)[-1], _ITERATIONS)
    errors_N = _errors(model, *model.predict(state))
    agree = errors_N <= noise.inlier_sigmas * model.sigma_N
    return Fit(state, float(agree.mean()), float(np.median(errors_N)), iterations, errors_N.size)


def _refined(model: Model, state: Matrix, iterations: int, reach: float = np.inf) -> tuple[Matrix, int]:
    """Return the state after at most that many steps, and how many it took.

    Observations that a parameter moves more than `reach` times as far as the median one get no more weight than such.
    """
    for iteration in range(1, iterations + 1):
        predicted_2N, exists_N, J_P2N = model.linearize(state)
        e_N = _errors(model, predicted_2N, exists_N) / model.sigma_N
        cutoff = _TUKEY * max(_MIN_SCALE, _quantile(e_N, _QUANTILE) / _PER_SIGMA)
        if cutoff == np.inf:  # for most pixels nothing is predicted, and no step leads back from there
            return state, iteration
        weight_N = np.square((1.0 - np.square(np.minimum(e_N / cutoff, 1.0))) / model.sigma_N)
        if reach < np.inf:
            lengths_PN = np.hypot(J_P2N[:, 0], J_P2N[:, 1])
            excess_N = (lengths_PN / np.maximum(np.median(lengths_PN, axis=1, keepdims=True), _TINY)).max(
                axis=0
            ) / reach
            weight_N /= np.square(np.maximum(excess_N, 1.0))
        weighted_P2N = J_P2N * weight_N
        H_PP = np.tensordot(weighted_P2N, J_P2N, ((1, 2), (1, 2)))
        gradient_P = np.tensordot(weighted_P2N, model.target_2N - predicted_2N, ((1, 2), (0, 1)))
        # The damping leaves alone what moves no pixel, and is far below the weight of what does.
        step_P = np.linalg.solve(H_PP + _DAMPING * np.eye(len(H_PP)), gradient_P).astype(np.float64)
        state = model.moved(state, step_P)
        if step_P @ H_PP @ step_P <= _STILL_PX**2 * weight_N.sum():
            return state, iteration
    return state, iterations


def _quantile(values_N: Matrix, share: float) -> float:
    """Return the largest of the smallest `share` (0..1) of the values; NumPy's own takes ten times as long."""
    last = int(share * (values_N.size - 1))
    return float(np.partition(values_N, last)[last])


def _errors(model: Model, predicted_2N: Matrix, exists_N: Mask) -> Matrix:
    """Return the (N,) distances of predictions from targets in pixels, infinite where there is no prediction."""
    u_N, v_N = model.target_2N - predicted_2N
    return np.where(exists_N, np.hypot(u_N, v_N), np.inf)


def _truncated(model: Model, state: Matrix, noise: Noise) -> float:
    limit_N = _TRUNCATION * noise.inlier_sigmas * model.sigma_N
    return float(np.square(np.minimum(_errors(model, *model.predict(state)) / limit_N, 1.0)).mean())
