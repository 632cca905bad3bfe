"""From the bytes of a file that somebody sent to an array in the units of its column."""

from http import HTTPStatus
from pathlib import Path
from typing import Final

from segprep.datasets.codes import KittiFlowCode, PlainCode, SourceCode, code_from_json
from segprep.datasets.codes.depth_units import DEPTH_UNITS, depth_unit
from segprep.datasets.errors import CodeRangeError, UnknownNameError
from segprep.datasets.imageio import decode_image, image_size
from segprep.datasets.imageio.pixel_format import pixel_format
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.predict.columns import takes
from segprep.train.serve.refusals import Refused

__all__ = ["OWN_UNIT", "decoded_column", "shown_kind", "units_of"]

OWN_UNIT: Final = "workspace"
"""Stands for the numbers that the files of a workspace's column hold."""

_FORMATS: Final = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8": "JPEG", b"\x93NUMPY": ".npy"}
_DISTANCES: Final = (Kind.DEPTH, Kind.DISPARITY)


def shown_kind(column: ArraySpec) -> Kind:
    """Return the kind of the values that a column is made of: of what is coded for the eye that of what it shows."""
    quantity = column.attributes.get("quantity")
    if quantity in _DISTANCES:
        return Kind(quantity)
    return code_from_json(column.code).shows or column.kind


def units_of(column: ArraySpec) -> tuple[str, ...]:
    """Return in which units whole numbers of a column may come; none of a column whose numbers speak for themselves."""
    if _is_plain(column):
        return ()
    kind = shown_kind(column)
    if kind in _DISTANCES:
        return (*(name for name, (of, _) in DEPTH_UNITS.items() if of is kind), OWN_UNIT)
    return ("kitti", OWN_UNIT) if kind is Kind.FLOW else (OWN_UNIT,)


def decoded_column(column: ArraySpec, data: bytes, unit: str | None, max_pixels: int) -> tuple[Array, Mask | None]:
    """Return values as `Model.encoded` takes them, and where they are valid; None for everywhere.

    Args:
        column: Which one.
        data: A PNG, JPEG or .npy file.
        unit: What its whole numbers stand for, one of `units_of`; None where the column has no units, or the file holds
            floats in the column's own unit.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        Refused: 413 if it is too large, 415 if it is of another format, 422 if it does not say what its numbers mean.
        UnreadableFileError, CodeRangeError: If it is damaged, or its numbers do not fit.
    """
    name = column.name
    format_name = next((each for start, each in _FORMATS.items() if data.startswith(start)), None)
    if format_name is None:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"{name} is neither PNG, JPEG nor .npy: send one of these, {takes(column)}",
        )
    width, height = image_size(Path(name), data)
    if width * height > max_pixels:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{name} has {width}x{height} pixels, and this server takes at most {max_pixels / 1e6:g} megapixels: "
            "send it smaller",
        )
    plain = _is_plain(column)
    numbers = decode_image(data, Path(name), palette_colors=plain)
    try:
        if plain:
            return _plain_values(column, numbers, unit)
        if numbers.dtype.kind == "f" and unit is None:
            return numbers, None
        if pixel_format(data).lossy:
            raise CodeRangeError("JPEG does not keep its numbers: send PNG or .npy")
        return _from_numbers(column, numbers, unit)
    except UnknownNameError:
        raise
    except CodeRangeError as error:
        raise CodeRangeError(f"{name}, {takes(column)}: {error}") from error


def _is_plain(column: ArraySpec) -> bool:
    """Whether numbers are stored as they come: of pictures."""
    code = code_from_json(column.code)
    return isinstance(code, PlainCode) and column.kind in (Kind.IMAGE, Kind.NIR, Kind.THERMAL)


def _plain_values(column: ArraySpec, numbers: Array, unit: str | None) -> tuple[Array, Mask | None]:
    if unit is not None:
        raise CodeRangeError(f"its numbers have no unit: leave {column.name}.unit out")
    code = code_from_json(column.code)
    if numbers.dtype.kind == "f":
        return numbers, None
    stored, valid = code.from_file(numbers)
    return code.decode(stored, valid)[0], valid


def _from_numbers(column: ArraySpec, numbers: Array, unit: str | None) -> tuple[Array, Mask | None]:
    if unit is None:
        raise CodeRangeError(
            f"the file holds {numbers.dtype}, which may mean anything: say it with {column.name}.unit="
            f"{' or '.join(units_of(column))}, or send a .npy of floats"
        )
    source = _source(column, unit)
    return source.decode(*source.from_file(numbers))


def _source(column: ArraySpec, unit: str) -> SourceCode:
    """Return the code of a file whose numbers are of this unit."""
    kind = shown_kind(column)
    if unit == OWN_UNIT:
        return code_from_json(column.code)
    if kind in _DISTANCES:
        of, source = depth_unit(unit)
        if of is kind:
            return source
    elif kind is Kind.FLOW and unit == "kitti":
        return KittiFlowCode()
    raise UnknownNameError(
        f"{column.name} cannot come in the unit {unit!r}. Known: {', '.join(units_of(column))}"
        + (", and 1/N of a metre such as 1/10000" if kind is Kind.DEPTH else "")
    )
