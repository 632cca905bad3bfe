"""What the modalities share that are made of depth and its camera: the column's name, and what a sample has."""

from typing import Final

import numpy as np

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.sample import Array, Camera, Mask, Sample
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Absent, Input, Origin

__all__ = [
    "FILLED",
    "MEASURED",
    "depth_and_camera",
    "depth_inputs",
    "depth_name",
    "depth_option",
    "measured_mask",
    "tells_measured",
]

FILLED: Final = "depth_filled"
"""The column of depth without holes."""

MEASURED: Final = "depth_measured"
"""The column beside it that tells what was measured from what was filled in."""


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


def tells_measured(name: str, scene: Scene) -> bool:
    """Return whether surfaces in a column of depth are to be seen in what was measured of it alone.

    So it is with `depth_filled`, but not where laser points were filled: windows hold too few of them.
    """
    depth = scene.columns.get("depth")
    return name == FILLED and (depth is None or ("source", "points") not in depth.attributes)


def depth_inputs(name: str, *, measured: bool) -> tuple[Input, ...]:
    """Return the inputs that are a column of depth, the camera, and if asked for what of the depth was measured."""
    mask = (Input(MEASURED, Origin.COLUMN, optional=True),) if measured else ()
    return (Input(name, Origin.COLUMN), Input("camera", Origin.COLUMN), *mask)


def measured_mask(sample: Sample) -> Mask | None:
    """Return (H, W) where depth was measured; None where nothing tells it from what was filled in."""
    measured_HW = sample.arrays.get(MEASURED)
    return None if measured_HW is None else measured_HW > 0


def depth_and_camera(sample: Sample, name: str) -> tuple[Array, Mask, Camera]:
    """Return depth, its mask and the camera.

    Raises:
        Absent: If the sample has no camera.
    """
    if sample.camera is None:
        raise Absent("it has no camera, whose intrinsics tell where the points of its depth lie")
    depth_HW = sample.arrays[name]
    return depth_HW, sample.valid.get(name, np.ones(depth_HW.shape, np.bool_)), sample.camera
