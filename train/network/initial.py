"""What a network begins with, if not with fresh weights."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from segprep.datasets.errors import ConfigurationError, DamagedStoreError
from segprep.train.models import MODELS
from segprep.train.models._network import Network
from segprep.train.network.checkpoint import WEIGHTS_FILE, damaged_checkpoint, list_checkpoints
from segprep.train.network.config import NetworkConfig
from segprep.train.network.seal import UNSEALED, open_seal
from segprep.train.network.weights import LoadReport, imagenet_file, load_backbone, load_expert, load_network

__all__ = ["load_start"]

_IMAGENET: Final = "imagenet"


def load_start(network: Network, config: NetworkConfig, runs: Path, say: Callable[[str], None]) -> Iterator[LoadReport]:
    """Load what `weights`, `start` and `experts` name, and yield what became of each file.

    Args:
        network: With fresh weights.
        config: Of the network.
        runs: Folder of the runs that may be named.
        say: Gets a sentence for each checkpoint without checksums.

    Raises:
        ConfigurationError: If there is no such run or file, or its weights are for another network.
        UnreadableFileError: If a file cannot be read.
        DamagedStoreError: If a run's checkpoint is damaged.
    """
    module = MODELS.load(config.name)
    if config.weights:
        named = config.weights == _IMAGENET
        if not hasattr(module, "BACKBONE"):
            raise ConfigurationError(
                f"network {config.name!r} has no encoder that ImageNet weights fit: leave out weights"
            )
        path = imagenet_file(module.BACKBONE, _cache()) if named else Path(config.weights).expanduser()
        yield load_backbone(network, module, path)
    if config.start:
        path = _weights_of(config.start, runs)
        _check_checkpoint(path, say)
        yield load_network(network, path)
    for column, expert in config.experts.items():
        if not hasattr(module, "from_expert"):
            raise ConfigurationError(f"network {config.name!r} has no experts: leave out experts")
        path = _weights_of(expert, runs)
        _check_checkpoint(path, say)
        yield load_expert(network, module, column, path)


def _check_checkpoint(path: Path, say: Callable[[str], None]) -> None:
    """Compare weights that lie in a checkpoint with their digest, or say that it has none.

    Raises:
        DamagedStoreError: If they are damaged; names a checkpoint of the run that is whole.
    """
    folder = path.resolve().parent
    if folder not in [each.path for each in list_checkpoints(folder.parent)]:
        return  # a file that people brought
    try:
        _, has_checksums = open_seal(folder, [path.name])
    except DamagedStoreError as error:
        raise damaged_checkpoint(folder, str(error)) from error
    if not has_checksums:
        say(f"the checkpoint {folder} {UNSEALED}")


def _weights_of(name: str, runs: Path) -> Path:
    """Return the best weights of a run that is named or whose folder is, or the file itself."""
    for root in (runs / name, Path(name).expanduser()):
        for pointer in ("best", "last"):
            path = root / "checkpoints" / pointer / WEIGHTS_FILE
            if path.is_file():
                return path
    path = Path(name).expanduser()
    if path.is_file():
        return path
    raise ConfigurationError(f"there is no run {name!r} with a checkpoint in {runs}, nor such a folder or file")


def _cache() -> Path:
    """Return where downloads are kept, beside those of torch."""
    return Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"
