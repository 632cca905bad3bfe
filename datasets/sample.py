"""What a sample is: its key, its arrays, its camera and how the camera moved."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NewType

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.json_values import json_of
from segprep.datasets.kinds import Kind

__all__ = [
    "Array",
    "Camera",
    "JsonDict",
    "Mask",
    "Matrix",
    "Pose",
    "Sample",
    "SampleKey",
    "flip_x_map",
    "make_key",
    "scale_map",
]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]
JsonDict = dict[str, Any]

SampleKey = NewType("SampleKey", str)
"""Unique in a workspace, `[A-Za-z0-9._-]` and percent escapes, at most 200 bytes. See `make_key`."""

_MAX_KEY_BYTES = 200


def make_key(source_name: str) -> SampleKey:
    """Turn a source name into a key that is safe as a file name everywhere.

    Characters outside `[A-Za-z0-9._-]` become percent escapes of their UTF-8 bytes; so does a leading dot, which would
    hide the file. `"aachen/a b"` gives `"aachen%2Fa%20b"`.

    Raises:
        ValueError: If the name is empty or its key is longer than 200 bytes.
    """
    key = re.sub(r"[^A-Za-z0-9._-]", lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), source_name)
    if key.startswith("."):
        key = "%2E" + key[1:]
    if not key or len(key) > _MAX_KEY_BYTES:
        raise ValueError(
            f"no sample key of 1..{_MAX_KEY_BYTES} bytes can be made from the name {source_name!r}: rename it"
        )
    return SampleKey(key)


def _frozen(values: npt.ArrayLike, shape: tuple[int, int], what: str) -> Matrix:
    matrix = np.array(values, dtype=np.float64)
    if matrix.shape != shape or not np.isfinite(matrix).all():
        raise ValueError(f"{what} must be a finite {shape[0]}x{shape[1]} matrix, not {np.asarray(values).tolist()}")
    matrix.setflags(write=False)
    return matrix


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A camera-to-world transform in metres; camera axes x right, y down, z forward.

    Attributes:
        matrix: (4, 4) float64, last row 0 0 0 1.
    """

    matrix: Matrix

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", _frozen(self.matrix, (4, 4), "a pose"))

    def motion_to(self, other: "Pose") -> Matrix:
        """Return T (4, 4) that takes points of this camera to the other camera: X_other = T X_self."""
        return np.linalg.inv(other.matrix) @ self.matrix

    def to_json(self) -> list[list[float]]:
        """Return the rows of the matrix, that `from_json` reads back exactly."""
        rows: list[list[float]] = self.matrix.tolist()
        return rows

    @classmethod
    def from_json(cls, rows: npt.ArrayLike) -> "Pose":
        """Build a pose from what `to_json` returned.

        Raises:
            ValueError: If it is no finite 4x4 matrix.
        """
        return cls(np.asarray(rows, np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera whose pixel centres lie at integers.

    Attributes:
        K: (3, 3) float64 intrinsics in pixels.
        width: Image width in pixels.
        height: Image height in pixels.
        baseline: Distance to the right camera of a stereo pair in metres, or None.
        mount: (4, 4) camera-to-vehicle transform, or None.
    """

    K: Matrix
    width: int
    height: int
    baseline: float | None = None
    mount: Matrix | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "K", _frozen(self.K, (3, 3), "K"))
        if self.mount is not None:
            object.__setattr__(self, "mount", _frozen(self.mount, (4, 4), "a camera mount"))

    def transformed(self, A: npt.ArrayLike, width: int, height: int) -> "Camera":
        """Return the camera of the image warped by x' = A x.

        Args:
            A: (3, 3) affine map of homogeneous pixels, or (2, 3).
            width: Width of the warped image.
            height: Height of the warped image.

        Scaling, cropping, flipping and rotating are cases of it. Scaling by s with `scale_map` gives
        cx' = (cx + .5) s - .5, a flip gives cx' = W - 1 - cx and a negative fx.
        """
        matrix = np.vstack([np.asarray(A, np.float64)[:2], [0.0, 0.0, 1.0]])
        return replace(self, K=matrix @ self.K, width=width, height=height)

    def calibrated_for(self, size: tuple[int, int]) -> "Camera":
        """Return this camera if it belongs to an image of (width, height).

        Raises:
            SizeMismatchError: If it does not.
        """
        if (self.width, self.height) != tuple(size):
            raise SizeMismatchError(
                f"the camera is calibrated for {self.width}x{self.height}, but the image is {size[0]}x{size[1]}"
            )
        return self

    def to_json(self) -> JsonDict:
        """Return a JSON object that `from_json` reads back exactly."""
        return json_of(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Camera":
        """Build a camera from what `to_json` returned.

        Raises:
            KeyError: If K, width or height is missing.
            ValueError: If K or the mount is no finite matrix of the right shape.
        """
        return cls(data["K"], int(data["width"]), int(data["height"]), data.get("baseline"), data.get("mount"))


def scale_map(source: tuple[int, int], target: tuple[int, int]) -> Matrix:
    """Return the (3, 3) map of pixel centres that resizing makes.

    Args:
        source: (width, height) before.
        target: (width, height) after.

    With pixel centres at integers x' = (x + .5) s - .5: halving 4 pixels puts their outer edge -0.5 at -0.5.
    """
    sx, sy = target[0] / source[0], target[1] / source[1]
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def flip_x_map(width: int) -> Matrix:
    """Return the (3, 3) map of pixel centres that a horizontal flip makes: x' = width - 1 - x."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One row of the table, in memory.

    Attributes:
        key: Unique name in the workspace.
        arrays: Column name to array; images (H, W, 3) uint8 RGB, labels (H, W), depth (H, W) float32 metres, flow
            (H, W, 2) float32 pixels.
        kinds: Column name to kind, for every array.
        valid: Column name to (H, W) bool, for the kinds that have a mask.
        camera: Camera of the arrays' resolution, if known.
        pose: Pose of the camera, if known.
        meta: Whatever else a step needs, JSON values only.
    """

    key: SampleKey
    arrays: Mapping[str, Array]
    kinds: Mapping[str, Kind]
    valid: Mapping[str, Mask] = field(default_factory=dict)
    camera: Camera | None = None
    pose: Pose | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
