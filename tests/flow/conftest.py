"""Fixtures for the tests of motion."""

import pytest

from segprep.datasets.sample import Array
from segprep.flow import conformance


@pytest.fixture(scope="session")
def texture() -> Array:
    """A (160, 240, 3) uint8 picture with detail at several scales."""
    return conformance.texture()
