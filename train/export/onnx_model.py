"""A network in an ONNX file that `train export` made, run by onnxruntime. Needs no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import CodeRangeError, MissingInputError, SizeMismatchError, UnreadableFileError
from segprep.datasets.program.extras import optional_packages
from segprep.datasets.sample import Array, Mask
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.export.facts import METADATA_KEY, ExportFacts, taken_dtype
from segprep.train.predict.columns import takes

__all__ = ["OnnxModel"]

_SCORES: Final = "scores"
_IDS: Final = "ids"


class OnnxModel:
    """An exported network, loaded.

    Args:
        path: The file.
        threads: Of the processor that one call uses; 0 for all.

    Attributes:
        path: The file.
        facts: What the file says of itself.
        columns: What it takes, in their order.
        class_maps: By the name of the data set that it learned; one.

    Raises:
        MissingInputError: If there is no such file.
        UnreadableFileError: If it is no ONNX file, or none that `train export` made.
        ConfigurationError: If onnxruntime is not installed.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        with optional_packages(f"{path}"):
            import onnxruntime
        if not path.is_file():
            raise MissingInputError(f"there is no file {path}: check the path")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no base of their own
            raise UnreadableFileError(f"{path} cannot be read as ONNX: {error}") from error
        self.path = path
        self.facts = ExportFacts.from_text(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY), str(path))
        self.columns: tuple[ArraySpec, ...] = self.facts.specs
        self.class_maps: Mapping[str, ClassMap] = {self.facts.dataset: self.facts.classes}
        self._session: Any = session
        self._dtypes = {column.name: taken_dtype(column) for column in self.columns}

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the samples that it was trained on."""
        return self.facts.size

    def prepared(self, sample: Mapping[str, Array], valid: Mapping[str, Mask] | None = None) -> dict[str, Array]:
        """Check one sample and return its columns as the file takes them, without a batch axis.

        Args:
            sample: By column (H, W, C) or (H, W) in the units of its kind; further columns are let pass.
            valid: By column (H, W) bool. NaN is invalid anyway.

        Raises:
            MissingInputError: If a column is missing; says what it must hold.
            CodeRangeError: If an array is of another shape, or its values do not fit.
            SizeMismatchError: If the columns differ in size, or the file takes another size only.
        """
        masks = valid or {}
        arrays = {column.name: self._taken(column, sample, masks.get(column.name)) for column in self.columns}
        sizes = {name: (each.shape[1], each.shape[0]) for name, each in arrays.items()}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name} {width}x{height}" for name, (width, height) in sizes.items())
            raise SizeMismatchError(f"the columns of a sample must have one size, not {found}")
        width, height = next(iter(sizes.values()))
        fixed = self.facts.fixed_size
        if fixed is not None and fixed != (width, height):
            raise SizeMismatchError(f"{self.path} takes {fixed[0]}x{fixed[1]} pixels only, not {width}x{height}")
        return arrays

    def probabilities(self, arrays: Mapping[str, Array]) -> npt.NDArray[np.float32]:
        """Return (N, classes, H, W) probabilities.

        Args:
            arrays: By column, samples as `prepared` returns them behind each other, (N, H, W) or (N, H, W, C).
        """
        scores: npt.NDArray[np.float32]
        (scores,) = self._session.run([_SCORES], self._given(arrays))
        return scores

    def ids(self, arrays: Mapping[str, Array]) -> npt.NDArray[np.uint8]:
        """Return (N, H, W) train ids of the likeliest classes; see `probabilities`."""
        ids: npt.NDArray[np.uint8]
        (ids,) = self._session.run([_IDS], self._given(arrays))
        return ids

    def _given(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        return {column.name: arrays[column.name] for column in self.columns}

    def _taken(self, column: ArraySpec, sample: Mapping[str, Array], valid: Mask | None) -> Array:
        if column.name not in sample:
            raise MissingInputError(f"the sample has no column {column.name!r}, {takes(column)}")
        values, dtype = np.asarray(sample[column.name]), self._dtypes[column.name]
        shape = self._session_shape(column.name)
        if values.ndim != len(shape) - 1 or values.shape[2:] != tuple(shape[3:]):
            raise CodeRangeError(f"column {column.name!r}, {takes(column)}: this array has the shape {values.shape}")
        if dtype.kind != "f" and not np.can_cast(values.dtype, dtype):
            values = self._rounded(column, values)
        taken = values.astype(dtype)
        if valid is not None and dtype.kind == "f":
            taken[~valid] = np.nan
        return taken

    def _session_shape(self, name: str) -> list[Any]:
        return next(list(each.shape) for each in self._session.get_inputs() if each.name == name)

    def _rounded(self, column: ArraySpec, values: Array) -> Array:
        limits = np.iinfo(column.dtype)
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise CodeRangeError(f"column {column.name!r}, {takes(column)}: this array holds NaN")
        return np.rint(values.astype(np.float64)).clip(limits.min, limits.max)
