"""What a shard store keeps of each sample besides its columns, and the rows of one shard."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import Array, Matrix, SampleKey
from segprep.datasets.shards.layout import CELL_DIGEST_BYTES, CELL_DIGESTS, StorePlan, encode_json

__all__ = ["RowInfo", "ShardRows", "cell_digest", "cells_of", "row_values", "text_of"]

RowCell = tuple[Array, Array | None]


@dataclass(frozen=True, slots=True, eq=False)
class RowInfo:
    """What a store keeps of a sample besides its columns.

    Attributes:
        key: The sample.
        source_size: (width, height) of the original image in pixels.
        source_paths: Column name to path relative to the dataset's root.
        variant: 0 is the untouched original, others are augmentations of it.
        augmentation: What the augmentation drew, as JSON; empty for the original.
        camera_K: (3, 3) intrinsics at the stored size, or None.
        pose: (4, 4) camera to world in metres, or None.
        motion: (4, 4) transform of points to the neighbour's camera, or None.
        cells: Name of each cell that the row was made from to its fingerprint in hexadecimal.
    """

    key: SampleKey
    source_size: tuple[int, int]
    source_paths: Mapping[str, str]
    variant: int = 0
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    camera_K: Matrix | None = None
    pose: Matrix | None = None
    motion: Matrix | None = None
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ShardRows:
    """The samples of one shard.

    Attributes:
        rows: In the order of the store.
        cells: Called once per column with its name; gives for each row the stored codes (H, W[, C]) of the column's
            dtype, and the mask (H, W), nonzero where valid, or None for columns without one. One cell is in memory at
            a time if they are made one by one.
    """

    rows: Sequence[RowInfo]
    cells: Callable[[str], Iterable[RowCell]]


def cells_of(stored: Array, valid: Array | None) -> Iterator[RowCell]:
    """Return the cells of arrays (n, H, W[, C]) and (n, H, W)."""
    return ((each, None if valid is None else valid[row]) for row, each in enumerate(stored))


def text_of(padded: Array) -> str:
    """Return the text that a store keeps as bytes with zeros behind, (N,) uint8.

    Raises:
        UnicodeDecodeError: If it is no UTF-8.
    """
    return padded.tobytes().rstrip(b"\0").decode()


def cell_digest(fingerprint: str | None) -> bytes:
    """Return what `CELL_DIGESTS` keeps of a cell's fingerprint; zeros where there is no cell."""
    return bytes.fromhex(fingerprint or "")[:CELL_DIGEST_BYTES].ljust(CELL_DIGEST_BYTES, b"\0")


def row_values(plan: StorePlan, rows: Sequence[RowInfo]) -> dict[str, Array]:
    """Return the values of every row array that says something of samples, (n, ...), by name.

    Raises:
        CodeRangeError: If a text is longer than the plan says.
    """
    values: dict[str, Array] = {
        "augmentation": _texts(
            rows, [encode_json(r.augmentation) for r in rows], plan.augmentation_bytes, "augmentation"
        ),
        "camera_K": _matrices([r.camera_K for r in rows], 3),
        "key": _texts(rows, [r.key.encode() for r in rows], plan.key_bytes, "key"),
        "motion": _matrices([r.motion for r in rows], 4),
        "pose": _matrices([r.pose for r in rows], 4),
        "source_paths": _texts(rows, [encode_json(r.source_paths) for r in rows], plan.source_bytes, "source"),
        "source_size": np.array([r.source_size for r in rows], np.int32),
        "variant": np.array([r.variant for r in rows], np.int32),
    }
    if plan.traced:
        digests = b"".join(cell_digest(r.cells.get(name)) for r in rows for name in plan.cells)
        values[CELL_DIGESTS] = np.frombuffer(digests, np.uint8).reshape(len(rows), len(plan.cells), CELL_DIGEST_BYTES)
    return values


def _texts(rows: Sequence[RowInfo], texts: Sequence[bytes], width: int, what: str) -> Array:
    for row, text in zip(rows, texts, strict=True):
        if len(text) > width:
            raise CodeRangeError(
                f"the {what} of sample {row.key} has {len(text)} bytes; the plan's {what}_bytes is {width}"
            )
    return np.frombuffer(b"".join(t.ljust(width, b"\0") for t in texts), np.uint8).reshape(len(texts), width)


def _matrices(matrices: Sequence[Matrix | None], size: int) -> Matrix:
    unknown = np.full((size, size), np.nan)
    return np.stack([unknown if m is None else m for m in matrices])
