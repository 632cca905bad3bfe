"""What a checkpoint remembers beside weights and optimizer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError, ConflictError, DamagedStoreError
from segprep.datasets.json_values import as_json, json_of
from segprep.datasets.program.values import Misfit
from segprep.datasets.sample import JsonDict
from segprep.train.learning.config import RunConfig, config_table, parse_config
from segprep.train.learning.schedule import Plateau
from segprep.train.learning.typed_json import typed_dataclass
from segprep.train.models._network import InputScaling
from segprep.train.network.checkpoint import Checkpoint, damaged_checkpoint
from segprep.train.network.seal import STATE_FILE
from segprep.train.reading.reader import Reader

__all__ = ["RunState"]

_DIGITS: Final = 20
_FREE: Final = ("shards", "steps", "epochs", "log_to")  # entries that may change while a run goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Where a run stands.

    Attributes:
        step: Steps done.
        steps: Of the whole run.
        best: The best value of the metric so far; None without any validation.
        plateau: What the schedule of that name remembers.
        names: Of the data sets, in the order of the heads.
        class_maps: Their classes, as JSON.
        digests: What changes when their samples do.
        scalings: What is subtracted from and divided out of each input column.
        scores: What the validation at this step found, as in the log; empty without one.
        config: Tables of the run's configuration; None in checkpoints of earlier versions.
        rule: Over which classes `best` and `scores` have their means, see `MEAN_RULE`.
        columns: The input columns as the stores describe them; empty in checkpoints of earlier versions.
        provenance: Where the samples of each data set came from, as its store says; empty like `columns`.
        device: That trained it; a matter of the machine, not of the run. Empty like `columns`.
    """

    step: int
    steps: int
    best: float | None
    plateau: Plateau
    names: tuple[str, ...]
    class_maps: tuple[JsonDict, ...]
    digests: tuple[str, ...]
    scalings: Mapping[str, InputScaling]
    scores: Mapping[str, float]
    config: JsonDict | None = None
    rule: str = "present"
    columns: tuple[JsonDict, ...] = ()
    provenance: tuple[JsonDict, ...] = ()
    device: str = ""

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Number of classes of each head."""
        return tuple(len(ClassMap.from_json(each).names) for each in self.class_maps)

    def check_classes(self, head: int, reader: Reader) -> None:
        """Refuse a store whose classes are not those that a head learned.

        Raises:
            ConfigurationError: If they are not; names both.
        """
        trained = ClassMap.from_json(self.class_maps[head]).names
        held = reader.class_map.names
        if trained != held:
            raise ConfigurationError(
                f"the run was trained on the {len(trained)} classes {', '.join(trained)}, but {reader.store.path} "
                f"holds the {len(held)} classes {', '.join(held)}"
            )

    def check_config(self, config: RunConfig, file: Path) -> None:
        """Refuse a configuration that is not the one that the run was trained by.

        `shards` may have moved, `log_to` may be another, and the length may have changed: see `extension_told`.

        Args:
            config: What the file says now.
            file: Where it was read.

        Raises:
            ConflictError: If it is another; names the entries.
        """
        if self.config is None:
            return
        ours, theirs = (_entries(each) for each in (config, parse_config(self.config, STATE_FILE)))
        changed = [
            f"{name} is {ours.get(name)!r} and was {theirs.get(name)!r}"
            for name in sorted(ours.keys() | theirs.keys())
            if ours.get(name) != theirs.get(name)
        ]
        if changed:
            raise ConflictError(
                f"{file} is not what the run was trained by up to step {self.step} ({'; '.join(changed)}): put it "
                "back, or begin a new run"
            )

    def to_json(self) -> JsonDict:
        """Return plain values."""
        return json_of(self)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "RunState":
        """Return the state of a checkpoint that was saved with `to_json`.

        Raises:
            DamagedStoreError: If it says something else; names the entry.
        """
        try:
            return cls.from_json(checkpoint.state)
        except (Misfit, ConfigurationError) as error:
            raise _damaged(checkpoint, str(error)) from error

    @classmethod
    def from_json(cls, data: object) -> "RunState":
        """Build a state from what `to_json` returned.

        Raises:
            Misfit, ConfigurationError: If it says something else; names the entry.
        """
        state = typed_dataclass(cls, data)
        state._check()
        return state

    def check_steps(self, steps: int, checkpoint: Checkpoint) -> None:
        """Refuse a state of a longer run.

        Args:
            steps: Of the run, by its configuration and its samples.
            checkpoint: That says this state.

        Raises:
            DamagedStoreError: If its step is later than the run's last one.
        """
        if self.step > steps:
            raise _damaged(checkpoint, f"step is {_shown(self.step)}, but the run has {steps} steps")

    def check_columns(self, channels: Mapping[str, int], checkpoint: Checkpoint) -> None:
        """Refuse a state of a run with other inputs.

        Args:
            channels: Of each input column of the network.
            checkpoint: That says this state.

        Raises:
            DamagedStoreError: If its columns are others.
        """
        found = {name: len(each.centre) for name, each in self.scalings.items()}
        if found != channels:
            raise _damaged(
                checkpoint, f"scalings are of {found}, but the network takes {channels}, columns by channels"
            )

    def _check(self) -> None:
        """Refuse values of the right types that no run has.

        Raises:
            Misfit, ConfigurationError: Says which.
        """
        for each in self.class_maps:
            ClassMap.from_json(each)
        if not 1 <= self.step <= self.steps:
            raise Misfit(f"step must be from 1 to {_shown(self.steps)}, which is steps, not {_shown(self.step)}")
        counts = {"fruitless": self.plateau.fruitless, "halvings": self.plateau.halvings}
        for name, count in counts.items():
            if not 0 <= count <= self.step:
                raise Misfit(f"plateau.{name} must be from 0 to step, {_shown(self.step)}, not {_shown(count)}")
        for name, best in (("best", self.best), ("plateau.best", self.plateau.best)):
            if best is not None and not 0 <= best <= 1:
                raise Misfit(f"{name} must be from 0 to 1, not {best}")
        for name, scaling in self.scalings.items():
            if len(scaling.centre) != len(scaling.spread) or not all(map(math.isfinite, scaling.centre)):
                raise Misfit(f"scalings.{name} must have a finite centre for each spread")
            if not all(0 < spread < math.inf for spread in scaling.spread):
                raise Misfit(f"scalings.{name}.spread must be finite and above 0")


def _damaged(checkpoint: Checkpoint, why: str) -> DamagedStoreError:
    if checkpoint.path is None:
        return DamagedStoreError(f"{STATE_FILE}: {why}")
    return damaged_checkpoint(checkpoint.path, f"{STATE_FILE}: {why}")


def _shown(number: int) -> str:
    """Return a number as text, the beginning of a long one."""
    text = str(number)
    return text if len(text) <= _DIGITS else f"{text[:_DIGITS]}..."


def _entries(config: RunConfig) -> dict[str, Any]:
    """Return the values of a configuration that must stay, by `section.key`, as JSON has them."""
    tables = {name: value for name, value in config_table(config).items() if name not in _FREE}
    return {
        (f"{name}.{key}" if key else name): as_json(each)
        for name, value in tables.items()
        for key, each in (value.items() if isinstance(value, Mapping) else [("", value)])
    }
