"""A file that the machine does not open is not broken: the listing ends, instead of going without it."""

import errno
import os
from pathlib import Path

import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetMember, DatasetSource
from segprep.datasets.errors import MachineError
from segprep.datasets.record import Direction


def _listed(dataset: DatasetMember, source: DatasetSource) -> object:
    return dataset.class_map(source), list(dataset.scan(source, Direction.PREVIOUS))


@pytest.mark.parametrize(
    ("member", "pattern"),
    [
        ("cityscapes", "camera/**/*.json"),
        ("kitti_object", "**/image_2/*.png"),
        ("kitti_raw", "**/oxts/data/*.txt"),
        ("sevenscenes", "**/*.pose.txt"),
        ("synthetic", "**/camera/*.json"),
        ("folder", "**/label_data/*.png"),
    ],
)
def test_a_file_that_the_machine_does_not_open_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, pattern: str
) -> None:
    dataset: DatasetMember = CATALOG.load(member)
    dataset.write_miniature(tmp_path, 3)
    refused = sorted(tmp_path.glob(pattern))[0]
    open_it = os.open

    def opened(path: str, flags: int) -> int:
        if Path(path) == refused:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return open_it(path, flags)

    monkeypatch.setattr("segprep.datasets.source_files._opened", opened)
    source = DatasetSource(tmp_path)
    with pytest.raises(MachineError, match=rf"{refused} cannot be read: Too many open files\. This process"):
        _listed(dataset, source)
