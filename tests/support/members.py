"""Steps of modalities from a few options, as JSON or TOML would have them."""

from types import ModuleType

from segprep.datasets.program.layers import COMMAND_LINE
from segprep.datasets.program.tables import from_table
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Step

__all__ = ["built"]


def built(member: ModuleType, scene: Scene, **options: object) -> Step:
    """Return a modality's step; what is not named has its default."""
    step: Step = member.build(from_table(member.Arguments, options, COMMAND_LINE), scene)
    return step
