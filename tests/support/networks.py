"""Networks of every kind, small where they can be small."""

import copy
import functools
import importlib
from collections.abc import Mapping
from typing import Any

import torch

from segprep.datasets.kinds import Kind
from segprep.train.conformance import unmeasured_column as make_column
from segprep.train.models._network import InputColumn, Network
from segprep.train.network.config import NetworkConfig
from segprep.train.network.segmenter import Segmenter, build_segmenter

__all__ = ["SMALL", "fresh_segmenter", "make_column", "make_segmenter", "meta_network"]

# What makes a network cheap without changing what it is made of.
SMALL: dict[str, dict[str, Any]] = {"fcn8s": {"fc_channels": 64}, "frrn": {"base_channels": 8}}


def _pair() -> list[InputColumn]:
    return [make_column("image"), make_column("flow", kind=Kind.CODED)]


def make_segmenter(name: str, classes: tuple[int, ...] = (5,), seed: int = 0, **options: Any) -> Segmenter:
    """Copying is many times quicker than drawing fresh weights."""
    return copy.deepcopy(_cached(name, classes, seed, tuple(options.items())))


@functools.lru_cache(maxsize=6)
def _cached(name: str, classes: tuple[int, ...], seed: int, options: tuple[tuple[str, Any], ...]) -> Segmenter:
    return fresh_segmenter(name, classes, seed, **dict(options))


def fresh_segmenter(name: str, classes: tuple[int, ...], seed: int, **options: Any) -> Segmenter:
    torch.manual_seed(seed)
    config = NetworkConfig(name=name, options={**SMALL.get(name, {}), **options}, precision="fp32")
    return build_segmenter(config, _pair(), classes)


def meta_network(
    name: str, columns: list[InputColumn], classes: tuple[int, ...], options: Mapping[str, Any] | None = None
) -> Network:
    module = importlib.import_module(f"segprep.train.models.{name}")
    with torch.device("meta"):
        network: Network = module.build(module.Config(**(options or {})), columns, classes)
    return network
