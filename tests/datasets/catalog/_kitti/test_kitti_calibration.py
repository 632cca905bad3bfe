"""KITTI's calibration: chains of matrices, from the files by hand."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog._kitti.calibration import CALIBRATION_FILES, KittiCalibration
from segprep.datasets.errors import MissingInputError
from segprep.datasets.sample import Matrix
from support.kitti import rigid

DATE = "2011_09_26"


def entries(path: Path) -> dict[str, Matrix]:
    """Read a calibration file with nothing of the code that is tested."""
    pairs = (line.split(": ") for line in path.read_text().splitlines() if ": " in line and "time" not in line)
    return {name: np.array(numbers.split(), np.float64) for name, numbers in pairs}


def test_real_transforms_are_the_documented_chain(real: Path) -> None:
    calibration = KittiCalibration.from_files(real / DATE)
    cam, velo, imu = (entries(real / DATE / name) for name in CALIBRATION_FILES)
    P2, P3 = cam["P_rect_02"].reshape(3, 4), cam["P_rect_03"].reshape(3, 4)
    T2 = rigid(np.eye(3), (44.85728 / 721.5377, 0, 0))
    chain = T2 @ rigid(cam["R_rect_00"]) @ rigid(velo["R"], velo["T"])
    assert calibration.T_cam2_velo is not None
    assert calibration.T_cam2_imu is not None
    assert calibration.P_image_velo is not None
    np.testing.assert_allclose(calibration.T_cam2_velo, chain, atol=1e-12)
    np.testing.assert_allclose(calibration.T_cam2_imu, chain @ rigid(imu["R"], imu["T"]), atol=1e-12)
    np.testing.assert_allclose(
        calibration.P_image_velo, P2 @ rigid(cam["R_rect_00"]) @ rigid(velo["R"], velo["T"]), atol=1e-9
    )
    np.testing.assert_array_equal(calibration.K, [[721.5377, 0, 609.5593], [0, 721.5377, 172.854], [0, 0, 1]])
    assert calibration.size == (1242, 375)
    assert calibration.baseline == pytest.approx((P2[0, 3] - P3[0, 3]) / 721.5377, abs=1e-4)
    assert calibration.baseline == pytest.approx(0.5327, abs=1e-4)


def test_a_point_goes_from_the_unit_to_the_camera_as_the_car_is_built(real: Path) -> None:
    calibration = KittiCalibration.from_files(real / DATE)
    assert calibration.T_cam2_imu is not None
    ahead = calibration.T_cam2_imu @ [20.0, 0, 0, 1]
    left = calibration.T_cam2_imu @ [20.0, 3, 0, 1]
    above = calibration.T_cam2_imu @ [20.0, 0, 1, 1]
    assert ahead[2] == pytest.approx(20 - 1.08, abs=0.1), "the camera is a metre before the unit"
    assert left[0] - ahead[0] == pytest.approx(-3, abs=0.01)
    assert above[1] - ahead[1] == pytest.approx(-1, abs=0.01)
    mount = calibration.camera((1242, 375)).mount
    assert mount is not None
    assert mount[2, 3] == pytest.approx(1.65, abs=0.02), "the height that the data set's page gives"
    np.testing.assert_allclose(mount[:3, :3] @ [0, 0, 1], [1, 0, 0], atol=0.03)


def test_a_missing_calibration_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"calib_cam_to_cam\.txt does not exist"):
        KittiCalibration.from_files(tmp_path)
    with pytest.raises(MissingInputError, match=r"000007\.txt does not exist"):
        KittiCalibration.from_object_file(tmp_path / "000007.txt")


def test_object_files_say_the_same_as_those_of_their_day(real: Path, shared_data: Path) -> None:
    day = KittiCalibration.from_files(real / DATE)
    one = KittiCalibration.from_object_file(shared_data / "kitti/lidar_frame_000007/calib/000007.txt")
    for name in ("K", "T_cam2_velo", "T_cam2_imu", "P_image_velo"):
        np.testing.assert_allclose(getattr(one, name), getattr(day, name), rtol=1e-5, atol=1e-5)
    assert one.size is None
    assert one.baseline == pytest.approx(day.baseline or 0)
