"""Normals of the surfaces in a depth image: a plane per pixel, fitted to the inverse depths around it."""

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.sample import Array, Camera, Mask, Matrix
from segprep.flow.camera.ego import inverse_intrinsics
from segprep.prep.depth.depth_range import check_depth

__all__ = ["MAX_RADIUS", "checked_depth", "surface_normals"]

MAX_RADIUS: Final = 50
"""Largest radius of a window in pixels."""

_NEAREST_M: Final = 1e-3  # nearer counts as this near
_EXACT: Final = 2.0**53  # integers up to here are exact in double precision
_BAND_PIXELS: Final = 2**16


def checked_depth(depth_HW: Array, valid_HW: Mask, camera: Camera) -> Mask:
    """Return where depth is known and finite: nothing else has a place, a height or a normal.

    Args:
        depth_HW: (H, W) metres along the optical axis; inf, for the sky, is far and not invalid. What invalid pixels
            hold does not matter.
        valid_HW: (H, W) bool, where depth is known.
        camera: Of the same grid.

    Raises:
        SizeMismatchError: If depth, mask and camera differ in size.
        CodeRangeError: If no pixel has a finite depth, or a valid one is NaN, zero or negative.
        MotionError: If the intrinsics are singular.
    """
    if depth_HW.ndim != 2 or depth_HW.shape != valid_HW.shape:
        raise SizeMismatchError(f"depth is {depth_HW.shape}, its mask {valid_HW.shape}: they must be one (H, W) grid")
    camera.calibrated_for((depth_HW.shape[1], depth_HW.shape[0]))
    inverse_intrinsics(camera)
    check_depth(depth_HW, valid_HW)
    known: Mask = valid_HW & np.isfinite(depth_HW)
    if not known.any():
        raise CodeRangeError("every valid pixel of its depth is infinitely far: there is no surface")
    return known


def surface_normals(
    depth_HW: Array, known_HW: Mask, camera: Camera, radius: int = 3, measured_HW: Mask | None = None
) -> tuple[Matrix, Mask]:
    """Return unit normals in camera axes (x right, y down, z forward) that point away from the camera.

    A plane n . X = 1 has the inverse depth 1/z = n . (X/z), which is linear in the pixel. The normal is the n that fits
    the inverse depths in the square window best, each pixel with the same weight; windows end at the image's border.
    Inverse depth is rounded to integers, at 1e-9 or less of the largest, so that sums over windows are exact: they do
    not depend on order, and a mirrored image has mirrored normals.

    A floor 1 m below a camera that looks ahead has the normal (0, 1, 0), a wall before it (0, 0, 1).

    Args:
        depth_HW: (H, W) metres along the optical axis.
        known_HW: (H, W) bool, where depth is known and finite, see `checked_depth`.
        camera: Of the same grid.
        radius: Windows are 2 radius + 1 pixels wide and high.
        measured_HW: (H, W) bool; depth elsewhere (filled in) does not enter the fits, but gets normals.

    Returns:
        (3, H, W) float64, 0 where there is none, and the (H, W) mask: known pixels whose window holds three pixels that
        do not lie on one line.

    Raises:
        CodeRangeError: If no pixel has a normal.

    Source: Gupta, Girshick, Arbelaez, Malik: Learning rich features from RGB-D images for object detection and
    segmentation. ECCV 2014; the fit by sums over windows as in the program published with it.
    """
    height, width = depth_HW.shape
    entering_HW = known_HW if measured_HW is None else known_HW & measured_HW
    inverse_HW = _integer_inverse_depth(depth_HW, entering_HW, radius)
    center_x, center_y = (width - 1) / 2, (height - 1) / 2  # so that mirroring changes nothing but signs
    K = camera.K.copy()
    K[:2] -= np.outer((center_x, center_y), K[2])
    x_W, y_H1 = np.arange(width) - center_x, np.arange(height)[:, None] - center_y
    normals_3HW, found_HW = np.empty((3, height, width)), np.empty((height, width), np.bool_)
    rows = max(4 * radius, _BAND_PIXELS // width)  # in bands, whose temporary arrays stay small at any size
    for top in range(0, height, rows):
        band, around = slice(top, top + rows), slice(max(0, top - radius), top + rows + radius)
        entering = entering_HW[around].astype(np.float64)
        sums = _window_sums(entering, inverse_HW[around], x_W, y_H1[around], radius)
        inner = slice(top - around.start, min(top + rows, height) - around.start)
        plane = _fit_planes(tuple(each[inner] for each in sums))
        found_HW[band] = _to_normals(plane, known_HW[band], K, (x_W, y_H1[band]), normals_3HW[:, band])
    if not found_HW.any():
        raise CodeRangeError(
            f"its depth shows no surface: a normal needs three known pixels that lie on no line within "
            f"{2 * radius + 1}x{2 * radius + 1} pixels, and {int(entering_HW.sum())} of {depth_HW.size} are known"
        )
    return normals_3HW, found_HW


def _integer_inverse_depth(depth_HW: Array, entering_HW: Mask, radius: int) -> Matrix:
    """Return 1/z in steps so fine that sums of position * 1/z over a window are just exact; 0 where nothing enters."""
    inverse_HW = np.zeros(depth_HW.shape)
    np.divide(1.0, np.maximum(depth_HW, _NEAREST_M, dtype=np.float64), out=inverse_HW, where=entering_HW)
    largest = inverse_HW.max() * (2 * radius + 1) ** 2 * max(depth_HW.shape)
    if largest > 0:
        inverse_HW *= 2.0 ** math.floor(math.log2(_EXACT / largest))  # the unit does not matter for directions
    return np.rint(inverse_HW, out=inverse_HW)


def _window_sums(
    entering: Matrix, inverse: Matrix, x_W: Matrix, y_H1: Matrix, radius: int
) -> tuple[npt.NDArray[np.float64], ...]:
    """Return the sums of 1, x, y, xx, xy, yy over what enters and of w, xw, yw, w being the inverse depth."""
    size = (2 * radius + 1, 2 * radius + 1)

    def window_sum(values: Matrix) -> Matrix:
        sums = cv2.boxFilter(values, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(sums, np.float64)

    x, y = entering * x_W, entering * y_H1
    moments = (entering, x, y, x * x_W, x * y_H1, y * y_H1, inverse, inverse * x_W, inverse * y_H1)
    return tuple(window_sum(each) for each in moments)


def _fit_planes(sums: tuple[Matrix, ...]) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """Return a, b, c and d of the planes w = (a x + b y + c) / d; d is 0 where all that enters lies on one line."""
    n, x, y, xx, xy, yy, w, xw, yw = sums
    xx, xy, yy = n * xx - x * x, n * xy - x * y, n * yy - y * y  # about the centre of gravity
    xw, yw = n * xw - x * w, n * yw - y * w
    det = xx * yy - xy * xy
    a, b = yy * xw - xy * yw, xx * yw - xy * xw
    return n * a, n * b, w * det - (a * x + b * y), n * det


def _to_normals(
    plane: tuple[Matrix, Matrix, Matrix, Matrix],
    known_HW: Mask,
    K: Matrix,
    pixels: tuple[Matrix, Matrix],
    normals_3HW: Matrix,
) -> Mask:
    """Write unit normals away from the camera, and return where there are any. K has its origin where x = y = 0."""
    (a, b, c, d), (x_W, y_H1) = plane, pixels
    at_pixel = a * x_W + b * y_H1 + c
    for normal, column in zip(normals_3HW, K.T, strict=True):  # n = K^T (a, b, c), since w = n . K^-1 (x, y, 1)
        terms = [k * each for k, each in zip(column.tolist(), (a, b, c), strict=True) if k]
        normal[...] = sum(terms[1:], terms[0])
    squared = normals_3HW[0] * normals_3HW[0]
    for normal in normals_3HW[1:]:
        squared += normal * normal
    found: Mask = known_HW & (d > 0) & (at_pixel != 0) & (squared > 0)
    factor = np.divide(1.0, np.sqrt(squared, out=squared), out=np.zeros(d.shape), where=found)
    normals_3HW *= np.copysign(factor, at_pixel, out=factor)
    return found
