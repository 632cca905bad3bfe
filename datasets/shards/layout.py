"""What a shard store consists of: its arrays with their names, shapes and files.

A store is a Zarr v3 group `<split>.zarr`. Each column is an array (sample, y, x[, channel]) whose chunk is one sample
and whose shards all hold the same number of samples; a masked column has a uint8 array `<column>_valid` beside it.
Arrays of one small value per sample (`ROW_ARRAYS`) have one plain chunk per shard.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segprep.datasets.errors import ConfigurationError, SizeMismatchError
from segprep.datasets.kinds import rule
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.chunks import CODECS
from segprep.datasets.shards.columns import ArraySpec, valid_name

__all__ = [
    "CAMERA_CELL",
    "CELL_DIGESTS",
    "CELL_DIGEST_BYTES",
    "CHUNK_CHECKSUMS",
    "MAX_KEY_BYTES",
    "ROW_ARRAYS",
    "SCHEMA_VERSION",
    "ArrayLayout",
    "StorePlan",
    "encode_json",
    "samples_per_shard",
]

SCHEMA_VERSION = 1
"""Readers refuse stores with a higher one."""

ROW_ARRAYS = ("augmentation", "camera_K", "key", "motion", "pose", "source_paths", "source_size", "variant")
CELL_DIGESTS = "cell_digests"
"""Row array of traced stores: the first bytes of the fingerprint of each cell that a row was made from."""
CHUNK_CHECKSUMS = "chunk_crc32c"
"""Row array of traced stores: the checksum of each of a row's chunks, which ties a chunk to its place."""
CELL_DIGEST_BYTES = 8
CAMERA_CELL = "camera"
"""Stands behind the columns in the order of a row's cells."""

_TARGET_SHARD_BYTES = 64 * 2**20
_MIN_SAMPLES_PER_SHARD = 32
MAX_KEY_BYTES = 200
"""Of a sample's key in UTF-8."""


def encode_json(value: Any) -> bytes:  # noqa: ANN401  (any JSON value)
    """Return the one spelling of a JSON value that stores use: ASCII, sorted keys, no spaces, no NaN.

    Escapes keep file names apart that are no valid UTF-8.

    Raises:
        ValueError: If the value holds NaN or infinity.
        TypeError: If it holds something that JSON cannot express.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """One Zarr array of a store.

    Attributes:
        name: Its folder in the store.
        shape: Whole shape; the first axis is `sample`.
        dtype: Numpy name.
        dims: Dimension names. Equal names have equal sizes throughout the store, as xarray wants it.
        fill: Value that other programs read where a file is missing.
        sharded: Whether each sample is a chunk of its own; otherwise a file is one chunk of all its samples.
        rows_per_file: Samples per file.
        codec: A key of `CODECS`.
        attributes: Of the Zarr array.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    dims: tuple[str, ...]
    fill: float
    sharded: bool
    rows_per_file: int
    codec: str
    attributes: JsonDict

    def file(self, shard: int) -> str:
        """Return the path of a shard's file relative to the store, for example `image/c.3.0.0.0`."""
        return f"{self.name}/c.{shard}" + ".0" * (len(self.shape) - 1)


@dataclass(frozen=True, slots=True)
class StorePlan:
    """Everything that must be known before the first shard is written.

    Attributes:
        split: For example "train".
        specs: The columns; all have the same height and width.
        rows: Number of samples, variants included.
        samples_per_shard: The same for all arrays; see the function `samples_per_shard`.
        codec: "lz4", "none" or "zstd".
        key_bytes: Length of the longest key in UTF-8.
        source_bytes: Length of the longest `encode_json(source_paths)`.
        augmentation_bytes: Length of the longest `encode_json(augmentation)`; 2 suffices for stores without variants.
        traced: Whether the store says from which cells each row was made, and which chunks belong to it. Stores that
            were written before segprep kept this do not.
    """

    split: str
    specs: tuple[ArraySpec, ...]
    rows: int
    samples_per_shard: int
    codec: str
    key_bytes: int
    source_bytes: int
    augmentation_bytes: int = 2
    traced: bool = False

    def __post_init__(self) -> None:
        if self.rows < 1 or not self.specs:
            raise ConfigurationError(f"a store needs samples and columns, not {self.rows} and {len(self.specs)}")
        if not 1 <= self.samples_per_shard <= self.rows:
            raise ConfigurationError(f"{self.samples_per_shard} samples per shard do not fit {self.rows} samples")
        if self.codec not in CODECS:
            raise ConfigurationError(f"there is no codec {self.codec!r}. Known: {', '.join(CODECS)}")
        if not 1 <= self.key_bytes <= MAX_KEY_BYTES or min(self.source_bytes, self.augmentation_bytes) < 2:
            raise ConfigurationError("key_bytes must lie in 1..200, source_bytes and augmentation_bytes be 2 or more")
        names = [*ROW_ARRAYS, *((CELL_DIGESTS, CHUNK_CHECKSUMS) if self.traced else ()), *self.sharded]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ConfigurationError(f"array names that would be used twice in a store: {', '.join(twice)}")
        sizes = {s.shape[:2] for s in self.specs}
        if len(sizes) > 1:
            found = ", ".join(f"{s.name} {s.shape[1]}x{s.shape[0]}" for s in self.specs)
            raise SizeMismatchError(f"the columns of a store must have one size: {found}. Resize them alike")

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.rows // self.samples_per_shard)

    @property
    def sharded(self) -> tuple[str, ...]:
        """Names of the arrays with a chunk per sample: columns, each with its mask behind it."""
        return tuple(n for s in self.specs for n in ((s.name, valid_name(s.name)) if s.masked else (s.name,)))

    @property
    def cells(self) -> tuple[str, ...]:
        """Names of the cells that a row is made from, in the order in which `CELL_DIGESTS` has them."""
        return (*(spec.name for spec in self.specs), CAMERA_CELL)

    def shard_rows(self, shard: int) -> range:
        """Return the rows of a shard; the last one may have fewer than the others."""
        start = shard * self.samples_per_shard
        return range(start, min(start + self.samples_per_shard, self.rows))

    def arrays(self) -> dict[str, ArrayLayout]:
        """Return every array of the store by name: columns, their masks, then the arrays of one value per sample."""
        layouts: list[ArrayLayout] = []
        for spec in self.specs:
            dims: tuple[str, ...] = ("sample", "y", "x", f"channel_{spec.name}")[: len(spec.shape) + 1]
            attributes = spec.attributes | spec.array_attributes()
            layouts.append(self._column(spec.name, spec.shape, spec.dtype, dims, rule(spec.kind).fill, attributes))
            if spec.masked:
                layouts.append(self._column(valid_name(spec.name), spec.shape[:2], "uint8", dims[:3], 0, {}))
        layouts += [
            self._row_array("augmentation", "uint8", ("augmentation_byte",), (self.augmentation_bytes,)),
            self._row_array("camera_K", "float64", ("K_row", "K_column"), (3, 3)),
            self._row_array("key", "uint8", ("key_byte",), (self.key_bytes,)),
            self._row_array("motion", "float64", ("pose_row", "pose_column"), (4, 4)),
            self._row_array("pose", "float64", ("pose_row", "pose_column"), (4, 4)),
            self._row_array("source_paths", "uint8", ("source_byte",), (self.source_bytes,)),
            self._row_array("source_size", "int32", ("width_height",), (2,)),
            self._row_array("variant", "int32", (), ()),
        ]
        if self.traced:
            digests = (len(self.cells), CELL_DIGEST_BYTES)
            layouts += [
                self._row_array(CELL_DIGESTS, "uint8", ("cell", "cell_digest_byte"), digests),
                self._row_array(CHUNK_CHECKSUMS, "uint32", ("chunk_array",), (len(self.sharded),)),
            ]
        return {layout.name: layout for layout in layouts}

    def to_json(self) -> JsonDict:
        """Return an object of plain values that `from_json` reads back exactly."""
        return {
            "split": self.split,
            "columns": [s.to_json() for s in self.specs],
            "rows": self.rows,
            "samples_per_shard": self.samples_per_shard,
            "codec": self.codec,
            "key_bytes": self.key_bytes,
            "source_bytes": self.source_bytes,
            "augmentation_bytes": self.augmentation_bytes,
            **({"traced": True} if self.traced else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "StorePlan":
        """Build a plan from what `to_json` returned; further keys are allowed."""
        return cls(
            split=data["split"],
            specs=tuple(ArraySpec.from_json(c) for c in data["columns"]),
            rows=data["rows"],
            samples_per_shard=data["samples_per_shard"],
            codec=data["codec"],
            key_bytes=data["key_bytes"],
            source_bytes=data["source_bytes"],
            augmentation_bytes=data["augmentation_bytes"],
            traced=data.get("traced", False),
        )

    def _column(
        self, name: str, shape: tuple[int, ...], dtype: str, dims: tuple[str, ...], fill: float, attributes: JsonDict
    ) -> ArrayLayout:
        whole = (self.rows, *shape)
        return ArrayLayout(name, whole, dtype, dims, fill, True, self.samples_per_shard, self.codec, attributes)

    def _row_array(self, name: str, dtype: str, dims: tuple[str, ...], shape: tuple[int, ...]) -> ArrayLayout:
        fill = math.nan if dtype == "float64" else 0
        whole = (self.rows, *shape)
        return ArrayLayout(name, whole, dtype, ("sample", *dims), fill, False, self.samples_per_shard, "lz4", {})


def samples_per_shard(specs: Sequence[ArraySpec], rows: int) -> int:
    """Return how many samples a shard of a store of `rows` samples should hold.

    The largest column gets about 64 MiB of raw data per shard, but at least 32 samples, and never more than there are.
    768x384 RGB is 884736 bytes a sample: 75 samples.
    """
    largest = max(s.sample_bytes for s in specs)
    return min(rows, max(_MIN_SAMPLES_PER_SHARD, _TARGET_SHARD_BYTES // largest))
