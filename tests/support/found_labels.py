"""Classes that are found in label files: what was decided, what was said, and what each pixel becomes."""

import numpy as np

from segprep.datasets.catalog import folder
from segprep.datasets.catalog._member import DatasetSource
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import with_label_reading
from segprep.datasets.notices import About
from segprep.datasets.record import Direction
from segprep.datasets.sample import Array
from segprep.datasets.workspace.cells import decode_source

__all__ = ["BLACK", "BORDER", "GREEN", "OLIVE", "RED", "found", "told", "train_ids"]

BLACK, RED, GREEN, OLIVE = (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)  # the first of PASCAL VOC
BORDER = (224, 224, 192)


def found(source: DatasetSource) -> ClassMap:
    """Find the classes of a folder of labels."""
    return folder.class_map(source)


def train_ids(source: DatasetSource, class_map: ClassMap) -> list[Array]:
    """Decode each label as the workspace would."""
    records = [with_label_reading(r, class_map.reading) for r in folder.scan(source, Direction.PREVIOUS)]
    labels = [(r.sources["label"], source.root / r.sources["label"].path) for r in records]
    return [class_map.to_train_ids(np.asarray(decode_source(s, p.read_bytes(), p).values)) for s, p in labels]


def told(source: DatasetSource, about: About = About.GUESSED) -> str:
    """Return all that was said of a dataset."""
    return "\n".join(notice.text for notice in source.notices if notice.about is about)
