"""The parts of a small store with every kind of column, and the store."""

from pathlib import Path

import pytest

from segprep.datasets.classes import ClassMap
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.layout import StorePlan
from segprep.datasets.shards.rows import RowInfo
from support import stores


@pytest.fixture(scope="session")
def specs() -> tuple[ArraySpec, ...]:
    return stores.SPECS


@pytest.fixture(scope="session")
def class_map() -> ClassMap:
    return stores.CLASS_MAP


@pytest.fixture(scope="session")
def infos() -> list[RowInfo]:
    """Rows 1 and 2 are one sample and its augmentation; row 3 knows nothing of its camera."""
    return stores.infos()


@pytest.fixture(scope="session")
def blocks() -> dict[str, Array]:
    """Stored values of all rows by array name. Row 4 is zero everywhere; labels of row 5 are all ignored."""
    return stores.blocks()


@pytest.fixture(scope="session")
def plan() -> StorePlan:
    return stores.make_plan("lz4")


@pytest.fixture(scope="session")
def store_path(tmp_path_factory: pytest.TempPathFactory, plan: StorePlan) -> Path:
    """A finished store that tests only read."""
    return stores.write_store(tmp_path_factory.mktemp("shards") / "train.zarr", plan)
