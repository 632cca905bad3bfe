"""Cameras, odometry and time stamps of Cityscapes, and the motion between two frames that follows from them.

The axes of the vehicle are ISO 8855's: x forward, y left, z up, origin on the ground below the rear axle. The
calibration file turns a camera of the same axes (x forward) into the vehicle by R = Rz(yaw) Ry(pitch) Rx(roll) and
t = (x, y, z): csCalibration.pdf of cityscapesScripts. Cameras here have x right, y down and z forward.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.documents import parse_json, read_text
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.json_values import is_number
from segprep.datasets.sample import Camera, Matrix
from segprep.datasets.source_files import unreadable

__all__ = [
    "CAMERA_TO_ISO",
    "FRAME_RATE",
    "Odometry",
    "camera_motion",
    "camera_mount",
    "constant_turn",
    "mean_odometry",
    "read_camera",
    "read_odometry",
    "read_timestamp",
]

FRAME_RATE: Final = 17.0
"""Nominal frames per second."""

CAMERA_TO_ISO: Final = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Columns: where a camera's x (right), y (down) and z (forward) point in axes x forward, y left, z up."""


@dataclass(frozen=True, slots=True)
class Odometry:
    """How the vehicle moves at one moment.

    Attributes:
        speed: Metres per second, forward.
        yaw_rate: Radians per second, positive to the left.
    """

    speed: float
    yaw_rate: float


def mean_odometry(known: Sequence[Odometry]) -> Odometry:
    """Return the mean of one or more."""
    return Odometry(*(sum(v) / len(known) for v in zip(*((o.speed, o.yaw_rate) for o in known), strict=True)))


def constant_turn(odometry: Odometry, seconds: float) -> Matrix:
    """Return M (4, 4): the pose of the vehicle after a time, in the vehicle's axes of now; the time may be negative.

    With turn = yaw_rate * seconds the vehicle drives an arc to (v/w sin(turn), v/w (1 - cos(turn)), 0), written here so
    that it also holds for straight driving. 10 m/s and 0.5 rad/s for 0.1 s give (0.99958, 0.02499, 0), turned 0.05 rad.
    """
    turn, path = odometry.yaw_rate * seconds, odometry.speed * seconds
    c, s = math.cos(turn), math.sin(turn)
    ahead = path * float(np.sinc(turn / math.pi))
    left = path * math.sin(turn / 2) * float(np.sinc(turn / math.tau))
    return np.array([[c, -s, 0, ahead], [s, c, 0, left], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def camera_motion(mount: Matrix, odometry: Odometry, seconds: float) -> Matrix:
    """Return T (4, 4) that takes points of the camera now to the camera after a time: X' = T X.

    Args:
        mount: (4, 4) camera to vehicle.
        odometry: Speed and yaw rate, constant over the time.
        seconds: Negative for an earlier frame.

    T = mount^-1 M^-1 mount with M from `constant_turn`. Driving ahead moves points towards the camera (t_z < 0), a turn
    to the left moves them to the right.
    """
    motion: Matrix = np.linalg.inv(mount) @ np.linalg.inv(constant_turn(odometry, seconds)) @ mount
    return motion


def camera_mount(*, yaw: float, pitch: float, roll: float, x: float, y: float, z: float) -> Matrix:
    """Return the camera-to-vehicle transform (4, 4) of a calibration's extrinsic parameters: radians and metres.

    A positive yaw looks to the left, a positive pitch looks down.
    """
    (cy, sy), (cp, sp), (cr, sr) = ((math.cos(a), math.sin(a)) for a in (yaw, pitch, roll))
    turned = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    tilted = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    rolled = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    mount = np.eye(4)
    mount[:3, :3] = turned @ tilted @ rolled @ CAMERA_TO_ISO
    mount[:3, 3] = x, y, z
    return mount


def read_camera(path: Path, width: int, height: int) -> Camera | None:
    """Read a camera file; None if there is none.

    The principal point (u0, v0) is taken as it stands, in pixels counted from 0 at the centre of the first pixel. What
    it is counted from is not documented; half a pixel of 2048 is a fiftieth of a degree.

    Args:
        path: The file.
        width: Of the images: the file does not say.
        height: Of the images.

    Raises:
        UnreadableFileError: If it is no calibration file of Cityscapes.
    """
    data = _read_json(path)
    if data is None:
        return None
    fx, fy, u0, v0 = _numbers(path, data, "intrinsic", ("fx", "fy", "u0", "v0"))
    baseline, *extrinsic = _numbers(path, data, "extrinsic", ("baseline", "yaw", "pitch", "roll", "x", "y", "z"))
    if fx <= 0 or fy <= 0 or baseline <= 0:
        raise _damaged(path, f"fx {fx}, fy {fy} and baseline {baseline} must be positive")
    yaw, pitch, roll, x, y, z = extrinsic
    K = np.array([[fx, 0, u0], [0, fy, v0], [0, 0, 1]])
    mount = camera_mount(yaw=yaw, pitch=pitch, roll=roll, x=x, y=y, z=z)
    return Camera(K, width, height, baseline, mount)


def read_odometry(path: Path) -> Odometry | None:
    """Read speed and yaw rate of a vehicle file; None if there is none.

    Raises:
        UnreadableFileError: If it is no vehicle file of Cityscapes.
    """
    data = _read_json(path)
    return None if data is None else Odometry(*_numbers(path, {"": data}, "", ("speed", "yawRate")))


def read_timestamp(path: Path) -> float | None:
    """Read a time in seconds since the start of the sequence, which files hold in nanoseconds; None if there is none.

    Raises:
        UnreadableFileError: If the file holds anything but one whole number.
    """
    text = _read_text(path)
    if text is None:
        return None
    if not re.fullmatch(r"\s*\d{1,19}\s*", text):
        raise _damaged(path, f"one whole number of nanoseconds is expected, not {text.strip()[:40]!r}")
    return int(text) / 1e9


def _read_json(path: Path) -> Any:  # noqa: ANN401  (whatever the file holds)
    text = _read_text(path)
    try:
        return None if text is None else parse_json(text)
    except ValueError as error:
        raise _damaged(path, f"no JSON: {error}") from error


def _read_text(path: Path) -> str | None:
    try:
        return read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _numbers(path: Path, data: Any, section: str, names: Sequence[str]) -> list[float]:  # noqa: ANN401
    table = data.get(section) if isinstance(data, dict) else None
    numbers = []
    for name in names:
        value = table.get(name) if isinstance(table, dict) else None
        if not is_number(value):
            raise _damaged(path, f"{f'{section}.{name}'.removeprefix('.')} is {value!r} and no number")
        numbers.append(float(value))
    return numbers


def _damaged(path: Path, what: str) -> UnreadableFileError:
    return UnreadableFileError(f"{path} is no {path.stem.rpartition('_')[2]} file of Cityscapes: {what}. Get it again")
