"""Classes of label columns that were made: their names and colours travel with the column."""

import pytest

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.made_classes import MOTION_CLASSES, class_attributes, made_class_map


def test_what_a_column_says_of_its_classes_is_read_back() -> None:
    attributes = dict(class_attributes(MOTION_CLASSES))
    assert attributes["classes"] == "static,moving"
    assert made_class_map(attributes["classes"].split(","), attributes) == MOTION_CLASSES


def test_a_column_brings_colours_of_its_own() -> None:
    made = made_class_map(("free", "taken", "left"), {"colors": "#0a0b0c,#ffffff,#FF0000"})
    assert [c.color for c in made.classes] == [(10, 11, 12), (255, 255, 255), (255, 0, 0)]
    assert [c.raw_ids for c in made.classes] == [(0,), (1,), (2,)]


def test_motion_labels_of_earlier_versions_have_the_colours_of_todays() -> None:
    assert made_class_map(("static", "moving"), {}) == MOTION_CLASSES


def test_other_columns_of_earlier_versions_get_different_colours() -> None:
    made = made_class_map(("a", "b", "c"), {"source": "a plug-in"})
    assert len({c.color for c in made.classes}) == 3


@pytest.mark.parametrize("colors", ["#0a0b0c", "red,blue", "#0a0b0c,#12345", ""])
def test_colours_that_are_not_one_per_class_are_refused(colors: str) -> None:
    with pytest.raises(ConfigurationError, match="attribute colors must be 2 of the form"):
        made_class_map(("a", "b"), {"colors": colors})
