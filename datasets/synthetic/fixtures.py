"""Fixtures for anybody's tests: a rendered pair of frames and a rendered drive on disk, with exact truth.

A test suite that wants them says so in its `conftest.py`,

    pytest_plugins = ["segprep.datasets.synthetic.fixtures"]

or on the command line, `pytest -p segprep.datasets.synthetic.fixtures`. This module alone imports pytest.
"""

from pathlib import Path

import pytest

from segprep.datasets.synthetic.pair import Pair, render_pair
from segprep.datasets.synthetic.world import World
from segprep.datasets.synthetic.writer import write_drive

__all__ = ["rendered_drive", "rendered_pair", "rendered_size", "rendered_world"]


@pytest.fixture(scope="session")
def rendered_world() -> World:
    """The world of `rendered_pair`: override it to have another seed, speed, or a camera that nods."""
    return World()


@pytest.fixture(scope="session")
def rendered_size() -> tuple[int, int]:
    """Width and height in pixels of everything rendered: override it to have larger pictures."""
    return 256, 128


@pytest.fixture(scope="session")
def rendered_pair(rendered_world: World, rendered_size: tuple[int, int]) -> Pair:
    """Frames 0 and 1: pictures with exact depth, labels, instances, camera, poses, flow and occlusion."""
    return render_pair(rendered_world, 0, 1, *rendered_size)


@pytest.fixture(scope="session")
def rendered_drive(rendered_size: tuple[int, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drive with its truth, 4 frames in `train` and 2 in `val`, for `prep init synthetic`; tests only read it."""
    width, height = rendered_size
    root = tmp_path_factory.mktemp("rendered") / "drive"
    write_drive(root, splits={"train": 4, "val": 2}, width=width, height=height, truth=True)
    return root
