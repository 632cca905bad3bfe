"""The entries of a run's configuration that `train run` has flags for. Neither torch nor NumPy: `--help` is quick."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from segprep.datasets.program.layers import parse_setting
from segprep.datasets.program.parameters import parameters, said_by
from segprep.datasets.program.tables import Option, options_of
from segprep.train.command.completion import columns, experts, runs
from segprep.train.learning.protocols import merged_tables
from segprep.train.learning.sections import (
    CheckpointConfig,
    LossConfig,
    OptimizerConfig,
    RunEntries,
    ScheduleConfig,
)
from segprep.train.models._frrn_config import Config as FrrnConfig
from segprep.train.network.config import NetworkConfig
from segprep.train.reading.config import DataConfig

__all__ = ["SECTIONS", "said_tables", "takes_run_options"]

SECTIONS: Final[Mapping[str, tuple[type, ...]]] = {
    "": (RunEntries,),
    "data": (DataConfig,),
    "model": (NetworkConfig, FrrnConfig),
    "loss": (LossConfig,),
    "optimizer": (OptimizerConfig,),
    "schedule": (ScheduleConfig,),
    "checkpoint": (CheckpointConfig,),
}
"""Classes of options by the table that their values stand in; "" is the top of the file."""


def _read_augmentation(text: str) -> dict[str, Any]:
    """Return the table `[augmentation]` of a preset's name, or of a TOML file."""
    from segprep.datasets.augmentation.config import preset_config
    from segprep.datasets.augmentation.table import read_config

    config = read_config(Path(text)) if text.endswith(".toml") else preset_config(text)
    return config.to_json()


def _presets() -> Iterable[str]:
    from segprep.datasets.augmentation.config import PRESETS

    return PRESETS


# Not the value of an entry, but a name for a whole table.
_AUGMENT: Final = Option(
    "augmentation",
    str,
    flag="--augment",
    metavar="NAME|FILE",
    read=_read_augmentation,
    help="none, flip, ssma, paris, fcn, or a TOML file of ranges.",
    unsaid="flip",
    values=_presets,
)
# In the order of the help: what is set most often comes first, and not what a file has first.
_FLAGS: Final = (
    "data.inputs", "data.target", "data.batch_size", "data.accumulate", "data.weights", "augmentation", "data.size",
    "model.name", "model.base_channels", "model.weights", "model.start", "model.experts", "model.precision",
    "model.compile", "loss.kind", "loss.class_weights", "optimizer.kind", "schedule.lr", "schedule.kind",
    "epochs", "steps", "seed", "val_every", "log_to",
)  # fmt: skip
_PANELS: Final = {
    "data": "Data",
    "model": "Network",
    "augmentation": "Data",
    "val_every": None,
    "log_to": None,
}  # others: Learning
_LOOK_UP: Final = {"column": columns, "expert": experts, "run": runs}

_Run = TypeVar("_Run", bound=Callable[..., None])


def takes_run_options(before: str) -> Callable[[_Run], _Run]:
    """Give a command these options in place of its `**given`, in the help before a parameter of its own."""

    def changed(run: _Run) -> _Run:
        own = [p for p in inspect.signature(run).parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        place = [p.name for p in own].index(before)
        found = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        found[place:place] = parameters(_options().values(), _LOOK_UP)
        # Typer reads both.
        run.__signature__ = inspect.Signature(found)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in found}
        return run

    return changed


def said_tables(given: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return what a command line says, as tables of the configuration; `--set` wins over the flags.

    Args:
        given: By parameter.
        settings: Texts `section.key=value`.

    Raises:
        ConfigurationError: If a text is none of these.
    """
    said: dict[str, Any] = {}
    values = said_by(_options().values(), given)
    for key, option in _options().items():
        if option.name in values:
            section, _, name = key.rpartition(".")
            (said.setdefault(section, {}) if section else said)[name] = values[option.name]
    for setting in settings:
        said = merged_tables(said, parse_setting(setting, "optimizer.clip_norm=1"))
    return said


@functools.cache
def _options() -> dict[str, Option]:
    """Return the options that have flags, each named as the parameter of the command, by their keys in the file."""
    every = {
        f"{section}.{option.name}".lstrip("."): option
        for section, classes in SECTIONS.items()
        for each in classes
        for option in options_of(each)
    } | {_AUGMENT.name: _AUGMENT}
    panels = {key: _PANELS.get(key.partition(".")[0], "Learning") for key in _FLAGS}
    return {key: replace(every[key], name=key.replace(".", "_"), panel=panels[key]) for key in _FLAGS}
