"""KITTI's calibration: from the scanner and the inertial unit to the rectified images of camera 2, the left colour one.

Camera 0 is rectified by R_rect_00. The other rectified cameras have its orientation, so that R_rect_00 holds for all of
them. Axes: cameras x right, y down, z forward; scanner and inertial unit x forward, y left, z up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from segprep.datasets.catalog._common.text_lines import TextLine, read_lines
from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.sample import Camera, Matrix

__all__ = ["CALIBRATION_FILES", "IMU_HEIGHT_M", "KittiCalibration"]

IMU_HEIGHT_M: Final = 0.93
"""Of the inertial unit above the road: https://www.cvlibs.net/datasets/kitti/setup.php."""

CALIBRATION_FILES: Final = ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt")
"""Those of a day of raw recordings."""


@dataclass(frozen=True, slots=True, eq=False)
class KittiCalibration:
    """What KITTI's files say of camera 2. A transform T_a_b takes points of b to a: X_a = T_a_b X_b.

    Attributes:
        K: (3, 3) intrinsics of the rectified camera.
        T_cam2_velo: (4, 4) scanner to rectified camera, or None where the files do not tell. As pykitti has it:
            T2 R_rect_00 T_cam0_velo, and T2 moves along x by P_rect_02[0, 3] / fx, 6 cm. The other two entries of the
            column, 2 mm, are left out.
        T_cam2_imu: (4, 4) inertial unit to rectified camera, or None: T_cam2_velo T_velo_imu.
        P_image_velo: (3, 4) projection of the scanner's points to pixels, or None: P_rect_02 R_rect_00 T_cam0_velo,
            with the whole of P_rect_02, which is up to a pixel from K T_cam2_velo for near points.
        T_view_velo: (4, 4) scanner to the axes of rectified camera 2 such that K T_view_velo is P_image_velo, or None:
            for points that become a depth image.
        baseline: Distance to camera 3, the right colour one, in metres, or None.
        size: (width, height) of the rectified images, or None.
    """

    K: Matrix
    T_cam2_velo: Matrix | None = None
    T_cam2_imu: Matrix | None = None
    P_image_velo: Matrix | None = None
    T_view_velo: Matrix | None = None
    baseline: float | None = None
    size: tuple[int, int] | None = None

    def camera(self, size: tuple[int, int]) -> Camera:
        """Return camera 2, on a vehicle whose origin lies on the road below the inertial unit.

        Args:
            size: (width, height) of the images.
        """
        mount: Matrix | None = None
        if self.T_cam2_imu is not None:
            raised = np.eye(4)
            raised[2, 3] = IMU_HEIGHT_M
            mount = raised @ np.linalg.inv(self.T_cam2_imu)
        return Camera(self.K, *size, self.baseline, mount)

    @classmethod
    def from_files(cls, folder: Path) -> "KittiCalibration":
        """Read the files of a day of raw recordings; without the last two, what needs them stays unknown.

        Args:
            folder: With `CALIBRATION_FILES`.

        Raises:
            MissingInputError: If calib_cam_to_cam.txt does not exist.
            UnreadableFileError: If an entry is missing or broken.
        """
        cameras_file, velo_file, imu_file = (folder / name for name in CALIBRATION_FILES)
        cameras, velo, imu = _read_entries(cameras_file), _read_entries(velo_file), _read_entries(imu_file)
        if cameras is None:
            raise _missing(cameras_file)
        size = _numbers(cameras, "S_rect_02", 2) if "S_rect_02" in cameras.lines else None
        return cls._assembled(
            _projection(cameras, "P_rect_02"),
            _projection(cameras, "P_rect_03") if "P_rect_03" in cameras.lines else None,
            _transform(_numbers(cameras, "R_rect_00", 9)),
            None if velo is None else _transform(_numbers(velo, "R", 9), _numbers(velo, "T", 3)),
            None if imu is None else _transform(_numbers(imu, "R", 9), _numbers(imu, "T", 3)),
            None if size is None else (round(size[0]), round(size[1])),
        )

    @classmethod
    def from_object_file(cls, path: Path) -> "KittiCalibration":
        """Read a file of the object and tracking benchmarks: P2, R0_rect, Tr_velo_to_cam and, if there, Tr_imu_to_velo.

        Raises:
            MissingInputError: If the file does not exist.
            UnreadableFileError: If an entry is missing or broken.
        """
        entries = _read_entries(path)
        if entries is None:
            raise _missing(path)
        velo = _numbers(entries, "Tr_velo_to_cam", 12).reshape(3, 4)
        imu = _numbers(entries, "Tr_imu_to_velo", 12).reshape(3, 4) if "Tr_imu_to_velo" in entries.lines else None
        return cls._assembled(
            _projection(entries, "P2"),
            _projection(entries, "P3") if "P3" in entries.lines else None,
            _transform(_numbers(entries, "R0_rect", 9)),
            _transform(velo[:, :3], velo[:, 3]),
            None if imu is None else _transform(imu[:, :3], imu[:, 3]),
            None,
        )

    @classmethod
    def _assembled(
        cls,
        P2: Matrix,
        P3: Matrix | None,
        R_rect: Matrix,
        T_cam0_velo: Matrix | None,
        T_velo_imu: Matrix | None,
        size: tuple[int, int] | None,
    ) -> "KittiCalibration":
        T2 = np.eye(4)
        T2[0, 3] = P2[0, 3] / P2[0, 0]
        T_cam2_velo = None if T_cam0_velo is None else T2 @ R_rect @ T_cam0_velo
        P_image_velo = None if T_cam0_velo is None else P2 @ R_rect @ T_cam0_velo
        return cls(
            P2[:, :3],
            T_cam2_velo,
            None if T_cam2_velo is None or T_velo_imu is None else T_cam2_velo @ T_velo_imu,
            P_image_velo,
            None if P_image_velo is None else np.vstack([np.linalg.inv(P2[:, :3]) @ P_image_velo, [0, 0, 0, 1]]),
            None if P3 is None else float(np.linalg.norm(_centre(P3) - _centre(P2))),
            size,
        )


class _Entries(NamedTuple):
    path: Path
    lines: Mapping[str, TextLine]  # by name; the text is what follows the colon


def _read_entries(path: Path) -> _Entries | None:
    lines = read_lines(path)
    if lines is None:
        return None
    named = {}
    for line in lines:
        name, colon, text = line.text.partition(":")
        if not colon:
            raise line.unreadable(f"'name: numbers' is expected, not {line.text[:40]!r}")
        named[name.strip()] = line._replace(text=text.strip())
    return _Entries(path, named)


def _numbers(entries: _Entries, name: str, count: int) -> Matrix:
    line = entries.lines.get(name)
    if line is None:
        raise UnreadableFileError(f"{entries.path} has no {name}: is it a calibration of KITTI? Get it again")
    return np.array(line.finite_numbers(count))


def _projection(entries: _Entries, name: str) -> Matrix:
    P = _numbers(entries, name, 12).reshape(3, 4)
    if P[0, 0] <= 0 or P[1, 1] <= 0 or P[1, 0] != 0 or P[2, :3].tolist() != [0, 0, 1]:
        raise entries.lines[name].unreadable(f"{name} is no projection of a rectified camera: {P.tolist()}")
    return P


def _transform(R: Matrix, t: Matrix | None = None) -> Matrix:
    T = np.eye(4)
    T[:3, :3] = R.reshape(3, 3)
    T[:3, 3] = 0 if t is None else t
    return T


def _centre(P: Matrix) -> Matrix:
    """Return (3,) the camera's centre in the rectified camera 0: P (C, 1) = 0."""
    centre: Matrix = -np.linalg.inv(P[:, :3]) @ P[:, 3]
    return centre


def _missing(path: Path) -> MissingInputError:
    return MissingInputError(f"{path} does not exist, but it is needed: complete the data set")
