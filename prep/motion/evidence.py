"""How far the residual of a thing is from what errors of flow and depth explain."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array, Matrix
from segprep.prep.motion.parallax import Translation

__all__ = ["Evidence", "Measured", "Tolerance"]

_ACROSS_AND_AHEAD: Final = (0, 2)  # axes of the camera
_HIDDEN: Final = 3  # standard deviations of depth: what would have to be as wrong to hide a motion
_AGREES: Final = 0.5  # a pixel agrees with a thing's motion if it shows at least so much of it


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Which errors of flow and depth are expected, and how much must be left to call a thing moving.

    The defaults suit the flow of `dis` with preset `fine`; where flow is rougher the background shows it and takes the
    place of `flow_px`.

    Attributes:
        flow_px: Standard deviation of a thing's median flow in pixels.
        flow_share: What is added to it, as a share of the flow's length.
        thin_px: What is added to it for a thing of one pixel's thickness; less by the thickness of others, because flow
            of thin things is mixed with that of what is behind.
        depth_share: Standard deviation of a thing's depth, as a share of it.
        static_below: A thing is static if its residual is less than so many standard deviations from none ...
        moving_above: ... and moving if it is more than so many; between the two it is unknown. So is what would not
            reach this limit if it moved.
        min_pixels: Fewest valid pixels of a thing that is judged.
        min_valid: Smallest share (0..1) of its pixels that must be valid.
        min_agreement: Smallest share (0..1) of its pixels that must show at least half of its motion.
        border_px: Pixels so near to a thing's edge, where flow mixes it with what is behind, are left out as long as
            enough others remain.
        max_unexplained: Largest share of the background's flow that ego flow may leave unexplained, if that is also
            more than three times `flow_px`; else nothing is known of the frame. Both without what the background has in
            common. A pose that is read backwards leaves twice of it, one that is forgotten all of it.
    """

    flow_px: float = 0.15
    flow_share: float = 0.005
    thin_px: float = 0.5
    depth_share: float = 0.05
    static_below: float = 1.0
    moving_above: float = 2.0
    min_pixels: int = 30
    min_valid: float = 0.15
    min_agreement: float = 0.8
    border_px: int = 2
    max_unexplained: float = 0.5

    def __post_init__(self) -> None:
        errors = (self.flow_px, self.flow_share, self.thin_px, self.depth_share, self.max_unexplained)
        if not all(math.isfinite(e) and e >= 0 for e in errors) or self.flow_px == 0:
            raise ConfigurationError(
                f"errors of flow and depth and max_unexplained are numbers from 0, flow_px above 0: {self}"
            )
        if not 0 < self.static_below <= self.moving_above < math.inf:
            raise ConfigurationError(f"limits must obey 0 < static_below <= moving_above: {self}")
        if not (0 <= self.min_valid <= 1 and 0 <= self.min_agreement <= 1):
            raise ConfigurationError(f"min_valid and min_agreement are shares, from 0 to 1: {self}")
        if self.min_pixels < 1 or not 0 <= self.border_px <= 100:
            raise ConfigurationError(f"min_pixels must be at least 1, border_px 0 to 100: {self}")


@dataclass(frozen=True, slots=True)
class Measured:
    """What some pixels show together.

    Attributes:
        residual_px: Length of their median residual in pixels.
        score: How many standard deviations of the errors of flow and depth would explain their motion.
        agreement: Share (0..1) of the pixels that show at least half of that motion.
    """

    residual_px: float
    score: float
    agreement: float


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known at each of the P = H * W pixels of a frame.

    Attributes:
        residual_P2: (P, 2) optical minus ego flow in pixels, without what the background has in common.
        optical_P2: (P, 2) optical flow.
        depth_P: (P,) metres.
        width: Of the frame.
        translation: Of the camera.
        background_px: Median length of the background's residual, 0 where there is none.
        least_m: How far the slowest motion that counts leads between the frames, in metres.
    """

    residual_P2: Matrix
    optical_P2: Array
    depth_P: Array
    width: int
    translation: Translation
    background_px: float
    least_m: float

    def measure(self, pixels: npt.NDArray[np.intp], thickness: float, tolerance: Tolerance) -> tuple[Measured, float]:
        """Compare the motion of pixels with its errors, and the slowest motion that counts with them, too.

        Args:
            pixels: Flat indices, at least one; all are valid and of finite depth.
            thickness: Of the thing that they belong to, in pixels.
            tolerance: The errors.

        Returns:
            What the pixels show, and the score that they would have if they moved by `least_m` across the camera's view
            or along it, where that shows less. It is more than `least_m` that counts on an axis on which the camera
            moves so fast that depth, wrong by three standard deviations, would hide as much.
        """
        y_N, x_N = np.divmod(pixels, self.width)
        depth_N = self.depth_P[pixels]
        flow_length = float(np.median(np.hypot(*self.optical_P2[pixels].T)))
        s = max(tolerance.flow_px, self.background_px) + tolerance.flow_share * flow_length
        errors = _Errors(
            s + tolerance.thin_px / thickness,
            tolerance.depth_share,
            self.translation.parallax(x_N, y_N, depth_N),
        )
        least = []
        for axis in _ACROSS_AND_AHEAD:
            moves_3 = np.zeros(3)
            moves_3[axis] = max(self.least_m, _HIDDEN * tolerance.depth_share * abs(self.translation.t_3[axis]))
            shown_N2 = replace(self.translation, t_3=moves_3).parallax(x_N, y_N, depth_N)
            least.append(errors.explain(shown_N2).score)
        return errors.explain(self.residual_P2[pixels]), min(least)


@dataclass(frozen=True, slots=True, eq=False)
class _Errors:
    """What may be wrong at N pixels of one thing.

    Attributes:
        flow_px: Standard deviation of their median flow in pixels.
        depth_share: Standard deviation of their depth, as a share of it.
        parallax_N2: (N, 2) what the camera's translation adds to their flow, in pixels: wrong depths show along it.
    """

    flow_px: float
    depth_share: float
    parallax_N2: Matrix

    def explain(self, residual_N2: Matrix) -> Measured:
        """Compare residuals with the errors, in two ways, and return what is farther from none.

        Their median, because most errors are not shared by a whole thing: across the direction of the parallax it has
        the standard deviation s of flow, along it sqrt(s^2 + (depth_share * parallax)^2). And the multiple of the
        parallax that they have, which shows what drives ahead of the camera or comes towards it without a shift to any
        side.
        """
        s, parallax_N2 = self.flow_px, self.parallax_N2
        shift_2, drift_2 = np.median(residual_N2, axis=0), np.median(parallax_N2, axis=0)
        size, drift = math.hypot(*shift_2), math.hypot(*drift_2)
        along = float(shift_2 @ drift_2) / drift if drift > 0 else 0.0
        across = math.sqrt(max(0.0, size * size - along * along))
        shifted = math.hypot(along / math.hypot(s, self.depth_share * drift), across / s)

        squared_N = (parallax_N2 * parallax_N2).sum(axis=1)
        products_N = (residual_N2 * parallax_N2).sum(axis=1)
        multiple = _typical_ratio(products_N, squared_N)
        spread = math.sqrt(float(squared_N.mean()))
        driven = abs(multiple) * spread / math.hypot(s, self.depth_share * spread)

        if shifted >= driven:
            agrees_N = residual_N2 @ shift_2 >= _AGREES * size * size
        else:
            agrees_N = products_N * np.sign(multiple) >= _AGREES * abs(multiple) * squared_N
        return Measured(size, max(shifted, driven), float(agrees_N.mean()))


def _typical_ratio(products_N: Matrix, squared_N: Matrix) -> float:
    """Return the m that makes the sum of |r - m p|, along each p, least; given r p and p^2. It is a weighted median."""
    known = squared_N > 0
    if not known.any():
        return 0.0
    ratios, weights = products_N[known] / squared_N[known], np.sqrt(squared_N[known])
    order = np.argsort(ratios, kind="stable")
    sums = np.cumsum(weights[order])
    return float(ratios[order[np.searchsorted(sums, sums[-1] / 2)]])
