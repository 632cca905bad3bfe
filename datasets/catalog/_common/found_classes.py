"""A class map for labels of which nothing is known: one class per id or colour that they hold."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from segprep.datasets.classes import ClassMap, Color, SemanticClass, distinct_colors
from segprep.datasets.codes import RawLabelCode
from segprep.datasets.errors import ConfigurationError, SegprepError
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import IGNORE_ID

__all__ = ["UNLABELLED", "found_class_map"]

UNLABELLED = ClassMap((SemanticClass("class_0", distinct_colors(1)[0], (0,)),), (IGNORE_ID,))
"""For images without labels: a single class that nothing uses."""

_BLACK = (0, 0, 0)
_MOST_CLASSES = IGNORE_ID - 1


def found_class_map(labels: Iterable[Path]) -> ClassMap | None:
    """Return one class per id, or per colour, that occurs in label files; id 255 and black are ignored.

    Files that cannot be read are passed over: their samples fail by name when they are processed.

    Args:
        labels: The files.

    Returns:
        The class map; None if no file could be read.

    Raises:
        ConfigurationError: If there are both ids and colours, or more values than a label has classes.
    """
    ids: set[int] = set()
    colors: set[Color] = set()
    for path in labels:
        try:
            raw, _ = RawLabelCode().from_file(read_image(path))
        except SegprepError:
            continue
        if raw.ndim == 2:
            ids.update(np.unique(raw).tolist())
        else:
            colors.update((r, g, b) for r, g, b in np.unique(raw.reshape(-1, 3), axis=0).tolist())
        if len(ids) > _MOST_CLASSES + 1 or len(colors) > _MOST_CLASSES + 1:
            raise ConfigurationError(
                f"{path} and those before it hold {max(len(ids), len(colors))} different label values, far more than "
                "classes: are these labels? Give their meaning with --classes FILE"
            )
    if ids and colors:
        raise ConfigurationError("some label files hold ids and some hold colours: give their meaning with --classes")
    if colors:
        named = sorted(colors - {_BLACK})
        classes = [SemanticClass(f"class_{r:02x}{g:02x}{b:02x}", (r, g, b), (i,)) for i, (r, g, b) in enumerate(named)]
        return ClassMap(tuple(classes), (IGNORE_ID,)) if classes else None
    named_ids = sorted(ids - {IGNORE_ID})
    shown = zip(named_ids, distinct_colors(len(named_ids)), strict=True)
    return ClassMap(tuple(SemanticClass(f"class_{i}", c, (i,)) for i, c in shown), (IGNORE_ID,)) if named_ids else None
