"""KITTI's scans: points project into the image, the nearest counts."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog._kitti.calibration import KittiCalibration
from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.imageio import image_size
from segprep.datasets.imageio.scans import project_points, read_velodyne
from segprep.datasets.sample import scale_map


def test_the_real_scan_projects_into_the_image(shared_data: Path) -> None:
    folder = shared_data / "kitti" / "lidar_frame_000007"
    P = KittiCalibration.from_object_file(folder / "calib/000007.txt").P_image_velo
    size = image_size(folder / "image_2/000007.png")
    points_N4 = read_velodyne(folder / "velodyne/000007.bin")
    assert P is not None
    assert points_N4.shape == (115_236, 4)
    assert 0 <= points_N4[:, 3].min() <= points_N4[:, 3].max() <= 1
    fine = (4 * size[0], 4 * size[1])  # where hardly any two points share a pixel
    assert project_points(points_N4, scale_map(size, fine) @ P, fine)[1].sum() == pytest.approx(18_407, rel=0.01)
    depth_HW, valid_HW = project_points(points_N4, P, size)
    assert valid_HW.sum() == pytest.approx(18_407, rel=0.01)
    assert depth_HW[valid_HW].min() == pytest.approx(3.2, abs=0.1)
    assert depth_HW[valid_HW].max() == pytest.approx(77, abs=0.5)
    # The road: farther away the higher up in the image.
    rows = [np.median(depth_HW[row][valid_HW[row]]) for row in range(230, 370, 20)]
    assert (np.diff(rows) < 0).all()


def test_of_several_points_on_a_pixel_the_nearest_counts_in_any_order() -> None:
    P = np.hstack([np.array([[10, 0, 3], [0, 10, 2], [0, 0, 1.0]]), np.zeros((3, 1))])
    points = np.array([[0.0, 0, 5], [0.01, 0, 4], [0, 0, 9], [0.2, 0, 5], [0, 0, -4], [0, 0, 0.001], [9, 0, 5]])
    for order in (points, points[::-1]):
        depth_HW, valid_HW = project_points(order, P, (7, 5))
        assert np.argwhere(valid_HW).tolist() == [[2, 3]]
        assert depth_HW[2, 3] == 4
        assert depth_HW.dtype == np.float32
        assert depth_HW[~valid_HW].max() == 0
    assert not project_points(points[:0], P, (7, 5))[1].any()


def test_pixels_reach_half_a_pixel_around_their_centres() -> None:
    P = np.eye(3, 4)
    for x, column in ((-0.49, 0), (0.49, 0), (0.51, 1), (6.49, 6)):
        assert np.argwhere(project_points(np.array([[x, 0, 1]]), P, (7, 1))[1]).tolist() == [[0, column]]
    for x in (-0.51, 6.51):
        assert not project_points(np.array([[x, 0, 1]]), P, (7, 1))[1].any()


def test_a_projection_scales_with_the_image(shared_data: Path) -> None:
    folder = shared_data / "kitti" / "lidar_frame_000007"
    P = KittiCalibration.from_object_file(folder / "calib/000007.txt").P_image_velo
    assert P is not None
    points = read_velodyne(folder / "velodyne/000007.bin")
    whole, _ = project_points(points, P, (1242, 375))
    third, valid_HW = project_points(points, scale_map((1242, 375), (414, 125)) @ P, (414, 125))
    blocks = np.where(whole > 0, whole, np.inf).reshape(125, 3, 414, 3).min(axis=(1, 3))
    np.testing.assert_array_equal(np.isfinite(blocks), valid_HW)
    np.testing.assert_array_equal(np.where(valid_HW, blocks, 0), third)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "0 bytes"),
        (bytes(40), "40 bytes are no points of 16 bytes"),
        (np.array([[1, 2, 3, 0], [1, np.nan, 3, 0]], "<f4").tobytes(), "1 of 2 points are no finite numbers"),
    ],
)
def test_a_broken_scan_is_named_with_what_is_wrong(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "0000000000.bin"
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError) as raised:
        read_velodyne(path)
    assert str(raised.value).startswith(str(path))
    assert what in str(raised.value)


def test_a_missing_scan_is_missing_and_a_folder_is_none(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"0\.bin does not exist"):
        read_velodyne(tmp_path / "0.bin")
    with pytest.raises(UnreadableFileError, match="is a folder where a file is needed"):
        read_velodyne(tmp_path)
