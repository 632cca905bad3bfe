"""Writes a rendered recording in TUM's format: images and depth each have their own clock, and poses twice the rate."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.miniature import RenderedRecording, depth_picture, number_line, write_lines
from segprep.datasets.codes import DepthCode
from segprep.datasets.imageio import write_image
from segprep.datasets.sample import Matrix, Pose
from segprep.datasets.synthetic import camera_pose

__all__ = ["quaternion", "write_sequence"]

_START_S: Final = 1305031102.175304
_DEPTH_LATE_S: Final = (0.004, -0.007, 0.012)


def write_sequence(folder: Path, recording: RenderedRecording, code: DepthCode) -> None:
    """Write images, depth images and their lists, and twice as many poses as images.

    Each image's own pose stands at its time, the pose half-way to the next image between them.

    Args:
        folder: Made if absent.
        recording: What is rendered.
        code: Of the depth files.
    """
    images, depths, poses = ["# color images"], ["# depth maps"], ["# timestamp tx ty tz qx qy qz qw"]
    halfway = replace(recording.world, frame_rate=2 * recording.world.frame_rate)
    for index, frame in enumerate(recording.frames()):
        time = _START_S + frame.time
        names = [
            f"{part}/{stamp:.6f}.png"
            for part, stamp in (("rgb", time), ("depth", time + _DEPTH_LATE_S[index % len(_DEPTH_LATE_S)]))
        ]
        write_image(folder / names[0], frame.rgb_HWC)
        write_image(folder / names[1], depth_picture(frame, code))
        for listed, name in ((images, names[0]), (depths, names[1])):
            listed.append(f"{Path(name).stem} {name}")
        poses += [
            _pose_line(time, frame.pose),
            _pose_line(time + 0.5 / recording.world.frame_rate, camera_pose(halfway, 2 * index + 1)),
        ]
    for name, lines in (("rgb.txt", images), ("depth.txt", depths), ("groundtruth.txt", poses)):
        write_lines(folder / name, lines)


def _pose_line(time: float, pose: Pose) -> str:
    return f"{time:.4f} {number_line((*pose.matrix[:3, 3], *quaternion(pose.matrix[:3, :3])))}"


def quaternion(R: Matrix) -> Matrix:
    """Return (4,) x, y, z, w: the eigenvector of the largest eigenvalue of Bar-Itzhack's matrix, which is 1."""
    antisymmetric = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    N = np.zeros((4, 4))
    N[:3, :3] = R + R.T - np.trace(R) * np.eye(3)
    N[:3, 3] = N[3, :3] = antisymmetric
    N[3, 3] = np.trace(R)
    q: Matrix = np.linalg.eigh(N / 3)[1][:, -1]
    return q
