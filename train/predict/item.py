"""What is predicted: one thing after the other, read when its turn comes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from segprep.datasets.sample import JsonDict, Sample

__all__ = ["Item", "LoadedItem"]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedItem:
    """What was read of an item.

    Attributes:
        sample: Its columns in the units of their kinds.
        original: (width, height) of the picture that it was made from.
        inputs: What it was read from, JSON values: for `Item.unchanged`, later.
    """

    sample: Sample
    original: tuple[int, int]
    inputs: JsonDict


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One thing to predict.

    Attributes:
        name: Of its outputs, without suffix; may hold folders. No two items of a call share it.
        source: What it is, for messages: a path.
        read: Reads it.
        unchanged: Whether what it was read from, as `LoadedItem.inputs` said then, is still the same.
    """

    name: str
    source: str
    read: Callable[[], LoadedItem]
    unchanged: Callable[[Mapping[str, object]], bool]
