"""HHA as its published programs compute it, written from their description, to be timed: a line per request.

`python _hha_reference.py DEPTH.npy K.txt CONVOLUTION OUT.npy` computes once, writes the (H, W, 3) codes and then, for
each line on standard input, computes again and prints the seconds. Depth is in metres and known everywhere, K belongs
to pixels that are counted from 1. CONVOLUTION is "scipy", which the Python port uses, or "shifts", a sum of shifted
arrays. Needs numpy, and SciPy for the former.
"""

import importlib
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float64]
_Convolve = Callable[[_Array, int], _Array]

_PASSES: Final = ((45.0, 5), (15.0, 5))


def _with_scipy() -> _Convolve:
    signal: Any = importlib.import_module("scipy.signal")

    def convolve(channel_HW: _Array, radius: int) -> _Array:
        window = np.ones((2 * radius + 1, 2 * radius + 1))
        return np.asarray(signal.convolve2d(channel_HW, window, mode="same"), np.float64)

    return convolve


def _with_shifts() -> _Convolve:
    def convolve(channel_HW: _Array, radius: int) -> _Array:
        height, width = channel_HW.shape
        padded = np.pad(channel_HW, radius)
        total = np.zeros_like(channel_HW)
        for dy in range(2 * radius + 1):
            for dx in range(2 * radius + 1):
                total += padded[dy : dy + height, dx : dx + width]
        return total

    return convolve


CONVOLUTIONS: Final = {"scipy": _with_scipy, "shifts": _with_shifts}


def normals(cloud_HW3: _Array, missing_HW: npt.NDArray[np.bool_], radius: int, convolve: _Convolve) -> _Array:
    """Return the unit normals (H, W, 3) away from the camera; NaN where a window shows nothing."""
    X, Y, Z = (np.where(missing_HW, np.nan, cloud_HW3[..., axis]) for axis in range(3))
    one = Z / Z
    moments = ((X / Z) ** 2, X * Y / Z**2, X / Z, (Y / Z) ** 2, Y / Z, one, X / Z**2, Y / Z**2, one / Z)
    aa, ab, a, bb, b, n, aw, bw, w = (convolve(np.where(np.isnan(each), 0.0, each), radius) for each in moments)
    adjugate = (
        (bb * n - b * b, a * b - ab * n, ab * b - a * bb),
        (a * b - ab * n, aa * n - a * a, ab * a - aa * b),
        (ab * b - a * bb, ab * a - aa * b, aa * bb - ab * ab),
    )
    found = np.stack([row[0] * aw + row[1] * bw + row[2] * w for row in adjugate], axis=2)
    with np.errstate(invalid="ignore"):
        found /= np.sqrt((found**2).sum(axis=2, keepdims=True))
    found *= np.where(found[..., 2:] < 0, -1.0, 1.0)
    return found * np.where((found * cloud_HW3).sum(axis=2, keepdims=True) < 0, -1.0, 1.0)


def gravity(normals_HW3: _Array) -> _Array:
    """Return the unit vector (3,) down."""
    all_3N = normals_HW3.reshape(-1, 3).T
    known_3N = all_3N[:, ~np.isnan(all_3N).any(axis=0)]
    down = np.array([0.0, 1.0, 0.0])
    for threshold, iterations in _PASSES:
        for _ in range(iterations):
            steepness = np.abs(down @ known_3N)
            floors = known_3N[:, steepness > math.cos(math.radians(threshold))]
            walls = known_3N[:, steepness < math.sin(math.radians(threshold))]
            values, vectors = np.linalg.eig(walls @ walls.T - floors @ floors.T)
            found = vectors[:, np.argmin(values)].real
            down = found if found @ down > 0 else -found
    return down


def turn_to(down: _Array) -> _Array:
    """Return the rotation (3, 3) that takes the image's y axis to `down`; none for less than 0.1 degrees."""
    axis = np.cross([0.0, 1.0, 0.0], down)
    angle = math.atan2(float(np.linalg.norm(axis)), float(down[1]))
    if math.degrees(angle) < 0.1:
        return np.eye(3)
    x, y, z = axis / np.linalg.norm(axis)
    S = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * S + (1 - math.cos(angle)) * S @ S, np.float64)


def reference_hha(
    depth_HW: _Array, K: _Array, convolve: _Convolve, missing_HW: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.uint8]:
    """Return the codes (H, W, 3): disparity, height, angle."""
    height, width = depth_HW.shape
    missing_HW = np.zeros(depth_HW.shape, np.bool_) if missing_HW is None else missing_HW
    z = 100 * depth_HW
    x, y = np.meshgrid(np.arange(1.0, width + 1), np.arange(1.0, height + 1))
    cloud = np.stack([(x - K[0, 2]) * z / K[0, 0], (y - K[1, 2]) * z / K[1, 1], z], axis=2)
    fine = normals(cloud, missing_HW, 3, convolve)
    wide = normals(cloud, missing_HW, 10, convolve)
    down = gravity(wide)
    upright = cloud @ turn_to(down)
    heights = -upright[..., 1]
    lowest = heights.min()
    heights = heights - (-130.0 if lowest > -90 else lowest)
    cosines = (fine @ down).ravel().tolist()
    angles = [math.degrees(math.acos(min(1.0, max(-1.0, each)))) if each == each else 180.0 for each in cosines]
    channels = (31000 / np.maximum(z, 100), heights, np.array(angles).reshape(height, width) + 38)
    codes_HW3: npt.NDArray[np.uint8] = np.clip(np.rint(np.stack(channels, axis=2)), 0, 255).astype(np.uint8)
    return codes_HW3


def _main(depth: str, intrinsics: str, convolution: str, out: str) -> None:
    depth_HW = np.load(depth).astype(np.float64)
    K, convolve = np.loadtxt(intrinsics), CONVOLUTIONS[convolution]()
    np.save(Path(out), reference_hha(depth_HW, K, convolve))
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        reference_hha(depth_HW, K, convolve)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
