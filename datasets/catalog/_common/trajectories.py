"""Where a camera was: pose files of one matrix, rows of matrices, Redwood's and Open3D's logs, TUM's timed quaternions.

All of them hold camera-to-world transforms in metres.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.text_lines import TextLine, read_lines
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.sample import Matrix, Pose

__all__ = [
    "nearest_pairs",
    "pose_blocks",
    "pose_rows",
    "quaternion_matrix",
    "read_pose",
    "rigid_pose",
    "timed_poses",
    "trajectory_log",
]

_RIGID: Final = 0.01  # what rounding and integration leave: 0.0001 in 7-Scenes
_ROWS: Final = 4  # of a matrix


def rigid_pose(values: Sequence[float]) -> Pose | None:
    """Turn a matrix into a pose whose rotation is exact: the nearest one in the least squares sense.

    Args:
        values: 16 or 12 numbers row by row, the last row 0 0 0 1 or left out.

    Returns:
        None where a recorder says that it lost its way: numbers that are not finite, or zeros only.

    Raises:
        ValueError: If it is no rigid transform.
    """
    given = np.array(values, np.float64).reshape(-1, 4)
    if not np.isfinite(given).all() or not given[:3, :3].any():
        return None
    if len(given) == 4 and np.abs(given[3] - (0, 0, 0, 1)).max() > 1e-6:
        raise ValueError(f"the last row is {given[3].tolist()} instead of 0 0 0 1: is the matrix transposed?")
    U, _, V = np.linalg.svd(given[:3, :3])
    matrix = np.eye(4)
    matrix[:3, :3] = U @ V
    matrix[:3, 3] = given[:3, 3]
    if np.abs(matrix[:3, :3] - given[:3, :3]).max() > _RIGID or np.linalg.det(matrix[:3, :3]) < 0:
        raise ValueError(f"the left 3x3 part is no rotation: {given[:3, :3].tolist()}")
    return Pose(matrix)


def quaternion_matrix(x: float, y: float, z: float, w: float) -> Matrix:
    """Return the (3, 3) rotation of a quaternion x i + y j + z k + w of any length above 0.

    (0, 0, sin 45 degrees, cos 45 degrees) turns by 90 degrees about z: it takes (1, 0, 0) to (0, 1, 0).
    """
    v, s = np.array([x, y, z]), w
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: Matrix = np.eye(3) + 2 * (s * cross + cross @ cross) / (v @ v + s * s)
    return rotation


def read_pose(path: Path) -> Pose | None:
    """Read one matrix of 4 or 3 rows; None if there is no such file or it says that the pose is unknown.

    Raises:
        UnreadableFileError: If the file holds anything else.
    """
    lines = read_lines(path)
    if lines is None:
        return None
    if len(lines) not in (3, 4):
        raise UnreadableFileError(f"{path} holds {len(lines)} lines of numbers where the 4 rows of a pose are expected")
    return _pose(lines[0], [value for line in lines for value in line.numbers(4)])


def pose_rows(lines: Sequence[TextLine]) -> list[Pose | None]:
    """Read one pose per line: 16 or 12 numbers, row by row.

    Raises:
        UnreadableFileError: If a line holds anything else.
    """
    return [_pose(line, line.numbers(16, 12)) for line in lines]


def pose_blocks(lines: Sequence[TextLine]) -> list[Pose | None]:
    """Read one pose after another, four lines of four numbers each.

    Raises:
        UnreadableFileError: If a line holds anything else, or the last pose is not whole.
    """
    starts = range(0, len(lines), _ROWS)
    if len(lines) % _ROWS:
        raise lines[starts[-1]].unreadable(f"four rows of a matrix begin here, not {len(lines) % _ROWS}")
    return [_pose(lines[k], [value for row in lines[k : k + _ROWS] for value in row.numbers(4)]) for k in starts]


def trajectory_log(lines: Sequence[TextLine]) -> dict[int, Pose | None]:
    """Read blocks of a line "i j k" and four matrix rows: http://redwood-data.org/indoor/fileformat.html.

    Returns:
        Index of the frame, from 0, to its pose; k is the frame's number counted from 1.

    Raises:
        UnreadableFileError: If a block is broken or a frame has several.
    """
    found: dict[int, Pose | None] = {}
    for start in range(0, len(lines), _ROWS + 1):
        head, *rows = lines[start : start + _ROWS + 1]
        number = head.finite_numbers(3)[2]
        if number < 1 or number != int(number):
            raise head.unreadable(f"the third number, {number:g}, is no frame's number; they count from 1")
        if len(rows) != _ROWS:
            raise head.unreadable(f"four rows of a matrix must follow, not {len(rows)}: the file is truncated")
        if int(number) - 1 in found:
            raise head.unreadable(f"frame {number:g} has a pose already")
        found[int(number) - 1] = _pose(head, [value for row in rows for value in row.numbers(4)])
    return found


def timed_poses(lines: Sequence[TextLine]) -> list[tuple[float, Pose | None]]:
    """Read lines "timestamp tx ty tz qx qy qz qw": a time, metres and a quaternion, as TUM's RGB-D sets have them.

    Raises:
        UnreadableFileError: If a line holds anything else.
    """
    found = []
    for line in lines:
        time, *position, qx, qy, qz, qw = line.numbers(8)
        if not np.isfinite(time):
            raise line.unreadable(f"{time} is no time")
        matrix = np.full((3, 4), np.nan)
        matrix[:, 3] = position
        if any((qx, qy, qz, qw)) and np.isfinite((qx, qy, qz, qw)).all():
            matrix[:, :3] = quaternion_matrix(qx, qy, qz, qw)
        found.append((time, _pose(line, matrix.ravel().tolist())))
    return found


def nearest_pairs(times: Sequence[float], others: Sequence[float], tolerance: float) -> dict[int, int]:
    """Pair times one to one, the closest first, as TUM's own tool does.

    Args:
        times: Seconds, in any order.
        others: Seconds, in any order.
        tolerance: Largest difference of a pair.

    Returns:
        Index in `times` to index in `others`, for those that found one.
    """
    order = sorted(range(len(others)), key=others.__getitem__)
    ordered = [others[i] for i in order]
    near = sorted(
        (abs(ordered[k] - time), i, order[k])
        for i, time in enumerate(times)
        for k in range(bisect_left(ordered, time - tolerance), bisect_right(ordered, time + tolerance))
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in near:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return dict(sorted(pairs.items()))


def _pose(line: TextLine, values: Sequence[float]) -> Pose | None:
    try:
        return rigid_pose(values)
    except ValueError as error:
        raise line.unreadable(str(error)) from error
