"""The network that a run begins with: built, then filled from files, then what shall not learn is held."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from segprep.train.learning.config import RunConfig
from segprep.train.learning.optimizers import freeze
from segprep.train.network.frozen import check_frozen
from segprep.train.network.initial import load_start
from segprep.train.network.segmenter import Segmenter, build_segmenter, default_device, input_columns
from segprep.train.reading.reader import Reader
from segprep.train.reading.sources import Source
from segprep.train.runs.processes import Processes

__all__ = ["begin", "fresh_segmenter"]


def fresh_segmenter(config: RunConfig, sources: Sequence[Source], processes: Processes) -> Segmenter:
    """Build the network of a run on its device, with the random weights that the seed decides.

    Raises:
        ConfigurationError: If a column does not suit, or the configuration names what does not exist.
    """
    device = default_device()
    columns = Reader(sources[0].train, config.data.inputs, config.data.target).columns
    torch.manual_seed(config.seed)
    segmenter = build_segmenter(
        config.model,
        input_columns(columns, sources[0].train.statistics),
        [len(source.classes) for source in sources],
        blank=config.data.blank,
    ).to(device)
    if processes.count > 1 and device.type == "cuda":
        # gloo, on CPUs, has none.
        nn.SyncBatchNorm.convert_sync_batchnorm(segmenter)  # type: ignore[no-untyped-call]
    if processes.rank:
        torch.manual_seed(config.seed + processes.rank)  # equal weights, but dropout of its own
    return segmenter


def begin(segmenter: Segmenter, config: RunConfig, runs: Path, say: Callable[[str], None]) -> None:
    """Give a fresh network what the configuration names for its beginning.

    Args:
        segmenter: Its weights are overwritten.
        config: Of the run.
        runs: Folder of the runs that may be named.
        say: Gets a sentence for each file.

    Raises:
        ConfigurationError: If there is no such run or file, its weights are for another network, or a part is frozen
            that no file filled.
        UnreadableFileError, DamagedStoreError: If a file is.
    """
    filled: set[str] = set()
    for report in load_start(segmenter.network, config.model, runs, say):
        say(report.sentence)
        filled.update(report.loaded)
    freeze(config.optimizer.frozen, segmenter.network)
    check_frozen(segmenter.network, filled, config.model)
