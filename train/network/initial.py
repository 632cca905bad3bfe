"""What a network begins with, if not with fresh weights."""

import os
from collections.abc import Iterator
from pathlib import Path

from segprep.datasets.errors import ConfigurationError
from segprep.train.models import MODELS
from segprep.train.models._network import Network
from segprep.train.network.config import NetworkConfig
from segprep.train.network.weights import imagenet_file, load_backbone, load_expert, load_network

__all__ = ["load_start"]

_IMAGENET = "imagenet"
_WEIGHTS = "weights.safetensors"


def load_start(network: Network, config: NetworkConfig, runs: Path) -> Iterator[str]:
    """Load what `weights`, `start` and `experts` name, and yield a sentence for each that says what was loaded.

    Args:
        network: With fresh weights.
        config: Of the network.
        runs: Folder of the runs that may be named.

    Raises:
        ConfigurationError: If there is no such run or file, or its weights are for another network.
        UnreadableFileError: If a file cannot be read.
    """
    module = MODELS.load(config.name)
    if config.weights:
        named = config.weights == _IMAGENET
        if not hasattr(module, "BACKBONE"):
            raise ConfigurationError(
                f"network {config.name!r} has no encoder that ImageNet weights fit: leave out weights"
            )
        path = imagenet_file(module.BACKBONE, _cache()) if named else Path(config.weights).expanduser()
        yield load_backbone(network, module, path).sentence
    if config.start:
        yield load_network(network, _weights_of(config.start, runs)).sentence
    for column, expert in config.experts.items():
        if not hasattr(module, "from_expert"):
            raise ConfigurationError(f"network {config.name!r} has no experts: leave out experts")
        yield load_expert(network, module, column, _weights_of(expert, runs)).sentence


def _weights_of(name: str, runs: Path) -> Path:
    """Return the best weights of a run that is named or whose folder is, or the file itself."""
    for root in (runs / name, Path(name).expanduser()):
        for pointer in ("best", "last"):
            path = root / "checkpoints" / pointer / _WEIGHTS
            if path.is_file():
                return path
    path = Path(name).expanduser()
    if path.is_file():
        return path
    raise ConfigurationError(f"there is no run {name!r} with a checkpoint in {runs}, nor such a folder or file")


def _cache() -> Path:
    """Return where downloads are kept, beside those of torch."""
    return Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"
