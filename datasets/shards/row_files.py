"""The files of the arrays of one small value per sample, of a store on this machine that segprep wrote."""

from pathlib import Path

from segprep.datasets.errors import DamagedStoreError
from segprep.datasets.machine import blame_machine
from segprep.datasets.sample import Array
from segprep.datasets.shards.arrays import UnreadableRowsError
from segprep.datasets.shards.chunks import decode_chunk
from segprep.datasets.shards.layout import CHUNK_CHECKSUMS
from segprep.datasets.shards.root import OTHER_CONTENT, StoreRoot, record_of, wrong_size

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
        record = self._root.files[file]
        reason = wrong_size(self._path / file, record)
        if reason is None:
            try:
                content = (self._path / file).read_bytes()
                shape = (layout.rows_per_file, *layout.shape[1:])
                values = decode_chunk(content, shape, layout.dtype, layout.codec)[: len(rows)]
            except OSError as error:
                blame_machine(self._path / file, error)
                reason = str(error)
            except DamagedStoreError as error:
                reason = str(error)
            else:
                if record_of(content) == record:
                    return values
                reason = OTHER_CONTENT
        raise UnreadableRowsError(f"shard file {file}", reason, name, rows)

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
