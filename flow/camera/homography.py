"""Background motion without depth: one homography for the whole picture.

It is exact where the camera only turns, or where everything seen lies in one plane. Where it drives through a street,
what is nearer or farther than the dominant plane keeps a residual although it stands still, as large as its parallax
against that plane: such residuals do not mean that something moves.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.sample import Mask, Matrix
from segprep.flow.camera.ego import displacements
from segprep.flow.camera.robust import Model, Noise, fit, spread_sample
from segprep.flow.field import FlowField

__all__ = ["HomographyConfig", "HomographyEstimate", "estimate_homography", "homography_flow"]

_IN_FRONT: Final = 1e-6


@dataclass(frozen=True, slots=True)
class HomographyConfig:
    """Settings of the fit and what it believes.

    Attributes:
        samples: About how many pixels are used at most.
        noise: Which errors of a flow vector are nothing special.
        min_pixels: Fewest pixels with flow.
        min_spread: Smallest share (0..1) of the picture, in cells of a 12 x 16 grid, that has such pixels.
        min_inlier_share: Smallest share (0..1) of the sampled pixels that must agree with the homography.
    """

    samples: int = 5_000
    noise: Noise = field(default_factory=Noise)
    min_pixels: int = 300
    min_spread: float = 0.1
    min_inlier_share: float = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class HomographyEstimate:
    """A fitted homography.

    Attributes:
        matrix: (3, 3) float64 with last entry 1: the background of pixel (x, y, 1) goes to the pixel matrix (x, y, 1).
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


_DEFAULT: Final = HomographyConfig()


def estimate_homography(
    flow: FlowField, static_HW: Mask | None = None, config: HomographyConfig = _DEFAULT
) -> HomographyEstimate:
    """Fit the homography that most of the flow agrees with.

    Args:
        flow: Optical flow; vectors that failed the check there and back are invalid.
        static_HW: (H, W) bool, pixels that cannot move by themselves, where that is known, as from labels.
        config: Settings.

    Raises:
        MotionError: If too few pixels have flow, or no homography explains enough of them.
        SizeMismatchError: If the mask has another size.
    """
    usable = flow.valid if static_HW is None else _both(flow.valid, static_HW)
    at, spread = spread_sample(usable, config.samples)
    if at.size < config.min_pixels or spread < config.min_spread:
        raise MotionError(
            f"{at.size} pixels in {spread:.0%} of the picture have flow and may be static; a homography takes at least "
            f"{config.min_pixels} in {config.min_spread:.0%}"
        )
    width, height = flow.size
    pixels_2N = np.stack(np.divmod(at, width)[::-1]).astype(np.float64)
    uv_2N = flow.uv.reshape(-1, 2)[at].T.astype(np.float64)
    scale = 2 / max(width, height)
    model = _Projective(
        pixels_2N,
        pixels_2N + uv_2N,
        config.noise.sigma(uv_2N),
        np.array([[scale, 0, -scale * (width - 1) / 2], [0, scale, -scale * (height - 1) / 2], [0, 0, 1]]),
    )
    corners_34 = np.array([[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1, 1, 1, 1]])

    def keeps_orientation(H: Matrix) -> bool:
        return bool(np.linalg.det(H) > 0 and ((H @ corners_34)[2] > _IN_FRONT).all())

    found = fit(model, [np.eye(3)], config.noise, keeps_orientation)
    if found.inlier_share < config.min_inlier_share or not keeps_orientation(found.state):
        raise MotionError(
            f"no homography explains the flow: {found.inlier_share:.0%} of the pixels agree with the best one, at "
            f"least {config.min_inlier_share:.0%} must"
        )
    return HomographyEstimate(
        found.state / found.state[2, 2], found.inlier_share, found.residual_px, found.iterations, at.size
    )


def homography_flow(matrix_33: Matrix, size: tuple[int, int]) -> FlowField:
    """Return where a homography moves every pixel of a (width, height) picture; invalid where it leaves the picture."""
    return displacements(matrix_33, np.ones((size[1], size[0]), np.bool_), size)


def _both(valid_HW: Mask, static_HW: Mask) -> Mask:
    if valid_HW.shape != static_HW.shape:
        raise SizeMismatchError(f"the flow is {valid_HW.shape}, but the mask of static pixels is {static_HW.shape}")
    both: Mask = valid_HW & static_HW
    return both


@dataclass(frozen=True, slots=True, eq=False)
class _Projective(Model):
    """Where a homography puts pixels.

    Attributes:
        to_unit_33: (3, 3) map of pixels to about -1..1, in which the eight parameters of a step are of one size.
    """

    to_unit_33: Matrix

    def take(self, chosen: slice | Mask) -> Self:
        return replace(
            self,
            pixels_2N=self.pixels_2N[:, chosen],
            target_2N=self.target_2N[:, chosen],
            sigma_N=self.sigma_N[chosen],
        )

    def predict(self, state: Matrix) -> tuple[Matrix, Mask]:
        predicted_2N, finite_N, _ = self._project(state)
        return predicted_2N, finite_N

    def linearize(self, state: Matrix) -> tuple[Matrix, Mask, Matrix]:
        # A step S changes the image q = H p of a pixel by H U^-1 S U p, where U maps to the unit square.
        predicted_2N, finite_N, divisor_N = self._project(state)
        M = state @ np.linalg.inv(self.to_unit_33)
        unit_3N = self.to_unit_33 @ self._homogeneous()
        columns = [(M[:2, i, None] - predicted_2N * M[2, i]) / divisor_N for i in range(3)]
        J_P2N = np.stack([columns[i] * unit_3N[j] for i in range(3) for j in range(3)][:8])
        return predicted_2N, finite_N, J_P2N

    def moved(self, state: Matrix, step_P: Matrix) -> Matrix:
        S = np.append(step_P, 0.0).reshape(3, 3)
        H: Matrix = state @ np.linalg.inv(self.to_unit_33) @ (np.eye(3) + S) @ self.to_unit_33
        H /= np.linalg.norm(H[2])
        return H

    def _homogeneous(self) -> Matrix:
        return np.vstack([self.pixels_2N, np.ones(self.pixels_2N.shape[1])])

    def _project(self, H: Matrix) -> tuple[Matrix, Mask, Matrix]:
        """Return pixels (2, N), which are finite (N,), and what was divided by (N,)."""
        q_3N = H @ self._homogeneous()
        finite_N: Mask = q_3N[2] > _IN_FRONT
        divisor_N = np.where(finite_N, q_3N[2], 1.0)
        return q_3N[:2] / divisor_N, finite_N, divisor_N
