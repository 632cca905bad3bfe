"""Two frames of a rendered world and the exact motion between them, both ways."""

from dataclasses import dataclass

from segprep.datasets.sample import Matrix
from segprep.datasets.synthetic.motion import Motion, motion
from segprep.datasets.synthetic.render import Frame, render
from segprep.datasets.synthetic.world import World

__all__ = ["Pair", "render_pair"]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two frames and what is known of them.

    Attributes:
        first: Picture, near infrared, depth, label, instances, camera and pose.
        second: The same of the other frame.
        forward: Where the first frame's pixels are in the second: optical flow, ego flow, occlusion, what moves.
        backward: Where the second frame's pixels are in the first.
    """

    first: Frame
    second: Frame
    forward: Motion
    backward: Motion

    @property
    def camera_motion(self) -> Matrix:
        """(4, 4): takes points in metres from the first camera to the second."""
        return self.first.pose.motion_to(self.second.pose)


def render_pair(world: World, frame: int, other: int, width: int = 256, height: int = 128) -> Pair:
    """Render two frames.

    Args:
        world: Parameters.
        frame: Of the first picture.
        other: Of the second picture, later or earlier.
        width: Image width in pixels.
        height: Image height in pixels.
    """
    first, second = (render(world, each, width, height) for each in (frame, other))
    there, back = motion(world, frame, other, width, height), motion(world, other, frame, width, height)
    return Pair(first, second, there, back)
