"""`prep.toml` is found from below, refused where it makes no sense, and keeps what people wrote into it."""

from pathlib import Path

import pytest

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.errors import ConfigurationError, UnreadableFileError, WorkspaceNotFoundError
from segprep.datasets.record import Direction
from segprep.datasets.sample import SampleKey
from segprep.datasets.workspace import (
    CONFIG_NAME,
    WorkspaceConfig,
    find_workspace,
    load_workspace,
    write_config,
)

STREET = ClassMap((SemanticClass("road", (128, 64, 128), (7, 8)), SemanticClass("car", (0, 0, 142), (26,))), (0, 255))

MINIMAL = """\
dataset = "camvid"
root = "/data/camvid"
[class_map]
ignored_raw_ids = [11]
[[class_map.classes]]
name = "road"
color = [128, 64, 128]
raw_ids = [3]
"""


def _config(root: str = "/data/camvid", direction: Direction = Direction.PREVIOUS) -> WorkspaceConfig:
    return WorkspaceConfig("camvid", Path(root), direction, STREET, {})


def _write(place: Path, text: str) -> Path:
    (place / CONFIG_NAME).write_text(text, encoding="utf-8")
    return place


def test_a_new_workspace_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = write_config(tmp_path, _config(direction=Direction.NEXT))
    assert written == load_workspace(tmp_path)
    assert written.config == _config(direction=Direction.NEXT)
    assert written.root == tmp_path
    assert (tmp_path / CONFIG_NAME).read_text().startswith("# ")


def test_a_workspace_is_found_from_a_folder_below_and_the_nearest_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "outer/runs/inner"
    deep = inner / "train/image_data"
    deep.mkdir(parents=True)
    write_config(tmp_path / "outer", _config("/data/outer"))
    assert find_workspace(deep).root == tmp_path / "outer"
    write_config(inner, _config("/data/inner"))
    assert find_workspace(deep).config.dataset_root == Path("/data/inner")
    monkeypatch.chdir(deep)
    assert find_workspace(Path()).root == inner


def test_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).mkdir()  # a folder of this name is none
    with pytest.raises(WorkspaceNotFoundError, match="`prep init DATASET ROOT`"):
        find_workspace(tmp_path)
    with pytest.raises(WorkspaceNotFoundError, match="prep init"):
        load_workspace(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset = ", "not valid TOML"),
        (MINIMAL.replace('dataset = "camvid"', ""), "dataset is missing"),
        (MINIMAL.replace('dataset = "camvid"', "dataset = 3"), "dataset must be a text, not 3"),
        (MINIMAL.replace("root =", "rot ="), "has no key 'rot'. Did you mean 'root'?"),
        ('splits = "train"\n' + MINIMAL, "splits must be a list"),
        (MINIMAL.replace('"/data/camvid"', "3"), "root must be a text, not 3"),
        (MINIMAL.replace("/data/camvid", "~no-such-user/camvid"), "root: "),
        (MINIMAL.split("[class_map]")[0], "class map"),
        ('neighbour = "both"\n' + MINIMAL, "neighbour must be previous or next, not 'both'"),
        ("defaults = 3\n" + MINIMAL, "defaults"),
        (MINIMAL + "\n[defaults]\nresize = 3\n", "defaults"),
        ("class_map = 3\n" + MINIMAL.split("[class_map]")[0], "class map"),
        (MINIMAL.replace("raw_ids = [3]", "raw_ids = [11]"), r"raw label ids \[11\]"),
        (MINIMAL.replace("name =", "nam ="), "nam"),
        (MINIMAL + "\n[colours]\nroad = 1\n", "has no key 'colours'"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused_by_file_and_entry(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_workspace(_write(tmp_path, text))
    assert str(tmp_path / CONFIG_NAME) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_bytes(b'dataset = "\xff"')
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_workspace(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).mkdir()
    with pytest.raises(UnreadableFileError, match=CONFIG_NAME):
        load_workspace(tmp_path)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    config = load_workspace(_write(tmp_path, MINIMAL)).config
    assert config.neighbour is Direction.PREVIOUS
    assert config.defaults == {}
    text = MINIMAL + "\n[defaults.resize]\nfactor = 4\nlabels = 'nearest'\n"
    assert load_workspace(_write(tmp_path, text)).config.defaults == {"resize": {"factor": 4, "labels": "nearest"}}


def test_comments_class_map_and_defaults_of_people_survive_another_root(tmp_path: Path) -> None:
    write_config(tmp_path, _config())
    path = tmp_path / CONFIG_NAME
    text = path.read_text()
    text = text.replace('name = "road"', 'name = "street"  # our word for it').replace("[0, 255]", "[0, 255, 254]")
    text = text.replace("root = ", "# on the big disk\nroot = ")
    text = text.replace('"/data/camvid"', '"/data/camvid"  # since May')
    path.write_text(text + "\n# halves\n[defaults.resize]\nfactor = 2 # enough\n")
    again = write_config(tmp_path, _config("/mnt/other", Direction.NEXT))
    after = path.read_text()
    for kept in ("# our word for it", "# on the big disk", "# since May", "# halves", "# enough"):
        assert kept in after
    assert again.config.dataset_root == Path("/mnt/other")
    assert again.config.neighbour is Direction.NEXT
    assert again.config.class_map.names == ("street", "car")
    assert again.config.class_map.ignored_raw_ids == (0, 255, 254)
    assert again.config.defaults == {"resize": {"factor": 2}}
    write_config(tmp_path, _config("/mnt/other", Direction.NEXT))
    assert path.read_text() == after, "nothing new to say leaves the file as it is"


def test_a_relative_root_starts_at_the_workspace_and_a_tilde_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "ws"
    place.mkdir()
    _write(place, MINIMAL.replace("/data/camvid", "../data/camvid"))
    monkeypatch.chdir(tmp_path.parent)
    assert load_workspace(place).config.dataset_root == tmp_path / "data/camvid"
    monkeypatch.chdir(tmp_path)
    assert load_workspace(Path("ws")).config.dataset_root == tmp_path / "data/camvid"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    _write(place, MINIMAL.replace("/data/camvid", "~/camvid"))
    assert load_workspace(place).config.dataset_root == tmp_path / "home/camvid"


def test_cells_masks_and_stores_have_the_promised_places(tmp_path: Path) -> None:
    workspace = write_config(tmp_path, _config())
    key = SampleKey("a_1")
    assert workspace.cell_path("train", "flow", key, ".png") == tmp_path / "train/flow_data/a_1.png"
    assert workspace.mask_path("train", "flow", key) == tmp_path / "train/flow_valid/a_1.png"
    assert workspace.store_path("val") == tmp_path / "shards/val.zarr"
    assert workspace.ledger_path == tmp_path / "ledger.sqlite"
    assert workspace.runs_dir == tmp_path / "runs"
