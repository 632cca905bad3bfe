"""Recordings of one's own whose depth lies in other files than PNG."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import rgbd
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes.depth_units import with_depth_unit
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.record import Direction
from segprep.datasets.workspace.cells import decode_source


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pfm"])
def test_depth_of_other_formats_is_found_and_read_in_its_unit(tmp_path: Path, suffix: str) -> None:
    rgbd.write_miniature(tmp_path, 4)
    for path in sorted(tmp_path.glob("*/depth/*.png")):
        metres = read_image(path).astype(np.float32) / 1000
        if suffix == ".npz":
            np.savez(path.with_suffix(suffix), colour=metres, depth=metres)
        else:
            write_image(path.with_suffix(suffix), metres)
        path.unlink()
    for record in rgbd.scan(DatasetSource(tmp_path), Direction.PREVIOUS):
        source = with_depth_unit(record, "m").sources["depth"]
        assert source.path.endswith(suffix)
        path = tmp_path / source.path
        cell = decode_source(source, path.read_bytes(), path)
        assert isinstance(cell.values, np.ndarray)
        assert cell.valid is not None
        assert 0.5 < np.median(cell.values[cell.valid]) < 60
