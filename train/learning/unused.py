"""Entries of a configuration that were set and do nothing, because of what others say or what the shards hold."""

from collections.abc import Sequence
from typing import Final

from segprep.datasets.errors import ConfigurationError
from segprep.train.learning.config import RunConfig
from segprep.train.reading.sources import Source

__all__ = ["check_validated", "unused_entries"]

_KINDS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    ("loss", ("gamma",), ("focal",)),
    ("loss", ("bootstrap_share", "bootstrap_per_image"), ("bootstrapped",)),
    ("optimizer", ("momentum", "nesterov"), ("sgd",)),
    ("optimizer", ("beta1", "beta2", "eps"), ("adam", "adamw")),
    ("loss", ("cross_entropy",), ("dice", "lovasz")),
    ("schedule", ("power",), ("poly",)),
    ("schedule", ("end_lr",), ("poly", "cosine")),
    ("schedule", ("decay_start", "decay_start_step", "decay_multiplier"), ("exponential",)),
    ("schedule", ("patience", "fruitless_halvings"), ("plateau",)),
)
"""Section, entries, and the kinds of the section that they are of."""


def unused_entries(config: RunConfig, sources: Sequence[Source]) -> list[str]:
    """Return a sentence for each entry that is not at its default and does nothing."""
    usual = RunConfig()
    found = []
    for section, names, kinds in _KINDS:
        own, default = getattr(config, section), getattr(usual, section)
        if own.kind not in kinds:
            changed = [name for name in names if getattr(own, name) != getattr(default, name)]
            found += [_sentence(f"{section}.{name}", f"{section}.kind is {own.kind!r}") for name in changed]
    if config.schedule.decay_start_step and config.schedule.decay_start != usual.schedule.decay_start:
        found.append(_sentence("schedule.decay_start", "schedule.decay_start_step is given"))
    if config.model.start and config.model.weights:
        found.append(_sentence("model.weights", "model.start gives all weights"))
    if len(sources) == 1 and config.data.weights:
        found.append(_sentence("data.weights", "there is one data set"))
    if not _validated(sources) and config.checkpoint.metric != usual.checkpoint.metric:
        found.append(_sentence("checkpoint.metric", "there is no val.zarr"))
    return found


def check_validated(config: RunConfig, sources: Sequence[Source]) -> None:
    """Refuse a schedule that follows validations where there are none.

    Raises:
        ConfigurationError: If the schedule is `plateau` and no data set has a `val.zarr`.
    """
    if config.schedule.kind == "plateau" and not _validated(sources):
        stores = ", ".join(str(source.train.path) for source in sources)
        raise ConfigurationError(
            f"the schedule 'plateau' follows validations, but there is no val.zarr beside {stores}: shard a split val, "
            "or choose another schedule.kind"
        )


def _validated(sources: Sequence[Source]) -> bool:
    return any(source.val is not None for source in sources)


def _sentence(entry: str, why: str) -> str:
    return f"{entry} has no effect, because {why}"
