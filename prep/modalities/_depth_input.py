"""What the modalities share that are made of depth and its camera: the column's name, and what a sample has."""

import numpy as np

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, Mask, Sample
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Absent

__all__ = ["depth_and_camera", "depth_name"]


def depth_name(value: object, scene: Scene) -> str:
    """Return the name of a column of depth.

    Raises:
        ConfigurationError: If it is none.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"--depth names a column of depth, not {value!r}")
    column = scene.columns.get(value)
    if column is not None and column.kind is not Kind.DEPTH:
        raise ConfigurationError(f"--depth names a column of depth; {value} is one of {column.kind}")
    return value


def depth_and_camera(sample: Sample, name: str) -> tuple[Array, Mask, Camera]:
    """Return depth, its mask and the camera.

    Raises:
        Absent: If the sample has no camera.
    """
    if sample.camera is None:
        raise Absent("it has no camera, whose intrinsics tell where the points of its depth lie")
    depth_HW = sample.arrays[name]
    return depth_HW, sample.valid.get(name, np.ones(depth_HW.shape, np.bool_)), sample.camera
