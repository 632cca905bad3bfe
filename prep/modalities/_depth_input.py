"""What the modalities share that are made of depth and its camera: the column's name, and what a sample has."""

import numpy as np

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.sample import Array, Camera, Mask, Sample
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Absent

__all__ = ["depth_and_camera", "depth_name", "depth_option"]


def depth_option() -> str:
    """Declare the option that names the column."""
    return option(
        "depth",
        metavar="COLUMN",
        values="column",
        help="Column of depth to work on.",
        unsaid="depth; with --fill depth_filled",
    )


def depth_name(name: str, scene: Scene) -> str:
    """Return the name of a column of depth.

    Raises:
        ConfigurationError: If it is none.
    """
    column = scene.columns.get(name)
    if not name or (column is not None and column.kind is not Kind.DEPTH):
        about = f"; {name} is one of {column.kind}" if column is not None else f", not {name!r}"
        raise ConfigurationError(f"--depth names a column of depth{about}")
    return name


def depth_and_camera(sample: Sample, name: str) -> tuple[Array, Mask, Camera]:
    """Return depth, its mask and the camera.

    Raises:
        Absent: If the sample has no camera.
    """
    if sample.camera is None:
        raise Absent("it has no camera, whose intrinsics tell where the points of its depth lie")
    depth_HW = sample.arrays[name]
    return depth_HW, sample.valid.get(name, np.ones(depth_HW.shape, np.bool_)), sample.camera
