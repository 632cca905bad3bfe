"""Class maps survive both kinds of files, and what is wrong with a file is said with its name."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.class_files import paris_description, read_class_map, train_id_map, write_paris_description
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.errors import ConfigurationError, UnreadableFileError
from support.properties import examples

NAMES = [
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
]
COLORS = [
    *([128, 64, 128], [244, 35, 232], [70, 70, 70], [102, 102, 156], [190, 153, 153], [153, 153, 153], [250, 170, 30]),
    *([220, 220, 0], [107, 142, 35], [152, 251, 152], [70, 130, 180], [220, 20, 60], [255, 0, 0], [0, 0, 142]),
    *([0, 0, 70], [0, 60, 100], [0, 80, 100], [0, 0, 230], [119, 11, 32]),
]
RAW_IDS: dict[str, tuple[int, list[list[int]]]] = {  # number of raw ids, those of each class
    "cityscapes": (35, [[i] for i in (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)]),
    "bdd": (256, [[i] for i in range(19)]),
    "mapillary": (
        66,
        [
            *([7, 8, 13, 14, 16, 18, 23, 24, 41, 43], [15], [17], [6], [3], [45, 47], [48], [49, 50], [30], [29], [27]),
            *([19], [20, 21, 22], [55], [61], [54], [58], [57], [52]),
        ],
    ),
}


def _description(name: str) -> dict[str, Any]:
    """Write PARIS's three files down from their tables."""
    count, raw_ids = RAW_IDS[name]
    mapping = [-1] * count
    for train_id, ids in enumerate(raw_ids):
        for raw_id in ids:
            mapping[raw_id] = train_id
    return {
        "dataset_name": name,
        "class_names": NAMES,
        "rgb_colors": COLORS,
        "original_to_train_mapping": mapping,
        "void_label": -1,
    }


def _write(path: Path, data: object) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


# -- PARIS's descriptions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RAW_IDS)
def test_paris_descriptions_are_read_and_written_back_without_a_change(tmp_path: Path, name: str) -> None:
    description = _description(name)
    found = read_class_map(_write(tmp_path / f"{name}.json", description))
    assert found.names == tuple(NAMES)
    assert [list(c.color) for c in found.classes] == COLORS
    assert [list(c.raw_ids) for c in found.classes] == RAW_IDS[name][1], "raw ids of a class ascend"
    assert paris_description(found, name) == description
    write_paris_description(tmp_path / "out.json", found, name)
    assert json.loads((tmp_path / "out.json").read_text()) == description
    assert read_class_map(tmp_path / "out.json") == found


@pytest.mark.parametrize(("name", "void"), [("cityscapes", 0), ("bdd", 255), ("mapillary", 65)])
def test_predictions_go_back_to_the_datasets_own_void_and_the_lowest_id_of_a_class(
    tmp_path: Path, name: str, void: int
) -> None:
    found = read_class_map(_write(tmp_path / "d.json", _description(name)))
    assert found.ignored_raw_ids[0] == void
    assert list(found.ignored_raw_ids[1:]) == sorted(set(found.ignored_raw_ids) - {void})
    raw = found.to_raw_ids(np.array([[0, 5, 255]], np.uint8))
    assert raw.tolist() == [[RAW_IDS[name][1][0][0], RAW_IDS[name][1][5][0], void]]


def test_the_void_id_is_the_lowest_where_nobody_knows_better(tmp_path: Path) -> None:
    other = _description("mapillary") | {"dataset_name": "ours"}
    assert read_class_map(_write(tmp_path / "a.json", other)).ignored_raw_ids[0] == 0
    fine = _description("bdd") | {"dataset_name": "BDD100K"}
    assert read_class_map(_write(tmp_path / "b.json", fine)).ignored_raw_ids[0] == 255
    mapping = [0, *_description("cityscapes")["original_to_train_mapping"][1:]]  # id 0 is a class here
    changed = _description("cityscapes") | {"original_to_train_mapping": mapping}
    assert read_class_map(_write(tmp_path / "c.json", changed)).ignored_raw_ids[0] == 1


def test_another_void_label_counts_and_none_means_minus_one(tmp_path: Path) -> None:
    small = {"class_names": ["a", "b"], "rgb_colors": [[1, 2, 3], [4, 5, 6]]}
    path = _write(tmp_path / "a.json", small | {"original_to_train_mapping": [1, 255, 0], "void_label": 255})
    assert read_class_map(path) == ClassMap(
        (SemanticClass("a", (1, 2, 3), (2,)), SemanticClass("b", (4, 5, 6), (0,))), (1,)
    )
    path = _write(tmp_path / "b.json", small | {"original_to_train_mapping": [0, 1]})
    assert read_class_map(path).ignored_raw_ids == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": None}, "class_names must be a list of texts"),
        ({"class_names": NAMES[:-1]}, "18 class_names and 19 rgb_colors"),
        ({"rgb_colors": [*COLORS[:-1], 7]}, r"rgb_colors must be a list of \[r, g, b\]"),
        ({"rgb_colors": [*COLORS[:-1], [0, 0, 256]]}, "three numbers in 0..255"),
        ({"original_to_train_mapping": [0, "1"]}, "original_to_train_mapping must be a list of whole numbers"),
        ({"original_to_train_mapping": [0, 19, 2, -2]}, r"raw ids \[1, 3\] that are neither one of the 19 classes nor"),
        ({"original_to_train_mapping": [0, 1]}, "classes without any raw id: building, wall"),
        ({"void_label": 3}, "void_label must be a number that is no class, such as -1, not 3"),
        ({"void_label": None}, "void_label must be a number"),
    ],
)
def test_descriptions_that_make_no_sense_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = _write(tmp_path / "d.json", _description("cityscapes") | change)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_class_map(path)
    assert str(caught.value).startswith(f"{path}: ")


# -- TOML ----------------------------------------------------------------------------------------------------------

ALL = ClassMap(
    (
        SemanticClass("Straße", (128, 64, 128), (7, 3), ((1, 1, 1), (2, 2, 2))),
        SemanticClass("sky", (70, 130, 180), (23,)),
    ),
    ignored_raw_ids=(9, 0, 1),
    masked_raw_ids=(1,),
    ignored_colors=((0, 0, 0), (255, 255, 255)),
    raw_id_divisor=256,
)


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_class_map_of_prep_toml_is_read_alone_or_in_place(tmp_path: Path, wrapped: bool) -> None:
    data = {"class_map": ALL.to_json(), "dataset": "list", "root": "/data"} if wrapped else ALL.to_json()
    assert read_class_map(_write(tmp_path / "classes.toml", tomlkit.dumps(data))) == ALL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes = [", "Invalid value"),
        ("class_map = 3", "class_map must be a table"),
        ("names = ['a']", "has no key 'names'"),
        ("", "each class needs name, color"),
        ("[[classes]]\nname = 'a'\ncolor = [1, 2]\nraw_ids = [1]", "each class needs name, color"),
        ("[[classes]]\nname = 'a'\ncolor = [1, 2, 3]\nraw_ids = []", "classes without any raw id: a"),
    ],
)
def test_toml_that_is_no_class_map_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = _write(tmp_path / "c.toml", text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_class_map(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["d.json", "d.toml"])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(ConfigurationError, match=f"{name} does not exist"):
        read_class_map(path)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigurationError, match=f"{name}: .*(utf-8|UTF-8)"):
        read_class_map(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UnreadableFileError, match=f"{name} cannot be read"):
        read_class_map(path)


def test_other_files_are_no_class_maps(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"classes\.yaml is no class map"):
        read_class_map(tmp_path / "classes.yaml")
    with pytest.raises(ConfigurationError, match="holds no JSON object"):
        read_class_map(_write(tmp_path / "d.json", "[]"))
    with pytest.raises(ConfigurationError, match=r"d\.json: Expecting"):
        read_class_map(_write(tmp_path / "d.json", "{"))


# -- prepared labels -----------------------------------------------------------------------------------------------


@examples(30)
@given(st.integers(1, 254))
def test_prepared_labels_keep_their_train_ids_and_everything_else_is_void(count: int) -> None:
    before = ClassMap(
        tuple(SemanticClass(f"c{i}", (i, 0, 1), (300 + i, 1000 + i)) for i in range(count)), (0,), (0,), (), 7
    )
    after = train_id_map(before)
    ids = np.arange(256, dtype=np.uint8)[None]
    expected = np.where(ids < count, ids, 255)
    assert np.array_equal(after.to_train_ids(ids), expected)
    assert np.array_equal(after.to_raw_ids(expected), expected), "255 is written for void"
    assert (after.names, [c.color for c in after.classes]) == (before.names, [c.color for c in before.classes])
    assert paris_description(after, "x")["original_to_train_mapping"] == [*range(count), *[-1] * (256 - count)]


def test_ids_that_a_class_map_does_not_know_are_void_in_a_description() -> None:
    assert paris_description(ALL, "x")["original_to_train_mapping"] == [
        *(-1, -1, -1, 0, -1, -1, -1, 0),
        *[-1] * 15,
        1,
    ]


def test_the_written_description_is_one_line_per_entry(tmp_path: Path) -> None:
    write_paris_description(tmp_path / "sub/d.json", ALL, "ö")
    assert len((tmp_path / "sub/d.json").read_text().splitlines()) == 7
    assert tomllib.loads(tomlkit.dumps(paris_description(ALL, "ö")))["dataset_name"] == "ö"
