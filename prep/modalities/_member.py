"""What a file of the modalities holds: `Arguments` and `build`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

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
        Arguments: A frozen dataclass of its options, see `segprep.datasets.program.tables`. `prep modality NAME`,
            `[defaults."modality NAME"]` in prep.toml and the documents are made from it.
    """

    Arguments: type[Any]

    def build(self, arguments: Any, scene: Scene) -> Step:  # noqa: ANN401  (each member has a class of its own)
        """Return the step that makes its column.

        Args:
            arguments: An object of `Arguments`.
            scene: What is known of the data.

        Raises:
            ConfigurationError: If an argument makes no sense.
        """
