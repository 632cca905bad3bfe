"""Stores do not depend on how many processes write them."""

from pathlib import Path

import pytest

from segprep.datasets.shards.verify import verify_store
from support.commands import make_camvid, prep, tree_bytes

pytestmark = pytest.mark.usefixtures("ws")


@pytest.mark.usefixtures("quick_workers")
@pytest.mark.cluster
def test_any_number_of_workers_writes_the_same_bytes(tmp_path: Path) -> None:
    assert prep("init", "camvid", make_camvid(tmp_path / "camvid", train=9, val=1)) == 0
    assert prep("resize", "--factor", "1", "--split", "train") == 0
    stores = {}
    for workers in (0, 1, 2):
        # Another codec first, so that nothing of the store before it is taken over.
        assert prep("shard", "--codec", "none", "--split", "train") == 0
        assert prep("shard", "--codec", "lz4", "--samples-per-shard", "2", "--workers", workers) == 0
        stores[workers] = tree_bytes(Path("shards"))
        assert verify_store(Path("shards/train.zarr")) == []
    assert len([name for name in stores[0] if name.startswith("train.zarr/image/c.")]) == 5
    assert stores[1] == stores[0]
    assert stores[2] == stores[0]
