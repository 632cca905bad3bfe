"""What a workspace and a store both say of a column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from segprep.datasets.codes.base import Code
from segprep.datasets.codes.numbers import Numbers
from segprep.datasets.kinds import Kind

__all__ = ["ColumnFacts", "numbers_of"]

CodeT = TypeVar("CodeT", covariant=True)
AttributesT = TypeVar("AttributesT", covariant=True)


@dataclass(frozen=True, slots=True)
class ColumnFacts(Generic[CodeT, AttributesT]):
    """What arrays of a column are.

    Attributes:
        name: The name in files, shards and `--inputs`, also of a store's array.
        kind: What the values are; decides their geometry.
        code: How values become integers.
        attributes: What else readers should know, for example of which flow a motion image was made.
    """

    name: str
    kind: Kind
    code: CodeT
    attributes: AttributesT


def numbers_of(code: Code, attributes: Mapping[str, object]) -> Numbers | None:
    """Return what the stored integers of a column stand for; None for ids.

    Args:
        code: Of the column.
        attributes: Of the column. Colours of `quantity` "disparity" have what is infinitely far at their lower end.
    """
    numbers = code.numbers
    if numbers is None or numbers.palette is None or attributes.get("quantity") != "disparity":
        return numbers
    return numbers.far_at(numbers.low)
