"""Labels of any form from `prep init` to the cells: what the user is shown, and what the files become."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.lists.files import read_lists
from segprep.datasets.workspace import load_workspace
from support.commands import prep
from support.label_files import jpeg, label_folder, palette_png, patches

pytestmark = pytest.mark.usefixtures("ws")

Captured = pytest.CaptureFixture[str]


def cell(number: int) -> list[list[int]]:
    ids: list[list[int]] = read_image(Path(f"train/label_data/{number}.png")).tolist()
    return ids


@pytest.fixture
def grey_rgb(tmp_path: Path) -> Path:
    """Ids in three equal channels."""
    pictures = (np.repeat(patches(*ids)[..., None], 3, axis=2) for ids in ((0, 1, 2), (0, 1), (2, 0)))
    return label_folder(tmp_path / "data", *pictures)


def test_init_shows_the_values_before_anything_is_made(tmp_path: Path, capsys: Captured) -> None:
    data = label_folder(tmp_path / "data", patches(0, 255), patches(0, 0, 0, 255))
    assert prep("init", "folder", data) == 0
    out = capsys.readouterr().out
    for part in ("label value", "62.500%", "37.500%", "class_255", "guessed, label: id 255 is taken for a class"):
        assert part in out
    assert prep("init", "folder", data, "-C", tmp_path / "other", "--json") == 0
    shown = json.loads(capsys.readouterr().out)["label_values"]
    assert shown[0] == {"value": 0, "pixels": 3840, "share": 0.625, "files": 2, "becomes": "class_0"}


def test_many_values_are_shortened_with_the_count_of_the_rest(tmp_path: Path, capsys: Captured) -> None:
    label = np.arange(48 * 64, dtype=np.uint32).reshape(48, 64) // 64
    assert prep("init", "folder", label_folder(tmp_path / "data", label.astype(np.uint8))) == 0
    out = capsys.readouterr().out
    assert "24 more, see --json" in out
    assert out.count("class_") < 80


def test_what_was_decided_stands_in_prep_toml_and_holds_for_each_file(grey_rgb: Path, capsys: Captured) -> None:
    assert prep("init", "folder", grey_rgb) == 0
    table = tomllib.loads(Path("prep.toml").read_text())["class_map"]
    assert (table["reading"], table["found"]) == ("ids", True)
    assert "snap_distance" not in table
    assert prep("resize", "--factor", "16") == 0
    assert cell(0)[0] == [0, 1, 2, 0]
    assert cell(2)[0] == [2, 0, 2, 0]
    assert prep("init", "folder", grey_rgb) == 0
    capsys.readouterr()
    assert prep("resize", "--factor", "16", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["columns"]["label"] == {"done": 3}


def test_what_was_guessed_is_repeated_until_somebody_has_looked(grey_rgb: Path, capsys: Captured) -> None:
    for command in (("init", "folder", grey_rgb), ("init", "folder", grey_rgb), ("status",)):
        assert prep(*command) == 0
        assert "equal numbers" in " ".join(capsys.readouterr().out.split())
    config = Path("prep.toml")
    config.write_text(config.read_text().replace("found = true\n", ""))
    assert prep("init", "folder", grey_rgb) == 0
    assert prep("status") == 0
    assert "equal numbers" not in " ".join(capsys.readouterr().out.split())


def test_a_file_that_contradicts_the_decision_fails_by_name(grey_rgb: Path, capsys: Captured) -> None:
    assert prep("init", "folder", grey_rgb) == 0
    write_image(grey_rgb / "label_data" / "1.png", patches((0, 1, 2), (1, 1, 1)))
    capsys.readouterr()
    assert prep("check", "--workers", "0") == 4
    out = capsys.readouterr().out
    assert "label_data/1.png" in out
    assert "the channels of this file differ" in " ".join(out.split())
    assert prep("resize", "--factor", "16", "--max-bad", "50%") == 0
    assert not Path("train/label_data/1.png").exists()


def test_palettes_of_their_own_give_the_same_classes_in_lists(tmp_path: Path) -> None:
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    data = label_folder(
        tmp_path / "data", palette_png(patches(0, 1), red, green), palette_png(patches(0, 1), green, blue)
    )
    rows = [f"image_data/{n}.png, label_data/{n}.png\n" for n in range(2)]
    (data / "train.csv").write_text("".join(rows))
    assert prep("init", "list", data) == 0
    assert prep("resize", "--factor", "16") == 0
    classes = load_workspace(Path.cwd()).config.class_map
    assert [c.color for c in classes.classes] == [blue, green, red]
    assert cell(0)[0] == [2, 1, 2, 1]
    assert cell(1)[0] == [1, 0, 1, 0]
    # What the list of another workspace says of its files is kept.
    assert prep("list", tmp_path / "all.jsonl") == 0
    record = read_lists((tmp_path / "all.jsonl",), data)[0]
    assert record.sources["label"].code == {"name": "raw-labels", "reading": "colors"}


def test_jpeg_labels_snap_when_asked_and_what_is_too_far_is_counted(tmp_path: Path, capsys: Captured) -> None:
    truth = np.roll(patches((0, 0, 0), (220, 20, 60), (70, 130, 180)), 3, axis=1)
    data = label_folder(tmp_path / "data", jpeg(truth, quality=90))
    assert prep("init", "folder", data) == 2
    assert "--snap-labels" in capsys.readouterr().err
    classes = tmp_path / "classes.toml"
    entries = [("none", [0, 0, 0]), ("red", [220, 20, 60]), ("blue", [70, 130, 180])]
    classes.write_text(
        "".join(f'[[classes]]\nname = "{name}"\ncolor = {c}\nraw_ids = [{i}]\n' for i, (name, c) in enumerate(entries))
    )
    assert prep("init", "folder", data, "--classes", classes, "--snap-labels", "50") == 0
    assert load_workspace(Path.cwd()).config.class_map.snap_distance == 50
    assert prep("resize", "--factor", "1") == 0
    made = read_image(Path("train/label_data/0.png"))
    ids = np.roll(patches(0, 1, 2), 3, axis=1)
    assert (made == ids).mean() > 0.75
    assert ((made != ids) & (made != 255)).mean() < 0.05, "what is in doubt is ignored"
    assert prep("check", "--workers", "0") == 0
    assert prep("init", "folder", data, "--snap-labels", "5") == 0
    assert prep("resize", "--factor", "1") == 0
    assert (read_image(Path("train/label_data/0.png")) == 255).sum() > (made == 255).sum()


def test_mostly_ignored_labels_are_said_by_check(tmp_path: Path, capsys: Captured) -> None:
    label = patches(255)
    label[:4, :8], label[:4, 8:16] = 0, 1
    assert prep("init", "folder", label_folder(tmp_path / "data", label)) == 0
    assert "are ignored: is this meant?" in " ".join(capsys.readouterr().out.split())
    assert prep("check", "--workers", "0") == 0
    assert "are ignored: is this meant?" in " ".join(capsys.readouterr().out.split())


def test_a_known_dataset_whose_ids_became_grey_colours_is_read_when_told(camvid: Path, capsys: Captured) -> None:
    for path in camvid.glob("*annot/*.png"):
        write_image(path, np.repeat(read_image(path)[..., None], 3, axis=2))
    assert prep("init", "camvid", camvid) == 0
    capsys.readouterr()
    assert prep("check", "--workers", "0", "--json") == 4
    assert prep("resize", "--factor", "2") == 4
    assert 'Write reading = "ids" into [class_map]' in " ".join(capsys.readouterr().out.split())
    config = Path("prep.toml")
    config.write_text(config.read_text().replace("raw_id_divisor = 1\n", 'raw_id_divisor = 1\nreading = "ids"\n'))
    assert prep("init", "camvid", camvid) == 0
    assert prep("resize", "--factor", "2") == 0
    assert prep("check", "--workers", "0") == 0


def test_labels_of_one_class_are_said_by_init_and_check(tmp_path: Path, capsys: Captured) -> None:
    assert prep("init", "folder", label_folder(tmp_path / "data", patches(3))) == 0
    assert "there is one class, class_3" in " ".join(capsys.readouterr().out.split())
    assert prep("check", "--workers", "0") == 0
    assert "all labels show one class, class_3" in " ".join(capsys.readouterr().out.split())


def test_old_class_maps_are_no_guesses_and_say_nothing_new() -> None:
    old = {"ignored_raw_ids": [255], "classes": [{"name": "a", "color": [1, 2, 3], "raw_ids": [0]}]}
    class_map = ClassMap.from_json(old)
    assert not class_map.found
    assert not {"found", "reading", "snap_distance"} & {*class_map.to_json(), *class_map.pixel_rules()}
