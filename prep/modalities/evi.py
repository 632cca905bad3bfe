"""`evi`: the enhanced vegetation index, which SSMA and AdapNet++ were trained on in the forest."""

from segprep.prep.modalities._member import Scene
from segprep.prep.modalities._vegetation import Arguments, build_vegetation_step
from segprep.prep.step import Step

__all__ = ["Arguments", "build"]


def build(arguments: Arguments, scene: Scene) -> Step:
    """Return the step. See `ModalityMember.build`."""
    return build_vegetation_step("evi", arguments, scene)
