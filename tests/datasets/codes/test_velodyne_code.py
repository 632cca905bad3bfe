"""Points of a laser scanner: into the camera's axes, or refused."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.codes import VelodyneCode, code_from_json, source_code_from_json
from segprep.datasets.errors import CodeRangeError, UnreadableFileError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import SourceFile
from segprep.datasets.workspace.cells import decode_source

FORWARD = (0, -1, 0, 0.1, 0, 0, -1, 0.2, 1, 0, 0, -0.3, 0, 0, 0, 1)
"""From x forward, y left, z up to x right, y down, z forward, and a little further."""


def test_points_get_the_cameras_axes() -> None:
    code = VelodyneCode(FORWARD)
    scan_N4 = np.array([[10, 2, -1.5, 0.7], [-3, 0, 0, 0]], np.float32)
    points_N3, valid = code.decode(*code.from_file(scan_N4))
    np.testing.assert_allclose(points_N3, [[-1.9, 1.7, 9.7], [0.1, 0.2, -3.3]], rtol=1e-6)
    assert points_N3.dtype == np.float32
    assert valid is None


def test_a_file_is_decoded_by_its_kind(tmp_path: Path) -> None:
    source = SourceFile("a.bin", Kind.POINTS, source_code_from_json(VelodyneCode(FORWARD).to_json()).to_json())
    data = np.array([[10, 2, -1.5, 0.7]], "<f4").tobytes()
    values = decode_source(source, data, tmp_path / "a.bin").values
    assert isinstance(values, np.ndarray)
    np.testing.assert_allclose(values, [[-1.9, 1.7, 9.7]], rtol=1e-6)
    with pytest.raises(UnreadableFileError, match=r"a\.bin is truncated: 15 bytes"):
        decode_source(source, data[:-1], tmp_path / "a.bin")


@pytest.mark.parametrize(
    "transform",
    [FORWARD[:15], (*FORWARD[:15], 2), (float("nan"), *FORWARD[1:]), ("a", *FORWARD[1:]), (), [list(FORWARD)], None],
)
def test_what_is_no_transform_is_refused(transform: object) -> None:
    with pytest.raises(CodeRangeError, match=r"16 numbers|parameters"):
        source_code_from_json({"name": "velodyne", "transform": transform})


def test_what_are_no_points_is_refused_and_nothing_is_written() -> None:
    code = VelodyneCode(FORWARD)
    with pytest.raises(CodeRangeError, match=r"not \(3, 2\)"):
        code.from_file(np.zeros((3, 2)))
    with pytest.raises(CodeRangeError, match=r"not \(3, 4\)"):
        code.decode(np.zeros((3, 4)), None)
    with pytest.raises(CodeRangeError, match="velodyne are only read"):
        code_from_json(code.to_json())
