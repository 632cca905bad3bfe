"""What a file of the modalities holds: `DEFAULTS` and `build`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace.cells import Column
from segprep.prep.step import Step

__all__ = ["ModalityMember", "Scene"]

_OUTDOOR_M: Final = 20.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known of the data when a step is built.

    Attributes:
        depth_range: (near, far) in metres between which nearly all of the dataset's depths lie; None if nobody knows.
        columns: The columns that exist already.
    """

    depth_range: tuple[float, float] | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)

    @property
    def outdoor(self) -> bool:
        """Whether it reaches farther than any room; False where nobody knows."""
        return self.depth_range is not None and self.depth_range[1] > _OUTDOOR_M


class ModalityMember(Protocol):
    """A module of the modalities.

    Attributes:
        DEFAULTS: Options of `prep modality` that it knows, with the values that hold where nobody says anything.
        ALTERNATIVES: May be left away. Groups of options that exclude each other; saying one takes back what was said
            of the other groups in an earlier run.
    """

    DEFAULTS: JsonDict

    def build(self, arguments: JsonDict, scene: Scene) -> Step:
        """Return the step that makes its column.

        Args:
            arguments: A value for each name of `DEFAULTS`.
            scene: What is known of the data.

        Raises:
            ConfigurationError: If an argument makes no sense.
        """
