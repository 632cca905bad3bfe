"""How the camera moved, from optical flow and depth: found from nothing, or as a correction of a measured pose.

After the motion X1 = R X0 + t the point of pixel p at depth z is seen at K1 (R K0^-1 p + t / z). The motion wanted puts
most points where the flow puts them: Gauss-Newton over rotation and translation, with weights that leave out what moves
by itself. Written with 1 / z no point is too far: distant ones fix the rotation and hardly bear on the translation.
"""

from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np

from segprep.datasets.errors import MotionError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.flow.camera.ego import inverse_intrinsics
from segprep.flow.camera.robust import Model, Noise, fit, spread_sample
from segprep.flow.camera.se3 import checked_motion, inverse, motion_after, rotation_degrees
from segprep.flow.field import FlowField

__all__ = ["Correction", "MotionEstimate", "OdometryConfig", "estimate_motion"]

_IN_FRONT: Final = 1e-6  # of the neighbour, as a multiple of the depth before


@dataclass(frozen=True, slots=True)
class OdometryConfig:
    """Settings of the estimator and what it believes.

    Attributes:
        samples: About how many pixels are used at most.
        noise: Which errors of a flow vector are nothing special.
        min_pixels: Fewest pixels with flow and depth.
        min_spread: Smallest share (0..1) of the picture, in cells of a 12 x 16 grid, that has such pixels.
        min_inlier_share: Smallest share (0..1) of the sampled pixels that must agree with the motion.
        max_rotation: Largest rotation between the frames in degrees.
        max_speed: Largest speed in metres per second.
    """

    samples: int = 20_000
    noise: Noise = field(default_factory=Noise)
    min_pixels: int = 300
    min_spread: float = 0.1
    min_inlier_share: float = 0.5
    max_rotation: float = 20.0
    max_speed: float = 70.0


@dataclass(frozen=True, slots=True)
class Correction:
    """How far a measured motion may be corrected.

    Attributes:
        rotation: Degrees.
        translation: Metres.
    """

    rotation: float = 1.0
    translation: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class MotionEstimate:
    """An estimated motion.

    Attributes:
        matrix: (4, 4) rigid transform of this camera's points to the neighbour's: X1 = R X0 + t, metres.
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


_DEFAULT: Final = OdometryConfig()


def estimate_motion(
    flow: FlowField,
    depth_HW: Array,
    valid_HW: Mask,
    camera: Camera,
    initial_44: Matrix | None = None,
    *,
    correction: Correction | None = None,
    neighbour_camera: Camera | None = None,
    static_HW: Mask | None = None,
    seconds: float | None = None,
    config: OdometryConfig = _DEFAULT,
) -> MotionEstimate:
    """Estimate how the camera moved from this frame to its neighbour.

    What moves by itself may cover nearly half of the sampled pixels. One rigid thing that fills more cannot be told
    from the world; `static_HW` is the remedy. Pixels at infinite depth are not used, because the flow of a sky without
    texture is guesswork.

    A pose from a car's speed and yaw rate is a good `initial_44` for a `correction`: it knows no pitch, and at a focal
    length of 2262 pixels and 17 frames per second a pitch rate of 0.5 degrees per second moves the picture by 1.16
    pixels per frame.

    Args:
        flow: Optical flow from this frame to the neighbour; vectors that failed the check there and back are invalid.
        depth_HW: (H, W) z in this frame in metres.
        valid_HW: (H, W) bool, where depth is known.
        camera: Of this frame.
        initial_44: (4, 4) motion to start from; without a correction no motion at all is a second start.
        correction: If given, the result must stay so near to the initial motion.
        neighbour_camera: Of the neighbour, if it is another one.
        static_HW: (H, W) bool, pixels that cannot move by themselves, where that is known, as from labels.
        seconds: Time between the frames, of either sign; None leaves the speed unchecked.
        config: Settings.

    Raises:
        MotionError: If too few pixels have flow and depth, no motion explains most of them, the motion found is
            implausible or too far from the initial one, or the intrinsics are singular.
        SizeMismatchError: If sizes differ.
        ValueError: If there is a correction and nothing to correct.
    """
    if correction is not None and initial_44 is None:
        raise ValueError("a correction needs an initial motion")
    if seconds is not None and not (np.isfinite(seconds) and seconds != 0):
        raise MotionError(f"the time between the two frames is {seconds} s: correct the times, or leave the pair out")
    initial = np.eye(4) if initial_44 is None else checked_motion(initial_44)
    starts = [initial] if correction is not None or initial_44 is None else [initial, np.eye(4)]
    model = _observe(flow, depth_HW, valid_HW, camera, neighbour_camera or camera, static_HW, config)

    def implausible(motion: Matrix) -> str | None:
        turn, shift = rotation_degrees(motion), float(np.linalg.norm(motion[:3, 3]))
        if turn > config.max_rotation:
            return f"the camera would turn by {turn:.1f} degrees between the frames (at most {config.max_rotation:g})"
        if seconds is not None and shift > config.max_speed * abs(seconds):
            return f"the camera would move at {shift / abs(seconds):.0f} m/s (at most {config.max_speed:g})"
        if correction is not None:
            change = motion @ inverse(initial)
            turn, shift = rotation_degrees(change), float(np.linalg.norm(motion[:3, 3] - initial[:3, 3]))
            if turn > correction.rotation or shift > correction.translation:
                return (
                    f"it differs from the pose by {turn:.2f} degrees and {shift:.2f} m (at most "
                    f"{correction.rotation:g} and {correction.translation:g})"
                )
        return None

    found = fit(model, starts, config.noise, lambda motion: implausible(motion) is None)
    if found.inlier_share < config.min_inlier_share:
        raise MotionError(
            f"no motion of the camera explains the flow: {found.inlier_share:.0%} of the pixels agree with the best "
            f"one, at least {config.min_inlier_share:.0%} must; flow, depth or intrinsics may be wrong, or most of the "
            "picture moves by itself"
        )
    reason = implausible(found.state)
    if reason is not None:
        raise MotionError(f"the motion that explains the flow is implausible: {reason}")
    return MotionEstimate(found.state, found.inlier_share, found.residual_px, found.iterations, model.w_N.size)


def _observe(
    flow: FlowField,
    depth_HW: Array,
    valid_HW: Mask,
    camera: Camera,
    neighbour: Camera,
    static_HW: Mask | None,
    config: OdometryConfig,
) -> "_Reprojection":
    shape = (camera.height, camera.width)
    shapes = [flow.valid.shape, depth_HW.shape, valid_HW.shape, *([] if static_HW is None else [static_HW.shape])]
    if any(each != shape for each in shapes):
        raise SizeMismatchError(f"the camera has (height, width) {shape}, but flow, depth and masks are {shapes}")
    inverse_K = inverse_intrinsics(camera)
    inverse_intrinsics(neighbour)
    usable = flow.valid & valid_HW & (depth_HW > 0) & np.isfinite(depth_HW)
    if static_HW is not None:
        usable &= static_HW
    count = int(usable.sum())
    if count < config.min_pixels:
        raise MotionError(
            f"{count} pixels have both flow and depth and may be static; finding the camera's motion takes at least "
            f"{config.min_pixels}"
        )
    at, spread = spread_sample(usable, config.samples)
    if spread < config.min_spread:
        raise MotionError(
            f"flow and depth are both known in {spread:.0%} of the picture only; finding the camera's motion takes at "
            f"least {config.min_spread:.0%}"
        )
    y_N, x_N = np.divmod(at, camera.width)
    pixels_2N = np.stack([x_N, y_N]).astype(np.float64)
    uv_2N = flow.uv.reshape(-1, 2)[at].T.astype(np.float64)
    return _Reprojection(
        rays_3N=inverse_K @ np.stack([x_N, y_N, np.ones(at.size)]),
        w_N=1.0 / depth_HW.ravel()[at].astype(np.float64),
        K=neighbour.K,
        target_2N=pixels_2N + uv_2N,
        pixels_2N=pixels_2N,
        sigma_N=config.noise.sigma(uv_2N),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Reprojection(Model):
    """Where a motion of the camera puts the points of pixels.

    Attributes:
        rays_3N: (3, N) the points at depth 1.
        w_N: (N,) 1 / depth in 1/metres.
        K: (3, 3) of the neighbour.
    """

    rays_3N: Matrix
    w_N: Matrix
    K: Matrix

    def take(self, chosen: slice | Mask) -> Self:
        return replace(
            self,
            pixels_2N=self.pixels_2N[:, chosen],
            target_2N=self.target_2N[:, chosen],
            sigma_N=self.sigma_N[chosen],
            rays_3N=self.rays_3N[:, chosen],
            w_N=self.w_N[chosen],
        )

    def predict(self, state: Matrix) -> tuple[Matrix, Mask]:
        predicted_2N, in_front_N, _ = self._project(self._points(state))
        return predicted_2N, in_front_N

    def linearize(self, state: Matrix) -> tuple[Matrix, Mask, Matrix]:
        # A step (v, w) changes the point X / z by v / z + w x X / z.
        X_3N = self._points(state)
        predicted_2N, in_front_N, depth_N = self._project(X_3N)
        by_x, by_y, by_z = ((self.K[:2, j, None] - predicted_2N * self.K[2, j]) / depth_N for j in range(3))
        x_N, y_N, z_N = X_3N
        turns = [by_z * y_N - by_y * z_N, by_x * z_N - by_z * x_N, by_y * x_N - by_x * y_N]
        return predicted_2N, in_front_N, np.stack([by_x * self.w_N, by_y * self.w_N, by_z * self.w_N, *turns])

    def moved(self, state: Matrix, step_P: Matrix) -> Matrix:
        return motion_after(state, step_P)

    def _points(self, state: Matrix) -> Matrix:
        """Return the (3, N) points after the motion, over their depths before it."""
        X_3N: Matrix = state[:3, :3] @ self.rays_3N + state[:3, 3:] * self.w_N
        return X_3N

    def _project(self, X_3N: Matrix) -> tuple[Matrix, Mask, Matrix]:
        """Return pixels (2, N), which points are in front (N,), and what was divided by (N,)."""
        q_3N = self.K @ X_3N
        in_front_N: Mask = q_3N[2] > _IN_FRONT
        depth_N = np.where(in_front_N, q_3N[2], 1.0)
        return q_3N[:2] / depth_N, in_front_N, depth_N
