"""What people's folders and lists really hold: each case is right, or refused by name, and nothing is lost."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.sample import Array
from support.commands import prep, tree_bytes

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]

CLASSES = """
[class_map]
ignored_raw_ids = [0]
[[class_map.classes]]
name = "road"
color = [128, 64, 128]
raw_ids = [1]
[[class_map.classes]]
name = "car"
color = [0, 0, 142]
raw_ids = [2]
"""


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    path = tmp_path / "classes.toml"
    path.write_text(CLASSES)
    return path


def _image(seed: int = 0, height: int = 6, width: int = 8) -> Array:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def _label(seed: int = 0, height: int = 6, width: int = 8) -> Array:
    return np.random.default_rng(seed).integers(0, 3, (height, width), np.uint8)


def _pairs(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        write_image(root / "images" / f"{name}.png", _image(seed))
        write_image(root / "labels" / f"{name}.png", _label(seed))
    lines = [f'"images/{n}.png", "labels/{n}.png"' for n in names]
    (root / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def _failed(capsys: Captured) -> dict[str, str]:
    return {f["key"]: f["reason"] for f in json.loads(capsys.readouterr().out)["failed"]}


def _train_ids(raw: Array) -> Array:
    return np.array([255, 0, 1], np.uint8)[raw]


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_list_with_exactly_one_missing_file_names_it_and_the_rest_goes_on(
    tmp_path: Path, classes: Path, capsys: Captured
) -> None:
    root = _pairs(tmp_path / "data", "a", "b", "c")
    (root / "labels/b.png").unlink()
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 0
    assert "labels/b.png" in capsys.readouterr().out
    assert prep("resize", "--factor", "1", "--max-bad", "50%", "--json") == 0
    assert list(_failed(capsys)) == ["b"]
    assert sorted(p.stem for p in Path("train/label_data").iterdir()) == ["a", "c"]


def test_every_missing_file_is_listed_and_not_just_the_first(tmp_path: Path, classes: Path, capsys: Captured) -> None:
    root = _pairs(tmp_path / "data", *[f"n{i:02d}" for i in range(30)])
    for path in sorted((root / "labels").iterdir())[5:]:
        path.unlink()
    assert prep("init", "list", root, "--classes", classes) == 0
    out = capsys.readouterr().out
    assert all(f"labels/n{i:02d}.png" in out for i in range(5, 30))


def test_duplicate_keys_are_all_listed(tmp_path: Path, classes: Path, capsys: Captured) -> None:
    root = _pairs(tmp_path / "data", "a", "b")
    (root / "train.csv").write_text("images/a.png, labels/a.png\nimages/b.png, labels/b.png\n" * 2)
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 3
    error = capsys.readouterr().err
    assert "images/a.png" in error
    assert "images/b.png" in error
    assert not Path("prep.toml").exists()


def test_names_with_blanks_commas_and_any_script_go_all_the_way(tmp_path: Path, classes: Path) -> None:
    names = ("a b", "Straße, nass", "道路", "a..b", "100%")
    root = _pairs(tmp_path / "data", *names)
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 0
    assert prep("resize", "--factor", "1") == 0
    assert prep("shard") == 0
    assert len(list(Path("train/label_data").iterdir())) == len(names)
    assert (Path("train/label_data") / "a..b.png").is_file()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_list_that_was_written_makes_an_equal_workspace(tmp_path: Path, classes: Path, suffix: str) -> None:
    root = _pairs(tmp_path / "data", "a b", "Straße", "c")
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 0
    written = tmp_path / f"lists/train{suffix}"
    assert prep("list", written) == 0
    other = tmp_path / "other"
    assert prep("init", "list", written, "--root", root, "--classes", classes, "-C", other) == 0
    assert prep("resize", "--factor", "2") == 0
    assert prep("resize", "--factor", "2", "-C", other) == 0
    assert tree_bytes(Path("train")) == tree_bytes(other / "train")


def test_prepared_files_can_be_listed_with_their_classes(tmp_path: Path, classes: Path) -> None:
    root = _pairs(tmp_path / "data", "a", "b")
    prep("init", "list", root / "train.csv", "--classes", classes)
    prep("resize", "--factor", "2")
    description = tmp_path / "classes.json"
    assert prep("list", tmp_path / "small/train.csv", "--prepared", "--description", description) == 0
    rows = (tmp_path / "small/train.csv").read_text().split("\n")
    assert rows[0] == "train/image_data/a.png, train/label_data/a.png"
    mapping = json.loads(description.read_text())["original_to_train_mapping"]
    assert (mapping[:2], set(mapping[2:])) == ([0, 1], {-1})
    again = tmp_path / "again"
    lists = (tmp_path / "small/train.csv", "--root", Path.cwd(), "--classes", description)
    assert prep("init", "list", *lists, "-C", again) == 0
    assert prep("resize", "--factor", "1", "-C", again) == 0
    np.testing.assert_array_equal(
        read_image(again / "train/label_data/a.png"), read_image(Path("train/label_data/a.png"))
    )
    assert prep("list", tmp_path / "data/x.csv") == 2, "nothing is written into the dataset"


def test_columns_of_lists_can_be_named(tmp_path: Path, classes: Path) -> None:
    root = _pairs(tmp_path / "data", "a")
    write_image(root / "a_depth.png", np.full((6, 8), 2500, np.uint16))
    (root / "train.csv").unlink()
    (root / "train.txt").write_text("images/a.png a_depth.png labels/a.png\n")
    options = ("--columns", "image,depth,label", "--classes", classes)
    assert prep("init", "list", root / "train.txt", *options) == 0
    assert prep("resize", "--factor", "2") == 0
    assert (read_image(Path("train/depth_data/a.png")) == 2500).all()
    assert json.loads(Path("train/depth_data/scale.json").read_text())["scale"] == [0.001]


# -- places ------------------------------------------------------------------------------------------------------------


def test_paths_with_dots_may_turn_around_but_not_leave_the_root(
    tmp_path: Path, classes: Path, capsys: Captured
) -> None:
    root = _pairs(tmp_path / "data", "a", "b")
    inside = "images/../images/a.png, labels/a.png\n"
    (root / "train.csv").write_text(inside)
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 0
    assert prep("resize", "--factor", "1") == 0
    (root / "train.csv").write_text(f"{inside}../data2/b.png, labels/b.png\nimages/b.png, ../../etc/b.png\n")
    capsys.readouterr()
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 3
    error = capsys.readouterr().err
    assert "../data2/b.png" in error
    assert "../../etc/b.png" in error
    assert "--root" in error


def test_links_that_leave_the_root_are_followed(tmp_path: Path, classes: Path) -> None:
    elsewhere = _pairs(tmp_path / "elsewhere", "a")
    root = tmp_path / "data"
    root.mkdir()
    (root / "images").symlink_to(elsewhere / "images", target_is_directory=True)
    (root / "labels").symlink_to(elsewhere / "labels", target_is_directory=True)
    (root / "train.csv").write_text("images/a.png, labels/a.png\n")
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 0
    assert prep("resize", "--factor", "1") == 0
    np.testing.assert_array_equal(read_image(Path("train/image_data/a.png")), _image())
    (root / "labels").unlink()
    (root / "labels").symlink_to(tmp_path / "nowhere")
    assert prep("init", "list", root / "train.csv") == 0
    assert prep("resize") == 0, "cells outlive their sources"


# -- pictures ----------------------------------------------------------------------------------------------------------


def _one(root: Path, classes: Path) -> None:
    (root / "train.csv").write_text("a.png, a_ids.png\n")
    assert prep("init", "list", root / "train.csv", "--classes", classes) == 0


def _png(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "png", **options)
    return buffer.getvalue()


def test_palette_labels_are_ids_and_palette_images_are_colours(tmp_path: Path, classes: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    colors = np.array([[0, 0, 0], [128, 64, 128], [0, 0, 142]], np.uint8)
    palette = Image.fromarray(_label(), mode="P")
    palette.putpalette(colors.tobytes())
    (root / "a.png").write_bytes(_png(palette))
    (root / "a_ids.png").write_bytes(_png(palette))
    _one(root, classes)
    assert prep("resize", "--factor", "1") == 0
    np.testing.assert_array_equal(read_image(Path("train/label_data/a.png")), _train_ids(_label()))
    np.testing.assert_array_equal(read_image(Path("train/image_data/a.png")), colors[_label()])


def test_colour_labels_become_ids_and_unknown_colours_are_counted(
    tmp_path: Path, classes: Path, capsys: Captured
) -> None:
    root = tmp_path / "data"
    colors = np.array([[0, 0, 0], [128, 64, 128], [0, 0, 142]], np.uint8)[_label()]
    write_image(root / "a.png", _image())
    write_image(root / "a_ids.png", colors)
    _one(root, classes)
    assert prep("resize", "--factor", "1") == 0
    np.testing.assert_array_equal(read_image(Path("train/label_data/a.png")), _train_ids(_label()))
    colors[0, :3] = (9, 9, 9)
    write_image(root / "a_ids.png", colors)
    capsys.readouterr()
    assert prep("resize", "--json") == 4
    assert "(9, 9, 9) (3 px)" in _failed(capsys)["a"]


def test_opaque_rgba_images_are_read_and_transparent_ones_refused(
    tmp_path: Path, classes: Path, capsys: Captured
) -> None:
    root = tmp_path / "data"
    rgba = np.dstack([_image(), np.full((6, 8), 255, np.uint8)])
    write_image(root / "a.png", rgba)
    write_image(root / "a_ids.png", _label())
    _one(root, classes)
    assert prep("resize", "--factor", "1") == 0
    np.testing.assert_array_equal(read_image(Path("train/image_data/a.png")), _image())
    rgba[0, 0, 3] = 0
    write_image(root / "a.png", rgba)
    capsys.readouterr()
    assert prep("resize", "--json") == 4
    assert "a.png: it has transparent pixels" in _failed(capsys)["a"]


def test_16_bit_labels_of_mapillary_need_a_divisor_and_then_work(
    tmp_path: Path, classes: Path, capsys: Captured
) -> None:
    root = tmp_path / "data"
    instances = np.random.default_rng(3).integers(0, 200, (6, 8))
    write_image(root / "a.png", _image())
    write_image(root / "a_ids.png", (_label().astype(np.uint16) * 256 + instances).astype(np.uint16))
    _one(root, classes)
    capsys.readouterr()
    assert prep("resize", "--factor", "1", "--json") == 4
    assert "set raw_id_divisor = 256" in _failed(capsys)["a"]
    text = Path("prep.toml").read_text()
    assert "raw_id_divisor = 1" in text
    Path("prep.toml").write_text(text.replace("raw_id_divisor = 1", "raw_id_divisor = 256"))
    assert prep("resize") == 0
    np.testing.assert_array_equal(read_image(Path("train/label_data/a.png")), _train_ids(_label()))


def test_pictures_that_are_turned_by_their_metadata_fit_their_labels(tmp_path: Path, classes: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    (root / "a.png").write_bytes(_png(Image.fromarray(_image()), exif=exif))
    write_image(root / "a_ids.png", _label(height=8, width=6))
    _one(root, classes)
    assert prep("resize", "--factor", "1") == 0
    np.testing.assert_array_equal(read_image(Path("train/image_data/a.png")), np.rot90(_image(), -1))


# -- classes -----------------------------------------------------------------------------------------------------------


def test_classes_can_be_given_anew_and_change_labels_only_then(tmp_path: Path, classes: Path) -> None:
    root = _pairs(tmp_path / "data", "a")
    prep("init", "list", root / "train.csv", "--classes", classes)
    text = Path("prep.toml").read_text().replace('"road"', '"street"')
    Path("prep.toml").write_text(text)
    assert prep("init", "list", root / "train.csv") == 0
    assert '"street"' in Path("prep.toml").read_text()
    description = tmp_path / "paris.json"
    description.write_text(
        json.dumps(
            {
                "dataset_name": "mine",
                "class_names": ["all"],
                "rgb_colors": [[1, 2, 3]],
                "original_to_train_mapping": [-1, 0, 0],
                "void_label": -1,
            }
        )
    )
    assert prep("init", "list", root / "train.csv", "--classes", description) == 0
    assert prep("resize", "--factor", "1") == 0
    np.testing.assert_array_equal(read_image(Path("train/label_data/a.png")), np.array([255, 0, 0], np.uint8)[_label()])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--classes", "19"), "--classes 19: this is no file"),
        (("--classes", "nowhere.toml"), "nowhere.toml"),
        (("--columns", "image,image"), "stands twice"),
    ],
)
def test_wrong_options_of_init_are_refused(
    tmp_path: Path, capsys: Captured, arguments: tuple[str, ...], message: str
) -> None:
    root = _pairs(tmp_path / "data", "a")
    assert prep("init", "list", root / "train.csv", *arguments) in (2, 3)
    assert message in capsys.readouterr().err
    assert not Path("prep.toml").exists()


def test_options_about_lists_go_with_lists(tmp_path: Path, camvid: Path, capsys: Captured) -> None:
    assert prep("init", "camvid", camvid, "--root", camvid) == 2
    assert "they go with `prep init list`" in capsys.readouterr().err
    assert prep("init", "camvid", camvid, camvid) == 2
    assert prep("init", "camvid", next(camvid.rglob("*.png"))) == 3
    assert prep("init", "list", tmp_path / "none.csv") == 3
