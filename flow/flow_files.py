"""Optical flow that other programs made: reading its files, and finding them by a pattern."""

import string
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import numpy as np

from segprep.datasets.codes import KittiFlowCode, Vkitti2FlowCode
from segprep.datasets.errors import ConfigurationError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import image_orientation, read_image
from segprep.datasets.imageio.exif import UPRIGHT
from segprep.datasets.sample import Array, Mask
from segprep.flow.field import FlowField

__all__ = ["PATTERN_FIELDS", "FlowFormat", "check_pattern", "fill_pattern", "read_flow"]

PATTERN_FIELDS = ("key", "stem", "split", "sequence", "frame")
"""What a pattern may name of a sample; `stem` is the name of its image file without folders and suffix."""

_IDENTIFYING = ("key", "stem", "frame")
_UNKNOWN_ABOVE = 1e9  # pixels


class FlowFormat(StrEnum):
    """How a file holds (u, v) in pixels of its own grid, u to the right and v down."""

    AUTO = "auto"  # what the suffix says; .png is KITTI's
    FLO = "flo"  # Middlebury
    KITTI = "kitti"  # KITTI 2012 and 2015, 16-bit PNG
    VKITTI = "vkitti"  # Virtual KITTI 2, 16-bit PNG
    NPY = "npy"  # .npy, or .npz with one array or one called flow: (H, W, 2) floats
    PFM = "pfm"  # FlyingThings3D: three channels u, v, and one that means nothing


_BY_SUFFIX = {
    ".flo": FlowFormat.FLO,
    ".png": FlowFormat.KITTI,
    ".npy": FlowFormat.NPY,
    ".npz": FlowFormat.NPY,
    ".pfm": FlowFormat.PFM,
}


def read_flow(path: Path, file_format: str = FlowFormat.AUTO) -> FlowField:
    """Read a field at its own resolution. Where it points to, and on which frame's grid it lies, no format says.

    In formats of floats a vector is invalid that has NaN, infinity or more than 1e9 pixels in either part.

    Args:
        path: The file.
        file_format: A `FlowFormat`. The PNG files of KITTI and of Virtual KITTI 2 look alike and mean different
            vectors: `auto` takes KITTI's, the other must be asked for.

    Raises:
        MissingInputError: If the file does not exist.
        UnreadableFileError: If it is truncated, damaged, of another format or shape, or has no valid vector at all.
        ConfigurationError: If there is no such format, or the suffix does not tell.
    """
    chosen = _chosen_format(path, file_format)
    picture = read_image(path)
    if image_orientation(path) != UPRIGHT:
        raise UnreadableFileError(
            f"{path} has an orientation in its EXIF data, which turns pixels, but not the vectors in them: take it out "
            f"(`exiftool -Orientation= {path.name}`)"
        )
    try:
        uv_HW2, valid = _READERS[chosen](picture)
    except ValueError as error:
        raise UnreadableFileError(f"{path} holds no flow of the format {chosen}: {error}") from error
    field = FlowField(uv_HW2, valid)
    if not field.valid.any():
        raise UnreadableFileError(f"{path} has no valid vector among {valid.size} (format {chosen})")
    return field


def check_pattern(pattern: str) -> None:
    """Refuse patterns that `fill_pattern` could not fill, or that name one file for many samples.

    Raises:
        ConfigurationError: If so.
    """
    names = _fields_of(pattern)
    fill_pattern(pattern, {name: 0 if name == "frame" else "x" for name in PATTERN_FIELDS})
    if not set(names) & set(_IDENTIFYING):
        listed = ", ".join(f"{{{name}}}" for name in _IDENTIFYING)
        raise ConfigurationError(f"the pattern {pattern!r} names one file for many samples: it needs one of {listed}")


def fill_pattern(pattern: str, values: Mapping[str, str | int | None]) -> Path:
    """Return the path that a pattern means for one sample.

    `flow/{split}/{sequence}_{frame:06d}.flo` with split val, sequence 0001TP and frame 90 is
    `flow/val/0001TP_000090.flo`; `{{` and `}}` stand for braces.

    Args:
        pattern: With fields of `PATTERN_FIELDS`, formatted as Python does.
        values: Value of each; None for what the sample does not have.

    Raises:
        ConfigurationError: If the pattern has an unknown field or its format does not fit the value.
        MissingInputError: If it has a field that this sample does not have.
    """
    absent = sorted({name for name in _fields_of(pattern) if values.get(name) is None})
    if absent:
        raise MissingInputError(f"the pattern {pattern!r} needs {', '.join(absent)}, which this sample does not have")
    try:
        return Path(pattern.format(**values))
    except (ValueError, LookupError) as error:
        raise ConfigurationError(f"the pattern {pattern!r} makes no sense: {error}") from error


def _fields_of(pattern: str) -> list[str]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None]
    except ValueError as error:
        raise ConfigurationError(f"the pattern {pattern!r} makes no sense: {error}") from error
    unknown = sorted(set(names) - set(PATTERN_FIELDS))
    if unknown:
        raise ConfigurationError(
            f"the pattern {pattern!r} has unknown fields: {', '.join(unknown) or 'one without a name'}. "
            f"Known: {', '.join(PATTERN_FIELDS)}"
        )
    return names


def _chosen_format(path: Path, file_format: str) -> FlowFormat:
    known = ", ".join(each for each in FlowFormat if each is not FlowFormat.AUTO)
    if file_format not in set(FlowFormat):
        raise ConfigurationError(
            f"there is no format of flow called {file_format!r}. Known: {FlowFormat.AUTO}, {known}"
        )
    if file_format != FlowFormat.AUTO:
        return FlowFormat(file_format)
    if path.suffix.lower() not in _BY_SUFFIX:
        raise ConfigurationError(f"the suffix of {path} does not tell the format of its flow: say which, {known}")
    return _BY_SUFFIX[path.suffix.lower()]


def _read_vectors(picture: Array) -> tuple[Array, Mask]:
    if picture.ndim != 3 or picture.shape[2] != 2:
        raise ValueError(f"its shape is {picture.shape}, not (H, W, 2)")
    return _finite(picture)


def _read_pfm(picture: Array) -> tuple[Array, Mask]:
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"its shape is {picture.shape}, not (H, W, 3)")
    return _finite(picture[..., :2])


def _finite(uv_HW2: Array) -> tuple[Array, Mask]:
    if uv_HW2.dtype.kind != "f":
        raise ValueError(f"its numbers are {uv_HW2.dtype}, not floats")
    size_HW = np.maximum(np.abs(uv_HW2[..., 0]), np.abs(uv_HW2[..., 1]))
    valid: Mask = size_HW <= _UNKNOWN_ABOVE  # NaN is not
    return uv_HW2, valid


def _read_kitti(picture: Array) -> tuple[Array, Mask]:
    return _decode(KittiFlowCode(), _checked_png(picture))


def _read_vkitti(picture: Array) -> tuple[Array, Mask]:
    height, width = _checked_png(picture).shape[:2]
    return _decode(Vkitti2FlowCode(width, height), picture)


def _checked_png(picture: Array) -> Array:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint16:
        hint = ": it shows flow, but the vectors cannot be had from it" if picture.dtype == np.uint8 else ""
        raise ValueError(f"it is {picture.dtype} of shape {picture.shape}, not uint16 of (H, W, 3){hint}")
    return picture


def _decode(code: KittiFlowCode | Vkitti2FlowCode, picture: Array) -> tuple[Array, Mask]:
    uv_HW2, valid = code.decode(*code.from_file(picture))
    return uv_HW2, np.ones(uv_HW2.shape[:2], np.bool_) if valid is None else valid


_READERS: Mapping[FlowFormat, Callable[[Array], tuple[Array, Mask]]] = MappingProxyType(
    {
        FlowFormat.FLO: _read_vectors,
        FlowFormat.KITTI: _read_kitti,
        FlowFormat.VKITTI: _read_vkitti,
        FlowFormat.NPY: _read_vectors,
        FlowFormat.PFM: _read_pfm,
    }
)
