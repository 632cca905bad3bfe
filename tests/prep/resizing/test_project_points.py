"""`prep resize` for laser points: the nearest point of each pixel of the workspace's own size."""

import numpy as np
import pytest

from segprep.datasets.errors import CodeRangeError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Camera, Mask, Sample, SampleKey
from segprep.datasets.workspace.cells import Cell
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.resizing.points import ProjectPoints

K = np.array([[100.0, 0, 19.5], [0, 100, 9.5], [0, 0, 1]])
CAMERA = Camera(K, 40, 20)
HALF = ProjectPoints("points", TargetSize(factor=2))


def run(step: ProjectPoints, points: Array, camera: Camera | None = CAMERA) -> tuple[Array, Mask]:
    arrays = {"points": np.asarray(points, np.float32)}
    sample = Sample(SampleKey("a"), arrays, {"points": Kind.POINTS}, {}, camera, meta={"image_size": (40, 20)})
    cell: Cell = step(sample)["depth"]
    assert isinstance(cell.values, np.ndarray)
    assert cell.valid is not None
    assert cell.facts["source_size"] == [40, 20]
    assert ("range_m" in cell.facts) == cell.valid.any()
    return cell.values, cell.valid


def seen_at(x: float, y: float, depth: float) -> list[float]:
    """Return the point that lies at pixel (x, y) of the full size."""
    return [(x - 19.5) / 100 * depth, (y - 9.5) / 100 * depth, depth]


def test_each_pixel_has_the_nearest_of_the_points_of_its_block() -> None:
    points = [seen_at(4, 6, 30), seen_at(5, 7, 8), seen_at(5.4, 6.6, 9), seen_at(6, 6, 5), seen_at(39, 19, 70)]
    metres, valid = run(HALF, np.array(points))
    assert metres.shape == (10, 20)
    assert {(y, x): metres[y, x] for y, x in np.argwhere(valid).tolist()} == pytest.approx(
        {(3, 2): 8, (3, 3): 5, (9, 19): 70}
    )
    assert not metres[~valid].any()


def test_points_behind_the_camera_or_outside_are_not_seen_and_that_is_no_error() -> None:
    points = [[0, 0, -5], seen_at(-0.6, 5, 5), seen_at(5, 19.6, 5)]
    metres, valid = run(HALF, np.array(points))
    assert not valid.any()
    assert not metres.any()


def test_the_column_says_what_it_was_made_from() -> None:
    (column,) = HALF.outputs
    assert (column.name, column.kind, column.attributes) == ("depth", Kind.DEPTH, (("source", "points"),))
    assert [i.name for i in HALF.inputs] == ["points", "camera", "image"]
    assert HALF.parameters != ProjectPoints("points", TargetSize(factor=4)).parameters


def test_points_need_a_camera_of_their_image_and_a_plausible_place() -> None:
    point = np.array([seen_at(5, 5, 5)])
    with pytest.raises(SizeMismatchError, match="without a camera"):
        run(HALF, point, None)
    with pytest.raises(SizeMismatchError, match="calibrated for 41x20, but the image is 40x20"):
        run(HALF, point, Camera(K, 41, 20))
    with pytest.raises(CodeRangeError, match=r"from 5e\+03 to 5e\+03 m .*transform in their code"):
        run(HALF, point * 1000)
