"""`evi`: the enhanced vegetation index, which SSMA and AdapNet++ were trained on in the forest."""

from typing import Final

from segprep.datasets.sample import JsonDict
from segprep.prep.modalities._member import Scene
from segprep.prep.modalities._vegetation import VEGETATION_DEFAULTS, build_vegetation_step
from segprep.prep.step import Step

__all__ = ["DEFAULTS", "build"]

DEFAULTS: Final[JsonDict] = VEGETATION_DEFAULTS


def build(arguments: JsonDict, scene: Scene) -> Step:
    """Return the step. See `ModalityMember.build`."""
    return build_vegetation_step("evi", arguments, scene)
