"""Codes that files are only read in: depth as data sets have it, and the points of laser scanners."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np

from segprep.datasets.codes.base import check_scale, check_values, filled, mask_of
from segprep.datasets.codes.distance import DepthCode
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.json_values import is_number, json_of
from segprep.datasets.sample import Array, JsonDict, Mask

__all__ = ["DepthFileCode", "VelodyneCode"]

_U16: Final = np.dtype(np.uint16)
_MAX: Final = 65535
_KINECT_NONE: Final = 2047
_KINECT_POLE: Final = 2842.5 * (np.pi / 2 - 1.1863)  # 1092.98, where the tangent is infinite
_FINEST_M, _USUAL_M, _COARSEST_M = 1e-4, 0.002, 0.01


def _rotated(numbers_HW: Array) -> Array:
    """Undo SUN RGB-D's rotation of 16 bits to the left by three."""
    if numbers_HW.dtype != _U16:
        raise CodeRangeError(f"rotated bits are those of 16-bit numbers, this file holds {numbers_HW.dtype}")
    turned: Array = (numbers_HW >> 3) | (numbers_HW << 13)
    return turned


def _kinect_tangent(numbers_HW: Array) -> Array:
    """Return the tangent that raw disparities of the first Kinect stand for; -1, no depth, where they tell nothing."""
    if numbers_HW.dtype.kind not in "iu" or int(numbers_HW.max(initial=0)) > _KINECT_NONE:
        found = numbers_HW.dtype if numbers_HW.dtype.kind == "f" else f"{numbers_HW.max()}"
        raise CodeRangeError(
            f"raw numbers of a Kinect are whole ones of 11 bits, this file holds {found}: is it depth already, or are "
            "the bytes of its numbers swapped (kinect), or not swapped (kinect-swapped)?"
        )
    raw_HW = numbers_HW.astype(np.float64)
    tangent_HW: Array = np.where((raw_HW > 0) & (raw_HW < _KINECT_POLE), np.tan(raw_HW / 2842.5 + 1.1863), -1)
    return tangent_HW


def _swapped_kinect_tangent(numbers_HW: Array) -> Array:
    if numbers_HW.dtype != _U16:
        raise CodeRangeError(f"swapped bytes are those of 16-bit numbers, this file holds {numbers_HW.dtype}")
    return _kinect_tangent(numbers_HW.byteswap())


_LAWS: Final[Mapping[str, Callable[[Array], Array]]] = MappingProxyType(
    {
        "linear": lambda numbers_HW: numbers_HW,
        "rotated-bits": _rotated,
        "kinect": _kinect_tangent,
        "kinect-swapped": _swapped_kinect_tangent,
    }
)


@dataclass(frozen=True, slots=True)
class DepthFileCode:
    """Depth as data sets hold it: metres = law(number) * scale_m. It is only read; segprep writes `DepthCode`.

    Files hold integers of at least 16 bits or floats in one channel; of a 16-bit colour picture the first channel
    counts (SYNTHIA has the same number in all). Numbers of 0 and below and NaN are invalid, positive infinity is
    infinitely far. Laws:

    - "linear": the number itself.
    - "rotated-bits": 16-bit numbers whose lowest three bits were moved to the top, (p >> 3) | (p << 13), as the toolbox
      of SUN RGB-D (http://rgbd.cs.princeton.edu) reads them.
    - "kinect": raw disparity of the first Kinect; with scale 0.1236 metres = 0.1236 tan(raw / 2842.5 + 1.1863), by
      Stephane Magnenat, https://openkinect.org/wiki/Imaging_Information. 2047 is invalid, as is all from 1093 on, where
      the formula has no depth. 800 is 1.20 m, 1000 is 3.78 m.
    - "kinect-swapped": the same, with the two bytes of each number exchanged, as in NYU's raw recordings: their .pgm
      files have the low byte first, and the format says the high one.

    Attributes:
        scale_m: Metres per unit of the law.
        law: What the numbers stand for.
        far_code: Whether 65535 in a 16-bit file is infinitely far, as in Virtual KITTI 2. Else it is invalid.
    """

    scale_m: float = 0.001
    law: str = "linear"
    far_code: bool = False

    name: ClassVar[str] = "depth-file"

    def __post_init__(self) -> None:
        check_scale(self.scale_m)
        if self.law not in _LAWS:
            raise CodeRangeError(f"there is no law {self.law!r} of depth files. Known: {', '.join(_LAWS)}")

    @property
    def kept_as(self) -> DepthCode:
        """The code of a workspace's depth that comes from such files: 2 mm up to 131 m, or the files' own scale.

        Their own scale holds where it makes sense for means of several pixels and reaches beyond a room: from 0.1 mm to
        1 cm.
        """
        own = not self.law.startswith("kinect") and _FINEST_M <= self.scale_m <= _COARSEST_M
        return DepthCode(self.scale_m if own else _USUAL_M)

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return what `from_file` returned. See `Code.decode`."""
        check_values(stored, 0, "depth")
        return stored, mask_of(valid, stored.shape)

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return (H, W) float32 metres, infinity where infinitely far, 0 where invalid; and where they are valid.

        Raises:
            CodeRangeError: If the file holds 8-bit numbers, several channels, numbers that do not fit the law, or more
                negative ones than others, unless they are all the same.
        """
        numbers_HW = _one_channel(picture)
        metres_HW = _LAWS[self.law](numbers_HW) * np.float64(self.scale_m)
        with np.errstate(over="ignore"):
            metres_HW = metres_HW.astype(np.float32)
        if numbers_HW.dtype == _U16:
            metres_HW[numbers_HW == _MAX] = np.inf if self.far_code else 0
        if numbers_HW.dtype.kind != "u":
            _refuse_negative(numbers_HW)
        valid: Mask = metres_HW > 0  # NaN is not
        return filled(metres_HW, valid), valid

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}


def _one_channel(picture: Array) -> Array:
    """Return (H, W) numbers, the first channel of 16-bit colours."""
    if picture.dtype.kind not in "iuf" or picture.dtype.itemsize < 2:
        raise CodeRangeError(
            f"depth needs numbers of at least 16 bits, this file holds {picture.dtype}: it is a picture for the eye; "
            "take the file that it was made from"
        )
    if picture.ndim == 3 and (picture.shape[2] == 1 or picture.dtype == _U16):
        picture = np.ascontiguousarray(picture[..., 0])
    if picture.ndim != 2:
        raise CodeRangeError(f"depth stands in one channel, this file holds {picture.dtype} of shape {picture.shape}")
    return picture


def _refuse_negative(numbers_HW: Array) -> None:
    negative = numbers_HW[numbers_HW < 0]
    positive = int((numbers_HW > 0).sum())
    if negative.size > positive and negative.min() < negative.max():  # a single one, often -1, marks what is unknown
        raise CodeRangeError(
            f"{negative.size} numbers are below 0 and only {positive} above: depth is the distance in front of the "
            "camera. Are the axes those of OpenGL, or is this something else?"
        )


@dataclass(frozen=True, slots=True)
class VelodyneCode:
    """Points of a laser scanner as KITTI has them, on their way to depth. It is only read.

    Attributes:
        transform: Sixteen numbers: the (4, 4) transform of homogeneous points from the scanner's axes (x forward, y
            left, z up) to those of the rectified camera (x right, y down, z forward), row by row, in metres.
    """

    transform: tuple[float, ...]

    name: ClassVar[str] = "velodyne"

    def __post_init__(self) -> None:
        given: tuple[object, ...] = self.transform  # JSON holds anything
        numbers = [float(value) for value in given if is_number(value)]
        if len(numbers) != len(given) or len(numbers) != 16 or numbers[12:] != [0, 0, 0, 1]:
            raise CodeRangeError(
                "the transform of a scanner's points is 16 numbers, a 4x4 matrix row by row that ends in 0 0 0 1, not "
                f"{self.transform!r}"
            )
        object.__setattr__(self, "transform", tuple(numbers))

    def decode(self, stored: Array, valid: Mask | None) -> tuple[Array, Mask | None]:
        """Return what `from_file` returned. See `Code.decode`."""
        if stored.ndim != 2 or stored.shape[1] != 3:
            raise CodeRangeError(f"points have the shape (N, 3), not {stored.shape}")
        return stored, None

    def from_file(self, picture: Array) -> tuple[Array, Mask | None]:
        """Return (N, 3) float32 points in the camera's axes, from (N, 3) or (N, 4) of the scanner's.

        Raises:
            CodeRangeError: If these are no points.
        """
        if picture.ndim != 2 or picture.shape[1] not in (3, 4):
            raise CodeRangeError(f"points have the shape (N, 3), or (N, 4) with the reflectance, not {picture.shape}")
        T = np.array(self.transform).reshape(4, 4)
        return (picture[:, :3] @ T[:3, :3].T + T[:3, 3]).astype(np.float32), None

    def to_json(self) -> JsonDict:
        """Return the name and parameters."""
        return {"name": self.name, **json_of(self)}
