"""COLMAP's text models: https://colmap.github.io/format.html. Cameras count pixels from the corner of the first one."""

from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.calibration import Calibration, Distortion
from segprep.datasets.catalog._common.text_lines import TextLine, read_lines
from segprep.datasets.catalog._common.trajectories import quaternion_matrix, rigid_pose
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.sample import Pose

__all__ = ["is_image_line", "read_colmap_cameras", "read_colmap_images"]

_IMAGE_WORDS: Final = 10
_MODELS: Final = {  # places of fx, fy, cx, cy among the parameters, and how many there are
    "SIMPLE_PINHOLE": (0, 0, 1, 2, 3),
    "PINHOLE": (0, 1, 2, 3, 4),
    "SIMPLE_RADIAL": (0, 0, 1, 2, 4),
    "RADIAL": (0, 0, 1, 2, 5),
    "OPENCV": (0, 1, 2, 3, 8),
    "OPENCV_FISHEYE": (0, 1, 2, 3, 8),
}


def is_image_line(line: TextLine) -> bool:
    """Say whether a line is that of an image; the one below it, which may be empty, has points in triples."""
    words = line.text.split()
    return len(words) >= _IMAGE_WORDS and not _is_number(words[_IMAGE_WORDS - 1])


def read_colmap_images(path: Path, lines: list[TextLine]) -> dict[str, Pose | None]:
    """Read "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME", world to camera, as the inverse that poses are.

    Returns:
        Name of each image to its pose.

    Raises:
        UnreadableFileError: If a line is broken or an image stands twice.
    """
    found: dict[str, Pose | None] = {}
    for line in lines:
        if not is_image_line(line):
            continue
        words = line.text.split(maxsplit=_IMAGE_WORDS - 1)
        values = line._replace(text=" ".join(words[:9])).finite_numbers(9)
        qw, qx, qy, qz, *t = values[1:8]
        if not any((qw, qx, qy, qz)):
            raise line.unreadable("the quaternion is zero: it turns nothing")
        name = words[9]
        if name in found:
            raise line.unreadable(f"{name} has a pose already")
        R = quaternion_matrix(qx, qy, qz, qw)
        found[name] = rigid_pose(np.column_stack([R.T, -R.T @ t]).ravel().tolist())
    if not found:
        raise UnreadableFileError(f"{path} has no line of an image: IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME")
    return found


def read_colmap_cameras(path: Path) -> Calibration:
    """Read "CAMERA_ID MODEL WIDTH HEIGHT PARAMS" of the one camera that took all pictures.

    Raises:
        UnreadableFileError: If a line is broken, a model is unknown, or there are several cameras.
    """
    lines = read_lines(path) or []
    if len(lines) != 1:
        raise UnreadableFileError(f"{path} holds {len(lines)} cameras where the one of all pictures is expected")
    (line,) = lines
    words = line.text.split()
    model = _MODELS.get(words[1]) if len(words) > 1 else None
    if model is None:
        raise line.unreadable(f"the camera is none of {', '.join(_MODELS)}: let COLMAP undistort the pictures")
    *places, count = model
    width, height, *params = line._replace(text=" ".join(words[2:])).finite_numbers(count + 2)
    if min(width, height) < 1 or width != int(width) or height != int(height):
        raise line.unreadable(f"width and height must be whole numbers above 0, not {width:g} and {height:g}")
    fx, fy, cx, cy = (params[k] for k in places)
    coefficients = tuple(params[max(places) + 1 :])
    name = "equidistant" if words[1] == "OPENCV_FISHEYE" else "plumb_bob"
    distortion = Distortion(name, coefficients) if any(coefficients) else None
    try:
        return Calibration.of_numbers(fx, fy, cx - 0.5, cy - 0.5, (int(width), int(height)), distortion)
    except ValueError as error:
        raise line.unreadable(str(error)) from error


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
