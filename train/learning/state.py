"""What a checkpoint remembers beside weights and optimizer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError, DamagedStoreError
from segprep.datasets.json_values import json_of, of_json
from segprep.datasets.sample import JsonDict
from segprep.train.learning.schedule import Plateau
from segprep.train.models._network import InputScaling
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

    def to_json(self) -> JsonDict:
        """Return plain values."""
        return json_of(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RunState":
        """Build a state from what `to_json` returned.

        Raises:
            DamagedStoreError: If it is something else.
        """
        try:
            return of_json(cls, data)
        except (KeyError, TypeError) as error:
            raise DamagedStoreError(
                f"a checkpoint's state has no {error}: it comes from another version of the trainer; train anew"
            ) from error
