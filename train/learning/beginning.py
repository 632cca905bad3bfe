"""The network that a run begins with: built, then filled from files, then what shall not learn is held."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.shards.finite import store_statistics
from segprep.train.learning.config import RunConfig
from segprep.train.learning.optimizers import freeze
from segprep.train.models import MODELS
from segprep.train.models._network import InputColumn
from segprep.train.network.frozen import check_frozen
from segprep.train.network.initial import load_start
from segprep.train.network.segmenter import Segmenter, build_segmenter, default_device, input_columns
from segprep.train.reading.reader import Reader
from segprep.train.reading.sources import Source
from segprep.train.runs.processes import Processes

__all__ = ["first_segmenter", "fresh_segmenter"]


def fresh_segmenter(config: RunConfig, sources: Sequence[Source], processes: Processes) -> Segmenter:
    """Build the network of a run on its device, with the random weights that the seed decides.

    Raises:
        ConfigurationError: If a column does not suit, or the configuration names what does not exist.
    """
    device = processes.device or default_device()
    torch.manual_seed(config.seed)
    segmenter = build_segmenter(
        config.model, _columns(config, sources[0]), [len(source.classes) for source in sources], blank=config.data.blank
    ).to(device)
    if processes.count > 1 and device.type == "cuda":
        # gloo, on CPUs, has none.
        nn.SyncBatchNorm.convert_sync_batchnorm(segmenter)  # type: ignore[no-untyped-call]
    if processes.rank:
        torch.manual_seed(config.seed + processes.rank)  # equal weights, but dropout of its own
    return segmenter


def first_segmenter(
    config: RunConfig, sources: Sequence[Source], processes: Processes, runs: Path, say: Callable[[str], None]
) -> Segmenter:
    """Build the network of a run that begins, and give it what the configuration names for its beginning.

    Args:
        config: Of the run.
        sources: Its data sets.
        processes: That train together.
        runs: Folder of the runs that may be named.
        say: Gets a sentence for each file.

    Raises:
        ConfigurationError: If there is no such run or file, its weights are for another network, columns are in the
            wrong order, or a part is frozen that no file filled.
        UnreadableFileError, DamagedStoreError: If a file is.
    """
    module = MODELS.load(config.model.name)
    columns = _columns(config, sources[0])
    if hasattr(module, "check_columns"):
        try:
            module.check_columns(columns)
        except ConfigurationError as error:
            raise ConfigurationError(f"network {config.model.name!r}: {error}") from error
    segmenter = fresh_segmenter(config, sources, processes)
    filled: set[str] = set()
    for report in load_start(segmenter, config.model, columns, runs, say):
        say(report.sentence)
        filled.update(report.loaded)
    freeze(config.optimizer.frozen, segmenter.network)
    check_frozen(segmenter.network, filled, config.model)
    return segmenter


def _columns(config: RunConfig, source: Source) -> tuple[InputColumn, ...]:
    columns = Reader(source.train, config.data.inputs, config.data.target).columns
    return input_columns(columns, store_statistics(source.train, config.data.inputs))
