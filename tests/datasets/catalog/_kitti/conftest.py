"""What tests of KITTI's raw data share: the miniature, the real files, and how they are read."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import kitti_raw
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Matrix

Scan = Callable[..., list[SampleRecord]]
Rigid = Callable[..., Matrix]

FRAMES = 5


def _scan(root: Path, direction: Direction = Direction.PREVIOUS) -> list[SampleRecord]:
    return list(kitti_raw.scan(DatasetSource(root), direction))


def _rigid(R: Matrix, t: object = (0, 0, 0)) -> Matrix:
    return np.vstack([np.column_stack([R.reshape(3, 3), np.asarray(t, np.float64)]), [0, 0, 0, 1]])


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kitti")
    kitti_raw.write_miniature(root, FRAMES)
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(pristine, tmp_path / "copy")


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "kitti" / "raw_2011_09_26_calib_oxts"


@pytest.fixture(scope="session")
def scan() -> Scan:
    """List the frames of a folder: `scan(root, direction)`."""
    return _scan


@pytest.fixture(scope="session")
def rigid() -> Rigid:
    """Make a 4x4 transform of a rotation and a translation: `rigid(R, t)`."""
    return _rigid
