"""A column of one shard, encoded row by row: so nothing but compressed rows is kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from segprep.datasets.errors import CodeRangeError, LabelIdError, SizeMismatchError
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.sample import Array, Mask
from segprep.datasets.shards.chunks import encode_chunk
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.rows import RowInfo
from segprep.datasets.shards.statistics import LabelStatistics, Statistics, ValueStatistics, id_counts, sum_of

__all__ = ["ColumnParts", "EncodedRows"]


@dataclass(slots=True)
class ColumnParts:
    """The rows of a column that were added so far.

    Attributes:
        spec: The column.
        codec: A key of `CODECS`.
        chunks: One per row.
        mask_chunks: One per row of a masked column.
        statistics: Over the rows; None without rows and for instance ids, whose mean means nothing.
    """

    spec: ArraySpec
    codec: str
    chunks: list[bytes] = field(default_factory=list)
    mask_chunks: list[bytes] = field(default_factory=list)
    statistics: Statistics | None = None

    def add(self, row: RowInfo, stored: Array, valid: Array | None) -> None:
        """Add a row.

        Args:
            row: Which one, for messages.
            stored: (H, W) or (H, W, C) codes.
            valid: (H, W), nonzero where valid; None for columns without a mask.

        Raises:
            SizeMismatchError: If the shape is not the column's, or the mask is absent or too much.
            CodeRangeError: If the dtype is not the column's.
            LabelIdError: If a label is neither a train id of the column nor 255.
        """
        spec = self.spec
        if stored.shape != spec.shape:
            raise SizeMismatchError(f"column {spec.name}: a row must have the shape {spec.shape}, not {stored.shape}")
        if stored.dtype != np.dtype(spec.dtype):
            raise CodeRangeError(f"column {spec.name}: a row must be {spec.dtype}, not {stored.dtype}")
        if (valid is not None) != spec.masked:
            raise SizeMismatchError(f"column {spec.name} must {'' if spec.masked else 'not '}come with a mask")
        mask = None
        if valid is not None:
            if valid.shape != spec.shape[:2]:
                raise SizeMismatchError(
                    f"column {spec.name}: a mask must have the shape {spec.shape[:2]}, not {valid.shape}"
                )
            mask = valid if valid.dtype == np.bool_ else np.not_equal(valid, 0)
            self.mask_chunks.append(encode_chunk(mask.view(np.uint8), self.codec))
        self.chunks.append(encode_chunk(stored, self.codec))
        if spec.kind is not Kind.INSTANCE:
            measured = self._measured(row, stored, mask)
            self.statistics = measured if self.statistics is None else sum_of(self.statistics, measured)

    def _measured(self, row: RowInfo, stored: Array, mask: Mask | None) -> Statistics:
        if self.spec.kind is not Kind.LABEL:
            return ValueStatistics.of(stored[None], None if mask is None else mask[None], self.spec.far_number)
        classes = len(self.spec.classes)
        counts_256 = id_counts(stored)
        unknown = classes + np.flatnonzero(counts_256[classes:IGNORE_ID])
        if unknown.size:
            found = ", ".join(f"{i} ({counts_256[i]} px)" for i in unknown.tolist())
            raise LabelIdError(
                f"column {self.spec.name} of sample {row.key} (variant {row.variant}) holds ids that are neither a "
                f"train id 0..{classes - 1} nor {IGNORE_ID}: {found}. Map the labels to train ids first"
            )
        return LabelStatistics.of(counts_256[None], classes)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedRows:
    """The samples of one shard that were made row by row.

    Attributes:
        rows: In the order of the store.
        columns: By name, each with all of the rows.
    """

    rows: Sequence[RowInfo]
    columns: Mapping[str, ColumnParts]
