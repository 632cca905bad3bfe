"""The miniature of Cityscapes that its tests share."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pristine(cityscapes_miniature: Path) -> Path:
    return cityscapes_miniature


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(pristine, tmp_path / "cityscapes")
