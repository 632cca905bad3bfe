"""Which values of labels are classes and which are void is decided over all files, shown, and never in silence."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segprep.datasets.catalog import CATALOG
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import with_label_reading
from segprep.datasets.notices import About
from segprep.datasets.record import Direction
from support.found_labels import BLACK, BORDER, GREEN, RED, found, told, train_ids
from support.label_files import label_folder, palette_png, patches

# --- 255


@pytest.mark.parametrize(
    ("ids", "void"),
    [
        ((0, 255), False),
        ((1, 255), False),
        ((13, 255), False),
        ((0, 128, 255), False),
        ((0, 85, 170, 255), False),
        ((0, 200, 204, 255), False),
        ((0, 1, 255), True),
        ((0, 1, 2, 255), True),
        ((0, 15, 255), True),
        ((3, 7, 200, 255), True),
    ],
)
def test_255_is_void_beside_small_ids_only_and_both_are_told(tmp_path: Path, ids: tuple[int, ...], void: bool) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(*ids)))
    class_map = found(source)
    assert class_map.found
    assert (255 in class_map.ignored_raw_ids) == void
    assert [c.raw_ids[0] for c in class_map.classes] == [i for i in ids if not (void and i == 255)]
    assert ('id 255 is taken for "not labelled"' if void else "id 255 is taken for a class") in told(source)


def test_without_255_nothing_is_guessed(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(0, 1, 2)))
    assert found(source).ignored_raw_ids == (255,)
    assert not source.notices


def test_the_largest_number_of_16_bits_is_judged_alike(tmp_path: Path) -> None:
    mask = np.where(patches(0, 1) > 0, 65535, 0).astype(np.uint16)
    assert [c.raw_ids for c in found(DatasetSource(label_folder(tmp_path / "mask", mask))).classes] == [(0,), (65535,)]
    ids = np.array([0, 1, 65535], np.uint16)[patches(0, 1, 2)]
    assert found(DatasetSource(label_folder(tmp_path / "ids", ids))).ignored_raw_ids == (65535,)


def test_in_files_of_fewer_bits_255_is_the_largest_number(tmp_path: Path) -> None:
    image = Image.fromarray(patches(0, 255)).convert("1")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert [c.raw_ids for c in found(DatasetSource(label_folder(tmp_path, buffer.getvalue()))).classes] == [
        (0,),
        (255,),
    ]


def test_voc_indices_with_a_border_of_its_colour_keep_their_background(tmp_path: Path) -> None:
    palette = [BLACK] * 255 + [BORDER]
    source = DatasetSource(label_folder(tmp_path, palette_png(patches(0, 255), *palette)))
    assert [c.raw_ids for c in found(source).classes] == [(0,)]
    assert "there is one class" in told(source, About.SUSPECT)


# --- the values that are shown


def test_values_are_shown_with_shares_files_and_what_they_become(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(0, 1, 2, 255), patches(0, 0, 0, 1)))
    found(source)
    shown = {each.value: (round(each.share, 3), each.files, each.becomes) for each in source.values}
    assert shown == {
        0: (0.5, 2, "class_0"),
        1: (0.25, 2, "class_1"),
        2: (0.125, 1, "class_2"),
        255: (0.125, 1, "ignored"),
    }
    assert sum(each.pixels for each in source.values) == 2 * 48 * 64


def test_a_value_between_two_known_ones_is_shown_as_what_it_becomes(tmp_path: Path) -> None:
    given = ClassMap((SemanticClass("high", (1, 1, 1), (10,)), SemanticClass("low", (2, 2, 2), (0,))), ())
    source = DatasetSource(label_folder(tmp_path, patches(0, 5, 10)), classes=given, snap_distance=8)
    class_map = found(source)
    assert {each.value: each.becomes for each in source.values} == {0: "low", 5: "low", 10: "high"}
    np.testing.assert_array_equal(train_ids(source, class_map)[0], patches(1, 1, 0))


def test_mostly_ignored_labels_are_said(tmp_path: Path) -> None:
    label = patches(255)
    label[:4, :8], label[:4, 8:16] = 0, 1
    source = DatasetSource(label_folder(tmp_path, label))
    found(source)
    assert "97.9% of the pixels are ignored" in told(source, About.SUSPECT)


# --- black


def test_black_is_a_class_and_the_line_that_makes_it_void_is_told(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(BLACK, (1, 2, 3), (4, 5, 6))))
    assert [c.color for c in found(source).classes] == [BLACK, (1, 2, 3), (4, 5, 6)]
    assert "ignored_colors = [[0, 0, 0]]" in told(source)


def test_voc_is_recognised_its_background_is_a_class_and_its_border_void(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(BLACK, RED, GREEN, BORDER)))
    class_map = found(source)
    assert [c.color for c in class_map.classes] == [BLACK, GREEN, RED]
    assert class_map.ignored_colors == (BORDER,)
    assert "PASCAL VOC" in told(source)


@pytest.mark.parametrize(
    ("colors", "name"),
    [
        (((128, 64, 128), (244, 35, 232), (70, 70, 70)), "Cityscapes"),
        (((64, 128, 64), (192, 0, 128), (0, 128, 64)), "CamVid"),
    ],
)
def test_palettes_that_are_known_to_have_black_as_void_keep_it(
    tmp_path: Path, colors: tuple[tuple[int, ...], ...], name: str
) -> None:
    source = DatasetSource(label_folder(tmp_path, patches(BLACK, *colors)))
    class_map = found(source)
    assert BLACK not in [c.color for c in class_map.classes]
    assert class_map.ignored_colors == (BLACK,)
    assert f'those of {name}, where black means "not labelled"' in told(source)


# --- what is sound


@pytest.mark.parametrize("name", ["folder", "list", "rgbd"])
def test_sound_labels_are_read_as_ever_and_nothing_is_said(tmp_path: Path, name: str) -> None:
    member = CATALOG.load(name)
    member.write_miniature(tmp_path, 3)
    source = DatasetSource(tmp_path)
    class_map = member.class_map(source)
    assert not source.notices
    assert (class_map.reading, class_map.ignored_raw_ids, class_map.ignored_colors) == ("stored", (255,), (BLACK,))
    assert [c.name for c in class_map.classes] == [f"class_{c.raw_ids[0]}" for c in class_map.classes]
    assert not {"reading", "snap_distance", "found"} & {*class_map.pixel_rules()}
    for record in member.scan(source, Direction.PREVIOUS):
        assert with_label_reading(record, class_map.reading).sources["label"].code == {"name": "raw-labels"}
