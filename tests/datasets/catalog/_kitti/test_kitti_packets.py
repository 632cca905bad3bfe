"""KITTI's packets and time stamps: poses as documented."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.catalog._kitti.calibration import KittiCalibration
from segprep.datasets.catalog._kitti.oxts import OxtsPacket, imu_pose, mercator_scale, read_oxts, read_times
from segprep.datasets.imageio import write_image
from segprep.datasets.sample import Matrix
from support.kitti import rigid, scan
from support.properties import examples

DATE = "2011_09_26"
DRIVE = f"{DATE}/{DATE}_drive_0001_sync"


def turn(axis: int, angle: float) -> Matrix:
    """Rotation about an axis, by the right hand."""
    c, s = math.cos(angle), math.sin(angle)
    R = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    R[i, i], R[i, j], R[j, i], R[j, j] = c, -s, s, c
    return R


@examples(50)
@given(*(st.floats(-3, 3) for _ in range(3)), *(st.floats(-80, 80) for _ in range(3)))
def test_poses_follow_the_documented_formula(
    roll: float, pitch: float, yaw: float, lat: float, lon: float, alt: float
) -> None:
    scale = math.cos(lat * math.pi / 180)
    T = imu_pose(OxtsPacket(lat, lon, alt, roll, pitch, yaw), scale)
    x = scale * lon * math.pi * 6378137 / 180
    y = scale * 6378137 * math.log(math.tan((90 + lat) * math.pi / 360))
    np.testing.assert_allclose(T[:3, 3], [x, y, alt], atol=1e-6)
    np.testing.assert_allclose(T[:3, :3], turn(2, yaw) @ turn(1, pitch) @ turn(0, roll), atol=1e-12)
    assert mercator_scale(OxtsPacket(lat, lon, alt, roll, pitch, yaw)) == pytest.approx(scale)


def test_metres_on_the_map_are_metres_at_the_first_latitude() -> None:
    def place(lat: float, lon: float) -> Matrix:
        return imu_pose(OxtsPacket(lat, lon, 100, 0, 0, 0), math.cos(math.radians(49)))[:3, 3]

    degree = math.radians(1e-4) * 6378137
    np.testing.assert_allclose(place(49, 8.0001) - place(49, 8), [degree * math.cos(math.radians(49)), 0, 0], atol=1e-6)
    np.testing.assert_allclose(place(49.0001, 8) - place(49, 8), [0, degree, 0], atol=1e-4)


def test_the_real_packet_gives_the_documented_pose(real: Path) -> None:
    packet = read_oxts(real / DRIVE / "oxts/data/0000000000.txt")
    assert packet == OxtsPacket(49.015003823272, 8.4342971002335, 116.43032836914, 0.035752, 0.00903, -2.6087069803847)
    T = imu_pose(packet, mercator_scale(packet))
    lat, lon = math.radians(49.015003823272), math.radians(8.4342971002335)
    on_map = math.cos(lat) * 6378137 * np.array([lon, math.asinh(math.tan(lat))])
    np.testing.assert_allclose(T[:3, 3], [*on_map, 116.43032836914], rtol=1e-12)
    assert T[0, 0] == pytest.approx(math.cos(-2.6087069803847) * math.cos(0.00903))
    assert T[2, 0] == pytest.approx(-math.sin(0.00903)), "a positive pitch lowers the front"
    assert T[2, 1] == pytest.approx(math.sin(0.035752) * math.cos(0.00903)), "a positive roll lifts the left side"
    # East and north velocity of the packet, against the forward velocity in the pose's axes.
    forward = T[:3, :3] @ [13.172716663769, -0.12475264293164, -0.032919903047354]
    np.testing.assert_allclose(forward[:2], [-11.275641809511, -6.811441479104], atol=0.3)


def test_real_time_stamps_have_nanoseconds(real: Path) -> None:
    times = read_times(real / DRIVE / "image_02/timestamps.txt")
    assert times is not None
    assert list(times) == list(range(108))
    assert times[0] == 0
    assert times[1] == pytest.approx(26.064785152 - 25.961661696, abs=1e-9)
    assert all(0.09 < times[i + 1] - times[i] < 0.12 for i in range(107))


def test_time_stamps_go_on_over_midnight_and_may_have_fewer_digits(tmp_path: Path) -> None:
    path = tmp_path / "timestamps.txt"
    path.write_text("2011-12-31 23:59:59.95\n2012-01-01 00:00:00.050000001\n2012-01-01 00:00:01\n")
    assert read_times(path) == {0: 0, 1: 0.100000001, 2: 1.05}
    assert read_times(tmp_path / "none.txt") is None


def test_a_real_drive_has_real_times_and_one_pose(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path / "kitti")
    for frame in range(3):
        write_image(tmp_path / "kitti" / DRIVE / f"image_02/data/{frame:010d}.png", np.zeros((375, 1242), np.uint8))
    records = scan(tmp_path / "kitti")
    assert [r.time for r in records] == pytest.approx([0, 0.103123456, 0.20626176])
    assert [r.pose is None for r in records] == [False, True, True]
    calibration = KittiCalibration.from_files(real / DATE)
    assert calibration.T_cam2_imu is not None
    assert records[0].pose is not None
    packet = read_oxts(real / DRIVE / "oxts/data/0000000000.txt")
    assert packet is not None
    R = rigid(turn(2, packet.yaw) @ turn(1, packet.pitch) @ turn(0, packet.roll))
    np.testing.assert_allclose(records[0].pose.matrix, R @ np.linalg.inv(calibration.T_cam2_imu), atol=1e-6)
