"""7-Scenes: sequences wherever they lie, splits, poses that are missing, and what 65535 means."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import sevenscenes
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.record import Direction, SampleRecord
from support.listing import scan_telling


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sevenscenes")
    sevenscenes.write_miniature(root, 4)
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(pristine, tmp_path / "copy")


def scan(root: Path) -> dict[str, SampleRecord]:
    records = list(sevenscenes.scan(DatasetSource(root), Direction.PREVIOUS))
    assert len({r.key for r in records}) == len(records)
    return {str(r.key): r for r in records}


def frames(folder: Path, *numbers: int, size: tuple[int, int] = (4, 3)) -> None:
    for number in numbers:
        write_image(folder / f"frame-{number:06d}.color.png", np.zeros((*size[::-1], 3), np.uint8))


def test_a_frame_has_its_own_files_and_the_split_of_its_sequence(pristine: Path) -> None:
    records = scan(pristine)
    assert [(key, r.split) for key, r in records.items()] == [
        *((f"street_seq-01_frame-00000{i}", "train") for i in range(3)),
        ("street_seq-02_frame-000000", "test"),
    ]
    record = records["street_seq-01_frame-000002"]
    folder = "street/seq-01"
    assert {name: source.path for name, source in record.sources.items()} == {
        "image": f"{folder}/frame-000002.color.png",
        "depth": f"{folder}/frame-000002.depth.png",
        "previous": f"{folder}/frame-000001.color.png",
    }
    assert record.time == pytest.approx(2 / 30)


@pytest.mark.parametrize(("inner", "key"), [("street", "seq-01_frame-000001"), ("street/seq-01", "frame-000001")])
def test_a_scene_or_a_sequence_can_be_the_root(pristine: Path, inner: str, key: str) -> None:
    whole = scan(pristine)["street_seq-01_frame-000001"]
    record = scan(pristine / inner)[key]
    assert (record.split, record.frame, record.time) == ("train", 1, 1 / 30)
    assert record.pose is not None
    assert whole.pose is not None
    assert record.pose.matrix.tolist() == whole.pose.matrix.tolist()
    assert (pristine / inner / record.sources["depth"].path).is_file()
    assert record.neighbour is not None


def test_intrinsics_count_from_the_nearest_folder_and_are_the_depth_cameras_without_a_file(root: Path) -> None:
    def focal(key: str) -> float:
        camera = scan(root)[key].camera
        assert camera is not None
        return float(camera.K[0, 0])

    rendered = focal("street_seq-01_frame-000000")
    (root / "street/seq-02/camera-intrinsics.txt").write_text("50 0 3\n0 51 4\n0 0 1\n")
    assert focal("street_seq-02_frame-000000") == 50
    assert focal("street_seq-01_frame-000000") == rendered
    (root / "camera-intrinsics.txt").write_text("60 60 3 4\n")
    assert focal("street_seq-01_frame-000000") == rendered
    (root / "street/camera-intrinsics.txt").unlink()
    assert focal("street_seq-01_frame-000000") == 60
    (root / "camera-intrinsics.txt").rename(root.parent / "camera-intrinsics.txt")  # outside it says nothing
    camera = scan(root)["street_seq-01_frame-000000"].camera
    assert camera is not None
    assert camera.K.tolist() == [[585, 0, 320], [0, 585, 240], [0, 0, 1]]
    assert (camera.width, camera.height) == (640, 480), "the size that they hold for, whatever the images have"


def test_a_frame_without_a_pose_is_a_frame(root: Path) -> None:
    folder = root / "street/seq-01"
    (folder / "frame-000000.pose.txt").unlink()
    (folder / "frame-000001.pose.txt").write_text("-1.#IND 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n")
    records = [scan(root)[f"street_seq-01_frame-00000{i}"] for i in range(3)]
    assert [r.pose is None for r in records] == [True, True, False]
    near = [r.neighbour for r in records]
    assert near[0] is None
    assert near[1] is not None
    assert near[2] is not None
    assert (near[1].motion, near[2].motion) == (None, None)


def test_a_missing_part_is_promised_unless_the_sequence_has_none(root: Path) -> None:
    folder = root / "street/seq-01"
    (folder / "frame-000001.depth.png").unlink()
    (folder / "frame-000002.color.png").unlink()
    records = scan(root)
    paths = [s.path for r in records.values() for s in r.sources.values() if not (root / s.path).is_file()]
    assert sorted(paths) == ["street/seq-01/frame-000001.depth.png", "street/seq-01/frame-000002.color.png"]
    (root / "street/seq-02/frame-000000.depth.png").unlink()
    assert set(scan(root)["street_seq-02_frame-000000"].sources) == {"image"}


def test_no_depth_camera_sees_infinitely_far(pristine: Path) -> None:
    record = scan(pristine)["street_seq-01_frame-000000"]
    code = code_from_json(record.sources["depth"].code)
    stored = np.array([[0, 1500, 65535]], np.uint16)
    depth, valid = code.decode(*code.from_file(stored))
    assert valid is not None
    assert valid.tolist() == [[False, True, False]]
    assert depth[0, 1] == pytest.approx(1.5)
    assert (read_image(pristine / record.sources["depth"].path) == 65535).any(), "the miniature has some"


def test_scenes_have_splits_of_their_own_and_unlisted_sequences_are_in_train(tmp_path: Path) -> None:
    for scene in ("chess", "fire"):
        for number in (1, 2, 10):
            frames(tmp_path / scene / f"seq-{number:02d}", 0)
    frames(tmp_path / "chess/notes", 0)
    (tmp_path / "chess/TestSplit.txt").write_text("sequence2\nsequence10\n")
    splits = {key.removesuffix("_frame-000000"): r.split for key, r in scan(tmp_path).items()}
    assert splits == {
        "chess_seq-01": "train",
        "chess_seq-02": "test",
        "chess_seq-10": "test",
        **{f"fire_seq-{number}": "train" for number in ("01", "02", "10")},
    }


def test_sequences_are_not_neighbours_of_one_another_and_gaps_are_too_far(tmp_path: Path) -> None:
    frames(tmp_path / "seq-01", 0, 6, 13)
    frames(tmp_path / "seq-02", 14)
    near = {key: r.neighbour for key, r in scan(tmp_path).items()}
    assert [key for key, n in near.items() if n is not None] == ["seq-01_frame-000006"]


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("street/TrainSplit.txt", "sequence1\nall the rest\n", "line 2: a sequence such as"),
        ("street/TrainSplit.txt", "sequence1\nsequence2\n", "sequence 2 is in split train already"),
        ("street/camera-intrinsics.txt", "585 0 320\n0 0 240\n0 0 1\n", "positive focal lengths"),
        ("street/camera-intrinsics.txt", "585 nan 320 240\n", "line 1: NaN"),
        ("street/camera-intrinsics.txt", "585 585 320\n", "holds 3 numbers"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(root: Path, file: str, content: str, what: str) -> None:
    (root / file).write_text(content)
    with pytest.raises(UnreadableFileError) as raised:
        scan(root)
    assert what in str(raised.value)
    assert "street" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [("1 0 0 0\n", "holds 1 lines"), ("1 0 0 0\n0 1 0 0\n0 0 1 x\n0 0 0 1\n", "line 3: 'x' is no number")],
)
def test_a_broken_pose_is_told_and_its_frame_has_none(root: Path, content: str, what: str) -> None:
    path = root / "street/seq-01/frame-000001.pose.txt"
    path.write_text(content)
    records, told = scan_telling(sevenscenes, root)
    assert [r.key for r in records if r.pose is None] == ["street_seq-01_frame-000001"]
    (text,) = (each for each in told if "cannot be used" in each)
    assert f"the first: {path}" in text
    assert what in text


def test_suffixes_may_be_in_capitals(tmp_path: Path) -> None:
    frames(tmp_path / "seq-01", 0)
    (tmp_path / "seq-01/frame-000000.color.png").rename(tmp_path / "seq-01/frame-000000.color.PNG")
    assert scan(tmp_path)["seq-01_frame-000000"].sources["image"].path == "seq-01/frame-000000.color.PNG"


def test_other_folders_are_refused_with_the_layout(tmp_path: Path) -> None:
    frames(tmp_path / "a/b/seq-01", 0)
    for use in (scan, lambda r: sevenscenes.class_map(DatasetSource(r))):
        with pytest.raises(DatasetNotFoundError, match="ROOT/<scene>/seq-<NN>"):
            use(tmp_path)


def test_real_frames_are_listed_with_camera_depth_and_neighbours(shared_data: Path) -> None:
    root = shared_data / "rgbd_pose" / "7scenes_redkitchen"
    records = list(scan(root).values())
    assert [r.frame for r in records] == list(range(150, 164))
    for record in records:
        assert record.camera is not None
        assert record.camera.K.tolist() == [[585, 0, 320], [0, 585, 240], [0, 0, 1]]
        assert (record.camera.width, record.camera.height) == (640, 480)
        assert (record.neighbour is None) == (record.frame == 150)
        if record.neighbour is not None:
            assert record.neighbour.motion is not None
            assert record.neighbour.time_difference == pytest.approx(-1 / 30)
            R, t = record.neighbour.motion[:3, :3], record.neighbour.motion[:3, 3]
            np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
            assert np.linalg.norm(t) < 0.05
        code = code_from_json(record.sources["depth"].code)
        depth, valid = code.decode(*code.from_file(read_image(root / record.sources["depth"].path)))
        assert valid is not None
        assert 0.8 < valid.mean() < 1
        assert 0.5 < depth[valid].min() < depth[valid].max() < 8
