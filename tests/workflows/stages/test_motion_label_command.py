"""`prep motion-labels` on the rendered drive: what really moves is found, what stands or cannot move is not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.made_classes import MOTION_CLASSES, made_class_map
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.datasets.synthetic import write_drive
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]

FRAMES = range(1, 5)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("motion") / "drive"
    write_drive(root, splits={"train": 5}, width=512, height=256, truth=True)
    return root


@pytest.fixture(scope="module")
def resized(drive: Path) -> Path:
    place = drive.with_name("resized")
    assert prep("init", "synthetic", drive, "-C", place) == 0
    assert prep("resize", "--factor", "1", "-C", place) == 0
    return place


@pytest.fixture(scope="module")
def with_flow(resized: Path) -> Path:
    place = resized.with_name("with_flow")
    shutil.copytree(resized, place)
    assert prep("flow", "-C", place) == 0
    return place


@pytest.fixture
def ready(ws: Path, drive: Path, resized: Path) -> Path:
    """Make a workspace of resized frames the current folder; return the drive."""
    shutil.copytree(resized, Path.cwd(), dirs_exist_ok=True)
    return drive


@pytest.fixture
def flow(ws: Path, with_flow: Path) -> None:
    """Make a workspace with flow the current folder."""
    shutil.copytree(with_flow, Path.cwd(), dirs_exist_ok=True)


def _label(frame: int) -> Array:
    return read_image(Path(f"train/motion_label_data/train_drive00_{frame:06d}.png"))


def _moving(drive: Path, frame: int) -> Array:
    return read_image(drive / f"train/drive00/truth/moving/{frame:06d}.png") > 0


def _movable(frame: int) -> Array:
    return np.isin(read_image(Path(f"train/label_data/train_drive00_{frame:06d}.png")), (9, 10))  # person, car


def test_what_moves_is_found_from_estimated_flow(ready: Path) -> None:
    assert prep("flow", "--preset", "fine") == 0
    assert prep("motion-labels") == 0
    hits = wrong = missed = 0
    for frame in FRAMES:
        label, moving = _label(frame), _moving(ready, frame)
        assert (label[~_movable(frame)] == 255).all()
        known = label != 255
        hits += int((moving & (label == 1)).sum())
        wrong += int((~moving & (label == 1)).sum())
        missed += int((moving & known & (label == 0)).sum())
    assert hits > 1000
    assert hits / (hits + wrong + missed) >= 0.8


@pytest.mark.usefixtures("flow")
def test_pseudo_labels_are_marked_in_the_shards() -> None:
    prep("motion-labels", "--max-range", "40")
    assert prep("shard", "--columns", "image,motion_label") == 0
    column = ShardStore.open(Path("shards/train.zarr")).columns["motion_label"]
    assert tuple(column.classes) == ("static", "moving")
    assert "pseudo label" in column.attributes["source"]
    assert made_class_map(column.classes, {"colors": column.attributes["colors"]}) == MOTION_CLASSES
    assert prep("show", "*2") == 0


@pytest.mark.usefixtures("flow")
def test_a_range_leaves_far_things_out() -> None:
    prep("motion-labels")
    everything = [_label(frame) for frame in FRAMES]
    assert prep("motion-labels", "--max-range", "20") == 0
    near = [_label(frame) for frame in FRAMES]
    assert sum(int((n != 255).sum()) for n in near) < sum(int((e != 255).sum()) for e in everything)
    for n, e in zip(near, everything, strict=True):
        np.testing.assert_array_equal(n[n != 255], e[n != 255])


@pytest.mark.usefixtures("flow")
def test_what_is_called_static_does_not_move(drive: Path, capsys: Captured) -> None:
    assert prep("motion-labels") == 0
    hidden = 0
    for frame in FRAMES:
        label, moving = _label(frame), _moving(drive, frame)
        assert not (moving & (label == 0)).any()
        hidden += int((moving & (label == 255)).sum())
    assert hidden > 100, "what is far away shows too little motion"
    usual = [_label(frame) for frame in FRAMES]
    assert prep("motion-labels", "--min-speed", "4") == 0
    fast = [_label(frame) for frame in FRAMES]
    assert sum(int((f == 0).sum()) for f in fast) > sum(int((u == 0).sum()) for u in usual)
    for f, u in zip(fast, usual, strict=True):
        np.testing.assert_array_equal(f[u != 255], u[u != 255])
    capsys.readouterr()
    assert prep("motion-labels", "--json") == 0
    assert json.loads(capsys.readouterr().out)["failed"] == []
    for f, frame in zip(fast, FRAMES, strict=True):
        np.testing.assert_array_equal(f, _label(frame))


@pytest.mark.usefixtures("flow")
def test_the_classes_that_can_move_can_be_named() -> None:
    assert prep("motion-labels", "--movable", "car") == 0
    for frame in FRAMES:
        cars = read_image(Path(f"train/label_data/train_drive00_{frame:06d}.png")) == 10
        assert (_label(frame)[~cars] == 255).all()


def test_given_annotations_are_mapped_and_resized(ready: Path, tmp_path: Path, capsys: Captured) -> None:
    for frame in range(5):
        ids = np.zeros((256, 512), np.uint8)
        ids[:128] = 1
        ids[:64] = 2
        write_image(tmp_path / f"given/{frame:06d}.png", ids)
    prep("resize", "--factor", "2")
    options = ("--annotations", str(tmp_path / "given/{stem}.png"), "--annotation-map", "ignore=0,static=1,moving=2")
    assert prep("motion-labels", *options) == 0
    label = _label(3)
    assert label.shape == (128, 256)
    assert (label[:32] == 1).all()
    assert (label[32:64] == 0).all()
    assert (label[64:] == 255).all()
    capsys.readouterr()
    prep("shard", "--columns", "image,motion_label")
    assert ShardStore.open(Path("shards/train.zarr")).columns["motion_label"].attributes["source"] == "annotation"
    write_image(tmp_path / "given/000002.png", np.full((256, 512), 9, np.uint8))
    capsys.readouterr()
    assert prep("motion-labels", "--json") == 4
    (failure,) = json.loads(capsys.readouterr().out)["failed"]
    assert failure["key"] == "train_drive00_000002"
    assert "9" in failure["reason"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--movable", "tank"), 2, "there is no class 'tank'. Did you mean"),
        (("--annotations", "{stem}.png"), 2, "needs --annotation-map"),
        (("--annotation-map", "moving=1"), 2, "give both"),
        (("--annotations", "{stem}.png", "--annotation-map", "moving=x"), 2, "moving=1"),
        (("--annotations", "{stem}.png", "--annotation-map", "moving=1", "--max-range", "20"), 2, "judged labels"),
        (
            ("--annotations", "{stem}.png", "--annotation-map", "moving=1", "--min-speed", "2"),
            2,
            "--min-speed is",
        ),
        (("--max-range", "-1"), 2, "metres above 0"),
        (("--min-speed", "0"), 2, "metres per second above 0"),
        ((), 5, "ego_flow"),
    ],
)
def test_what_makes_no_sense_is_refused(
    ready: Path, capsys: Captured, options: tuple[str, ...], code: int, message: str
) -> None:
    assert prep("motion-labels", *options) == code
    assert message in capsys.readouterr().err
