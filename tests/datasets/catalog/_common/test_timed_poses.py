"""Where the camera was at the time of an image: against exact truth, and with the times that programs write."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog._common.frame_times import frame_times, times_in_names
from segprep.datasets.catalog._common.miniature import number_line
from segprep.datasets.catalog._common.timed_poses import TimedPoses, time_unit
from segprep.datasets.catalog._common.trajectory_files import find_poses
from segprep.datasets.catalog._rgbd.tum_miniature import quaternion
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.notices import About, Notice
from segprep.datasets.sample import Pose
from segprep.datasets.synthetic import World, camera_pose, make_camera, render
from segprep.flow.camera.ego import ego_flow

START = 1305031102.175304
IDENTITY = "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n"


def poses_of(
    folder: Path, images: Sequence[str], times: Sequence[float] | None
) -> tuple[dict[str, Pose | None], list[Notice]]:
    notices: list[Notice] = []
    clock = None if times is None else dict(zip(images, times, strict=True))
    return find_poses(folder, images, clock, notices), notices


def places(
    folder: Path, images: Sequence[str], times: Sequence[float] | None = None
) -> tuple[dict[str, float | None], str]:
    """Return the x of each image's pose, and all that is told."""
    found, notices = poses_of(folder, images, times)
    return {k: None if p is None else round(float(p.matrix[0, 3]), 6) for k, p in found.items()}, "\n".join(
        map(str, notices)
    )


def tum(path: Path, times: Sequence[object], at: Sequence[float] | None = None, gap: str = " ") -> None:
    rows = zip(times, at or range(len(times)), strict=True)
    path.write_text("".join(gap.join([str(t), str(x), *"000001"]) + "\n" for t, x in rows))


def test_ego_flow_by_a_trajectory_of_100_hz_is_that_of_the_exact_poses(tmp_path: Path) -> None:
    """Images of 30 Hz lie up to 5 ms beside the rows; the nearest row would be wrong by more than a pixel."""
    fine = World(seed=21, speed=10.0, frame_rate=3000.0, bend=0.3, pitch_wobble=0.02, traffic_speed=0.0)
    rows = [(START + index / 3000, camera_pose(fine, index)) for index in range(0, 1200, 30)]
    lines = [
        f"{time:.6f} {number_line((*pose.matrix[:3, 3], *quaternion(pose.matrix[:3, :3])))}" for time, pose in rows
    ]
    (tmp_path / "groundtruth.txt").write_text("# ground truth\n" + "\n".join(lines) + "\n")
    frames = [107, 207, 307, 407]
    found, notices = poses_of(tmp_path, [str(f) for f in frames], [START + f / 3000 for f in frames])
    assert notices == []
    camera = make_camera(256, 128)
    nearest = {f: rows[round(f / 30)][1] for f in frames}
    wrong, errors = [], []
    for before, now in pairwise(frames):
        depth_HW = render(fine, now, camera.width, camera.height).depth_HW
        here, there = found[str(now)], found[str(before)]
        assert here is not None
        assert there is not None
        truth, ours, crude = (
            ego_flow(depth_HW, depth_HW > 0, camera, motion)
            for motion in (
                camera_pose(fine, now).motion_to(camera_pose(fine, before)),
                here.motion_to(there),
                nearest[now].motion_to(nearest[before]),
            )
        )
        valid_HW = truth.valid & ours.valid & crude.valid
        errors.append(np.abs(ours.uv - truth.uv)[valid_HW].max())
        wrong.append(np.abs(crude.uv - truth.uv)[valid_HW].max())
    assert max(errors) < 0.05
    assert max(wrong) > 1


def test_rotations_turn_evenly_about_one_axis() -> None:
    def turned(angle: float, x: float) -> Pose:
        c, s = np.cos(angle), np.sin(angle)
        return Pose(np.array([[c, -s, 0, x], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))

    timed = TimedPoses.from_rows([(0.0, turned(0.2, 1)), (0.1, turned(1.4, 3))], 1)
    pose = timed.at(0.025)
    assert isinstance(pose, Pose)
    np.testing.assert_allclose(pose.matrix, turned(0.5, 1.5).matrix, atol=1e-12)


# --- times


@pytest.mark.parametrize(
    ("times", "unit"),
    [
        ([START, START + 20], 1),
        ([START * 1e3, START * 1e3 + 33], 1e-3),
        ([START * 1e6, START * 1e6 + 33333], 1e-6),
        ([1403636579763555584, 1403636579813555456], 1e-9),
        ([0, 0.033, 0.067], 1),
        ([0, 20.5, 40.25], 1),
        ([0, 33, 67, 100], 1e-3),
        ([0, 33333, 66667], 1e-6),
        ([0, 33333333, 66666667], 1e-9),
        ([0, 1, 2, 3], 1),
        ([5], 1),
        ([], 1),
    ],
)
def test_the_unit_of_times_is_recognised(times: list[float], unit: float) -> None:
    assert time_unit(times) == unit


def test_short_steps_are_held_against_the_images_times() -> None:
    rows = list(range(0, 2000, 10))  # 100 Hz in milliseconds
    assert time_unit(rows) == 1
    assert time_unit(rows, [0, 0.033, 0.067, 1.5]) == 1e-3


def test_times_in_nanoseconds_duplicates_and_unsorted_rows_are_told(tmp_path: Path) -> None:
    start = 1403636579000000000
    tum(tmp_path / "trajectory.txt", [start, start + 100_000_000, start + 50_000_000, start + 50_000_000], [0, 2, 1, 9])
    found, said = places(tmp_path, ["a", "b", "c"], [start / 1e9, start / 1e9 + 0.025, start / 1e9 + 0.075])
    assert found == pytest.approx({"a": 0, "b": 0.5, "c": 1.5}, abs=1e-4)
    assert "taken for nanoseconds" in said
    assert "1 rows stand behind a later one" in said
    assert "1 rows have the time of another" in said


def test_rows_with_rounded_times_belong_to_their_images(tmp_path: Path) -> None:
    times = [START + k / 7 for k in range(5)]
    for rounded in ([f"{t:.2f}" for t in times], [f"{t - 0.005:.2f}" for t in times]):
        tum(tmp_path / "CameraTrajectory.txt", rounded)
        found, said = places(tmp_path, list("abcde"), times)
        assert found == dict(zip("abcde", range(5), strict=True))
        assert "rounded to 0.01 s" in said


def test_times_in_names_are_times(tmp_path: Path) -> None:
    notices: list[Notice] = []
    assert frame_times(tmp_path, ["1305031102.175304", "1305031102.208637"], notices) == {
        "1305031102.175304": 1305031102.175304,
        "1305031102.208637": 1305031102.208637,
    }
    assert notices[0].about is About.GUESSED
    assert notices[0].text.endswith("taken for times in seconds, 30 images per second")
    found = times_in_names(["cam0_1403636579763555584", "cam0_1403636579813555456"], notices)
    assert found is not None
    assert np.diff(list(found.values())) == pytest.approx(0.05, abs=1e-6)
    for names in (["000001", "000002"], ["1.2", "1.3"], ["20180810150607", "20180810150608"], ["a", "1305031102.1"]):
        assert times_in_names(names, notices) is None


# --- forms of files


def matrix(x: float) -> str:
    return IDENTITY.replace("1 0 0 0", f"1 0 0 {x}", 1)


def test_every_form_says_the_same_poses_by_what_it_holds(tmp_path: Path) -> None:
    rows = [" ".join(matrix(x).split()) for x in (1, 2)]
    images = ["a", "b"]
    forms = {
        "16.txt": "\n".join(rows),
        "12.txt": "\n".join(" ".join(row.split()[:12]) for row in rows),
        "4x4.txt": matrix(1) + "\n" + matrix(2),
        "log.txt": f"0 0 1\n{matrix(1)}1 1 2\n{matrix(2)}",
        "tum.txt": "timestamp,tx,ty,tz,qx,qy,qz,qw\n10,1,0,0,0,0,0,1 # first\n10.1;2;0;0;0;0;0;1.0e+000\n",
        "comma.txt": "10,0 1,0 0 0 0 0 0 1,0\n10,1\t2,0 0 0 0 0 0 1\n",
        "colmap.txt": "# IMAGE_ID ...\n2 1 0 0 0 -2 0 0 1 sub/b.png\n\n1 1 0 0 0 -1 0 0 1 sub/a.png\n"
        "3.5 4.5 -1 1 2 7 8 9 6 5 4 3\n",
    }
    for name, content in forms.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "poses.txt").write_text(content)
        assert places(folder, images, [10, 10.1])[0] == {"a": 1, "b": 2}, name


def test_colmap_is_world_to_camera_with_the_scalar_first(tmp_path: Path) -> None:
    half = 0.5**0.5
    (tmp_path / "images.txt").write_text(f"1 {half} 0 0 {half} 1 2 3 1 a b.png\n1 2 -1\n")
    (pose,) = poses_of(tmp_path, ["a b"], None)[0].values()
    assert pose is not None
    np.testing.assert_allclose(pose.matrix @ [1, 2, 3, 1], [0, 0, 0, 1], atol=1e-12, err_msg="the camera's origin is t")
    world = np.array([5.0, 0, 0, 1])
    np.testing.assert_allclose(np.linalg.inv(pose.matrix) @ world, [1, 7, 3, 1], atol=1e-12)


def test_nerf_tools_have_the_axes_of_opengl(tmp_path: Path) -> None:
    frame = '{"file_path": "./images/a.png", "transform_matrix": [[1,0,0,4],[0,1,0,5],[0,0,1,6],[0,0,0,1]]}'
    (tmp_path / "transforms.json").write_text(f'{{"frames": [{frame}]}}')
    found, notices = poses_of(tmp_path, ["a", "b"], None)
    pose = found["a"]
    assert pose is not None
    np.testing.assert_array_equal(pose.matrix @ [1, 2, 3, 1], [5, 3, 3, 1])
    assert [n.about for n in notices] == [About.GUESSED, About.SEEN]
    assert "no metres" in notices[0].text
    assert "1 of 2 images stand in" in notices[1].text


def test_rows_without_times_of_images_are_taken_in_order_or_by_number_and_told(tmp_path: Path) -> None:
    tum(tmp_path / "traj.txt", [7.5, 7.1, 7.9], [2, 1, 3])
    found, said = places(tmp_path, ["x", "y", "z"])
    assert found == {"x": 1, "y": 2, "z": 3}
    assert "guessed, poses: no file says the times of the images" in said
    tum(tmp_path / "traj.txt", [12, 10])
    found, said = places(tmp_path, ["000010", "000011", "000012"])
    assert found == {"000012": 0, "000010": 1}
    found, said = places(tmp_path, ["x", "y", "z"])
    assert found == {}
    assert "suspect, poses" in said
    assert "timestamps.txt" in said


def test_the_first_of_several_files_counts_and_the_others_are_told(tmp_path: Path) -> None:
    tum(tmp_path / "CameraTrajectory.txt", [1, 2])
    tum(tmp_path / "KeyFrameTrajectory.txt", [1], [9])
    found, said = places(tmp_path, ["1", "2"])
    assert found == {"1": 0, "2": 1}
    assert "KeyFrameTrajectory.txt beside it was not read" in said


def test_a_list_of_pictures_is_no_file_of_poses(tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text("color/a.png\ncolor/b.png\n")
    assert places(tmp_path, ["a", "b"]) == ({}, "")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("poses.txt", "1 0 0 0\n0 1 0 0\n", "line 1: four rows of a matrix begin here, not 2"),
        ("images.txt", "1 0 0 0 0 1 2 3 1 a.png\n", "line 1: the quaternion is zero"),
        ("images.txt", "1 1 0 0 0 1 2 3 1 a.png\n\n2 1 0 0 0 1 2 3 1 a.png\n", "line 3: a.png has a pose already"),
        ("transforms.json", "{}", "no frames with file_path"),
        ("transforms.json", '{"frames": [{"file_path": "a", "transform_matrix": [[1]]}]}', "4x4, not 1x1"),
        ("transforms.json", '{"frames": 3}', "no frames with file_path"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: str, what: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UnreadableFileError) as raised:
        poses_of(tmp_path, ["a"], None)
    assert str(raised.value).startswith(str(tmp_path / name))
    assert what in str(raised.value)
