"""Which row of a store a sample gets: shuffled, and the same one as long as it is there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from segprep.datasets.sample import SampleKey
from segprep.datasets.shards.layout import StorePlan, samples_per_shard

__all__ = ["StoreOrder", "kept_layout", "ordered"]


@dataclass(frozen=True, slots=True)
class StoreOrder:
    """The order of a split's samples.

    Attributes:
        keys: All samples that ever went into the store, and now new ones behind them.
        seed: What they were shuffled by.
    """

    keys: tuple[SampleKey, ...]
    seed: int


def ordered(known: Sequence[SampleKey], known_seed: int, present: Sequence[SampleKey], seed: int | None) -> StoreOrder:
    """Return the order of samples: known ones keep their place, new ones come behind them in shuffled order.

    Args:
        known: The order so far; it may hold samples that are gone or have failed.
        known_seed: Its seed.
        present: The samples to store, in any order.
        seed: Another seed than the order's own shuffles all of them anew; None keeps the order's.
    """
    fresh = seed is not None and seed != known_seed
    kept = [] if fresh else list(known)
    chosen = known_seed if seed is None else seed
    seen = set(kept)
    new = sorted((key for key in present if key not in seen), key=lambda key: _hash(chosen, key))
    return StoreOrder((*kept, *new), chosen)


def kept_layout(new: StorePlan, old: StorePlan | None, *, free: bool) -> StorePlan:
    """Return a plan that leaves the files of an existing store as they are, as far as it is of the same sort.

    Args:
        new: What would be made from scratch.
        old: The plan of the existing store, if there is one.
        free: Whether the number of samples per shard may be the old one; False if the user said one.
    """
    if old is None or (old.specs, old.codec) != (new.specs, new.codec):
        return new
    per_shard = new.samples_per_shard
    if free and new.rows >= old.samples_per_shard:
        alone = old.shards == 1  # then it is the last one, which may grow
        per_shard = samples_per_shard(new.specs, new.rows) if alone else old.samples_per_shard
    if per_shard != old.samples_per_shard and not (free and old.shards == 1):
        return new
    return replace(
        new,
        samples_per_shard=per_shard,
        key_bytes=max(new.key_bytes, old.key_bytes),
        source_bytes=max(new.source_bytes, old.source_bytes),
        augmentation_bytes=max(new.augmentation_bytes, old.augmentation_bytes),
        traced=old.traced,
    )


def _hash(seed: int, key: SampleKey) -> bytes:
    return hashlib.sha256(f"{seed}:{key}".encode()).digest()
