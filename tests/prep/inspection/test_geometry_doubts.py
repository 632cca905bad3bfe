"""Signs of cameras, times and poses that are not in pixels, seconds and metres, or not of these pictures."""

from typing import Any

import numpy as np
import pytest

from segprep.datasets.sample import Camera, Pose
from segprep.prep.inspection.camera_doubts import camera_doubts
from segprep.prep.inspection.motion_doubts import Track, motion_doubts


def camera(fx: float, fy: float, cx: float, cy: float, baseline: float | None = None) -> Camera:
    return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), 640, 480, baseline)


@pytest.mark.parametrize(
    "right",
    [
        camera(525, 525, 319.5, 239.5),
        camera(585, 585, 320, 240, 0.12),
        camera(517.3, 516.5, 318.6, 255.3),
        Camera(np.array([[721.5, 0, 609.6], [0, 721.5, 172.9], [0, 0, 1]]), 1242, 375, 0.54),
        Camera(np.array([[2262.5, 0, 1096.98], [0, 2265.3, 513.1], [0, 0, 1]]), 2048, 1024, 0.209),
    ],
)
def test_cameras_of_known_datasets_pass(right: Camera) -> None:
    assert list(camera_doubts(right, (right.width, right.height))) == []


@pytest.mark.parametrize(
    ("wrong", "text", "impossible"),
    [
        (camera(1050, 1050, 639.5, 479.5), "as if K were that of pictures of about 1279x959", False),
        (camera(1575, 1575, 959.5, 719.5), "as if K were that of pictures of about 1919x1439", False),
        (camera(2625, 2625, 1599.5, 1199.5), "far outside the picture, as if K were that of pictures of", True),
        (camera(262, 262, 159.5, 119.5), "as if K were that of pictures of about 319x239", False),
        (camera(0.82, 1.09, 0.5, 0.5), "shares of width and height", True),
        (camera(0, 525, 320, 240), "focal lengths are above 0", True),
        (camera(525, -525, 320, 240), "focal lengths are above 0", True),
        (camera(9000, 9000, 320, 240), "a field of view of 4 by 3 degrees", False),
        (camera(60, 60, 320, 240), "a field of view of 159 by 152 degrees", False),
        (camera(525, 700, 320, 240), "the two focal lengths differ", False),
        (camera(525, 525, 320, 240, 120.0), "its baseline is 120 m", False),
        (camera(525, 525, 320, 240, -0.12), "its baseline is -0.12 m", True),
    ],
)
def test_cameras_of_other_pictures_and_units_are_told(wrong: Camera, text: str, impossible: bool) -> None:
    (found,) = camera_doubts(wrong, (640, 480))
    assert text in found.text
    assert found.impossible is impossible


def test_a_camera_for_another_size_than_the_images_is_told() -> None:
    (found,) = camera_doubts(camera(525, 525, 319.5, 239.5), (320, 240))
    assert "calibrated for 640x480, but the images are 320x240" in found.text


def walk(step_m: float = 0.02, rate: float = 30.0, turn_deg: float = 1.0, **changes: Any) -> Track:
    """Return ten frames of a walk."""
    poses: list[Pose | None] = []
    for index in range(10):
        angle = np.radians(turn_deg * index)
        matrix = np.eye(4)
        matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        matrix[0, 3] = step_m * index
        poses.append(Pose(matrix))
    given: dict[str, Any] = {"frames": range(10), "times": [index / rate for index in range(10)], "poses": poses}
    return Track("walk", **(given | changes))


def test_walks_and_drives_pass() -> None:
    assert list(motion_doubts(walk(), 2.0)) == []
    assert list(motion_doubts(walk(step_m=1.5, rate=10), 15.0)) == []
    labelled = walk(rate=1, frames=range(0, 300, 30))
    assert list(motion_doubts(labelled, None)) == [], "labelled frames of a video are far apart"
    stamps = walk(frames=range(0, 10 * 33_333_333, 33_333_333))
    assert list(motion_doubts(stamps, None)) == [], "names that are time stamps are no numbers of frames"


@pytest.mark.parametrize(
    ("track", "text", "impossible"),
    [
        (walk(rate=30e-9), "are these nanoseconds?", True),
        (walk(rate=30e-6), "are these microseconds?", False),
        (walk(rate=30e-3), "are these milliseconds?", False),
        (walk(times=[0, 1, 2, 3, 2.5, 5, 6, 7, 8, 9]), "1 of 9 frames are earlier", False),
        (walk(times=[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]), "5 of 9 frames have the time of the frame before", False),
        (walk(step_m=20), "moves at 600 m/s: are positions in millimetres", False),
        (walk(step_m=200), "moves at 6e+03 m/s", True),
        (walk(step_m=2), "moves by 2 m from frame to frame, and what it sees is 2 m away", False),
        (walk(turn_deg=90), "turns by 90 degrees", False),
        (walk(step_m=0, turn_deg=0), "never moves", False),
    ],
)
def test_strange_times_and_poses_are_told(track: Track, text: str, impossible: bool) -> None:
    (found,) = motion_doubts(track, 2.0)
    assert text in found.text
    assert found.impossible is impossible


def test_a_jump_is_told() -> None:
    poses = list(walk().poses)
    matrix = np.eye(4)
    matrix[0, 3] = 7
    (found,) = motion_doubts(walk(poses=[*poses[:5], Pose(matrix), *poses[6:]]), 2.0)
    assert "jumps 2 times, by up to 6.92 m" in found.text
