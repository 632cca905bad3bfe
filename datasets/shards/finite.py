"""Statistics of a store's finite values, also where its writer did not count what is infinitely far."""

from collections.abc import Iterable

from segprep.datasets.shards.statistics import FarPixels, Statistics, ValueStatistics, far_count
from segprep.datasets.shards.store import ShardStore

__all__ = ["store_statistics"]


def store_statistics(store: ShardStore, columns: Iterable[str] | None = None) -> dict[str, Statistics]:
    """Return the statistics of columns, in which infinitely far pixels are told from finite ones.

    Stores of earlier versions hold sums with the far pixels and not their number. It is counted here, which reads all
    rows of such a column.

    Args:
        store: An open store.
        columns: Their names; None for all. Those without statistics are left out.

    Raises:
        DamagedStoreError: If a column must be read and is damaged.
    """
    names = store.statistics if columns is None else [name for name in columns if name in store.statistics]
    return {name: _of_column(store, name) for name in names}


def _of_column(store: ShardStore, name: str) -> Statistics:
    written, number = store.statistics[name], store.columns[name].far_number
    if not isinstance(written, ValueStatistics) or written.far is not None or number is None:
        return written
    rows = range(len(store))
    return written.with_far(
        FarPixels(number, sum(far_count(store.read(name, row), store.read_valid(name, row), number) for row in rows))
    )
