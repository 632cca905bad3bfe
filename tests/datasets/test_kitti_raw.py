"""KITTI's raw data: transforms as documented, poses as rendered, scans where the image shows them."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segprep.datasets.catalog import kitti_raw
from segprep.datasets.catalog._kitti_calibration import CALIBRATION_FILES, KittiCalibration
from segprep.datasets.catalog._kitti_miniature import BASELINE_M, drives
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.catalog._oxts import OxtsPacket, imu_pose, mercator_scale, read_oxts, read_times
from segprep.datasets.errors import DatasetNotFoundError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import image_size, read_image, write_image
from segprep.datasets.lidar import project_points, read_velodyne
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Matrix, scale_map
from segprep.datasets.synthetic import camera_pose, make_camera, render

FRAMES = 5
DATE = "2011_09_26"
DRIVE = f"{DATE}/{DATE}_drive_0001_sync"
SIZE = (192, 96)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kitti")
    kitti_raw.write_miniature(root, FRAMES)
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(pristine, tmp_path / "copy")


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "kitti" / "raw_2011_09_26_calib_oxts"


def scan(root: Path, direction: Direction = Direction.PREVIOUS) -> list[SampleRecord]:
    return list(kitti_raw.scan(DatasetSource(root), direction))


def entries(path: Path) -> dict[str, Matrix]:
    """Read a calibration file with nothing of the code that is tested."""
    pairs = (line.split(": ") for line in path.read_text().splitlines() if ": " in line and "time" not in line)
    return {name: np.array(numbers.split(), np.float64) for name, numbers in pairs}


def rigid(R: Matrix, t: object = (0, 0, 0)) -> Matrix:
    return np.vstack([np.column_stack([R.reshape(3, 3), np.asarray(t, np.float64)]), [0, 0, 0, 1]])


def turn(axis: int, angle: float) -> Matrix:
    """Rotation about an axis, by the right hand."""
    c, s = math.cos(angle), math.sin(angle)
    R = np.eye(3)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    R[i, i], R[i, j], R[j, i], R[j, j] = c, -s, s, c
    return R


# --- what the miniature's records say, against what was rendered


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
        "previous": f"{DRIVE}/image_02/data/0000000000.png",
    }


# --- incomplete drives


def test_without_calibration_there_are_images_with_times(root: Path) -> None:
    for name in CALIBRATION_FILES:
        (root / DATE / name).unlink()
    records = scan(root)
    assert len(records) == FRAMES
    assert all(r.camera is None and r.pose is None for r in records)
    assert sum(r.neighbour is not None for r in records) == FRAMES - 2


@pytest.mark.parametrize("name", CALIBRATION_FILES[1:])
def test_without_the_way_to_the_unit_there_is_a_camera_and_no_pose(root: Path, name: str) -> None:
    (root / DATE / name).unlink()
    for record in scan(root):
        assert record.camera is not None
        assert record.camera.mount is None
        assert record.camera.baseline is not None
        assert record.pose is None


def test_frames_without_a_packet_or_with_an_unknown_place_have_no_pose(root: Path) -> None:
    before = scan(root)
    packets = root / DRIVE / "oxts/data"
    (packets / "0000000001.txt").unlink()
    lost = (packets / "0000000002.txt").read_text().split()
    (packets / "0000000002.txt").write_text(" ".join(["nan", *lost[1:]]))
    after = scan(root)
    assert [r.pose is None for r in after] == [False, True, True, False, False]
    assert before[3].pose is not None
    assert after[3].pose is not None
    np.testing.assert_array_equal(after[3].pose.matrix, before[3].pose.matrix)
    assert after[3].neighbour is not None
    assert after[3].neighbour.motion is None
    (packets / "0000000000.txt").unlink()
    assert [r.pose is None for r in scan(root)] == [True, True, True, False, False]


def test_without_time_stamps_ten_frames_are_a_second(root: Path) -> None:
    (root / DRIVE / "image_02/timestamps.txt").unlink()
    (root / DRIVE / "image_02/data/0000000002.png").unlink()
    records = [r for r in scan(root) if r.split == "train"]
    assert [r.time for r in records] == pytest.approx([0, 0.1, 0.3])
    assert [None if r.neighbour is None else r.neighbour.frame for r in records] == [None, 0, 1]


def test_images_may_be_jpeg_and_other_files_are_left_alone(root: Path) -> None:
    data = root / DRIVE / "image_02/data"
    write_image(data / "0000000003.jpg", read_image(data / "0000000003.png"))
    (data / "0000000003.png").unlink()
    write_image(data / "cover.png", np.zeros((2, 2), np.uint8))
    (root / DATE / f"{DATE}_drive_0009_extract").mkdir()
    (root / "devkit").mkdir()
    records = scan(root)
    assert len(records) == FRAMES
    assert records[3].sources["image"].path.endswith("0000000003.jpg")


def test_the_camera_holds_for_the_calibrated_size_and_without_one_for_the_images(root: Path) -> None:
    data = root / DRIVE / "image_02/data"
    for path in data.iterdir():
        write_image(path, np.zeros((48, 96, 3), np.uint8))
    record = scan(root)[0]
    assert record.camera is not None
    assert (record.camera.width, record.camera.height) == SIZE, "shrunk images fail for their size"
    path = root / DATE / CALIBRATION_FILES[0]
    path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines() if "S_rect" not in line))
    record = scan(root)[0]
    assert record.camera is not None
    assert (record.camera.width, record.camera.height) == (96, 48)


def test_a_folder_without_images_is_refused_with_the_layout(real: Path) -> None:
    for use in (scan, lambda r: kitti_raw.class_map(DatasetSource(r))):
        with pytest.raises(DatasetNotFoundError, match="ROOT/<date>/<date>_drive_<NNNN>_sync/image_02"):
            use(real)


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-26 13:02:25.9\n26.9.2011\n", "line 2: '26.9.2011' is no time"),
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-31 13:02:25.9\n", "line 1: '2011-09-31 13:02:25.9' is no time"),
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-26 13:02:25.9\n", "no line 2 for the frame 0000000001"),
        (f"{DRIVE}/oxts/data/0000000001.txt", "49 8 116 0 0\n", "line 1: 30 numbers are expected, not 5"),
        (f"{DRIVE}/oxts/data/0000000001.txt", "90 8" + " 0" * 28, "line 1: 90.0 degrees are no latitude"),
        (f"{DRIVE}/oxts/data/0000000001.txt", "", "holds 0 lines"),
        (f"{DATE}/calib_cam_to_cam.txt", "R_rect_00: 1 0 0 0 1 0 0 0 1\n", "has no P_rect_02"),
        (f"{DATE}/calib_cam_to_cam.txt", "P_rect_02: 0 0 9 0 0 7 4 0 0 0 1 0\n", "line 1: P_rect_02 is no projection"),
        (f"{DATE}/calib_cam_to_cam.txt", "P_rect_02 7 0 9 0\n", "line 1: 'name: numbers' is expected"),
        (f"{DATE}/calib_velo_to_cam.txt", "a: 1\nR: 1 0 0 0 1 0 0 0\n", "line 2: 9 numbers are expected, not 8"),
        (f"{DATE}/calib_imu_to_velo.txt", "R: 1 0 0 0 1 0 0 0 1\nT: 0 inf 0\n", "line 2: NaN or infinity"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(root: Path, file: str, content: str, what: str) -> None:
    (root / file).write_text(content)
    with pytest.raises(UnreadableFileError) as raised:
        scan(root)
    assert str(raised.value).startswith(str(root / file))
    assert what in str(raised.value)


# --- calibration: chains of matrices, from the files by hand


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


# --- packets and time stamps


@settings(max_examples=50, deadline=None)
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


# --- scans


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
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_velodyne(tmp_path)
