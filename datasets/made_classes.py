"""Classes of label columns that were made here and are none of the dataset's: names and colours travel with them."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from segprep.datasets.classes import ClassMap, Color, SemanticClass, distinct_colors
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID

__all__ = ["MOTION_CLASSES", "class_attributes", "made_class_map"]

MOTION_CLASSES: Final = ClassMap(
    (SemanticClass("static", (90, 150, 110), (0,)), SemanticClass("moving", (220, 30, 30), (1,))),
    ignored_raw_ids=(IGNORE_ID,),
)
"""The classes of motion labels: 0 static, 1 moving; 255 is what cannot move or is not known."""


def class_attributes(class_map: ClassMap) -> tuple[tuple[str, str], ...]:
    """Return the attributes by which a column says which classes its ids 0, 1, ... are, and their colours."""
    colors = ",".join("#{:02x}{:02x}{:02x}".format(*each.color) for each in class_map.classes)
    return ("classes", ",".join(class_map.names)), ("colors", colors)


def made_class_map(names: Sequence[str], attributes: Mapping[str, object]) -> ClassMap:
    """Return the classes of a column's ids 0, 1, ...

    Args:
        names: Of the classes.
        attributes: Of the column. Columns of earlier versions do not say their colours: those of motion are known,
            others are made up.

    Raises:
        ConfigurationError: If the column's colours are not one for each class.
    """
    if "colors" in attributes:
        colors = _parsed(str(attributes["colors"]), len(names))
    elif tuple(names) == MOTION_CLASSES.names:
        return MOTION_CLASSES
    else:
        colors = distinct_colors(len(names))
    classes = [SemanticClass(name, colors[i], (i,)) for i, name in enumerate(names)]
    return ClassMap(tuple(classes), ignored_raw_ids=(IGNORE_ID,))


def _parsed(text: str, count: int) -> list[Color]:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}(,#[0-9a-fA-F]{6})*", text) or text.count("#") != count:
        raise ConfigurationError(f"a label column's attribute colors must be {count} of the form #dc1e1e, not {text!r}")
    numbers = [int(each[1:], 16) for each in text.split(",")]
    return [(number >> 16, number >> 8 & 255, number & 255) for number in numbers]
