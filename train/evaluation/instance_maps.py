"""Where the instances of a store's samples are read: beside the labels that are compared."""

from pathlib import Path
from typing import Final

from segprep.datasets.codes import IdCode
from segprep.datasets.errors import CodeRangeError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore

__all__ = ["InstanceMaps"]

_COLUMN: Final = "instance"


class InstanceMaps:
    """The instances of a store's samples.

    Args:
        store: Holds them, or says where the original files are.
        root: The data set's root, to read these; None for the store's.
        smallest: Smaller ids of files are no instances.

    Attributes:
        there: Whether there are any, judged by the first sample.
    """

    def __init__(self, store: ShardStore, root: Path | None, smallest: int) -> None:
        self._store, self._root = store, root
        self._code = IdCode(16, smallest)
        spec = store.columns.get(_COLUMN)
        if root is None:
            self.there = spec is not None and spec.kind is Kind.INSTANCE
        else:
            path = store.source_paths(0).get(_COLUMN)
            self.there = path is not None and (root / path).exists()

    def read(self, index: int) -> Array:
        """Return (H, W) ids of a sample, 0 = none.

        Raises:
            MissingInputError, UnreadableFileError: If the file cannot be read.
        """
        if self._root is None:
            return self._store.read(_COLUMN, index)
        relative = self._store.source_paths(index).get(_COLUMN)
        if relative is None:
            raise MissingInputError(f"{self._store.keys[index]} has no file of instances, as others have")
        path = self._root / relative
        try:
            return self._code.from_file(read_image(path))[0]
        except CodeRangeError as error:
            raise UnreadableFileError(f"{path}: {error}") from error
