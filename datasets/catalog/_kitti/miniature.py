"""Writes rendered drives in KITTI's layouts: the chain of its calibration gives exactly the rendered camera."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.catalog._common.miniature import number_line, write_lines
from segprep.datasets.catalog._kitti.calibration import CALIBRATION_FILES, IMU_HEIGHT_M
from segprep.datasets.catalog._kitti.oxts import EARTH_RADIUS_M, OxtsPacket, imu_pose, mercator_scale
from segprep.datasets.imageio import write_image
from segprep.datasets.sample import Array, Camera, Matrix
from segprep.datasets.synthetic import Frame, World, make_camera, render

__all__ = ["BASELINE_M", "drives", "write_kitti", "write_kitti_object"]

BASELINE_M: Final = 0.54

_DATE: Final = "2011_09_26"
_START: Final = datetime(2011, 9, 26, 13, 59, 59, 861661, tzinfo=UTC)
_WIDTH: Final = 192
_HEIGHT: Final = 96
_FRAME_RATE: Final = 10.0
_CAMERA_2_M: Final = 0.06  # to the right of camera 0
_HOME: Final = OxtsPacket(49.015003823272, 8.4342971002335, 116.43032836914, 0, 0, 0)
_UNMODELLED: Final = 24  # further numbers of a packet


def drives(frames: int) -> dict[str, tuple[World, int]]:
    """Return name of each drive to its world and number of frames; the second, a quarter of them, is to validate on."""
    judged = max(1, frames // 4)
    first, second = (
        World(seed=seed, frame_rate=_FRAME_RATE, bend=0.3, yaw_rate=0.05, pitch_wobble=0.004) for seed in (31, 32)
    )
    return {f"{_DATE}_drive_0001_sync": (first, frames - judged), f"{_DATE}_drive_0002_sync": (second, judged)}


def write_kitti(root: Path, frames: int) -> None:
    """Write a miniature with calibration, images, packets, time stamps and scans of every second pixel."""
    made_up = _made_up(make_camera(_WIDTH, _HEIGHT))
    _write_calibration(root / _DATE, made_up)
    T_cam2_velo, T_cam2_imu = made_up.T_cam2_velo, made_up.T_cam2_velo @ made_up.T_velo_imu
    for name, (world, count) in drives(frames).items():
        folder = root / _DATE / name
        first: Matrix | None = None
        stamps = []
        for index in range(count):
            frame = render(world, index, _WIDTH, _HEIGHT)
            T_world_imu = frame.pose.matrix @ T_cam2_imu
            first = T_world_imu if first is None else first
            write_image(folder / f"image_02/data/{index:010d}.png", frame.rgb_HWC)
            _write_scan(folder / f"velodyne_points/data/{index:010d}.bin", frame, T_cam2_velo)
            write_lines(folder / f"oxts/data/{index:010d}.txt", [_packet(T_world_imu, first[:3, 3])])
            stamps.append(f"{_START + timedelta(microseconds=round(1e6 * frame.time)):%Y-%m-%d %H:%M:%S.%f}696")
        write_lines(folder / "image_02/timestamps.txt", stamps)
    write_lines(root / "val.txt", [list(drives(frames))[1]])


def write_kitti_object(root: Path, frames: int) -> None:
    """Write a miniature of the object benchmark: single frames with scans, a quarter of them in `testing`."""
    made_up = _made_up(make_camera(_WIDTH, _HEIGHT))
    for split, (world, count) in zip(("training", "testing"), drives(frames).values(), strict=True):
        for index in range(count):
            frame = render(world, index, _WIDTH, _HEIGHT)
            write_image(root / split / f"image_2/{index:06d}.png", frame.rgb_HWC)
            _write_scan(root / split / f"velodyne/{index:06d}.bin", frame, made_up.T_cam2_velo)
            entries: dict[str, Iterable[float]] = {
                "P2": made_up.P2.ravel(),
                "P3": made_up.P3.ravel(),
                "R0_rect": made_up.R_rect[:3, :3].ravel(),
                "Tr_velo_to_cam": made_up.T_cam0_velo[:3].ravel(),
                "Tr_imu_to_velo": made_up.T_velo_imu[:3].ravel(),
            }
            lines = [f"{entry}: {number_line(values)}" for entry, values in entries.items()]
            write_lines(root / split / f"calib/{index:06d}.txt", lines)


class _MadeUp(NamedTuple):
    """A calibration. A transform T_a_b takes points of b to a."""

    size: tuple[int, int]
    P2: Matrix
    P3: Matrix
    R_rect: Matrix
    T_cam0_velo: Matrix
    T_velo_imu: Matrix
    T_cam2_velo: Matrix


def _made_up(camera: Camera) -> _MadeUp:
    """Return a calibration that leads to a camera.

    Rectification, camera 2's place and the way from the unit to the scanner are made up, and T_cam0_velo is what then
    remains between them and the camera's mount.
    """
    lowered = np.eye(4)
    lowered[2, 3] = -IMU_HEIGHT_M  # from the road to the inertial unit
    T_imu_cam2 = lowered @ (np.eye(4) if camera.mount is None else camera.mount)
    T_velo_imu = _turned(0.01, -0.02, 0.004)
    T_velo_imu[:3, 3] = -0.81, 0.32, -0.8
    R_rect = _turned(-0.012, 0.007, 0.009)
    T2 = np.eye(4)
    T2[0, 3] = _CAMERA_2_M
    T_cam2_velo: Matrix = np.linalg.inv(T_velo_imu @ T_imu_cam2).astype(np.float64)
    T_cam0_velo = np.linalg.inv(T2 @ R_rect) @ T_cam2_velo

    column = np.array([[camera.K[0, 0]], [0], [0]])
    P2, P3 = (np.hstack([camera.K, x * column]) for x in (_CAMERA_2_M, _CAMERA_2_M - BASELINE_M))
    return _MadeUp((camera.width, camera.height), P2, P3, R_rect, T_cam0_velo, T_velo_imu, T_cam2_velo)


def _write_calibration(folder: Path, made_up: _MadeUp) -> None:
    """Write the files of a date."""
    cameras: dict[str, Iterable[float]] = {
        "S_rect_02": made_up.size,
        "R_rect_00": made_up.R_rect[:3, :3].ravel(),
        "P_rect_02": made_up.P2.ravel(),
        "P_rect_03": made_up.P3.ravel(),
    }
    velo, imu = (
        dict[str, Iterable[float]]({"R": T[:3, :3].ravel(), "T": T[:3, 3]})
        for T in (made_up.T_cam0_velo, made_up.T_velo_imu)
    )
    for name, entries in zip(CALIBRATION_FILES, (cameras, velo, imu), strict=True):
        lines = [f"{entry}: {number_line(values)}" for entry, values in entries.items()]
        write_lines(folder / name, ["calib_time: 09-Jan-2012 13:57:47", *lines])


def _packet(T_world_imu: Matrix, first: Matrix) -> str:
    """Return a packet from which `imu_pose` makes this pose, moved to Karlsruhe; `first` is the drive's first place."""
    scale = mercator_scale(_HOME)
    x, y, z = imu_pose(_HOME, scale)[:3, 3] + T_world_imu[:3, 3] - first
    R = T_world_imu[:3, :3]
    packet = (
        math.degrees(2 * math.atan(math.exp(y / (scale * EARTH_RADIUS_M)))) - 90,
        math.degrees(x / (scale * EARTH_RADIUS_M)),
        z,
        math.atan2(R[2, 1], R[2, 2]),
        math.asin(-R[2, 0]),
        math.atan2(R[1, 0], R[0, 0]),
    )
    return number_line((*packet, *[0.0] * _UNMODELLED))


def _write_scan(path: Path, frame: Frame, T_cam2_velo: Matrix) -> None:
    atomic_write_bytes(path, _scan(frame, T_cam2_velo).astype("<f4").tobytes())


def _scan(frame: Frame, T_cam2_velo: Matrix) -> Array:
    """Return (N, 4) points of every second pixel but the sky, with reflectance 0."""
    y, x = np.mgrid[: frame.camera.height : 2, : frame.camera.width : 2]
    depth = frame.depth_HW[y, x]
    seen = np.isfinite(depth)
    rays = np.linalg.inv(frame.camera.K) @ np.stack([x[seen], y[seen], np.ones(seen.sum())])
    points = np.linalg.inv(T_cam2_velo) @ np.vstack([rays * depth[seen], np.ones(seen.sum())])
    return np.vstack([points[:3], np.zeros(seen.sum())]).T


def _turned(roll: float, pitch: float, yaw: float) -> Matrix:
    """Return (4, 4) a rotation by the same formula as packets have it."""
    T = imu_pose(OxtsPacket(0, 0, 0, roll, pitch, yaw), 1.0)
    T[:3, 3] = 0
    return T
