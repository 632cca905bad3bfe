"""How samples, files and columns of Cityscapes are found in tests."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from segprep.datasets.catalog import cityscapes
from segprep.datasets.catalog._cityscapes.miniature import Snippet, snippets
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import code_from_json
from segprep.datasets.imageio import read_image
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array, Matrix, Pose

__all__ = ["FINE", "FIRST", "assert_motion", "file_of", "fine_snippets", "read", "scan"]

FINE = 4
FIRST = "aachen_000000_000019"


def scan(
    root: Path, member: ModuleType = cityscapes, direction: Direction = Direction.PREVIOUS
) -> dict[str, SampleRecord]:
    records = list(member.scan(DatasetSource(root), direction))
    keyed = {str(r.key): r for r in records}
    assert len(keyed) == len(records)
    return keyed


def fine_snippets() -> Iterator[Snippet]:
    return (s for s in snippets(FINE, 1) if s.fine)


def read(root: Path, record: SampleRecord, column: str) -> tuple[Array, Array | None]:
    source = record.sources[column]
    return code_from_json(source.code).from_file(read_image(root / source.path))


def file_of(root: Path, part: str, ending: str, stem: str = FIRST) -> Path:
    city = stem.split("_")[0]
    return root / part / ("val" if city == "frankfurt" else "train") / city / f"{stem}_{ending}"


def assert_motion(motion: Matrix, here: Pose, there: Pose, *, metres: float, radians: float) -> None:
    truth = here.motion_to(there)
    assert np.abs(motion[:3, 3] - truth[:3, 3]).max() < metres
    turned = motion[:3, :3] @ truth[:3, :3].T
    assert np.abs(turned - turned.T).max() / 2 < radians  # sine of the angle between both, per axis
