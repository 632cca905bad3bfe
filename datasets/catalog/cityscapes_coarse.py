"""Cityscapes with coarse annotations: the 3475 scenes of train and val again, and 19998 more in train_extra."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from segprep.datasets.catalog import cityscapes
from segprep.datasets.catalog._cityscapes.classes import scheme_classes
from segprep.datasets.catalog._cityscapes.layout import layout_text, require_images
from segprep.datasets.catalog._cityscapes.scan import scan_cityscapes
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap
from segprep.datasets.record import Direction, SampleRecord

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

_ANNOTATION: Final = "gtCoarse"
_SPLITS: Final = ("train", "train_extra", "val")

SPEC = replace(
    cityscapes.SPEC,
    title="Cityscapes, coarse annotations",
    layout=layout_text(_ANNOTATION, _SPLITS),
    class_shares={},  # those of the fine annotations do not hold: thin things are mostly left out
)


def class_map(source: DatasetSource) -> ClassMap:
    """Return the classes of scheme "19", the benchmark's, or "11", SSMA's; what was not annotated is ignored."""
    require_images(source.root, _ANNOTATION, _SPLITS)
    return scheme_classes(source.scheme)


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the annotated frames; there are no neighbours in train_extra."""
    yield from scan_cityscapes(source, _ANNOTATION, _SPLITS, direction, SPEC.max_gap)


def write_miniature(root: Path, frames: int) -> None:
    """Write the miniature of `cityscapes`, one of the frames in train_extra."""
    from segprep.datasets.catalog._cityscapes.miniature import write_cityscapes

    write_cityscapes(root, fine=frames - 1, coarse_only=1)
