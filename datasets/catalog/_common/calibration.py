"""What a calibration says of a camera, its lens included."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from segprep.datasets.catalog._common.intrinsics import intrinsic_matrix
from segprep.datasets.sample import Matrix

__all__ = ["Calibration", "Distortion"]

_BROWN: Final = ("plumb_bob", "rational_polynomial", "radtan", "radial-tangential", "brown_conrady", "opencv", "")
_FISHEYE: Final = ("equidistant", "fisheye", "kannala_brandt", "kannalabrandt8", "opencv_fisheye")
_POINTS: Final = 33  # along each side of the picture


@dataclass(frozen=True, slots=True)
class Distortion:
    """How a lens bends the rays.

    Attributes:
        model: As the file names it; empty where it does not.
        coefficients: In the order of OpenCV.
    """

    model: str
    coefficients: tuple[float, ...]

    def largest_shift(self, K: Matrix, size: tuple[int, int]) -> float | None:
        """Return how far in pixels a pixel of the picture lies from where a pinhole camera would see it, at most.

        None where the model is unknown, or the numbers make no sense for it.
        """
        width, height = size
        x, y = np.meshgrid(np.linspace(0, width - 1, _POINTS), np.linspace(0, height - 1, _POINTS))
        pixels_N12 = np.stack([x.ravel(), y.ravel()], axis=1)[:, None]
        coefficients = np.array(self.coefficients)
        model = self.model.lower().removeprefix("distortion.").replace(" ", "_")
        if model in _FISHEYE and len(coefficients) == 4:
            straight = cv2.fisheye.undistortPoints(pixels_N12, K, coefficients, P=K)
        elif model in _BROWN and len(coefficients) in (4, 5, 8, 12, 14):
            straight = cv2.undistortPoints(pixels_N12, K, coefficients, P=K)
        elif model in _BROWN and len(coefficients) in (1, 2, 3):
            k1, k2, k3 = (*self.coefficients, 0.0, 0.0)[:3]
            straight = cv2.undistortPoints(pixels_N12, K, np.array([k1, k2, 0, 0, k3]), P=K)
        else:
            return None
        shift = np.hypot(*(np.asarray(straight) - pixels_N12).reshape(-1, 2).T).max()
        return float(shift) if np.isfinite(shift) else None


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A pinhole camera as a file says it.

    Attributes:
        K: (3, 3) intrinsics of pixels counted from 0 at the centre of the first one.
        size: (width, height) that it holds for, if the file says it.
        distortion: Of the lens; None if there is none.
    """

    K: Matrix
    size: tuple[int, int] | None = None
    distortion: Distortion | None = None

    @classmethod
    def of_numbers(
        cls,
        fx: float,
        fy: float,
        cx: float,
        cy: float,
        size: tuple[int, int] | None = None,
        distortion: Distortion | None = None,
    ) -> "Calibration":
        """Build one from focal lengths and principal point.

        Raises:
            ValueError: If these are not finite or a focal length is not positive.
        """
        K = intrinsic_matrix(fx, fy, cx, cy)
        if not np.isfinite(K).all() or fx <= 0 or fy <= 0:
            raise ValueError(f"fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g} make no camera")
        return cls(K, size, distortion)
