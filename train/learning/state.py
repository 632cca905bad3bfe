"""What a checkpoint remembers beside weights and optimizer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        """Refuse a configuration that is not the one that the run was trained by; `shards` may have moved.

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
            state = typed_dataclass(cls, checkpoint.state)
            for each in state.class_maps:
                ClassMap.from_json(each)
        except (Misfit, ConfigurationError) as error:
            if checkpoint.path is None:
                raise DamagedStoreError(f"{STATE_FILE}: {error}") from error
            raise damaged_checkpoint(checkpoint.path, f"{STATE_FILE}: {error}") from error
        return state


def _entries(config: RunConfig) -> dict[str, Any]:
    """Return the values of a configuration by `section.key`, as JSON has them."""
    tables = {name: value for name, value in config_table(config).items() if name != "shards"}
    return {
        (f"{name}.{key}" if key else name): as_json(each)
        for name, value in tables.items()
        for key, each in (value.items() if isinstance(value, Mapping) else [("", value)])
    }
