"""From what a request holds to what the network takes: values of the columns, brought to the size of training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import numpy as np

from segprep.datasets.codes import code_from_json
from segprep.datasets.codes.column import ColumnFacts
from segprep.datasets.drawing.columns import draw_column
from segprep.datasets.errors import SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask
from segprep.prep.resizing.resample import resample
from segprep.train.predict.columns import takes
from segprep.train.serve.columns import decoded_column, shown_kind
from segprep.train.serve.limits import Limits
from segprep.train.serve.refusals import Refused
from segprep.train.serve.servable import Servable

__all__ = ["Part", "Prepared", "network_size", "prepared", "sample_of"]

_NARROWEST: Final = 16  # the longer side by the shorter one


@dataclass(frozen=True, slots=True)
class Part:
    """One column of a request.

    Attributes:
        data: A PNG, JPEG or .npy file.
        unit: What its whole numbers stand for, where they must say it.
    """

    data: bytes
    unit: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A sample that the network can take.

    Attributes:
        stored_HWC: As `Servable.encoded` gives it, at the network's size.
        size: (width, height) as it came.
        shown_HW3: uint8 RGB of what came, to lay the classes over.
        clipped: By column how many pixels its code could not express.
    """

    stored_HWC: Array
    size: tuple[int, int]
    shown_HW3: Array
    clipped: Mapping[str, int]


def network_size(size: tuple[int, int], trained: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) at which the network sees a picture: its proportions, as many pixels as in training.

    Raises:
        Refused: If it is so narrow that little would be left of one side.
    """
    width, height = size
    if max(size) > _NARROWEST * min(size):
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"a picture of {width}x{height} is too narrow: one side may be {_NARROWEST} times the other at the most",
        )
    scale = math.sqrt(math.prod(trained) / math.prod(size))
    scaled = (max(1, round(width * scale)), max(1, round(height * scale)))
    # What differs by the rounding of a resize is the size of training itself, so that such pictures share a batch.
    return trained if all(abs(a - b) <= 1 for a, b in zip(scaled, trained, strict=True)) else scaled


def sample_of(
    model: Servable, parts: Mapping[str, Part], limits: Limits
) -> tuple[dict[str, Array], dict[str, Mask | None]]:
    """Decode the columns of a request.

    Raises:
        Refused: If a column is missing, not known, or too large.
        UnreadableFileError, CodeRangeError: If a file is damaged, or its numbers do not fit.
    """
    check_names(model, parts)
    arrays, valid = {}, {}
    for column in model.columns:
        part = parts[column.name]
        arrays[column.name], valid[column.name] = decoded_column(column, part.data, part.unit, limits.max_pixels)
    return arrays, valid


def check_names(model: Servable, names: Mapping[str, object]) -> None:
    """Refuse what lacks a column or has one that the network does not take: a misspelt one would be both."""
    known = {column.name: column for column in model.columns}
    lacking = "; ".join(f"{name}, {takes(column)}" for name, column in known.items() if name not in names)
    foreign = ", ".join(name for name in names if name not in known)
    if lacking or foreign:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            " and ".join(
                [f"these columns are missing: {lacking}"] * bool(lacking)
                + [f"the network does not take {foreign}, it takes {', '.join(known)}"] * bool(foreign)
            ),
        )


def prepared(model: Servable, arrays: Mapping[str, Array], valid: Mapping[str, Mask | None]) -> Prepared:
    """Bring all columns to the network's size, each by the rule of its kind, and code them.

    Raises:
        SizeMismatchError: If they differ in size.
        CodeRangeError: If an array does not fit its column's code.
    """
    sizes = {name: (array.shape[1], array.shape[0]) for name, array in arrays.items() if array.ndim >= 2}
    if len(set(sizes.values())) != 1 or len(sizes) < len(arrays):
        found = ", ".join(f"{name} {'x'.join(map(str, array.shape[1::-1]))}" for name, array in arrays.items())
        raise SizeMismatchError(f"the columns of a sample must have one size, not {found}")
    size = next(iter(sizes.values()))
    target = network_size(size, model.size)
    scaled: dict[str, Array] = {}
    masks: dict[str, Mask] = {}
    for column in model.columns:
        values, mask = resample(arrays[column.name], valid.get(column.name), shown_kind(column), target)
        scaled[column.name] = values
        if mask is not None:
            masks[column.name] = mask
    encoded = model.encoded(scaled, masks)
    return Prepared(encoded.stored_HWC, size, _shown(model, arrays, encoded.stored_HWC), encoded.clipped)


def _shown(model: Servable, arrays: Mapping[str, Array], stored_HWC: Array) -> Array:
    """Return (H, W, 3) uint8: the image where there is one, else the first column as it is drawn everywhere."""
    for column in model.columns:
        picture = arrays[column.name]
        if column.kind is Kind.IMAGE and picture.ndim == 3 and picture.dtype == np.uint8:
            return picture
    first = model.columns[0]
    channels = len(first.channels) if len(first.shape) == 3 else 1
    stored = stored_HWC[..., :channels].astype(first.dtype)
    facts = ColumnFacts(first.name, first.kind, code_from_json(first.code), first.attributes)
    return draw_column(facts, stored if len(first.shape) == 3 else stored[..., 0], None).picture_HW3
