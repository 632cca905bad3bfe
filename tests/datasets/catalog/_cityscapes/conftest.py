"""What tests of Cityscapes share: the miniature, and how its samples, files and columns are found."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from segprep.datasets.catalog import cityscapes
from segprep.datasets.catalog._cityscapes.miniature import Snippet, snippets
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import code_from_json
from segprep.datasets.imageio import read_image
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array, Matrix, Pose

Scan = Callable[..., dict[str, SampleRecord]]
FineSnippets = Callable[[], Iterator[Snippet]]
Read = Callable[[Path, SampleRecord, str], tuple[Array, Array | None]]
FileOf = Callable[..., Path]
AssertMotion = Callable[..., None]

FINE = 4
FIRST = "aachen_000000_000019"


def _scan(
    root: Path, member: ModuleType = cityscapes, direction: Direction = Direction.PREVIOUS
) -> dict[str, SampleRecord]:
    records = list(member.scan(DatasetSource(root), direction))
    keyed = {str(r.key): r for r in records}
    assert len(keyed) == len(records)
    return keyed


def _fine_snippets() -> Iterator[Snippet]:
    return (s for s in snippets(FINE, 1) if s.fine)


def _read(root: Path, record: SampleRecord, column: str) -> tuple[Array, Array | None]:
    source = record.sources[column]
    return code_from_json(source.code).from_file(read_image(root / source.path))


def _file_of(root: Path, part: str, ending: str, stem: str = FIRST) -> Path:
    city = stem.split("_")[0]
    return root / part / ("val" if city == "frankfurt" else "train") / city / f"{stem}_{ending}"


def _assert_motion(motion: Matrix, here: Pose, there: Pose, *, metres: float, radians: float) -> None:
    truth = here.motion_to(there)
    assert np.abs(motion[:3, 3] - truth[:3, 3]).max() < metres
    turned = motion[:3, :3] @ truth[:3, :3].T
    assert np.abs(turned - turned.T).max() / 2 < radians  # sine of the angle between both, per axis


@pytest.fixture(scope="session")
def pristine(cityscapes_miniature: Path) -> Path:
    return cityscapes_miniature


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(pristine, tmp_path / "cityscapes")


@pytest.fixture(scope="session")
def scan() -> Scan:
    """List the samples of a folder by key: `scan(root, member, direction)`."""
    return _scan


@pytest.fixture(scope="session")
def fine_snippets() -> FineSnippets:
    """Return the snippets of the miniature that have fine annotations."""
    return _fine_snippets


@pytest.fixture(scope="session")
def read() -> Read:
    """Read a column of a sample: what is stored, and the mask."""
    return _read


@pytest.fixture(scope="session")
def file_of() -> FileOf:
    """Return the file of a frame: `file_of(root, part, ending, stem)`."""
    return _file_of


@pytest.fixture(scope="session")
def assert_motion() -> AssertMotion:
    """Compare a motion with that between two poses: `assert_motion(motion, here, there, metres=, radians=)`."""
    return _assert_motion
