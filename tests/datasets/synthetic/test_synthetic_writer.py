"""Drives on disk: the layout, the codes, and that the catalog reads them."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import synthetic as member
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.imageio import read_image
from segprep.datasets.record import Direction
from segprep.datasets.sample import Array, Camera
from segprep.datasets.synthetic import CLASSES, DEPTH_CODE, motion, render, write_drive
from segprep.datasets.synthetic.world import World
from support.listing import scan_telling

SIZE = {"width": 64, "height": 32}


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drive")
    write_drive(root, splits={"train": 3, "val": 1}, seed=5, sequence_length=2, truth=True, **SIZE)
    return root


def first_world() -> World:
    return World(seed=5, pitch_wobble=0.004)


def test_the_header_tells_classes_rate_size_and_seed(drive: Path) -> None:
    header = json.loads((drive / "drive.json").read_text(encoding="utf-8"))
    assert ClassMap.from_json(header["class_map"]) == CLASSES
    assert (header["frame_rate"], header["width"], header["height"], header["seed"]) == (15.0, 64, 32, 5)
    assert header["format_version"] == 1


def test_the_files_hold_what_is_rendered(drive: Path) -> None:
    frame = render(first_world(), 1, **SIZE)
    sequence = drive / "train" / "drive00"
    parts: dict[str, Array] = {
        "rgb": frame.rgb_HWC,
        "nir": frame.nir_HW,
        "label": frame.label_HW,
        "instance": frame.instance_HW,
    }
    for part, array in parts.items():
        stored = read_image(sequence / part / "000001.png")
        assert stored.dtype == array.dtype
        np.testing.assert_array_equal(stored, array)
    stored = read_image(sequence / "depth" / "000001.png")
    sky = np.isinf(frame.depth_HW)
    assert (stored[sky] == 65535).all()
    assert (stored[~sky] <= 65534).all()
    near = frame.depth_HW < 327
    assert np.abs(stored[near] * 0.005 - frame.depth_HW[near]).max() <= 0.0025 + 1e-9
    metres, valid = DEPTH_CODE.decode(stored, None)
    assert valid is not None
    assert valid.all()
    assert (np.isinf(metres) == sky).all()


def test_the_camera_file_holds_intrinsics_pose_and_time(drive: Path) -> None:
    frame = render(first_world(), 1, **SIZE)
    stored = json.loads((drive / "train" / "drive00" / "camera" / "000001.json").read_text(encoding="utf-8"))
    camera = Camera.from_json(stored)
    assert (camera.K == frame.camera.K).all()
    assert (np.array(stored["pose"]) == frame.pose.matrix).all()
    assert stored["time"] == pytest.approx(1 / 15)


def test_the_truth_files_point_to_the_frame_before(drive: Path) -> None:
    truth = motion(first_world(), 1, 0, **SIZE)
    folder = drive / "train" / "drive00" / "truth"
    for part, flow in (("flow_previous", truth.flow_HW2), ("ego_previous", truth.ego_HW2)):
        stored = np.load(folder / part / "000001.npy")
        assert stored.dtype == np.float32
        np.testing.assert_array_equal(stored, flow.astype(np.float32))
        assert not (folder / part / "000000.npy").exists()
    for part, mask in (("moving", truth.moving_HW), ("occluded_previous", truth.occluded_HW)):
        np.testing.assert_array_equal(read_image(folder / part / "000001.png"), mask * np.uint8(255))


def test_sequences_and_splits_show_different_streets(drive: Path) -> None:
    first = [p / "rgb" / "000000.png" for p in sorted(drive.glob("*/drive*"))]
    assert [p.relative_to(drive).as_posix().rsplit("/", 2)[0] for p in first] == [
        "train/drive00",
        "train/drive01",
        "val/drive00",
    ]
    assert len({p.read_bytes() for p in first}) == 3
    assert len(list(drive.glob("train/*/rgb/*.png"))) == 3


def test_writing_again_gives_the_same_bytes(drive: Path, tmp_path: Path) -> None:
    write_drive(tmp_path, splits={"train": 3, "val": 1}, seed=5, sequence_length=2, truth=True, **SIZE)

    def digests(root: Path) -> dict[str, str]:
        files = sorted(p for p in root.rglob("*") if p.is_file())
        return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    assert digests(tmp_path) == digests(drive)


def test_truth_is_written_only_when_asked_for(tmp_path: Path) -> None:
    write_drive(tmp_path, splits={"train": 2}, width=64, height=32)
    assert not list(tmp_path.rglob("truth"))


def test_the_catalog_reads_a_drive(drive: Path) -> None:
    records = list(member.scan(DatasetSource(drive), Direction.PREVIOUS))
    assert len(records) == 4
    assert member.class_map(DatasetSource(drive)) == CLASSES
    assert [r.key for r in records if r.neighbour is not None] == ["train_drive00_000001"]
    for record in records:
        assert {"image", "label", "instance", "depth", "nir"} <= set(record.sources)
        assert record.pose is not None
        for source in record.sources.values():
            assert (drive / source.path).is_file()


def test_pictures_that_are_no_frames_are_left_out_by_name(tmp_path: Path) -> None:
    member.write_miniature(tmp_path, 2)
    before, nothing = scan_telling(member, tmp_path)
    assert nothing == []
    frame = next(tmp_path.glob("*/*/rgb/*.png"))
    shutil.copy(frame, frame.with_name("cover.png"))
    records, told = scan_telling(member, tmp_path)
    assert [r.key for r in records] == [r.key for r in before]
    assert told == [
        f"1 files of {frame.parent} are left out: their names are no frame numbers; the first is 'cover.png'"
    ]


@pytest.mark.parametrize("bad", [{"splits": {}}, {"splits": {"train": 0}}, {"splits": {"train": 1}, "width": 4}])
def test_drives_without_sense_are_refused(tmp_path: Path, bad: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="drive"):
        write_drive(tmp_path, **bad)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
