"""Calibrations in JSON and YAML: ROS camera_info, Kalibr, EuRoC, OpenCV, RealSense, ORB-SLAM, NeRF tools, Open3D."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from segprep.datasets.catalog._common.calibration import Calibration, Distortion
from segprep.datasets.catalog._common.intrinsics import read_pinhole_json
from segprep.datasets.catalog._common.yaml_documents import read_yaml
from segprep.datasets.documents import read_json
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.source_files import unreadable

__all__ = ["read_json_calibration", "read_yaml_calibration"]

_SECTIONS: Final = ("color", "rgb", "cam0", "camera", "intrinsics", "color_intrinsics", "intrinsic_parameters")
_MATRICES: Final = ("camera_matrix", "K", "k", "intrinsic_matrix", "cameraMatrix", "CameraMatrix", "intrinsics")
_NUMBERS: Final = (
    ("fx", "fy", "cx", "cy"),
    ("fx", "fy", "ppx", "ppy"),
    ("Camera.fx", "Camera.fy", "Camera.cx", "Camera.cy"),
    ("Camera1.fx", "Camera1.fy", "Camera1.cx", "Camera1.cy"),
)
_NERF: Final = ("fl_x", "fl_y", "cx", "cy")  # counts pixels from the corner of the first one
_SIZES: Final = (("width", "height"), ("image_width", "image_height"), ("w", "h"), ("Camera.width", "Camera.height"))
_MODELS: Final = ("distortion_model", "model", "camera_model", "Camera.type")
_COEFFICIENTS: Final = ("distortion_coefficients", "distortion_coeffs", "dist_coeffs", "distCoeffs", "coeffs", "D", "d")
_SINGLE: Final = ("k1", "k2", "p1", "p2", "k3")
_NO_PINHOLE: Final = ("omni", "ds", "eucm", "mei", "spherical", "equirectangular")


def read_json_calibration(path: Path) -> Calibration:
    """Read a calibration in JSON.

    Raises:
        UnreadableFileError: If the file holds none; it is told as for Open3D's form, which is the usual one.
    """
    try:
        found = _calibration(read_json(path))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, TypeError, OverflowError):
        found = None
    if found is not None:
        return found
    camera = read_pinhole_json(path)
    return Calibration(camera.K, (camera.width, camera.height))


def read_yaml_calibration(path: Path) -> Calibration:
    """Read a calibration in YAML.

    Raises:
        UnreadableFileError: If the file holds none.
    """
    try:
        found = _calibration(read_yaml(path))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise UnreadableFileError(f"{path} is no calibration: {error}") from error
    if found is None:
        raise UnreadableFileError(f"{path} is no calibration: no camera_matrix, K, intrinsics, or fx, fy, cx and cy")
    return found


def _calibration(data: object) -> Calibration | None:
    if not isinstance(data, Mapping):
        return None
    names = next((names for names in (*_NUMBERS, _NERF) if all(name in data for name in names)), None)
    if names is not None:
        fx, fy, cx, cy = _numbers([data[name] for name in names])
        half = 0.5 if names is _NERF else 0.0
        return Calibration.of_numbers(fx, fy, cx - half, cy - half, _size(data), _distortion(data))
    for name in _MATRICES:
        values = data.get(name)
        if isinstance(values, Mapping) and "data" in values:
            values = values["data"]
        if isinstance(values, list) and not (name == "intrinsic_matrix" and len(values) == 9):  # Open3D: by columns
            return _of_values(values, data)
    sections = (_calibration(data[name]) for name in _SECTIONS if isinstance(data.get(name), Mapping))
    return next((found for found in sections if found is not None), None)


def _of_values(values: list[Any], data: Mapping[str, Any]) -> Calibration:
    numbers = _numbers([value for row in values for value in (row if isinstance(row, list) else [row])])
    if len(numbers) == 4:
        fx, fy, cx, cy = numbers
    elif len(numbers) == 9:
        (fx, _, cx), (_, fy, cy), last = np.reshape(numbers, (3, 3)).tolist()
        if numbers[3] != 0 or last != [0, 0, 1]:
            raise ValueError(f"K must be fx 0 cx / 0 fy cy / 0 0 1, not {numbers}")
    else:
        raise ValueError(f"4 numbers (fx fy cx cy) or 9 (3x3) make intrinsics, not {len(numbers)}")
    return Calibration.of_numbers(fx, fy, cx, cy, _size(data), _distortion(data))


def _size(data: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = next(([data[name] for name in names] for names in _SIZES if all(name in data for name in names)), None)
    sides = data.get("resolution") if sides is None else sides
    if sides is None:
        return None
    numbers = _numbers(sides)
    if len(numbers) != 2 or not all(side >= 1 and side == int(side) for side in numbers):
        raise ValueError(f"width and height must be whole numbers above 0, not {sides}")
    return int(numbers[0]), int(numbers[1])


def _distortion(data: Mapping[str, Any]) -> Distortion | None:
    named = [data[name] for name in _MODELS if isinstance(data.get(name), str)]
    strange = next((name for name in named if name.lower() in _NO_PINHOLE), None)
    if strange is not None:
        raise ValueError(f"the camera model {strange} is no pinhole: undistort the pictures first")
    values = next((data[name] for name in _COEFFICIENTS if name in data), None)
    if isinstance(values, Mapping):
        values = values.get("data")
    if values is None:
        prefix = next((p for p in ("", "Camera.", "Camera1.") if f"{p}k1" in data), None)
        values = [] if prefix is None else [data.get(f"{prefix}{name}", 0.0) for name in _SINGLE]
    flat = [value for row in values for value in (row if isinstance(row, list) else [row])]
    coefficients = tuple(_numbers(flat))
    return Distortion(named[0] if named and named[0] != "pinhole" else "", coefficients) if any(coefficients) else None


def _numbers(values: object) -> list[float]:
    if not isinstance(values, list) or any(
        isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value) for value in values
    ):
        raise ValueError(f"numbers are expected, not {str(values)[:80]}")
    return [float(value) for value in values]
