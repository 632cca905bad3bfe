"""What tests of augmentation on tensors share: every kind of column, and their augmenter."""

from collections.abc import Mapping

import pytest

from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.workspace.cells import Column
from segprep.train.augment.augmenter import BatchAugmenter
from support.augmented import AUGMENTER, COLUMNS, SPECS


@pytest.fixture(scope="session")
def all_columns() -> Mapping[str, Column]:
    """The sample's columns by name: every kind but disparity, which cannot be turned."""
    return COLUMNS


@pytest.fixture(scope="session")
def all_specs() -> tuple[ArraySpec, ...]:
    """The same as arrays of a store."""
    return SPECS


@pytest.fixture(scope="session")
def augmenter() -> BatchAugmenter:
    """For all columns, on the CPU."""
    return AUGMENTER
