"""Intrinsics in a file: a text file with numbers, or Open3D's JSON."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.documents import read_json
from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.imageio import image_size
from segprep.datasets.sample import Camera, Matrix
from segprep.datasets.source_files import unreadable

__all__ = ["first_size", "intrinsic_matrix", "read_intrinsics", "read_pinhole_json"]


def first_size(images: Iterable[Path]) -> tuple[int, int] | None:
    """Return (width, height) of the first image whose header can be read; None if there is none."""
    for path in images:
        with suppress(UnreadableFileError, MissingInputError):  # its sample fails by name later
            return image_size(path)
    return None


def intrinsic_matrix(fx: float, fy: float, cx: float, cy: float) -> Matrix:
    """Return the (3, 3) K of pixels counted from 0 at the centre of the first one."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def read_intrinsics(path: Path) -> Matrix:
    """Read K from "fx fy cx cy", a 3x3 or a 4x4 matrix, over any number of lines.

    Raises:
        UnreadableFileError: If the file holds anything else, or there is none.
    """
    lines = read_lines(path) or []
    values = [value for line in lines for value in line.finite_numbers()]
    if len(values) == 4:
        fx, fy, cx, cy = values
        return _checked(path, intrinsic_matrix(fx, fy, cx, cy))
    side = {9: 3, 16: 4}.get(len(values))
    if side is None:
        raise UnreadableFileError(
            f"{path} holds {len(values)} numbers: 4 (fx fy cx cy), 9 (3x3) or 16 (4x4) make intrinsics"
        )
    return _checked(path, np.array(values).reshape(side, side)[:3, :3])


def read_pinhole_json(path: Path) -> Camera:
    """Read Open3D's pinhole camera: `width`, `height` and `intrinsic_matrix`, nine numbers column by column.

    Raises:
        UnreadableFileError: If the file holds anything else.
    """
    try:
        data = read_json(path)
        sides = [data[name] for name in ("width", "height")]
        values = np.array(data["intrinsic_matrix"], np.float64)
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UnreadableFileError(
            f"{path} is no camera of Open3D with width, height and intrinsic_matrix ({error!r}): get it again"
        ) from error
    if not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise UnreadableFileError(f"{path}: width and height must be whole numbers above 0, not {sides}")
    if values.shape != (9,) or not np.isfinite(values).all():
        raise UnreadableFileError(f"{path}: intrinsic_matrix must be nine numbers, not {values.tolist()}")
    return Camera(_checked(path, values.reshape(3, 3).T), *sides)


def _checked(path: Path, K: Matrix) -> Matrix:
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[1, 0] != 0 or K[2].tolist() != [0, 0, 1]:
        raise UnreadableFileError(
            f"{path}: fx 0 cx / 0 fy cy / 0 0 1 with positive focal lengths is expected, not "
            f"{' / '.join(' '.join(f'{value:g}' for value in row) for row in K)}"
        )
    return K
