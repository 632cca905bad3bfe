"""Between what shards hold and what is augmented: all columns of a sample decoded, and encoded again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from segprep.datasets.codes import Code
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Sample
from segprep.datasets.workspace.cells import Column

__all__ = ["EncodedSample", "decoded", "encoded"]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSample:
    """A sample whose arrays are stored integers in array order.

    Attributes:
        sample: With a mask for each column whose code has one.
        clipped: Column name to the number of valid pixels that its code could not express; only columns with any.
    """

    sample: Sample
    clipped: Mapping[str, int]


def decoded(sample: Sample, columns: Mapping[str, Column]) -> Sample:
    """Return a sample with values in place of stored integers.

    Raises:
        CodeRangeError: If an array does not fit its column's code, or has no column; names the column.
    """
    arrays, valid = {}, {}
    for name, stored in sample.arrays.items():
        try:
            arrays[name], mask = _code(name, columns).decode(stored, sample.valid.get(name))
        except CodeRangeError as error:
            raise CodeRangeError(f"column {name}: {error}") from error
        if mask is not None:
            valid[name] = mask
    return replace(sample, arrays=arrays, valid=valid)


def encoded(sample: Sample, columns: Mapping[str, Column]) -> EncodedSample:
    """Return a sample with stored integers in place of values: the last thing that is done to a variant.

    Raises:
        CodeRangeError: If an array does not fit its column's code, or has no column; names the column.
    """
    arrays, valid, clipped = {}, {}, {}
    for name, values in sample.arrays.items():
        try:
            result = _code(name, columns).encode(values, sample.valid.get(name))
        except CodeRangeError as error:
            raise CodeRangeError(f"column {name}: {error}") from error
        arrays[name] = result.stored
        if result.valid is not None:
            valid[name] = result.valid
        if result.clipped:
            clipped[name] = result.clipped
    return EncodedSample(replace(sample, arrays=arrays, valid=valid), clipped)


def _code(name: str, columns: Mapping[str, Column]) -> Code:
    code = columns[name].code if name in columns else None
    if code is None:
        raise CodeRangeError("nothing says how its numbers are coded")
    return code
