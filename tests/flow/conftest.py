"""Fixtures for the tests of motion."""

import cv2
import numpy as np
import pytest

from segprep.datasets.sample import Array


@pytest.fixture(scope="session")
def texture() -> Array:
    """A (160, 240, 3) uint8 picture with detail at several scales."""
    rng = np.random.default_rng(3)
    layers = [cv2.GaussianBlur(rng.normal(size=(160, 240, 3)), (0, 0), s) * s for s in (1.0, 3.0, 9.0)]
    total = sum(layers)
    picture: Array = np.clip(128 + 50 * total / np.std(total), 0, 255).astype(np.uint8)
    return picture
