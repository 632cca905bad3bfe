"""What an exported file says of itself, in all formats alike: one JSON object under the name `segprep`.

Needs no torch: files of other runtimes are read by it, too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import code_from_json
from segprep.datasets.errors import SegprepError, UnreadableFileError
from segprep.datasets.json_values import json_of, of_json
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.predict.columns import takes

__all__ = ["EXTRA_FILE", "METADATA_KEY", "ExportFacts", "Parity", "taken_dtype"]

METADATA_KEY: Final = "segprep"
"""Name of the entry in `metadata_props` of an ONNX file."""

EXTRA_FILE: Final = "segprep.json"
"""Name of the extra file in .pt2 and .torchscript files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far the answers of an exported file are those of the network that it was made of.

    Attributes:
        samples: On how many samples they were compared.
        source: Where these came from; `noise` if nothing real was at hand.
        agreement: Share of the pixels with the same likeliest class.
        max_difference: Largest difference of a probability.
    """

    samples: int
    source: str
    agreement: float
    max_difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFacts:
    """What a file holds, takes and gives.

    Attributes:
        version: Of segprep.
        network: Name of the network.
        options: Its options.
        parameters: Number of trained values.
        step: Of the training.
        dataset: Name of the data set whose classes it tells.
        target: The label column that it learned.
        precision: In which it computes: `fp32` or `int8`.
        size: (width, height) of the samples that it was trained on.
        fixed_size: (width, height) of the only size that it takes; None for any.
        smallest: Smallest width and height that it takes.
        columns: What it takes, as the store described it, in the order of its arguments.
        class_map: Its classes.
        provenance: Where the samples that it learned from came from.
        parity: See `Parity`; None before it was measured.
    """

    version: str
    network: str
    options: JsonDict
    parameters: int
    step: int
    dataset: str
    target: str
    precision: str
    size: tuple[int, int]
    fixed_size: tuple[int, int] | None
    smallest: int
    columns: tuple[JsonDict, ...]
    class_map: JsonDict
    provenance: JsonDict
    parity: Parity | None

    @property
    def specs(self) -> tuple[ArraySpec, ...]:
        """The columns that it takes."""
        return tuple(ArraySpec.from_json(each) for each in self.columns)

    @property
    def classes(self) -> ClassMap:
        """Its classes."""
        return ClassMap.from_json(self.class_map)

    def to_json(self) -> JsonDict:
        """Return plain values: the fields, and what readers without segprep want to know at once."""
        classes = self.classes
        return {
            "classes": list(classes.names),
            "colors": classes.colors[: len(classes.names)].tolist(),
            "ignore_id": IGNORE_ID,
            "inputs": [_input(each, self.fixed_size) for each in self.specs],
            **json_of(self),
        }

    def to_text(self) -> str:
        """Return the JSON that a file carries."""
        return json.dumps(self.to_json(), allow_nan=False)

    @classmethod
    def from_text(cls, text: str | None, path: str) -> "ExportFacts":
        """Read what a file carries.

        Args:
            text: JSON, None where the file has none.
            path: Of the file, for errors.

        Raises:
            UnreadableFileError: If it was not made by `train export`, or says what makes no sense.
        """
        if not text:
            raise UnreadableFileError(f"{path} does not say what it takes: make it with `train export`")
        try:
            said = json.loads(text)
            facts = replace(
                of_json(cls, said),
                size=_size(said["size"]),
                fixed_size=_size(said["fixed_size"]) if said["fixed_size"] else None,
                parity=of_json(Parity, said["parity"]) if said["parity"] else None,
            )
            _ = facts.specs, facts.classes
        except (SegprepError, ValueError, KeyError, TypeError) as error:
            raise UnreadableFileError(f"what {path} says of itself cannot be used ({error}): export it anew") from error
        return facts


def taken_dtype(column: ArraySpec) -> "np.dtype[Any]":
    """Return the type of the values that a file takes of a column: that of its values, and int32 for 16-bit pictures.

    ONNX's exporter knows no 16-bit integers without a sign.
    """
    code = code_from_json(column.code)
    values, _ = code.decode(np.zeros((1, 1, *column.shape[2:]), column.dtype), None)
    return np.dtype(np.int32) if values.dtype == np.uint16 else values.dtype


def _size(said: Sequence[int]) -> tuple[int, int]:
    width, height = said
    return width, height


def _input(column: ArraySpec, fixed_size: tuple[int, int] | None) -> Mapping[str, object]:
    values, _ = code_from_json(column.code).decode(np.zeros((1, 1, *column.shape[2:]), column.dtype), None)
    width, height = ("width", "height") if fixed_size is None else fixed_size
    dtype = taken_dtype(column)
    return {
        "name": column.name,
        "type": str(dtype),
        "shape": ["batch", height, width, *values.shape[2:]],
        "holds": takes(column) + ("; NaN is invalid" if dtype.kind == "f" else ""),
    }
