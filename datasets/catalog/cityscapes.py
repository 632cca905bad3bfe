"""Cityscapes with fine annotations, in its official layout: 5000 street scenes, 2048x1024, 17 frames/s around each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from segprep.datasets.catalog._cityscapes.classes import (
    CATEGORIES,
    CLASS_SHARES,
    INSTANCE_PIXELS,
    SCHEMES,
    SMALLEST_INSTANCE,
    scheme_classes,
)
from segprep.datasets.catalog._cityscapes.layout import layout_text, require_images
from segprep.datasets.catalog._cityscapes.scan import scan_cityscapes
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap
from segprep.datasets.record import Direction, SampleRecord

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

_ANNOTATION: Final = "gtFine"
_SPLITS: Final = ("train", "val", "test")  # the labels of test tell the own vehicle and the borders, nothing else

SPEC = DatasetSpec(
    title="Cityscapes, fine annotations",
    layout=layout_text(_ANNOTATION, _SPLITS),
    columns=("image", "label", "instance", "disparity", "camera", "previous", "next"),
    licence="free for non-commercial research, after registration: https://www.cityscapes-dataset.com/license",
    citation=(
        "Cordts, Omran, Ramos, Rehfeld, Enzweiler, Benenson, Franke, Roth, Schiele: The Cityscapes dataset for "
        "semantic urban scene understanding. CVPR 2016"
    ),
    max_gap=0.2,
    depth_range=(2.0, 80.0),
    schemes=SCHEMES,
    class_shares=CLASS_SHARES,
    categories=CATEGORIES,
    instance_pixels=INSTANCE_PIXELS,
    smallest_instance=SMALLEST_INSTANCE,
)


def class_map(source: DatasetSource) -> ClassMap:
    """Return the classes of scheme "19", the benchmark's, or "11", SSMA's; ids 1 to 3 do not show the scene."""
    require_images(source.root, _ANNOTATION, _SPLITS)
    return scheme_classes(source.scheme)


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the annotated frames; neighbours come from leftImg8bit_sequence, their motion from the odometry."""
    yield from scan_cityscapes(source, _ANNOTATION, _SPLITS, direction, SPEC.max_gap)


def write_miniature(root: Path, frames: int) -> None:
    """Write rendered snippets of three frames in this layout, a quarter of them (at least one) to validate on.

    gtCoarse lies beside gtFine and has one more frame, in train_extra, so that `cityscapes_coarse` reads the same root.
    """
    from segprep.datasets.catalog._cityscapes.miniature import write_cityscapes

    write_cityscapes(root, fine=frames, coarse_only=1)
