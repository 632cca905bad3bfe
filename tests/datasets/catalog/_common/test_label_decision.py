"""How label files are read, from their channels and palettes, is decided over all files at once, and told."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.label_reading import LabelReading
from segprep.datasets.sample import Array
from support.found_labels import BLACK, GREEN, OLIVE, RED, found, told, train_ids
from support.label_files import grey_png, label_folder, palette_png, patches

# --- channels


def with_alpha(picture: Array) -> Array:
    return np.concatenate([picture, np.full_like(picture[..., :1], 255)], axis=2)


EQUAL = np.repeat(patches(0, 1, 2)[..., None], 3, axis=2)
RED_ONLY = EQUAL * np.array([1, 0, 0], np.uint8)
BLUE_ONLY = EQUAL * np.array([0, 0, 1], np.uint8)


@pytest.mark.parametrize(
    ("picture", "reading"),
    [
        (EQUAL, LabelReading.IDS),
        (with_alpha(EQUAL), LabelReading.IDS),
        (EQUAL.astype(np.uint16) * 300, LabelReading.IDS),
        (RED_ONLY, LabelReading.RED),
        (with_alpha(BLUE_ONLY), LabelReading.BLUE),
    ],
    ids=["equal channels", "grey with opaque alpha", "16 bits", "red alone", "blue alone, alpha"],
)
def test_ids_in_channels_are_ids_and_0_is_a_class(tmp_path: Path, picture: Array, reading: LabelReading) -> None:
    source = DatasetSource(label_folder(tmp_path, picture))
    class_map = found(source)
    assert class_map.reading is reading
    assert "are taken as ids" in told(source)
    np.testing.assert_array_equal(train_ids(source, class_map)[0], patches(0, 1, 2))


def test_black_and_white_masks_have_two_classes(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, np.repeat(patches(0, 255)[..., None], 3, axis=2)))
    class_map = found(source)
    np.testing.assert_array_equal(train_ids(source, class_map)[0], patches(0, 1))


def test_a_black_or_grey_file_of_a_set_of_colours_does_not_turn_into_ids(tmp_path: Path) -> None:
    grey = (70, 70, 70)
    labels = (patches(RED, GREEN, grey), patches(grey, grey), patches(BLACK), patches(0, 70))
    source = DatasetSource(label_folder(tmp_path, *labels))
    class_map = found(source)
    assert class_map.reading is LabelReading.COLORS
    assert [c.color for c in class_map.classes] == [BLACK, GREEN, grey, RED]
    ids = train_ids(source, class_map)
    assert [np.unique(each).tolist() for each in ids] == [[1, 2, 3], [2], [0], [0, 2]]


def test_ids_beside_colours_are_refused_with_both_names(tmp_path: Path) -> None:
    label_folder(tmp_path, patches(RED, GREEN, OLIVE), patches(0), patches(0, 1, 2))
    with pytest.raises(ConfigurationError, match=r"2\.png holds ids in one channel, .*0\.png colours"):
        found(DatasetSource(tmp_path))


# --- palettes


def test_equal_palettes_give_indices_as_ever(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1, 2), BLACK, RED, GREEN), palette_png(patches(0, 1), BLACK, RED))
    source = DatasetSource(label_folder(tmp_path, *files))
    assert found(source).reading is LabelReading.STORED
    assert not source.notices


def test_where_each_file_has_a_palette_of_its_own_the_colours_count(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1), RED, GREEN), palette_png(patches(0, 1), GREEN, OLIVE))
    source = DatasetSource(label_folder(tmp_path, *files))
    class_map = found(source)
    assert class_map.reading is LabelReading.COLORS
    assert "0.png" in told(source)
    assert "1.png" in told(source)
    first, second = train_ids(source, class_map)
    np.testing.assert_array_equal(first, np.array([1, 0])[patches(0, 1)])
    np.testing.assert_array_equal(second, np.array([0, 2])[patches(0, 1)])


def test_palettes_of_grey_levels_give_ids_where_they_differ(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1), (0, 0, 0), (7, 7, 7)), palette_png(patches(0, 1), (7, 7, 7), (9, 9, 9)))
    source = DatasetSource(label_folder(tmp_path, *files, patches(0, 9)))
    class_map = found(source)
    assert class_map.reading is LabelReading.LEVELS
    assert [c.raw_ids for c in class_map.classes] == [(0,), (7,), (9,)]
    assert [np.unique(each).tolist() for each in train_ids(source, class_map)] == [[0, 1], [1, 2], [0, 2]]


def test_a_palette_in_some_files_and_grey_in_others_are_the_same_ids_if_they_can_be(tmp_path: Path) -> None:
    with_palette = palette_png(patches(0, 1, 2), BLACK, RED, GREEN, OLIVE)
    source = DatasetSource(label_folder(tmp_path / "fine", with_palette, patches(0, 3, 255)))
    assert [c.raw_ids[0] for c in found(source).classes] == [0, 1, 2, 3]
    assert "indices and the numbers are taken for the same ids" in told(source)
    label_folder(tmp_path / "odd", with_palette, patches(0, 1), patches(0, 1, 77))
    with pytest.raises(ConfigurationError, match=r"0\.png holds a palette of fewer colours, .*2\.png larger numbers"):
        found(DatasetSource(tmp_path / "odd"))


def test_a_palette_beside_three_channels_is_told(tmp_path: Path) -> None:
    palette = palette_png(patches(0, 1), BLACK, (1, 1, 1))
    source = DatasetSource(label_folder(tmp_path / "equal", EQUAL, palette))
    assert found(source).reading is LabelReading.IDS
    assert "three channels hold equal numbers" in told(source)
    source = DatasetSource(label_folder(tmp_path / "red", RED_ONLY, palette_png(patches(0, 1), (1, 0, 0), (2, 0, 0))))
    assert found(source).reading is LabelReading.COLORS
    assert "in the red channel alone, and some have a palette: all are read as colours" in told(source)


def test_numbers_of_few_bits_are_not_mixed_up_with_those_of_8(tmp_path: Path) -> None:
    """A grey PNG of 2 bits is spread over 0..255 when it is read: its 1 becomes 85."""
    narrow = grey_png(patches(0, 1, 2), bits=2)
    label_folder(tmp_path, grey_png(patches(0, 3), bits=2), narrow, patches(0, 1, 2))
    with pytest.raises(ConfigurationError, match=r"1\.png holds fewer than 8 bits.*2\.png"):
        found(DatasetSource(tmp_path))


def test_ids_of_few_bits_are_told_to_be_spread(tmp_path: Path) -> None:
    source = DatasetSource(label_folder(tmp_path, grey_png(patches(0, 1, 3), bits=2)))
    assert [c.raw_ids for c in found(source).classes] == [(0,), (85,), (255,)]
    assert "1 of 2 bits is 85" in told(source)


def test_transparent_colours_of_palettes_that_differ_are_refused(tmp_path: Path) -> None:
    files = (palette_png(patches(0, 1), RED, GREEN), palette_png(patches(0, 1), GREEN, OLIVE, clear=0))
    assert found(DatasetSource(label_folder(tmp_path / "alone", files[1]))).reading is LabelReading.STORED
    with pytest.raises(ConfigurationError, match=r"palettes differ.*1\.png has transparent pixels"):
        found(DatasetSource(label_folder(tmp_path / "both", *files)))


# --- a class map of one's own decides


def test_what_the_users_class_map_knows_decides_how_files_are_read(tmp_path: Path) -> None:
    masks = label_folder(tmp_path / "masks", np.repeat(patches(0, 255)[..., None], 3, axis=2))
    colors = ClassMap((SemanticClass("no", BLACK, (0,)), SemanticClass("yes", (255, 255, 255), (1,))), ())
    by_color = found(DatasetSource(masks, classes=colors))
    ids = ClassMap((SemanticClass("no", BLACK, (0,)), SemanticClass("yes", (9, 9, 9), (255,))), ())
    by_id = found(DatasetSource(masks, classes=ids))
    assert (by_color.reading, by_id.reading) == (LabelReading.STORED, LabelReading.IDS)
    for class_map in (by_color, by_id):
        assert not class_map.found
        np.testing.assert_array_equal(train_ids(DatasetSource(masks), class_map)[0], patches(0, 1))
