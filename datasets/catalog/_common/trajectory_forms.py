"""Any file of a trajectory, told by what it holds, not by its name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from segprep.datasets.catalog._common.colmap import is_image_line, read_colmap_images
from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.catalog._common.timed_poses import TimedRow
from segprep.datasets.catalog._common.trajectories import (
    pose_blocks,
    pose_rows,
    rigid_pose,
    timed_poses,
    trajectory_log,
)
from segprep.datasets.documents import read_json
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.sample import Pose
from segprep.datasets.source_files import unreadable

__all__ = ["Trajectory", "read_trajectory"]

_WORD_NUMBERS: Final = re.compile(r"[+-]?(?:\d|\.\d|nan|inf)", re.IGNORECASE)
_OPENGL_AXES: Final = np.diag([1.0, -1.0, -1.0, 1.0])  # x right, y up, z backward
_COUNTS: Final = (3, 4, 8, 12, 16)  # of numbers in the first line: of a log, 4x4 blocks, times and quaternions, rows


class Trajectory(NamedTuple):
    """What a file says; exactly one of its last four is not None.

    Attributes:
        path: The file.
        arbitrary_scale: Whether programs that write this form know no metres.
        rows: A pose per image, in their order.
        numbered: Index of the image, from 0, to its pose.
        timed: Time and pose, in the order and the unit of the file.
        named: Name of the image, as the file writes it, to its pose.
    """

    path: Path
    arbitrary_scale: bool = False
    rows: list[Pose | None] | None = None
    numbered: dict[int, Pose | None] | None = None
    timed: list[TimedRow] | None = None
    named: dict[str, Pose | None] | None = None


def read_trajectory(path: Path) -> Trajectory:
    """Read a file of poses in any form that is known.

    Raises:
        UnreadableFileError: If it is broken or of none.
    """
    if path.suffix.lower() == ".json":
        return Trajectory(path, arbitrary_scale=True, named=_nerf_poses(path))
    lines = [line.without_comment() for line in read_lines(path) or []]
    if lines and not any(map(_WORD_NUMBERS.match, re.split(r"[\s,;]+", lines[0].text))):
        del lines[0]  # the names of the columns
    if not lines:
        return Trajectory(path, named={})
    if is_image_line(lines[0]):
        return Trajectory(path, arbitrary_scale=True, named=read_colmap_images(path, lines))
    match len(lines[0].numbers(*_COUNTS)):
        case 3:
            return Trajectory(path, numbered=trajectory_log(lines))
        case 4:
            return Trajectory(path, rows=pose_blocks(lines))
        case 8:
            return Trajectory(path, timed=timed_poses(lines))
    return Trajectory(path, rows=pose_rows(lines))


def _nerf_poses(path: Path) -> dict[str, Pose | None]:
    """Read `frames` of NeRF tools' transforms.json: camera to world, with the axes of OpenGL."""
    try:
        data = read_json(path)
        frames = data["frames"]
        found = {str(frame["file_path"]): _nerf_pose(frame) for frame in frames}
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            f"{path} has no frames with file_path and transform_matrix ({error}): get it again"
        ) from error
    if len(found) != len(frames):
        raise UnreadableFileError(f"{path} names a picture twice: keep one of its frames")
    return found


def _nerf_pose(frame: Mapping[str, Any]) -> Pose | None:
    matrix = np.array(frame["transform_matrix"], np.float64)
    if matrix.shape not in ((4, 4), (3, 4)):
        raise ValueError(f"a transform_matrix must be 4x4, not {'x'.join(map(str, matrix.shape))}")
    return rigid_pose((matrix @ _OPENGL_AXES).ravel().tolist())
