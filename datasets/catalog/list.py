"""Samples that lists name, wherever their files lie below one folder: see `segprep.datasets.lists.files`."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.found_classes import UNLABELLED, found_class_map
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import PlainCode
from segprep.datasets.errors import DatasetNotFoundError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import read_image
from segprep.datasets.lists.files import find_lists, passed_over, read_lists, write_list
from segprep.datasets.record import Direction, SampleRecord, SourceFile

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="samples named in lists",
    layout="""\
ROOT/<split>.csv           image.png, label.png         or a first line with the columns: image,label,depth
ROOT/<split>.txt           image.png [modality2.png ...] label.png
ROOT/<split>.jsonl         {"image": "image.png", "label": "label.png"}
ROOT/<split>.parquet       columns image, label, ...
Paths are relative to ROOT. Lists may lie elsewhere: name them.""",
    columns=("image", "label"),
    licence="the user's own",
    citation="",
    max_gap=0.0,
    takes_lists=True,
    finds_classes=True,
)

_MOST_REASONS: Final = 10
_GREY: Final = PlainCode(channels=())


def class_map(source: DatasetSource) -> ClassMap:
    """Return one class per id, or per colour, that the labels hold; see `found_class_map` for what is none.

    Every label is read once. Lists without any label get a single class that nothing uses: images alone are enough to
    make predictions for.

    Raises:
        DatasetNotFoundError: If there are no lists, or there are labels and none can be read.
        ConfigurationError: If the labels' values are no classes.
        UnreadableFileError: If the lists are wrong.
    """
    labels = [source.root / r.sources["label"].path for r in _records(source) if "label" in r.sources]
    return found_class_map(labels, source) or UNLABELLED


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the samples in the lists' order; neighbours are those that lists give, in whatever direction."""
    yield from _records(source)


def write_miniature(root: Path, frames: int) -> None:
    """Write rendered frames with labels and PARIS's lists, a quarter of them (at least one) in `val.csv`."""
    from segprep.datasets.imageio import write_image
    from segprep.datasets.lists.entries import plain_source
    from segprep.datasets.sample import SampleKey
    from segprep.datasets.synthetic import World, render

    for split, seed, count in (("train", 1, frames - max(1, frames // 4)), ("val", 2, max(1, frames // 4))):
        records = []
        for index in range(count):
            frame = render(World(seed=seed), index, width=96, height=48)
            name = f"{split}_{index:03d}"
            paths = {"image": f"images/{name}.png", "label": f"labels/{name}.png"}
            write_image(root / paths["image"], frame.rgb_HWC)
            write_image(root / paths["label"], frame.label_HW)
            sources = {column: plain_source(column, path) for column, path in paths.items()}
            records.append(SampleRecord(SampleKey(name), split, sources))
        write_list(root / f"{split}.csv", records)


def _records(source: DatasetSource) -> list[SampleRecord]:
    lists = source.lists or find_lists(source.root)
    if not lists:
        reasons = "".join(f"\n  {reason}" for reason in passed_over(source.root)[:_MOST_REASONS])
        raise DatasetNotFoundError(
            f"{source.root} has no list of samples, and none was named{reasons}\nThe expected layout is:\n{SPEC.layout}"
        )
    return _with_bits(read_lists(lists, source.root, source.columns), source.root)


def _with_bits(records: list[SampleRecord], root: Path) -> list[SampleRecord]:
    """Take near infrared and thermal pictures of 16 bits as such; the first readable one of a column tells."""
    wide: dict[str, bool] = {}
    for record in records:
        for name, each in record.sources.items():
            if name not in wide and each.code == _GREY.to_json():
                with suppress(MissingInputError, UnreadableFileError):  # its sample fails by name later
                    wide[name] = read_image(root / each.path).dtype == np.uint16
    code = replace(_GREY, bits=16).to_json()

    def widened(name: str, each: SourceFile) -> SourceFile:
        return replace(each, code=code) if wide.get(name) and each.code == _GREY.to_json() else each

    return [replace(r, sources={n: widened(n, s) for n, s in r.sources.items()}) for r in records]
