"""The miniature and the real files that tests of KITTI's raw data share."""

import shutil
from pathlib import Path

import pytest

from segprep.datasets.catalog import kitti_raw
from support.kitti import FRAMES


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
