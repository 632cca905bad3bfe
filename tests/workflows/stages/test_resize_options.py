"""The options of `prep resize` as users type them: label methods, label ids, formats."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.prep.labels.resampling import LabelMethod, resize_labels
from support.commands import prep

pytestmark = pytest.mark.usefixtures("ws")


CLASSES = """
ignored_raw_ids = [0, 1]
classes = [
  {name = "road", color = [128, 64, 128], raw_ids = [7, 8]},
  {name = "pole", color = [153, 153, 153], raw_ids = [17]},
]
"""


@pytest.fixture
def raw_label() -> Array:
    return np.random.default_rng(5).choice(np.array([0, 1, 7, 7, 8, 17], np.uint8), (24, 32))


@pytest.fixture
def ready(ws: Path, tmp_path: Path, raw_label: Array) -> Path:
    """A workspace of one sample with the raw ids 0, 1, 7, 8, 17, in a list."""
    root = tmp_path / "data"
    write_image(root / "a.png", np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8))
    write_image(root / "a_ids.png", raw_label)
    (root / "train.csv").write_text("a.png, a_ids.png\n")
    (tmp_path / "classes.toml").write_text(CLASSES)
    assert prep("init", "list", root / "train.csv", "--classes", tmp_path / "classes.toml") == 0
    return root


def _label() -> Array:
    return read_image(Path("train/label_data/a.png"))


def _train_ids(
    raw: Array,
) -> Array:
    table = np.full(256, 255, np.uint8)
    table[[7, 8, 17]] = (0, 0, 1)
    return table[raw]


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ((), LabelMethod()),
        (("--labels", "nearest"), LabelMethod("nearest")),
        (("--threshold", "0.6"), LabelMethod(threshold=0.6)),
        (("--labels", "priority", "--priority", "pole"), LabelMethod("priority", priority=(1,), share=0.25)),
        (
            ("--labels", "priority", "--priority", "pole,road", "--share", "0.1"),
            LabelMethod("priority", priority=(1, 0), share=0.1),
        ),
    ],
)
def test_each_label_method_can_be_chosen(
    ready: Path, raw_label: Array, options: tuple[str, ...], method: LabelMethod
) -> None:
    assert prep("resize", "--factor", "3", *options) == 0
    np.testing.assert_array_equal(_label(), resize_labels(_train_ids(raw_label), (10, 8), method))


def test_paris_writes_its_void_id_among_raw_ids(ready: Path, raw_label: Array) -> None:
    assert prep("resize", "--factor", "4", "--labels", "paris", "--label-ids", "raw") == 0
    np.testing.assert_array_equal(_label(), resize_labels(raw_label, (8, 6), LabelMethod("paris", 0.75, 0)))
    assert prep("resize", "--void-id", "1", "--threshold", "0.6") == 0
    np.testing.assert_array_equal(_label(), resize_labels(raw_label, (8, 6), LabelMethod("paris", 0.6, 1)))
    assert prep("resize", "--labels", "paris", "--label-ids", "train") == 0
    expected = resize_labels(raw_label, (8, 6), LabelMethod("paris", 0.75, 0))
    np.testing.assert_array_equal(_label(), _train_ids(expected))


def test_shards_hold_train_ids_whatever_the_files_hold(ready: Path, raw_label: Array) -> None:
    assert prep("resize", "--factor", "1", "--label-ids", "raw") == 0
    np.testing.assert_array_equal(_label(), raw_label)
    assert prep("shard") == 0
    store = ShardStore.open(Path("shards/train.zarr"))
    np.testing.assert_array_equal(store.read("label", 0), _train_ids(raw_label))
    assert prep("show", "a") == 0
    # Another grouping of raw ids needs no new labels, only new shards.
    text = Path("prep.toml").read_text()
    assert "raw_ids = [7, 8]" in text
    Path("prep.toml").write_text(text.replace("raw_ids = [7, 8]", "raw_ids = [7]").replace("[17]", "[17, 8]"))
    assert prep("shard") == 0
    regrouped = ShardStore.open(Path("shards/train.zarr")).read("label", 0)
    np.testing.assert_array_equal(regrouped, np.where(raw_label == 8, 1, _train_ids(raw_label)))
    assert prep("verify") == 0


def test_a_new_method_takes_back_what_only_belonged_to_the_old_one(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prep("resize", "--factor", "2", "--threshold", "0.9") == 0
    assert prep("resize", "-v") == 0
    assert "threshold = 0.9 (last run)" in capsys.readouterr().err
    assert prep("resize", "--labels", "nearest", "-v") == 0
    assert "threshold = None (default)" in capsys.readouterr().err


def test_images_can_be_jpeg_and_no_file_of_the_other_format_stays(ready: Path) -> None:
    assert prep("resize", "--factor", "2", "--format", "jpg") == 0
    assert [p.name for p in Path("train/image_data").iterdir()] == ["a.jpg"]
    assert [p.name for p in Path("train/label_data").iterdir()] == ["a.png"]
    assert prep("shard") == 0
    stored = ShardStore.open(Path("shards/train.zarr")).read("image", 0)
    read = cv2.imread("train/image_data/a.jpg")
    assert read is not None
    np.testing.assert_array_equal(stored, read[..., ::-1])
    assert prep("resize", "--format", "png") == 0
    assert [p.name for p in Path("train/image_data").iterdir()] == ["a.png"]
    assert not np.array_equal(read_image(Path("train/image_data/a.png")), stored)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--labels", "soft"), "soft"),
        (("--threshold", "1.5"), "--threshold must be a share from 0 to 1, not 1.5"),
        (("--labels", "nearest", "--threshold", "0.5"), "has no threshold"),
        (("--labels", "priority"), "--labels priority needs --priority with names of classes, of: road, pole"),
        (
            ("--labels", "priority", "--priority", "pole,car"),
            "there is no class 'car'. Did you mean 'road'? There are: road, pole",
        ),
        (("--priority", "pole"), "use method priority"),
        (("--void-id", "1"), "--void-id is a raw id"),
        (("--labels", "paris", "--void-id", "7"), "must be a raw id that is no class's, not 7"),
        (("--label-ids", "raw", "--threshold", "0.5", "--void-id", "99"), "raw id 99 is to stand for void"),
        (("--label-ids", "both"), "--label-ids must be one of train, void0, raw"),
        (("--format", "webp"), "--format must be png or jpg"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_any_work(
    ready: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert prep("resize", "--factor", "2", *options) == 2
    assert message in capsys.readouterr().err
    assert not Path("train").exists()


def test_the_method_stands_in_the_ledger_and_in_the_shards(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prep("resize", "--factor", "2", "--labels", "priority", "--priority", "pole")
    prep("shard")
    commands = ShardStore.open(Path("shards/train.zarr")).provenance["commands"]
    assert commands["resize"]["labels"] == "priority"
    assert commands["resize"]["priority"] == ["pole"]
    capsys.readouterr()
    assert prep("resize", "--json") == 0
    assert json.loads(capsys.readouterr().out)["made"] == 0
