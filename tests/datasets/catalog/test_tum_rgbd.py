"""TUM's format: images find depth and pose by time, and the camera by the sequence's name."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import tum_rgbd
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.notices import Notice
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Camera

START = 1305031102.1753


def scan(root: Path) -> list[SampleRecord]:
    return list(tum_rgbd.scan(DatasetSource(root), Direction.PREVIOUS))


def sequence(folder: Path, images: list[float], depths: list[float] = [], poses: list[float] = []) -> Path:  # noqa: B006
    """Write lists of what lies at times after the start; the position of a pose is its time."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, times in (("rgb", images), ("depth", depths)):
        lines = [f"{START + t:.4f} {part}/{START + t:.4f}.png\n" for t in times]
        (folder / f"{part}.txt").write_text(f"# {part}\n# timestamp filename\n{''.join(lines)}")
    (folder / "groundtruth.txt").write_text("".join(f"{START + t:.4f} {t} 0 0 0 0 0 1\n" for t in poses))
    return folder


def told(root: Path) -> list[Notice]:
    source = DatasetSource(root)
    list(tum_rgbd.scan(source, Direction.PREVIOUS))
    return source.notices


def partners(root: Path) -> list[tuple[float | None, float | None]]:
    """Return the times after the start of each image's depth and pose."""
    found: list[tuple[float | None, float | None]] = []
    for record in scan(root):
        depth, pose = record.sources.get("depth"), record.pose
        found.append(
            (
                None if depth is None else round(float(Path(depth.path).stem) - START, 4),
                None if pose is None else float(pose.matrix[0, 3]),
            )
        )
    return found


def camera_of(root: Path) -> Camera:
    camera = scan(root)[0].camera
    assert camera is not None
    return camera


def test_images_take_the_nearest_depth_within_20_ms_and_the_pose_at_their_time(tmp_path: Path) -> None:
    sequence(tmp_path, [0, 0.1, 0.2, 0.5], [0.015, 0.121, 0.19, 0.195], [0.01, 0.08, 0.105, 0.2205, 0.48, 0.6])
    depths, places = zip(*partners(tmp_path), strict=True)
    assert depths == (0.015, None, 0.195, None)
    assert places[0] is None, "before the first row"
    assert places[1:] == pytest.approx((0.1, 0.2, 0.5), abs=1e-6), "each row stands at the place of its time"
    assert "3 of 4 images have a pose" in " ".join(map(str, told(tmp_path)))


def test_an_image_between_rows_that_are_far_apart_has_no_pose(tmp_path: Path) -> None:
    sequence(tmp_path, [0.1, 0.4, 0.6], [], [0, 0.19, 0.59, 0.7])
    assert [None if place is None else round(place, 3) for _, place in partners(tmp_path)] == [0.1, None, 0.6]
    assert "1 are between rows that are more than 0.2 s apart" in " ".join(map(str, told(tmp_path)))


def test_a_row_at_an_images_time_is_its_pose_to_the_last_digit(tmp_path: Path) -> None:
    sequence(tmp_path, [0, 0.1, 0.2], [], [0, 0.05, 0.1, 0.15, 0.2])
    assert [place for _, place in partners(tmp_path)] == [0, 0.1, 0.2]


def test_a_depth_image_belongs_to_one_image(tmp_path: Path) -> None:
    sequence(tmp_path, [0, 0.02, 0.04], [0.011])
    assert [depth for depth, _ in partners(tmp_path)] == [None, 0.011, None]
    sequence(tmp_path, [0, 0.02], [0.009, 0.011])
    assert [depth for depth, _ in partners(tmp_path)] == [0.009, 0.011]


def test_lists_in_nanoseconds_are_told_and_read(tmp_path: Path) -> None:
    times = [1403636579763555584 + 50_000_000 * k for k in range(4)]
    (tmp_path / "rgb.txt").write_text("".join(f"{t} rgb/{t}.png\n" for t in times))
    (tmp_path / "groundtruth.txt").write_text("".join(f"{t / 1e9:.4f} {k} 0 0 0 0 0 1\n" for k, t in enumerate(times)))
    records = scan(tmp_path)
    assert [r.time for r in records] == pytest.approx([0, 0.05, 0.1, 0.15], abs=1e-6)
    assert [place for _, place in partners(tmp_path)] == pytest.approx([0, 1, 2, 3], abs=1e-3)
    assert "nanoseconds" in str(told(tmp_path)[0])


def test_images_are_in_the_order_of_time_and_their_neighbours_are_at_most_200_ms_away(tmp_path: Path) -> None:
    sequence(tmp_path / "s", [0.1, 0, 0.4, 0.25])
    records = scan(tmp_path)
    assert [r.frame for r in records] == [0, 1, 2, 3]
    assert [r.time for r in records] == pytest.approx([0, 0.1, 0.25, 0.4], abs=1e-6)
    assert [r.neighbour is not None for r in records] == [False, True, True, True]
    sequence(tmp_path / "s", [0, 0.3])
    assert [r.neighbour for r in scan(tmp_path)] == [None, None]


def test_recordings_have_keys_and_splits_of_their_own(tmp_path: Path) -> None:
    sequence(tmp_path / "a", [0])
    sequence(tmp_path / "b", [0])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "rgb.txt").write_text("# color images\n")
    (tmp_path / "val.txt").write_text("b\nelsewhere\n")
    records = scan(tmp_path)
    assert [(r.key, r.split, r.sequence) for r in records] == [
        ("a_1305031102.1753", "train", "a"),
        ("b_1305031102.1753", "val", "b"),
    ]
    (alone,) = scan(tmp_path / "a")
    assert (alone.key, alone.sources["image"].path) == ("1305031102.1753", "rgb/1305031102.1753.png")


@pytest.mark.parametrize(
    ("name", "K"),
    [
        ("rgbd_dataset_freiburg1_xyz", (517.3, 516.5, 318.6, 255.3)),
        ("rgbd_dataset_freiburg2_desk_with_person", (520.9, 521.0, 325.1, 249.7)),
        ("fr3_walking", (535.4, 539.2, 320.1, 247.6)),
        ("fr10_xyz", (525.0, 525.0, 319.5, 239.5)),
        ("kitchen", (525.0, 525.0, 319.5, 239.5)),
    ],
)
def test_the_camera_is_known_by_the_sequences_name(tmp_path: Path, name: str, K: tuple[float, ...]) -> None:
    folder = sequence(tmp_path / name, [0])
    for root in (tmp_path, folder):
        camera = camera_of(root)
        assert (camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]) == K
        assert (camera.width, camera.height) == (640, 480)


def test_a_file_of_intrinsics_beats_the_name_and_holds_for_the_images_size(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "freiburg1", [0, 0.03])
    (folder / "K.txt").write_text("100, 101, 8.5, 5.5\n")
    assert scan(tmp_path)[0].camera is None, "no image tells the size"
    write_image(folder / f"rgb/{START + 0.03:.4f}.png", np.zeros((12, 18, 3), np.uint8))
    camera = camera_of(tmp_path)
    assert camera.K.tolist() == [[100, 0, 8.5], [0, 101, 5.5], [0, 0, 1]]
    assert (camera.width, camera.height) == (18, 12)


def test_depth_is_in_steps_of_a_fifth_of_a_millimetre(tmp_path: Path) -> None:
    sequence(tmp_path, [0], [0])
    code = code_from_json(scan(tmp_path)[0].sources["depth"].code)
    depth, valid = code.decode(*code.from_file(np.array([[0, 5000, 65535]], np.uint16)))
    assert valid is not None
    assert valid.tolist() == [[False, True, False]]
    assert depth[0, 1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("file", "content", "line", "what"),
    [
        ("rgb.txt", "1.5 rgb/1.png\n2.5\n", 2, "a time and a file"),
        ("rgb.txt", "soon rgb/1.png\n", 1, "'soon' is no number"),
        ("rgb.txt", "nan rgb/1.png\n", 1, "NaN"),
        ("rgb.txt", "1.5 ../rgb/1.png\n", 1, "a file below"),
        ("depth.txt", "1.5 /depth/1.png\n", 1, "a file below"),
        ("groundtruth.txt", "# a\n1.5 0 0 0 0 0 1\n", 2, "16 numbers are expected, not 7"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, file: str, content: str, line: int, what: str) -> None:
    folder = sequence(tmp_path / "s", [0])
    (folder / file).write_text(content)
    with pytest.raises(UnreadableFileError) as raised:
        scan(tmp_path)
    assert str(raised.value).startswith(f"{folder / file}, line {line}: ")
    assert what in str(raised.value)


def test_without_images_it_is_no_sequence(tmp_path: Path) -> None:
    sequence(tmp_path / "s", [])
    with pytest.raises(DatasetNotFoundError, match=r"ROOT/<sequence>/rgb\.txt"):
        scan(tmp_path)


def test_lists_may_be_separated_by_tabs_and_names_may_hold_blanks(tmp_path: Path) -> None:
    (tmp_path / "rgb.txt").write_text("1.5\trgb/first view.png\n")
    (record,) = scan(tmp_path)
    assert record.sources["image"].path == "rgb/first view.png"
    assert record.key == "first%20view"
    assert set(record.sources) == {"image"}
    assert record.pose is None


def test_a_real_depth_file_has_metres(shared_data: Path, tmp_path: Path) -> None:
    sequence(tmp_path, [0], [0])
    code = code_from_json(scan(tmp_path)[0].sources["depth"].code)
    depth, valid = code.decode(*code.from_file(read_image(shared_data / "depth_formats" / "TUM_depth.png")))
    assert valid is not None
    np.testing.assert_allclose(np.percentile(depth[valid], [1, 99]), [1.5, 7.3], atol=0.1)
