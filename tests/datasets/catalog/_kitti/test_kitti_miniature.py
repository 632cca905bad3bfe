"""The miniature of KITTI's raw data: poses as rendered, scans where the image shows them."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog._kitti.calibration import CALIBRATION_FILES, KittiCalibration
from segprep.datasets.catalog._kitti.miniature import BASELINE_M, drives
from segprep.datasets.imageio.scans import project_points, read_velodyne
from segprep.datasets.record import Direction
from segprep.datasets.synthetic import camera_pose, make_camera, render
from segprep.datasets.workspace.cells import decode_source
from support.kitti import scan

FRAMES = 5
DATE = "2011_09_26"
DRIVE = f"{DATE}/{DATE}_drive_0001_sync"
SIZE = (192, 96)


@pytest.mark.parametrize("direction", Direction)
def test_motions_and_cameras_are_the_rendered_ones(pristine: Path, direction: Direction) -> None:
    truth = make_camera(*SIZE)
    assert truth.mount is not None
    worlds = {f"{DATE}/{name}": world for name, (world, _) in drives(FRAMES).items()}
    linked = 0
    for record in scan(pristine, direction):
        assert record.sequence is not None
        assert record.frame is not None
        camera, near = record.camera, record.neighbour
        assert camera is not None
        assert camera.mount is not None
        np.testing.assert_array_equal(camera.K, truth.K)
        np.testing.assert_allclose(camera.mount, truth.mount, atol=1e-12)
        assert camera.baseline == pytest.approx(BASELINE_M, abs=1e-12)
        assert (camera.width, camera.height) == SIZE
        if near is not None:
            assert near.motion is not None
            here, there = (camera_pose(worlds[record.sequence], frame) for frame in (record.frame, near.frame))
            np.testing.assert_allclose(near.motion, here.motion_to(there), atol=1e-6)
            assert near.time_difference == pytest.approx(0.1 * (near.frame - record.frame), abs=1e-6)
            linked += 1
    assert linked == FRAMES - 2


def test_the_world_starts_at_the_first_packet_with_z_up(pristine: Path) -> None:
    first, *_, last = (r for r in scan(pristine) if r.split == "train")
    assert first.pose is not None
    assert last.pose is not None
    assert first.camera is not None
    assert first.camera.mount is not None
    # The unit is 0.93 m above the road, below the camera.
    np.testing.assert_allclose(np.hypot(*first.pose.matrix[:2, 3]), np.hypot(*first.camera.mount[:2, 3]), atol=1e-9)
    assert first.pose.matrix[2, 3] == pytest.approx(first.camera.mount[2, 3] - 0.93, abs=1e-3)
    assert last.pose.matrix[2, 3] == pytest.approx(first.pose.matrix[2, 3], abs=1e-3)
    assert last.pose.matrix[0, 3] > first.pose.matrix[0, 3] + 1


def test_scans_make_the_depth_that_the_image_has(pristine: Path) -> None:
    calibration = KittiCalibration.from_files(pristine / DATE)
    assert calibration.P_image_velo is not None
    for name, (world, count) in drives(FRAMES).items():
        points = read_velodyne(pristine / DATE / name / f"velodyne_points/data/{count - 1:010d}.bin")
        truth_HW = render(world, count - 1, *SIZE).depth_HW[::2, ::2]
        depth_HW, valid_HW = project_points(points, calibration.P_image_velo, SIZE)
        assert not valid_HW[1::2].any()
        assert not valid_HW[:, 1::2].any()
        np.testing.assert_array_equal(valid_HW[::2, ::2], np.isfinite(truth_HW))
        seen = valid_HW[::2, ::2]
        np.testing.assert_allclose(depth_HW[::2, ::2][seen], truth_HW[seen], rtol=1e-5)


def test_a_frame_has_its_drives_split_and_files(pristine: Path) -> None:
    records = scan(pristine)
    assert [(r.key, r.split) for r in records] == [
        *((f"{DATE}_drive_0001_sync_000000000{i}", "train") for i in range(4)),
        (f"{DATE}_drive_0002_sync_0000000000", "val"),
    ]
    assert {name: source.path for name, source in records[1].sources.items()} == {
        "image": f"{DRIVE}/image_02/data/0000000001.png",
        "points": f"{DRIVE}/velodyne_points/data/0000000001.bin",
        "previous": f"{DRIVE}/image_02/data/0000000000.png",
    }


def test_scans_are_drawn_where_the_image_shows_them(pristine: Path) -> None:
    worlds = {f"{DATE}/{name}": world for name, (world, _) in drives(FRAMES).items()}
    for record in scan(pristine):
        path = pristine / record.sources["points"].path
        points_N3 = decode_source(record.sources["points"], path.read_bytes(), path).values
        assert record.camera is not None
        assert record.sequence is not None
        assert record.frame is not None
        assert isinstance(points_N3, np.ndarray)
        depth_HW, valid_HW = project_points(points_N3, np.hstack([record.camera.K, np.zeros((3, 1))]), SIZE)
        truth_HW = render(worlds[record.sequence], record.frame, *SIZE).depth_HW
        sampled = np.zeros(truth_HW.shape, np.bool_)
        sampled[::2, ::2] = np.isfinite(truth_HW[::2, ::2])
        assert (valid_HW != sampled).sum() <= 2, "every second pixel below the sky"
        np.testing.assert_allclose(depth_HW[valid_HW & sampled], truth_HW[valid_HW & sampled], rtol=1e-4)


def test_frames_without_a_scan_or_a_way_from_the_scanner_have_no_points(root: Path) -> None:
    (root / DRIVE / "velodyne_points/data/0000000001.bin").unlink()
    assert [("points" in r.sources) for r in scan(root)] == [True, False, True, True, True]
    (root / DATE / CALIBRATION_FILES[1]).unlink()
    assert not any("points" in r.sources for r in scan(root))
