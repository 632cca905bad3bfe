"""What a network begins with, if not with fresh weights."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from segprep.datasets.errors import ConfigurationError
from segprep.train.models import MODELS
from segprep.train.models._network import InputColumn
from segprep.train.network.backbones import backbone_of
from segprep.train.network.config import IMAGENET, NetworkConfig
from segprep.train.network.named import named_weights
from segprep.train.network.origin import check_backbone_options, check_origin
from segprep.train.network.published import load_published, published_scalings
from segprep.train.network.segmenter import Segmenter
from segprep.train.network.weights import LoadReport, imagenet_file, load_backbone, load_expert, load_network

__all__ = ["load_start"]


def load_start(
    segmenter: Segmenter, config: NetworkConfig, columns: Sequence[InputColumn], runs: Path, say: Callable[[str], None]
) -> Iterator[LoadReport]:
    """Load what `weights`, `start` and `experts` name, and yield what became of each file.

    Columns are scaled as published weights want it: where they are loaded, and where a run began with them whose
    weights are loaded.

    Args:
        segmenter: With fresh weights.
        config: Of its network.
        columns: Its inputs.
        runs: Folder of the runs that may be named.
        say: Gets sentences about where the weights come from.

    Raises:
        ConfigurationError: If there is no such run or file, or its weights are for another network.
        UnreadableFileError: If a file cannot be read.
        DamagedStoreError: If a run's checkpoint is damaged.
    """
    module, network = MODELS.load(config.name), segmenter.network
    if config.takes_published:
        yield load_published(segmenter, module, config, columns, say)
    elif config.weights:
        named = config.weights == IMAGENET
        if not hasattr(module, "BACKBONE"):
            raise ConfigurationError(
                f"network {config.name!r} has no encoder that ImageNet weights fit: leave out weights"
            )
        check_backbone_options(module, config.options)
        backbone = backbone_of(module, config.options)
        path = imagenet_file(backbone, _cache()) if named else Path(config.weights).expanduser()
        yield load_backbone(network, module, path, backbone)
    foreign = published_scalings(module, config, columns)
    if config.start:
        path = named_weights(config.start, runs)
        segmenter.scale_by(check_origin(path, module, config.options, segmenter.scalings, foreign, say))
        yield load_network(network, path)
    for column, expert in config.experts.items():
        if not hasattr(module, "from_expert"):
            raise ConfigurationError(f"network {config.name!r} has no experts: leave out experts")
        path = named_weights(expert, runs)
        own = {name: scaling for name, scaling in segmenter.scalings.items() if name == column}
        own = dict(check_origin(path, module, config.options, own, foreign, say))
        segmenter.scale_by({**segmenter.scalings, **own})
        yield load_expert(network, module, column, path, config.options)


def _cache() -> Path:
    """Return where downloads are kept, beside those of torch."""
    return Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"
