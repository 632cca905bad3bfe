"""Reading a shard store."""

from segprep.datasets.shards.store import ShardStore

__all__ = ["ShardStore"]
