"""Networks of every kind, small where they can be small."""

import copy
import functools
import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch

from segprep.datasets.kinds import Kind
from segprep.train.models._network import InputColumn, Network
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import Segmenter, build_segmenter

# What makes a network cheap without changing what it is made of.
_SMALL: dict[str, dict[str, Any]] = {"fcn8s": {"fc_channels": 64}, "frrn": {"base_channels": 8}}

MakeColumn = Callable[..., InputColumn]
MakeSegmenter = Callable[..., Segmenter]
MakeNetwork = Callable[..., Network]


def _column(name: str, channels: int = 3, kind: Kind = Kind.IMAGE, dtype: str = "uint8") -> InputColumn:
    return InputColumn(name, kind, dtype, channels, (math.nan,) * channels, (math.nan,) * channels)


def _pair() -> list[InputColumn]:
    return [_column("image"), _column("flow", kind=Kind.CODED)]


def _segmenter(name: str, classes: tuple[int, ...] = (5,), seed: int = 0, **options: Any) -> Segmenter:
    """Copying is many times quicker than drawing fresh weights."""
    return copy.deepcopy(_cached(name, classes, seed, tuple(options.items())))


@functools.lru_cache(maxsize=6)
def _cached(name: str, classes: tuple[int, ...], seed: int, options: tuple[tuple[str, Any], ...]) -> Segmenter:
    return _fresh(name, classes, seed, **dict(options))


def _fresh(name: str, classes: tuple[int, ...], seed: int, **options: Any) -> Segmenter:
    torch.manual_seed(seed)
    config = NetworkConfig(name=name, options={**_SMALL.get(name, {}), **options}, precision="fp32")
    return build_segmenter(config, _pair(), classes)


def _network(
    name: str, columns: list[InputColumn], classes: tuple[int, ...], options: Mapping[str, Any] | None = None
) -> Network:
    module = importlib.import_module(f"segprep.train.models.{name}")
    with torch.device("meta"):
        network: Network = module.build(module.Config(**(options or {})), columns, classes)
    return network


@pytest.fixture(scope="session")
def make_column() -> MakeColumn:
    """The function that describes a column nobody measured: (name, channels=3, kind=IMAGE, dtype="uint8")."""
    return _column


@pytest.fixture(scope="session")
def make_segmenter() -> MakeSegmenter:
    """The function that builds a network on an image and a motion image: (name, classes=(5,), seed=0, **options)."""
    return _segmenter


@pytest.fixture(scope="session")
def fresh_segmenter() -> MakeSegmenter:
    """As `make_segmenter`, (name, classes, seed), but certainly drawn anew."""
    return _fresh


@pytest.fixture(scope="session")
def meta_network() -> MakeNetwork:
    """The function that builds a network without memory: (name, columns, classes, options=None)."""
    return _network
