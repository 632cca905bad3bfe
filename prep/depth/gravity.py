"""The direction of gravity in a scene of floors and walls, found in its normals."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Camera, Matrix

__all__ = ["IMAGE_DOWN", "MAX_TURN_DEG", "estimate_gravity", "mount_down"]

IMAGE_DOWN: Final = (0.0, 1.0, 0.0)
"""Down where nothing is known: along the image's columns."""

MAX_TURN_DEG: Final = 45.0
"""An estimate that ends farther away from where it started is no estimate: it took walls for floors."""

_PASSES: Final = ((45.0, 5), (15.0, 5))  # degrees within which a normal counts as a floor's or a wall's, iterations
_OPEN: Final = 1e-3  # per normal; directions whose sums differ by less are equally good


def mount_down(camera: Camera) -> Matrix | None:
    """Return the unit vector (3,) down in camera axes that the camera's mount tells; None without a mount.

    The vehicle's z axis points up, so this is the last row of the mount's rotation, negated.
    """
    if camera.mount is None:
        return None
    return _normalised(-camera.mount[2, :3])


def estimate_gravity(normals_3HW: Matrix, prior_3: npt.ArrayLike = IMAGE_DOWN) -> Matrix:
    """Return the unit vector (3,) down in camera axes to which normals are parallel (floors) or perpendicular (walls).

    Five times with every normal closer to one than to the other, then five times with those within 15 degrees, the
    direction y becomes the one for which the sum of (n . y)^2 over walls minus that over floors is smallest.

    Args:
        normals_3HW: (3, H, W) unit normals, their signs do not matter; 0 where there is none.
        prior_3: Where the search starts, in camera axes (x right, y down, z forward); any length.

    Raises:
        CodeRangeError: If the result is more than `MAX_TURN_DEG` away from the prior.

    Source: Gupta, Arbelaez, Malik: Perceptual organization and recognition of indoor scenes from RGB-D images. CVPR
    2013, section 3.1. Added here: of directions that are equally good, as all are along a single wall, the one nearest
    to the previous direction is taken.
    """
    start_3 = _normalised(np.asarray(prior_3, np.float64))
    normals_3N = normals_3HW.reshape(3, -1)
    upper = np.triu_indices(3)
    products_6N = np.empty((6, normals_3N.shape[1]))
    for product_N, i, j in zip(products_6N, *upper, strict=True):
        np.multiply(normals_3N[i], normals_3N[j], out=product_N)
    equally_good = _OPEN * float(products_6N[0].sum() + products_6N[3].sum() + products_6N[5].sum())
    steepness_N, signs_N = np.empty((2, normals_3N.shape[1]))
    down_3 = start_3
    for threshold, iterations in _PASSES:
        floor_above, wall_below = math.cos(math.radians(threshold)), math.sin(math.radians(threshold))
        for _ in range(iterations):
            np.abs(np.matmul(down_3, normals_3N, out=steepness_N), out=steepness_N)
            np.subtract(steepness_N < wall_below, steepness_N > floor_above, out=signs_N, dtype=np.float64)
            scatter_33 = np.zeros((3, 3))
            scatter_33[upper] = products_6N @ signs_N
            values_3, vectors_33 = np.linalg.eigh(scatter_33, UPLO="U")
            best_3K = vectors_33[:, values_3 <= values_3[0] + equally_good]
            down_3 = _normalised(best_3K @ (down_3 @ best_3K))
    turn = math.degrees(math.acos(min(1.0, float(down_3 @ start_3))))
    if turn > MAX_TURN_DEG:
        raise CodeRangeError(
            f"gravity was found {turn:.0f} degrees away from where it was expected, more than {MAX_TURN_DEG:.0f}: the "
            f"camera is tilted more than that, or the scene has neither floors nor walls; give its direction"
        )
    return down_3


def _normalised(vector_3: Matrix) -> Matrix:
    return vector_3 / np.linalg.norm(vector_3)
