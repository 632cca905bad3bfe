"""KITTI's raw data as tests read them."""

from pathlib import Path

import numpy as np

from segprep.datasets.catalog import kitti_raw
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Matrix

__all__ = ["FRAMES", "rigid", "scan"]

FRAMES = 5


def scan(root: Path, direction: Direction = Direction.PREVIOUS) -> list[SampleRecord]:
    return list(kitti_raw.scan(DatasetSource(root), direction))


def rigid(R: Matrix, t: object = (0, 0, 0)) -> Matrix:
    return np.vstack([np.column_stack([R.reshape(3, 3), np.asarray(t, np.float64)]), [0, 0, 0, 1]])
