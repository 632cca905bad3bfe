"""Neighbours of Cityscapes' frames: times and odometry from their files, and what is wrong with these."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import cityscapes
from segprep.datasets.catalog._cityscapes.calibration import Odometry, camera_motion
from segprep.datasets.sample import Matrix
from segprep.datasets.synthetic import camera_pose
from support.cityscapes import assert_motion, file_of, fine_snippets, scan
from support.listing import scan_telling

FIRST = "aachen_000000_000019"


def test_frames_beside_each_other_in_leftimg8bit_are_neighbours_too(root: Path) -> None:
    shutil.rmtree(root / "leftImg8bit_sequence")
    shutil.rmtree(root / "timestamp_sequence")
    image = file_of(root, "leftImg8bit", "leftImg8bit.png")
    for stem in ("aachen_000000_000016", "aachen_000000_000012", "aachen_000003_000020"):
        shutil.copy(image, file_of(root, "leftImg8bit", "leftImg8bit.png", stem))
    records = scan(root)
    near = records[FIRST].neighbour
    assert near is not None
    assert near.frame == 16
    assert near.time_difference == pytest.approx(-3 / 17)
    assert records[FIRST].sources["previous"].path.endswith("aachen_000000_000016_leftImg8bit.png")
    alone = [key for key, record in records.items() if record.neighbour is None]
    assert alone == [k for k in records if k != FIRST], "0.24 s are too far, and sequences do not mix"


def test_times_come_from_the_stamps_where_both_exist(root: Path) -> None:
    file_of(root, "timestamp_sequence", "timestamp.txt", "aachen_000000_000018").write_text("1000000000\n")
    file_of(root, "timestamp_sequence", "timestamp.txt").write_text("1123456789\n")
    file_of(root, "timestamp_sequence", "timestamp.txt", "aachen_000001_000018").unlink()
    records = scan(root)
    stamped, counted = records[FIRST], records["aachen_000001_000019"]
    assert stamped.neighbour is not None
    assert counted.neighbour is not None
    assert stamped.time == pytest.approx(1.123456789, abs=1e-12)
    assert stamped.neighbour.time_difference == pytest.approx(-0.123456789, abs=1e-12)
    assert counted.neighbour.time_difference == pytest.approx(-1 / 17, abs=1e-12)
    assert stamped.neighbour.motion is not None
    assert counted.neighbour.motion is not None
    speed = json.loads(file_of(root, "vehicle", "vehicle.json").read_text(encoding="utf-8"))["speed"]
    assert np.linalg.norm(stamped.neighbour.motion[:3, 3]) == pytest.approx(0.123456789 * speed, rel=1e-3)


def test_a_frame_whose_stamp_is_too_far_away_is_no_neighbour(root: Path) -> None:
    file_of(root, "timestamp_sequence", "timestamp.txt", "aachen_000000_000018").write_text("700000000")
    records = scan(root)
    assert [key for key, record in records.items() if record.neighbour is None] == [FIRST]


def test_odometry_is_the_mean_of_both_frames_or_what_there_is(root: Path) -> None:
    def motion() -> Matrix | None:
        near = scan(root)[FIRST].neighbour
        assert near is not None
        return near.motion

    def write(part: str, frame: int, speed: float, yaw_rate: float) -> None:
        path = file_of(root, part, "vehicle.json", f"aachen_000000_{frame:06d}")
        path.write_text(json.dumps({"speed": speed, "yawRate": yaw_rate, "gpsHeading": 3}))

    record = scan(root)[FIRST]
    assert record.camera is not None
    assert record.camera.mount is not None
    assert record.neighbour is not None
    mount, seconds = record.camera.mount, record.neighbour.time_difference
    write("vehicle", 19, 10.0, 0.2)
    write("vehicle_sequence", 18, 6.0, -0.1)
    both = motion()
    assert both is not None
    np.testing.assert_allclose(both, camera_motion(mount, Odometry(8.0, 0.05), seconds), atol=1e-12)
    file_of(root, "vehicle", "vehicle.json").unlink()
    write("vehicle_sequence", 19, 10.0, 0.2)
    np.testing.assert_array_equal(motion(), both)
    write("vehicle", 19, 10.0, 0.2)
    shutil.rmtree(root / "vehicle_sequence")
    one = motion()
    assert one is not None
    np.testing.assert_allclose(one, camera_motion(mount, Odometry(10.0, 0.2), seconds), atol=1e-12)
    shutil.rmtree(root / "vehicle")
    assert motion() is None
    assert scan(root)[FIRST].neighbour is not None


def test_the_annotated_frames_odometry_alone_is_good_to_a_millimetre(root: Path) -> None:
    shutil.rmtree(root / "vehicle_sequence")
    for snippet in fine_snippets():
        near = scan(root)[snippet.name.stem].neighbour
        assert near is not None
        assert near.motion is not None
        poses = [camera_pose(snippet.world, snippet.tick(snippet.name.number + offset)) for offset in (0, -1)]
        assert_motion(near.motion, *poses, metres=1e-3, radians=1e-4)


def test_files_of_frames_that_nobody_needs_are_not_read(root: Path) -> None:
    before = {key: record.to_json() for key, record in scan(root).items()}
    stem = "aachen_000000_000005"
    for part, ending in (
        ("leftImg8bit_sequence", "leftImg8bit.png"),
        ("vehicle_sequence", "vehicle.json"),
        ("timestamp_sequence", "timestamp.txt"),
    ):
        file_of(root, part, ending, stem).write_bytes(b"\xff broken")
    assert {key: record.to_json() for key, record in scan(root).items()} == before


_CAMERA = {
    "extrinsic": {"baseline": 0.2, "pitch": 0.0, "roll": 0.0, "x": 1.7, "y": 0.1, "yaw": 0.0, "z": 1.2},
    "intrinsic": {"fx": 2262.5, "fy": 2265.3, "u0": 1097.0, "v0": 513.1},
}


def _without(section: str, name: str) -> str:
    return json.dumps({s: {n: v for n, v in t.items() if (s, n) != (section, name)} for s, t in _CAMERA.items()})


@pytest.mark.parametrize(
    ("part", "ending", "content", "what"),
    [
        ("camera", "camera.json", "{", "no JSON"),
        ("camera", "camera.json", "[]", "intrinsic.fx is None"),
        ("camera", "camera.json", _without("intrinsic", "v0"), "intrinsic.v0 is None"),
        ("camera", "camera.json", _without("extrinsic", "yaw"), "extrinsic.yaw is None"),
        ("camera", "camera.json", json.dumps(_CAMERA).replace("0.2", "0"), "baseline 0.0 must be positive"),
        ("camera", "camera.json", json.dumps(_CAMERA).replace("1097.0", "NaN"), "NaN is no number"),
        ("camera", "camera.json", json.dumps(_CAMERA).replace("1097.0", "1" * 400), "more digits"),
        ("vehicle", "vehicle.json", '{"speed": 3.0}', "yawRate is None"),
        ("vehicle", "vehicle.json", '{"speed": true, "yawRate": 0}', "speed is True"),
        ("vehicle", "vehicle.json", "", "no JSON"),
        ("timestamp_sequence", "timestamp.txt", "", "one whole number"),
        ("timestamp_sequence", "timestamp.txt", "12.5", "'12.5'"),
        ("timestamp_sequence", "timestamp.txt", "9" * 5000, "one whole number"),
    ],
)
def test_a_broken_file_is_told_and_its_sample_goes_without(
    root: Path, part: str, ending: str, content: str, what: str
) -> None:
    before = scan(root)
    path = file_of(root, part, ending)
    path.write_text(content)
    records, told = scan_telling(cityscapes, root)
    assert [record.key for record in records] == list(before)
    (text,) = (each for each in told if "cannot be used" in each)
    assert f"1 of its files cannot be used, and the samples go without; the first: {path}" in text
    assert what in text
    if part == "camera":
        assert [r.key for r in records if r.camera is None and before[r.key].camera is not None] == [FIRST]
