"""Cityscapes: parts are paired by name, cameras and motions are exact, and the miniature holds what was rendered."""

import json
import math
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segprep.datasets.catalog import cityscapes, cityscapes_coarse
from segprep.datasets.catalog._cityscapes_calibration import Odometry, camera_motion, camera_mount, constant_turn
from segprep.datasets.catalog._cityscapes_miniature import Snippet, snippets, write_cityscapes
from segprep.datasets.catalog._cityscapes_pixels import BASELINE_M
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import DatasetNotFoundError, LabelIdError, UnknownNameError, UnreadableFileError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.record import Direction, SampleRecord
from segprep.datasets.sample import Array, Matrix, Pose
from segprep.datasets.synthetic import Frame, camera_pose, make_camera, render

FINE = 4
FIRST = "aachen_000000_000019"
SIZE = (512, 256)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cityscapes")
    cityscapes.write_miniature(root, FINE)
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(pristine, tmp_path / "cityscapes")


def scan(
    root: Path, member: ModuleType = cityscapes, direction: Direction = Direction.PREVIOUS
) -> dict[str, SampleRecord]:
    records = list(member.scan(DatasetSource(root), direction))
    keyed = {str(r.key): r for r in records}
    assert len(keyed) == len(records)
    return keyed


def fine_snippets() -> Iterator[Snippet]:
    return (s for s in snippets(FINE, 1) if s.fine)


def rendered(snippet: Snippet) -> Frame:
    return render(snippet.world, snippet.tick(snippet.name.number), *SIZE)


def read(root: Path, record: SampleRecord, column: str) -> tuple[Array, Array | None]:
    source = record.sources[column]
    return code_from_json(source.code).from_file(read_image(root / source.path))


def file_of(root: Path, part: str, ending: str, stem: str = FIRST) -> Path:
    city = stem.split("_")[0]
    return root / part / ("val" if city == "frankfurt" else "train") / city / f"{stem}_{ending}"


# --- what the miniature's records say, against what was rendered


def test_each_sample_has_all_parts_of_its_own_frame(pristine: Path) -> None:
    records = scan(pristine)
    assert list(records) == [f"aachen_00000{i}_000019" for i in range(3)] + ["frankfurt_000000_000294"]
    assert [r.split for r in records.values()] == ["train"] * 3 + ["val"]
    for key, record in records.items():
        folder = f"{record.split}/{key.split('_')[0]}/{key}"
        assert {name: source.path for name, source in record.sources.items()} == {
            "image": f"leftImg8bit/{folder}_leftImg8bit.png",
            "label": f"gtFine/{folder}_gtFine_labelIds.png",
            "instance": f"gtFine/{folder}_gtFine_instanceIds.png",
            "disparity": f"disparity/{folder}_disparity.png",
            "previous": f"leftImg8bit_sequence/{folder[:-6]}{record.frame - 1:06d}_leftImg8bit.png",  # type: ignore[operator]
        }


def test_cameras_are_those_that_rendered_the_pictures(pristine: Path) -> None:
    truth = make_camera(*SIZE)
    for snippet in fine_snippets():
        camera = scan(pristine)[snippet.name.stem].camera
        assert camera is not None
        assert camera.mount is not None
        assert truth.mount is not None
        assert (camera.width, camera.height) == SIZE
        np.testing.assert_array_equal(camera.K, truth.K)
        assert camera.baseline == BASELINE_M
        np.testing.assert_allclose(camera.mount, truth.mount, atol=1e-12)


def test_road_pixels_lie_on_the_ground_and_the_left_half_to_the_left(pristine: Path) -> None:
    for snippet in fine_snippets():
        record, frame = scan(pristine)[snippet.name.stem], rendered(snippet)
        assert record.camera is not None
        assert record.camera.mount is not None
        label_HW = read(pristine, record, "label")[0]
        y, x = np.nonzero(label_HW == 7)
        rays = np.linalg.inv(record.camera.K) @ np.stack([x, y, np.ones(len(x))])
        points = record.camera.mount @ np.vstack([rays * frame.depth_HW[y, x], np.ones(len(x))])
        assert len(x) > 10_000
        assert np.abs(points[2]).max() < 1e-6
        assert (points[0] > 0).all()
        assert ((points[1] > 0) == (x < 255.5)).all()


@pytest.mark.parametrize("direction", Direction)
def test_the_motion_is_the_true_one_between_the_two_pictures(pristine: Path, direction: Direction) -> None:
    turns = []
    for snippet in fine_snippets():
        record = scan(pristine, direction=direction)[snippet.name.stem]
        other = snippet.beside(-1 if direction is Direction.PREVIOUS else 1)
        ticks = [snippet.tick(n.number) for n in (snippet.name, other)]
        here, there = (camera_pose(snippet.world, tick) for tick in ticks)
        near = record.neighbour
        assert near is not None
        assert near.motion is not None
        assert near.frame == other.number
        assert near.time_difference == pytest.approx((ticks[1] - ticks[0]) / 1000, abs=1e-9)
        assert_motion(near.motion, here, there, metres=1e-5, radians=1e-9)
        turns.append(math.atan2(near.motion[0, 2], near.motion[2, 2]))
    assert max(np.abs(turns)) > 1e-3, "the drive must turn to show anything"


def assert_motion(motion: Matrix, here: Pose, there: Pose, *, metres: float, radians: float) -> None:
    truth = here.motion_to(there)
    assert np.abs(motion[:3, 3] - truth[:3, 3]).max() < metres
    turned = motion[:3, :3] @ truth[:3, :3].T
    assert np.abs(turned - turned.T).max() / 2 < radians  # sine of the angle between both, per axis


def test_depth_from_disparity_is_the_rendered_one_within_half_a_code(pristine: Path) -> None:
    for snippet in fine_snippets():
        record, frame = scan(pristine)[snippet.name.stem], rendered(snippet)
        assert record.camera is not None
        assert record.camera.baseline is not None
        stored, valid_HW = read(pristine, record, "disparity")
        raw_HW = read(pristine, record, "label")[0]
        pixels_HW, _ = code_from_json(record.sources["disparity"].code).decode(stored, None)
        shown_HW = cityscapes.class_map(DatasetSource(pristine)).shows_scene(raw_HW)
        assert valid_HW is not None
        assert not valid_HW[(raw_HW == 2) | (raw_HW == 3)].any()
        at = valid_HW & shown_HW
        assert 0.85 < at.mean() < 0.9  # some of the shown ones are out of the right camera's sight
        assert (shown_HW & ~valid_HW).sum() > 100
        true_pixels = record.camera.K[0, 0] * record.camera.baseline / frame.depth_HW[at]
        assert np.abs(pixels_HW[at] - true_pixels).max() <= 0.5 / 256 + 1e-6
        assert (pixels_HW[at & (raw_HW == 23)] == 0).all()
        near = at & (frame.depth_HW < 20)
        depth = record.camera.K[0, 0] * record.camera.baseline / pixels_HW[near]
        assert np.abs(depth / frame.depth_HW[near] - 1).max() < 0.5 / 256 / (96 / 20) * 1.01


def test_instances_belong_to_their_class_and_class_ids_are_none(pristine: Path) -> None:
    for record in scan(pristine).values():
        raw_HW, instance_HW = read(pristine, record, "label")[0], read(pristine, record, "instance")[0]
        some = instance_HW > 0
        assert (some == np.isin(raw_HW, (24, 26))).all()
        assert (instance_HW[some] // 1000 == raw_HW[some]).all()
        assert {int(i) for i in np.unique(instance_HW[raw_HW == 26])} == {
            26000 + n for n in range(len(np.unique(instance_HW[raw_HW == 26])))
        }


def test_what_hides_the_scene_stays_where_it_is_and_is_masked(pristine: Path) -> None:
    classes = cityscapes.class_map(DatasetSource(pristine))
    for record in scan(pristine).values():
        raw_HW = read(pristine, record, "label")[0]
        hidden = ~classes.shows_scene(raw_HW)
        assert {int(i) for i in np.unique(raw_HW[hidden])} == {1, 2, 3}
        assert 0.05 < hidden.mean() < 0.15
        assert raw_HW[-6, 256] == 1
        image, previous = (read(pristine, record, column)[0] for column in ("image", "previous"))
        assert (image[hidden] == previous[hidden]).all()
        assert (image[~hidden] != previous[~hidden]).mean() > 0.3


def test_equal_arguments_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_cityscapes(tmp_path / name, fine=1, coarse_only=0)
    contents = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("a", "b")
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 8 + 3 * 3


# --- fine and coarse, side by side


def test_coarse_annotations_are_a_dataset_of_their_own(pristine: Path) -> None:
    fine, coarse = scan(pristine), scan(pristine, cityscapes_coarse)
    assert {r.split for r in coarse.values()} == {"train", "train_extra", "val"}
    assert set(coarse) - set(fine) == {"augsburg_000000_000019"}
    for key, record in coarse.items():
        assert record.sources["label"].path.endswith(f"{key}_gtCoarse_labelIds.png")
        assert record.sources["instance"].path.endswith(f"{key}_gtCoarse_instanceIds.png")
        assert (record.neighbour is None) == (record.split == "train_extra")
        ids = read(pristine, record, "label")[0]
        if key in fine:
            exact = read(pristine, fine[key], "label")[0]
            assert (ids[ids > 0] == exact[ids > 0]).all()
            assert 0.1 < (ids == 0).mean() < 0.4


@pytest.mark.parametrize(("member", "own"), [(cityscapes, "gtFine"), (cityscapes_coarse, "gtCoarse")])
def test_the_other_annotation_never_stands_in_for_a_missing_one(root: Path, member: ModuleType, own: str) -> None:
    file_of(root, own, f"{own}_labelIds.png").unlink()
    record = scan(root, member)[FIRST]
    assert record.sources["label"].path == f"{own}/train/aachen/{FIRST}_{own}_labelIds.png"
    # Not even when it lies in the wrong folder, where a pattern like gt* would take it.
    other = {"gtFine": "gtCoarse", "gtCoarse": "gtFine"}[own]
    shutil.copy(file_of(root, other, f"{other}_labelIds.png"), root / own / "train" / "aachen")
    assert scan(root, member)[FIRST].sources["label"].path == record.sources["label"].path
    shutil.rmtree(root / own)
    assert all({"label", "instance"}.isdisjoint(r.sources) for r in scan(root, member).values())


# --- incomplete data sets


def test_an_image_without_label_and_a_label_without_image_are_both_listed(root: Path) -> None:
    file_of(root, "gtFine", "gtFine_labelIds.png", "aachen_000001_000019").unlink()
    file_of(root, "leftImg8bit", "leftImg8bit.png", "aachen_000002_000019").unlink()
    records = scan(root)
    assert len(records) == FINE
    missing = {s.path for r in records.values() for s in r.sources.values() if not (root / s.path).is_file()}
    assert missing == {
        "gtFine/train/aachen/aachen_000001_000019_gtFine_labelIds.png",
        "leftImg8bit/train/aachen/aachen_000002_000019_leftImg8bit.png",
    }


def test_labels_are_paired_by_name_when_every_position_is_shifted(root: Path) -> None:
    file_of(root, "gtFine", "gtFine_labelIds.png").unlink()
    file_of(root, "gtFine", "gtFine_instanceIds.png").unlink()
    file_of(root, "leftImg8bit", "leftImg8bit.png", "aachen_000002_000019").unlink()
    for key, record in scan(root).items():
        assert all(key in source.path for name, source in record.sources.items() if name != "previous")


@pytest.mark.parametrize(
    ("removed", "gone"),
    [
        (("disparity",), {"disparity"}),
        (("gtFine",), {"label", "instance"}),
        (("leftImg8bit_sequence",), {"previous"}),
        (("camera", "vehicle", "vehicle_sequence", "timestamp_sequence", "gtCoarse"), set()),
    ],
)
def test_any_subset_of_the_parts_will_do(root: Path, removed: tuple[str, ...], gone: set[str]) -> None:
    for part in removed:
        shutil.rmtree(root / part)
    for record in scan(root).values():
        assert set(record.sources) == {"image", "label", "instance", "disparity", "previous"} - gone
        assert (record.camera is None) == ("camera" in removed)
        assert (record.neighbour is None) == ("previous" in gone)


def test_a_split_without_images_is_not_looked_at(root: Path) -> None:
    shutil.copytree(root / "gtFine" / "val", root / "gtFine" / "test")
    shutil.rmtree(root / "leftImg8bit" / "train")
    shutil.rmtree(root / "leftImg8bit_sequence" / "train")
    assert [r.split for r in scan(root).values()] == ["val"]


def test_only_missing_images_are_an_error(root: Path) -> None:
    shutil.rmtree(root / "leftImg8bit")
    records = scan(root)
    assert len(records) == FINE, "the video has the annotated frames, too"
    for key, record in records.items():
        assert record.sources["image"].path.startswith("leftImg8bit_sequence/")
        assert record.sources["image"].path.endswith(f"{key}_leftImg8bit.png")
        assert record.camera is not None
    shutil.rmtree(root / "leftImg8bit_sequence")
    for use in (scan, lambda r: cityscapes.class_map(DatasetSource(r))):
        with pytest.raises(DatasetNotFoundError, match="ROOT/leftImg8bit/<split>/<city>"):
            use(root)


def test_foreign_files_and_folders_are_left_alone(root: Path) -> None:
    before = {key: record.to_json() for key, record in scan(root).items()}
    for name in (
        f"gtFine/train/aachen/{FIRST}_gtFine_color.png",
        f"gtFine/train/aachen/{FIRST}_gtFine_polygons.json",
        f"gtFine/train/aachen/{FIRST}_gtFine_labelTrainIds.png",
        f"leftImg8bit/train/aachen/{FIRST}_leftImg8bit.png.123.partial",
        "leftImg8bit/train/aachen/cover_leftImg8bit.png",
        "leftImg8bit/train/Thumbs.db",
        "leftImg8bit/demoVideo/stuttgart_00/stuttgart_00_000000_000001_leftImg8bit.png",
        f"leftImg8bit_blurred/train/aachen/{FIRST}_leftImg8bit.png",
        "leftImg8bit_sequence/train/README",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    assert {key: record.to_json() for key, record in scan(root).items()} == before


def test_accents_may_be_written_apart_in_one_part_and_names_may_have_spaces(tmp_path: Path) -> None:
    city = "bad köln"
    spellings = {"leftImg8bit": unicodedata.normalize("NFD", city), "gtFine": unicodedata.normalize("NFC", city)}
    for part, spelled in spellings.items():
        ending = {"leftImg8bit": "leftImg8bit", "gtFine": "gtFine_labelIds"}[part]
        path = tmp_path / part / "train" / spelled / f"{spelled}_000000_000019_{ending}.png"
        write_image(path, np.zeros((2, 4), np.uint8))
    records = scan(tmp_path)
    assert list(records) == ["bad%20k%C3%B6ln_000000_000019"]
    assert all((tmp_path / s.path).is_file() for r in records.values() for s in r.sources.values())


def test_a_broken_first_image_does_not_cost_its_city_the_cameras(root: Path) -> None:
    file_of(root, "leftImg8bit", "leftImg8bit.png").write_bytes(b"broken")
    camera = scan(root)[FIRST].camera
    assert camera is not None
    assert (camera.width, camera.height) == SIZE


# --- neighbours


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
        ("camera", "camera.json", json.dumps(_CAMERA).replace("1097.0", "NaN"), "intrinsic.u0 is nan"),
        ("camera", "camera.json", json.dumps(_CAMERA).replace("1097.0", "1" * 400), "intrinsic.u0 is 1"),
        ("vehicle", "vehicle.json", '{"speed": 3.0}', "yawRate is None"),
        ("vehicle", "vehicle.json", '{"speed": true, "yawRate": 0}', "speed is True"),
        ("vehicle", "vehicle.json", "", "no JSON"),
        ("timestamp_sequence", "timestamp.txt", "", "one whole number"),
        ("timestamp_sequence", "timestamp.txt", "12.5", "'12.5'"),
        ("timestamp_sequence", "timestamp.txt", "9" * 5000, "one whole number"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(root: Path, part: str, ending: str, content: str, what: str) -> None:
    path = file_of(root, part, ending)
    path.write_text(content)
    with pytest.raises(UnreadableFileError) as raised:
        scan(root)
    assert str(path) in str(raised.value)
    assert what in str(raised.value)


# --- calibration and motion by themselves


@settings(max_examples=50, deadline=None)
@given(*(st.floats(-0.5, 0.5) for _ in range(3)), *(st.floats(-3, 3) for _ in range(3)))
def test_mounts_follow_the_calibrations_formula(
    yaw: float, pitch: float, roll: float, x: float, y: float, z: float
) -> None:
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    R = np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
    mount = camera_mount(yaw=yaw, pitch=pitch, roll=roll, x=x, y=y, z=z)
    for right, down, forward in np.eye(3):
        in_vehicle = R @ [forward, -right, -down] + [x, y, z]
        np.testing.assert_allclose(mount @ [right, down, forward, 1], [*in_vehicle, 1], atol=1e-12)


def test_positive_yaw_looks_left_and_positive_pitch_down() -> None:
    ahead = np.array([0.0, 0.0, 1.0])
    level = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "x": 0.0, "y": 0.0, "z": 0.0}
    assert (camera_mount(**level | {"yaw": 0.1})[:3, :3] @ ahead)[1] > 0.09
    assert (camera_mount(**level | {"pitch": 0.1})[:3, :3] @ ahead)[2] < -0.09


@settings(max_examples=50, deadline=None)
@given(st.floats(-5, 30), st.floats(-1, 1), st.floats(-0.2, 0.2))
def test_a_constant_turn_is_many_small_steps(speed: float, yaw_rate: float, seconds: float) -> None:
    M = constant_turn(Odometry(speed, yaw_rate), seconds)
    steps = 2000
    headings = yaw_rate * seconds * (np.arange(steps) + 0.5) / steps
    path = speed * seconds / steps
    np.testing.assert_allclose(M[:2, 3], [path * np.cos(headings).sum(), path * np.sin(headings).sum()], atol=1e-7)
    turn = yaw_rate * seconds
    np.testing.assert_allclose(M[:2, :2], [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    np.testing.assert_allclose(M @ constant_turn(Odometry(speed, yaw_rate), -seconds), np.eye(4), atol=1e-12)


def test_driving_ahead_brings_points_closer_and_a_left_turn_moves_them_right() -> None:
    mount = camera_mount(yaw=0.0, pitch=0.04, roll=0.0, x=1.7, y=0.1, z=1.2)
    ahead = camera_motion(mount, Odometry(10.0, 0.0), 0.1)
    assert ahead[2, 3] == pytest.approx(-math.cos(0.04), abs=1e-12)
    turn = camera_motion(mount, Odometry(0.0, 0.5), 0.1) @ [0.0, 0.0, 50.0, 1.0]
    assert turn[0] == pytest.approx(50 * math.sin(0.05), abs=0.2)


def test_the_lever_arm_of_the_camera_before_the_rear_axle_counts() -> None:
    mount = camera_mount(yaw=0.0, pitch=0.0, roll=0.0, x=1.7, y=0.0, z=1.2)
    motion = camera_motion(mount, Odometry(0.0, 0.5), 0.1)
    origin = np.linalg.inv(motion) @ [0.0, 0.0, 0.0, 1.0]  # where the camera is then, in the camera of now
    np.testing.assert_allclose(origin[:3], [-1.7 * math.sin(0.05), 0.0, 1.7 * (math.cos(0.05) - 1)], atol=1e-12)


# --- classes


def _classes(root: Path, scheme: str | None) -> ClassMap:
    return cityscapes.class_map(DatasetSource(root, scheme=scheme))


def test_the_19_classes_have_the_benchmarks_train_ids(pristine: Path) -> None:
    classes = _classes(pristine, None)
    raw_ids = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
    expected = np.full(34, 255)
    expected[list(raw_ids)] = range(19)
    assert classes.to_train_ids(np.arange(34, dtype=np.uint8)[None])[0].tolist() == expected.tolist()
    assert classes == _classes(pristine, "19")
    assert classes.names[:3] == ("road", "sidewalk", "building")
    assert classes.names[16:] == ("train", "motorcycle", "bicycle")
    assert classes.masked_raw_ids == (1, 2, 3)
    with pytest.raises(LabelIdError, match="34"):
        classes.to_train_ids(np.array([[34]], np.uint8))


def test_the_11_classes_are_ssmas_less_one(pristine: Path) -> None:
    merged = {"sky": 1, "building": 2, "road": 3, "sidewalk": 4, "fence": 5, "vegetation": 6, "pole": 7, "car": 8}
    merged |= {"truck": 8, "bus": 8, "traffic sign": 9, "person": 10, "rider": 11, "bicycle": 11, "motorcycle": 11}
    nineteen, eleven = _classes(pristine, "19"), _classes(pristine, "11")
    assert len(eleven.classes) == 11
    for semantic in nineteen.classes:
        raw = np.array([semantic.raw_ids], np.uint8)
        assert eleven.to_train_ids(raw).item() == merged.get(semantic.name, 256) - 1
    assert eleven.masked_raw_ids == (1, 2, 3)
    assert eleven.to_raw_ids(np.array([[7, 10]], np.uint8)).tolist() == [[26, 33]]


@pytest.mark.parametrize("scheme", ["19", "11"])
def test_colour_coded_files_mean_the_same_as_ids(pristine: Path, scheme: str) -> None:
    classes, official = _classes(pristine, scheme), _classes(pristine, "19")
    for semantic in official.classes:
        colored = np.array([[semantic.color]], np.uint8)
        raw = np.array([semantic.raw_ids], np.uint8)
        assert classes.to_train_ids(colored).item() == classes.to_train_ids(raw).item()
    for color in ((0, 0, 0), (111, 74, 0), (81, 0, 81), (250, 170, 160), (0, 0, 110)):
        assert classes.to_train_ids(np.array([[color]], np.uint8)).item() == 255


def test_an_unknown_scheme_is_refused_with_the_known_ones(pristine: Path) -> None:
    with pytest.raises(UnknownNameError, match="19, 11"):
        _classes(pristine, "20")


def test_shares_of_merged_classes_are_sums(pristine: Path) -> None:
    shares = cityscapes.SPEC.class_shares
    assert shares["road"] == pytest.approx(0.369, abs=5e-4)
    assert shares["vehicle"] == pytest.approx(shares["car"] + shares["truck"] + shares["bus"], abs=2e-4)
    assert sum(shares[name] for name in _classes(pristine, "19").names) == pytest.approx(1, abs=1e-3)


# --- real data


def test_real_scenes_are_listed_and_their_labels_known(shared_data: Path) -> None:
    root = shared_data / "cityscapes"
    records = scan(root)
    assert list(records) == [f"aachen_00000{i}_000019" for i in range(5)]
    for record in records.values():
        assert set(record.sources) == {"image", "label", "instance"}
        assert record.camera is None
        assert record.neighbour is None
        assert all((root / s.path).is_file() for s in record.sources.values())
        raw_HW, instance_HW = read(root, record, "label")[0], read(root, record, "instance")[0]
        assert raw_HW.shape == (1024, 2048)
        for scheme in ("19", "11"):
            assert (_classes(root, scheme).to_train_ids(raw_HW) != 255).mean() > 0.7
        assert not _classes(root, None).shows_scene(raw_HW)[-1].any()
        some = instance_HW > 0
        assert some.any()
        assert (instance_HW[some] // 1000 == raw_HW[some]).all()


def test_real_coarse_annotations_are_not_made_up_from_fine_ones(shared_data: Path) -> None:
    records = scan(shared_data / "cityscapes", cityscapes_coarse)
    assert len(records) == 5
    assert all(set(r.sources) == {"image"} for r in records.values())
