"""Points of a laser scanner, and the depth image that they make in a camera."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.sample import Array, Mask, Matrix
from segprep.datasets.source_files import read_input

__all__ = ["decode_velodyne", "project_points", "read_velodyne"]

_ROW_BYTES: Final = 16
_NEAR_M: Final = 0.01


def read_velodyne(path: Path) -> npt.NDArray[np.float32]:
    """Read a scan as KITTI has it: (N, 4) little-endian float32, x forward, y left, z up in metres, reflectance.

    Raises:
        MissingInputError: If the file does not exist.
        UnreadableFileError: If it is empty, truncated, or holds anything but finite numbers.
        MachineError: If the machine is to blame that it cannot be read.
    """
    return decode_velodyne(read_input(path), path)


def decode_velodyne(data: bytes, path: Path) -> npt.NDArray[np.float32]:
    """Decode the bytes of a scan that was read already, as `read_velodyne` does.

    Args:
        data: All bytes.
        path: Stands in error messages, nothing else.

    Raises:
        UnreadableFileError: If it is empty, truncated, or holds anything but finite numbers.
    """
    if not data or len(data) % _ROW_BYTES:
        raise UnreadableFileError(
            f"{path} is truncated: {len(data)} bytes are no points of {_ROW_BYTES} bytes each; get the file again"
        )
    points_N4 = np.frombuffer(data, "<f4").reshape(-1, 4).astype(np.float32)
    broken = int((~np.isfinite(points_N4)).any(axis=1).sum())
    if broken:
        raise UnreadableFileError(f"{path}: {broken} of {len(points_N4)} points are no finite numbers; is it a scan?")
    return points_N4


def project_points(points_N3: Array, P: Matrix, size: tuple[int, int]) -> tuple[npt.NDArray[np.float32], Mask]:
    """Return the depth image that points make: each pixel has the nearest of those that fall on it.

    Args:
        points_N3: (N, 3) metres in the scanner's axes; further columns are not looked at.
        P: (3, 4) projection to pixels whose centres lie at integers, K [R | t]; x' = P X and the depth is x'_3. For an
            image resized by the map A of its pixels it is A P.
        size: (width, height) of the image.

    Returns:
        (H, W) float32 metres along the optical axis, 0 where no point falls, and (H, W) bool where one does. Points
        closer than 1 cm, behind the camera or outside the image fall nowhere.
    """
    width, height = size
    x, y, z = P[:, :3] @ points_N3[:, :3].T.astype(np.float64) + P[:, 3:]
    ahead = z > _NEAR_M
    column, row = (np.rint(value[ahead] / z[ahead]) for value in (x, y))
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    nearest = np.full(height * width, np.inf)
    pixel = row[inside].astype(np.int64) * width + column[inside].astype(np.int64)
    np.minimum.at(nearest, pixel, z[ahead][inside])
    valid_HW: Mask = np.isfinite(nearest).reshape(height, width)
    depth_HW = np.where(valid_HW, nearest.reshape(height, width), 0).astype(np.float32)
    return depth_HW, valid_HW
