"""KITTI's object benchmark: both layouts, points in the camera's axes, and a real frame."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import kitti_object
from segprep.datasets.catalog._kitti.calibration import KittiCalibration
from segprep.datasets.catalog._kitti.miniature import BASELINE_M, drives
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.imageio.scans import project_points
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array
from segprep.datasets.synthetic import make_camera, render
from segprep.datasets.workspace.cells import decode_source
from support.listing import scan_telling

FRAMES = 5
SIZE = (192, 96)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kitti")
    kitti_object.write_miniature(root, FRAMES)
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(pristine, tmp_path / "copy")


def scan(root: Path) -> list[SampleRecord]:
    return list(kitti_object.scan(DatasetSource(root), Direction.PREVIOUS))


def depth_of(root: Path, record: SampleRecord) -> Array:
    path = root / record.sources["points"].path
    points_N3 = decode_source(record.sources["points"], path.read_bytes(), path).values
    assert isinstance(points_N3, np.ndarray)
    assert record.camera is not None
    P = np.hstack([record.camera.K, np.zeros((3, 1))])
    return project_points(points_N3, P, (record.camera.width, record.camera.height))[0]


def test_frames_have_their_split_and_files(pristine: Path) -> None:
    records = scan(pristine)
    assert [(r.key, r.split) for r in records] == [
        *((f"training_00000{i}", "train") for i in range(4)),
        ("testing_000000", "test"),
    ]
    assert {name: (s.path, s.kind) for name, s in records[1].sources.items()} == {
        "image": ("training/image_2/000001.png", Kind.IMAGE),
        "points": ("training/velodyne/000001.bin", Kind.POINTS),
    }
    assert all(r.neighbour is None and r.pose is None for r in records)


def test_cameras_and_points_are_the_rendered_ones(pristine: Path) -> None:
    truth = make_camera(*SIZE)
    assert truth.mount is not None
    (world, _), _ = drives(FRAMES).values()
    for index, record in enumerate(scan(pristine)[:4]):
        assert record.camera is not None
        np.testing.assert_array_equal(record.camera.K, truth.K)
        assert record.camera.baseline == pytest.approx(BASELINE_M)
        assert record.camera.mount is not None
        np.testing.assert_allclose(record.camera.mount, truth.mount, atol=1e-12)
        depth_HW, truth_HW = depth_of(pristine, record), render(world, index, *SIZE).depth_HW
        seen = (depth_HW > 0) & np.isfinite(truth_HW)
        assert (depth_HW > 0).sum() == pytest.approx(np.isfinite(truth_HW[::2, ::2]).sum(), abs=2)
        np.testing.assert_allclose(depth_HW[seen], truth_HW[seen], rtol=1e-4)


def test_one_part_alone_is_one_split_with_short_keys(root: Path) -> None:
    records = scan(root / "training")
    assert [(r.key, r.split) for r in records] == [(f"00000{i}", "train") for i in range(4)]
    assert records[0].sources["points"].path == "velodyne/000000.bin"


def test_scans_need_a_calibration_and_a_missing_scan_is_promised(root: Path) -> None:
    (root / "training/calib/000001.txt").unlink()
    (root / "training/velodyne/000002.bin").unlink()
    records = scan(root)
    assert [("points" in r.sources, r.camera is not None) for r in records[:3]] == [
        (True, True),
        (False, False),
        (True, True),
    ]
    shutil.rmtree(root / "training/velodyne")
    assert not any("points" in r.sources for r in scan(root) if r.split == "train")
    (root / "training/calib/000000.txt").write_text("P2: 1 2 3\n")
    records, told = scan_telling(kitti_object, root)
    assert records[0].camera is None
    (text,) = told
    assert "training/calib/000000.txt has no Tr_velo_to_cam" in text
    shutil.rmtree(root / "testing")
    shutil.rmtree(root / "training/image_2")
    with pytest.raises(DatasetNotFoundError, match="image_2"):
        scan(root)


def test_the_real_frame_has_18407_points_in_view(shared_data: Path) -> None:
    folder = shared_data / "kitti/lidar_frame_000007"
    (record,) = scan(folder)
    assert record.key == "000007"
    depth_HW = depth_of(folder, record)
    assert depth_HW.shape == (375, 1242)
    assert (depth_HW > 0).sum() == pytest.approx(18_407, rel=0.01)
    calibration = KittiCalibration.from_object_file(folder / "calib/000007.txt")
    assert calibration.T_view_velo is not None
    assert calibration.P_image_velo is not None
    np.testing.assert_allclose(calibration.K @ calibration.T_view_velo[:3], calibration.P_image_velo, atol=1e-9)
