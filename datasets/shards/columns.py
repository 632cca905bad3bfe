"""What a shard store says of each of its columns."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segprep.datasets.codes import Code, MaskPlace, code_from_json
from segprep.datasets.codes.column import ColumnFacts, numbers_of
from segprep.datasets.errors import CodeRangeError, ConfigurationError
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.sample import JsonDict

__all__ = ["ArraySpec", "valid_name"]

# Sums of squares of 16-bit values are exact in 64 bits for any image; instance ids have no sums.
_VALUE_DTYPES = ("uint8", "int8", "uint16", "int16")
_INSTANCE_DTYPES = ("uint8", "uint16", "uint32", "int32")
# Names that xarray would take for CF conventions and act on.
_CF_ATTRIBUTES = {
    *("_FillValue", "missing_value", "scale_factor", "add_offset", "units", "calendar", "dtype", "coordinates"),
    "grid_mapping",
}


def valid_name(column: str) -> str:
    """Return the name of a column's mask array."""
    return f"{column}_valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec(ColumnFacts[JsonDict, JsonDict]):
    """One column of a store. Its code is JSON, for readers that decode by name, and its attributes JSON values.

    Attributes:
        shape: (H, W) or (H, W, C) of one sample.
        dtype: Of the stored codes: 8 or 16 bits; instance ids up to 32.
        channels: Names of the channels.
        code_scale: Per channel: value = stored * scale + offset.
        code_offset: Per channel.
        masked: Whether a mask array stands beside it.
        classes: For labels and for nothing else: class names by train id.
    """

    shape: tuple[int, ...]
    dtype: str
    channels: tuple[str, ...]
    code_scale: tuple[float, ...]
    code_offset: tuple[float, ...]
    masked: bool
    classes: tuple[str, ...] = ()
    attributes: JsonDict = field(default_factory=dict)

    def __post_init__(self) -> None:
        def refuse(reason: str) -> None:
            raise ConfigurationError(f"column {self.name!r} cannot be stored: {reason}")

        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.name):
            refuse("a column's name consists of letters, digits and underscores and begins with a letter")
        if self.kind is Kind.CAMERA:
            refuse("cameras are no arrays, they go into camera_K, pose and motion")
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            refuse(f"its shape must be (H, W) or (H, W, C), not {self.shape}")
        if len(self.shape) == 3 and self.shape[2] != len(self.channels):
            refuse(f"{self.shape[2]} channels need as many names, not {self.channels}")
        allowed: tuple[str, ...] = _INSTANCE_DTYPES if self.kind is Kind.INSTANCE else _VALUE_DTYPES
        if self.kind is Kind.LABEL:
            allowed = ("uint8",)
            if not 1 <= len(self.classes) < IGNORE_ID or len(self.shape) != 2 or self.masked:
                refuse("labels are (H, W), name 1 to 254 classes and mark unlabelled pixels by 255, not by a mask")
        elif self.classes:
            refuse("only labels have classes")
        if self.dtype not in allowed:
            refuse(f"its dtype must be one of {', '.join(allowed)}, not {self.dtype}")
        clash = self.attributes.keys() & (_CF_ATTRIBUTES | self.array_attributes().keys())
        if clash:
            refuse(f"the attribute names {', '.join(sorted(clash))} are taken")

    @classmethod
    def of(
        cls,
        name: str,
        kind: Kind,
        shape: tuple[int, ...],
        code: Code,
        *,
        masked: bool | None = None,
        classes: tuple[str, ...] = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> "ArraySpec":
        """Describe a column whose values a code keeps; whether it is masked says the code, unless you do."""
        return cls(
            name=name,
            kind=kind,
            shape=shape,
            dtype=str(code.dtype),
            channels=code.channels,
            code=code.to_json(),
            code_scale=code.scale,
            code_offset=code.offset,
            masked=code.mask is not MaskPlace.NONE if masked is None else masked,
            classes=classes,
            attributes=dict(attributes or {}),
        )

    @property
    def far_number(self) -> int | None:
        """The stored number of what is infinitely far; None where there is none, or it is read as a finite value."""
        try:
            numbers = numbers_of(code_from_json(self.code), self.attributes)
        except CodeRangeError:  # a code of another program
            return None
        if numbers is None or numbers.palette is not None or len(self.shape) != 2 or numbers.infinity != math.inf:
            return None
        return numbers.far

    @property
    def sample_bytes(self) -> int:
        """Raw size of one sample."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def to_json(self) -> JsonDict:
        """Return an object of plain values that `from_json` reads back exactly."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "masked": self.masked,
            **self.array_attributes(),
            "attributes": self.attributes,
        }

    def array_attributes(self) -> JsonDict:
        """Return what stands in the Zarr array's own attributes, for readers that know nothing of segprep."""
        return {
            "kind": str(self.kind),
            "channels": list(self.channels),
            "classes": list(self.classes),
            "code": self.code,
            "code_scale": list(self.code_scale),
            "code_offset": list(self.code_offset),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ArraySpec":
        """Build a column from what `to_json` returned."""
        return cls(
            name=data["name"],
            kind=Kind(data["kind"]),
            shape=tuple(data["shape"]),
            dtype=data["dtype"],
            channels=tuple(data["channels"]),
            code=data["code"],
            code_scale=tuple(data["code_scale"]),
            code_offset=tuple(data["code_offset"]),
            masked=data["masked"],
            classes=tuple(data["classes"]),
            attributes=data["attributes"],
        )
