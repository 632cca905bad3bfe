"""Raw ids become train ids and come back; bad class maps and unknown ids are refused with what is wrong."""

import json
import tomllib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.errors import ConfigurationError, LabelIdError
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.snapping import count_far
from support.properties import examples

ROAD = SemanticClass("road", (128, 64, 128), (7, 8))
CAR = SemanticClass("car", (0, 0, 142), (26,))
WIDE = SemanticClass("wide", (1, 2, 3), (40000, 65535))
STREET = ClassMap((ROAD, CAR, WIDE), ignored_raw_ids=(0, 255))


@st.composite
def _class_maps(draw: st.DrawFn) -> ClassMap:
    ids = draw(st.lists(st.integers(0, 65535) | st.integers(0, 300), min_size=1, max_size=30, unique=True))
    ignored = draw(st.integers(0, len(ids) - 1))
    rest = ids[ignored:]
    cuts = [0, *sorted(draw(st.sets(st.integers(1, max(1, len(rest) - 1)), max_size=8))), len(rest)]
    groups = [tuple(rest[a:b]) for a, b in pairwise(cuts) if a < b]
    color = st.tuples(*[st.integers(0, 255)] * 3)
    colors = st.lists(color, max_size=2).map(tuple)
    return ClassMap(
        tuple(SemanticClass(f"class {i}", draw(color), group, draw(colors)) for i, group in enumerate(groups)),
        tuple(ids[:ignored]),
        masked_raw_ids=tuple(ids[: ignored // 2]),
        ignored_colors=draw(colors),
    )


def test_classes_merge_and_ignored_ids_become_255() -> None:
    raw = np.array([[7, 8, 26], [0, 255, 40000], [65535, 7, 7]], np.uint16)
    train = STREET.to_train_ids(raw)
    assert train.dtype == np.uint8
    np.testing.assert_array_equal(train, [[0, 0, 1], [255, 255, 2], [2, 0, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.uint64])
def test_every_integer_type_of_labels_is_understood(dtype: npt.DTypeLike) -> None:
    np.testing.assert_array_equal(STREET.to_train_ids(np.array([[7, 0, 26]], dtype)), [[0, 255, 1]])


def test_unknown_ids_are_named_with_their_pixel_counts() -> None:
    raw = np.full((4, 5), 7, np.uint8)
    raw[0] = 99
    raw[1, 0] = 1
    with pytest.raises(LabelIdError) as caught:
        STREET.to_train_ids(raw)
    text = str(caught.value)
    assert "1 (1 px), 99 (5 px)" in text
    assert "Known ids: 0, 7, 8, 26, 255, 40000, 65535" in text
    assert "ignored_raw_ids" in text


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (np.array([[-1, 7, -1]], np.int16), "-1 (2 px)"),
        (np.array([[-1, 70000]], np.int32), "-1 (1 px), 70000 (1 px)"),
        (np.array([[65536]], np.uint32), "65536 (1 px)"),
        (np.array([[2**63 + 5]], np.uint64), f"{2**63 + 5} (1 px)"),
    ],
)
def test_negative_and_very_large_ids_are_no_class(raw: npt.NDArray[Any], named: str) -> None:
    with pytest.raises(LabelIdError, match="outside the class map") as caught:
        STREET.to_train_ids(raw)
    assert named in str(caught.value)


def test_a_long_list_of_known_ids_is_shortened_in_messages() -> None:
    many = ClassMap(tuple(SemanticClass(str(i), (0, 0, 0), (i,)) for i in range(60)), ())
    with pytest.raises(LabelIdError, match="60 ids from 0 to 59"):
        many.to_train_ids(np.array([[60]], np.uint8))


@examples(60)
@given(_class_maps(), st.data())
def test_train_ids_come_back_as_raw_ids_of_the_same_class(class_map: ClassMap, data: st.DataObject) -> None:
    known = [i for c in class_map.classes for i in c.raw_ids] + list(class_map.ignored_raw_ids)
    raw = np.array([data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=20))], np.uint16)
    train = class_map.to_train_ids(raw)
    for train_id, semantic in enumerate(class_map.classes):
        np.testing.assert_array_equal(train == train_id, np.isin(raw, semantic.raw_ids))
    np.testing.assert_array_equal(train == 255, np.isin(raw, class_map.ignored_raw_ids))
    back = class_map.to_raw_ids(train)
    np.testing.assert_array_equal(class_map.to_train_ids(back), train)
    first = {c.raw_ids[0] for c in class_map.classes} | set(class_map.ignored_raw_ids[:1])
    assert set(np.unique(back).tolist()) <= first


def test_raw_ids_take_8_bits_where_they_fit() -> None:
    small = ClassMap((ROAD, CAR), (0,))
    back = small.to_raw_ids(np.array([[0, 1, 255]], np.uint8))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, [[7, 26, 0]])
    assert STREET.to_raw_ids(np.array([[2, 255]], np.uint8)).tolist() == [[40000, 0]]


def test_an_ignored_pixel_never_comes_back_as_a_class() -> None:
    everything = ClassMap((SemanticClass("a", (0, 0, 0), (255,)), SemanticClass("b", (0, 0, 0), (0, 1))), ())
    (ignored,) = everything.to_raw_ids(np.array([255], np.uint8)).tolist()
    assert ignored not in (0, 1, 255)


def test_pictures_show_the_classes_in_their_colours() -> None:
    np.testing.assert_array_equal(STREET.colored(np.array([[1, 255]], np.uint8)), [[[0, 0, 142], [0, 0, 0]]])
    assert STREET.names == ("road", "car", "wide")


@examples(40)
@given(_class_maps())
def test_class_maps_survive_json_and_toml(class_map: ClassMap) -> None:
    data = class_map.to_json()
    assert ClassMap.from_json(json.loads(json.dumps(data))) == class_map
    assert ClassMap.from_json(tomllib.loads(tomlkit.dumps(data))) == class_map


CITY = ClassMap(
    (
        SemanticClass("road", (128, 64, 128), (7,)),
        SemanticClass("vehicle", (0, 0, 142), (26, 27), raw_colors=((0, 0, 142), (0, 0, 70))),
    ),
    ignored_raw_ids=(0, 1),
    masked_raw_ids=(1,),
)


def test_exact_colours_become_train_ids_and_raw_ids() -> None:
    picture = np.array([[(128, 64, 128), (0, 0, 142), (0, 0, 70), (0, 0, 0)]], np.uint8)
    np.testing.assert_array_equal(CITY.to_train_ids(picture), [[0, 1, 1, 255]])
    np.testing.assert_array_equal(CITY.to_known_raw_ids(picture), [[7, 26, 26, 0]])
    np.testing.assert_array_equal(CITY.shows_scene(picture), [[True] * 4])


def test_unknown_colours_are_named_with_their_pixel_counts_the_most_frequent_first() -> None:
    picture = np.full((2, 4, 3), (0, 0, 70), np.uint8)
    picture[0] = (1, 2, 3)
    picture[1, 0] = (128, 64, 127)
    with pytest.raises(LabelIdError) as caught:
        CITY.to_train_ids(picture)
    assert "(1, 2, 3) (4 px), (128, 64, 127) (1 px). Add them to raw_colors" in str(caught.value)


def test_colours_that_two_classes_share_cannot_be_labels() -> None:
    twins = ClassMap((SemanticClass("a", (1, 1, 1), (0,)), SemanticClass("b", (1, 1, 1), (1,))), ())
    with pytest.raises(LabelIdError, match="share"):
        twins.to_train_ids(np.ones((2, 2, 3), np.uint8))
    np.testing.assert_array_equal(twins.to_train_ids(np.array([[0, 1]], np.uint8)), [[0, 1]])


def test_masked_ids_are_those_that_do_not_show_the_scene() -> None:
    raw = np.array([[0, 1, 7, 99]], np.uint8)
    np.testing.assert_array_equal(CITY.shows_scene(raw), [[True, False, True, True]])
    assert CITY.to_train_ids(raw[:, :3]).tolist() == [[255, 255, 0]]


def test_a_divisor_takes_the_class_from_ids_that_hold_an_instance_too() -> None:
    mapillary = ClassMap((SemanticClass("road", (0, 0, 0), (13,)), SemanticClass("car", (1, 1, 1), (55,))), (65,))
    stored = np.array([[13 * 256, 55 * 256 + 7, 65 * 256]], np.uint16)
    with pytest.raises(LabelIdError, match="set raw_id_divisor = 256"):
        mapillary.to_train_ids(stored)
    divided = ClassMap(mapillary.classes, (65,), raw_id_divisor=256)
    assert divided.to_train_ids(stored).tolist() == [[0, 1, 255]]
    assert divided.to_known_raw_ids(stored).tolist() == [[13, 55, 65]]
    assert divided.to_known_raw_ids(stored).dtype == np.uint8
    assert divided.train_ids_of(divided.to_known_raw_ids(stored)).tolist() == [[0, 1, 255]], "divided once only"


def test_regrouping_classes_changes_train_ids_and_not_raw_ids() -> None:
    apart = ClassMap(
        (CITY.classes[0], SemanticClass("car", (0, 0, 142), (26,)), SemanticClass("truck", (0, 0, 70), (27,))), (0, 1)
    )
    assert apart.pixel_rules() != CITY.pixel_rules()
    assert apart.pixel_rules(regrouping=False)["raw_ids"] == CITY.pixel_rules(regrouping=False)["raw_ids"]


def _with(**changes: object) -> dict[str, object]:
    return {"name": "road", "color": [1, 2, 3], "raw_ids": [7]} | changes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "classes"),
        ({"classes": []}, "1 to 254 classes, not 0"),
        ({"classes": [_with(raw_ids=[i]) for i in range(255)]}, "1 to 254 classes, not 255"),
        ({"classes": [_with(), _with(name="car")]}, r"raw label ids \[7\] stand in more than one class"),
        ({"classes": [_with()], "ignored_raw_ids": [7]}, r"raw label ids \[7\] stand in more than one class"),
        ({"classes": [_with(raw_ids=[-1])]}, "must lie in 0..65535"),
        ({"classes": [_with(raw_ids=[65536])]}, "must lie in 0..65535"),
        ({"classes": [_with(raw_ids=[])]}, "classes without any raw id: road"),
        ({"classes": [_with(color=[1, 2])]}, "name, color"),
        ({"classes": [_with(color=[1, 2, 256])]}, "three numbers in 0..255"),
        ({"classes": [{"name": "road", "raw_ids": [7]}]}, "color"),
        ({"classes": ["road"]}, "name, color"),
        ({"classes": 3}, "name, color"),
        ({"classes": [_with(raw_ids=7)]}, "raw_ids"),
        ({"classes": [_with(raw_ids="12")]}, "raw_ids"),
        ({"classes": [_with(raw_ids=[7.5])]}, "raw_ids"),
        ({"classes": [_with(raw_ids=[True])]}, "raw_ids"),
        ({"classes": [_with(color=[1.5, 2, 3])]}, "color"),
        ({"classes": [_with()], "ignored_raw_ids": "0"}, "raw_ids"),
        ({"classes": [_with()], "ignored_ids": [0]}, "ignored_ids"),
        ({"classes": [_with(raw_id=[3])]}, "raw_id"),
        ({"classes": [_with()], "ignore_id": 0}, "255"),
        ({"classes": [_with()], "masked_raw_ids": [3]}, r"\[3\] are masked but not ignored"),
        ({"classes": [_with()], "raw_id_divisor": 0}, "raw_id_divisor must lie in"),
        ({"classes": [_with(raw_colors=[[1, 2]])]}, "raw_ids"),
        ({"classes": [_with()], "ignored_colors": [3]}, "raw_ids"),
    ],
)
def test_bad_class_maps_are_refused_with_what_is_wrong(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ClassMap.from_json(data)


# --- labels that were compressed with a loss


SNAPPED = ClassMap(
    (SemanticClass("a", (0, 0, 0), (0,)), SemanticClass("b", (200, 0, 0), (200,))),
    (255,),
    ignored_colors=((200, 200, 200),),
    snap_distance=20,
)


def test_unknown_values_become_the_nearest_known_one_or_are_ignored() -> None:
    ids = np.array([[0, 20, 21, 180, 200, 227, 228, 255]], np.uint8)
    assert SNAPPED.to_train_ids(ids).tolist() == [[0, 0, 255, 1, 1, 255, 255, 255]]
    colors = np.array([[[0, 0, 0], [12, 0, 16], [12, 0, 17], [195, 5, 5], [199, 199, 199]]], np.uint8)
    assert SNAPPED.to_train_ids(colors).tolist() == [[0, 0, 255, 1, 255]]
    assert SNAPPED.to_known_raw_ids(ids).tolist() == [[0, 0, 255, 200, 200, 255, 255, 255]]
    known, _ = SNAPPED.known_values(colors=True)
    assert count_far(colors, known, SNAPPED.snap_distance) == 1


def test_the_distance_is_a_pixel_rule_and_stands_in_files_where_it_is_set_only() -> None:
    exact = replace(SNAPPED, snap_distance=0.0)
    assert SNAPPED.pixel_rules()["snap_distance"] == 20
    assert "snap_distance" not in exact.pixel_rules()
    for class_map in (SNAPPED, exact, replace(exact, reading=LabelReading.IDS, found=True)):
        assert ClassMap.from_json(class_map.to_json()) == class_map
    assert replace(exact, reading=LabelReading.IDS, found=True).pixel_rules() == exact.pixel_rules()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"snap_distance": -1}, "snap_distance must lie in"),
        ({"snap_distance": "far"}, "a number is needed, not 'far'"),
        ({"reading": "hue"}, "labels are read as one of stored, ids, levels, red, green, blue, colors, not 'hue'"),
        ({"found": 1}, "true or false is needed"),
    ],
)
def test_what_makes_no_sense_in_a_class_map_is_refused(entry: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ClassMap.from_json(SNAPPED.to_json() | entry)
