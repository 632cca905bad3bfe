"""The cross-section of the street: offsets from the centre line in metres, left positive."""

from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array
from segprep.datasets.synthetic.palette import RawId

__all__ = [
    "CROSSING_EVERY_M",
    "CROSSING_LENGTH_M",
    "KERBS_M",
    "LOTS_M",
    "ONCOMING_LANE_M",
    "PARKING_M",
    "SIDEWALKS_M",
    "SLOW_LANE_M",
    "ground_label",
]

ONCOMING_LANE_M: Final = 1.75
SLOW_LANE_M: Final = -5.25
PARKING_M: Final = 4.65
"""Middle of the parked cars, left only."""

KERBS_M: Final = (5.8, -7.25)
"""Where the carriageway ends, left and right."""

SIDEWALKS_M: Final = (8.8, -10.25)
"""Where the sidewalks end and the strip of grass and trees begins."""

LOTS_M: Final = (11.5, -13.0)
"""Where buildings and gardens begin."""

CROSSING_EVERY_M: Final = 96.0
CROSSING_LENGTH_M: Final = 3.5
_FAR_M: Final = 150.0  # beyond, a pixel covers more than the road's width in depth


def ground_label(offset_N: Array, depth_N: Array) -> npt.NDArray[np.uint8]:
    """Return the (N,) uint8 classes of ground points; those more than 150 m away are void."""
    left, right = KERBS_M
    label_N = np.full(offset_N.shape, RawId.TERRAIN, np.uint8)
    label_N[(offset_N < SIDEWALKS_M[0]) & (offset_N > SIDEWALKS_M[1])] = RawId.SIDEWALK
    label_N[(offset_N < left) & (offset_N > right)] = RawId.ROAD
    label_N[depth_N > _FAR_M] = RawId.VOID
    return label_N
