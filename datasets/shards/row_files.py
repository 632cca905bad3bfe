"""The files of the arrays of one small value per sample, of a store on this machine that segprep wrote."""

from pathlib import Path

from segprep.datasets.file_records import read_recorded
from segprep.datasets.sample import Array
from segprep.datasets.shards.arrays import UnreadableRowsError
from segprep.datasets.shards.chunks import decode_chunk
from segprep.datasets.shards.layout import CHUNK_CHECKSUMS
from segprep.datasets.shards.root import StoreRoot

__all__ = ["RowFiles"]


class RowFiles:
    """Reads them whole. Each is compared with its digest: files of one size may have changed places.

    Args:
        path: The store.
        root: Its attributes.
    """

    def __init__(self, path: Path, root: StoreRoot) -> None:
        self._path = path
        self._root = root
        self._layouts = root.plan.arrays()
        self._checksums: dict[int, Array] = {}

    def read(self, name: str, shard: int) -> Array:
        """Return the values of an array's rows in a shard.

        Raises:
            UnreadableRowsError: If their file is missing, damaged, or not the one that was written here.
            MachineError: If the machine is to blame that it cannot be read.
        """
        layout, rows = self._layouts[name], self._root.plan.shard_rows(shard)
        file = layout.file(shard)
        content, reason = read_recorded(self._path / file, self._root.files[file])
        if reason is not None:
            raise UnreadableRowsError(f"shard file {file}", reason, name, rows)
        return decode_chunk(content, (layout.rows_per_file, *layout.shape[1:]), layout.dtype, layout.codec)[: len(rows)]

    def checksums(self, name: str, shard: int) -> Array | None:
        """Return the checksums, (rows,) uint32, of the chunks that belong into a shard of a column; None if unknown.

        Raises:
            UnreadableRowsError: As `read`.
        """
        plan = self._root.plan
        if not plan.traced:
            return None
        if shard not in self._checksums:
            self._checksums[shard] = self.read(CHUNK_CHECKSUMS, shard)
        return self._checksums[shard][:, plan.sharded.index(name)]
