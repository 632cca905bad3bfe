"""One frame of a rendered world with everything that is known about it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segprep.datasets.sample import Array, Camera, Matrix, Pose
from segprep.datasets.synthetic.appearance import paint
from segprep.datasets.synthetic.scene import GROUND
from segprep.datasets.synthetic.street import ground_label
from segprep.datasets.synthetic.trace import Hits, hit_points, trace_grid
from segprep.datasets.synthetic.world import World, make_camera, road_offset

__all__ = ["Frame", "render", "shade_hits"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame and its truth, H x W.

    Attributes:
        rgb_HWC: (H, W, 3) uint8 RGB.
        nir_HW: (H, W) uint8 near infrared.
        depth_HW: (H, W) float64 z along the optical axis in metres, inf for the sky.
        label_HW: (H, W) uint8 raw ids, see `RawId`; 0 is void.
        instance_HW: (H, W) uint16, 0 where there is neither a car nor a person; stable over frames.
        camera: Intrinsics and mount.
        pose: Camera to world.
        time: In seconds; frame 0 is at 0.
    """

    rgb_HWC: npt.NDArray[np.uint8]
    nir_HW: npt.NDArray[np.uint8]
    depth_HW: Matrix
    label_HW: npt.NDArray[np.uint8]
    instance_HW: npt.NDArray[np.uint16]
    camera: Camera
    pose: Pose
    time: float


def render(world: World, frame: int, width: int = 512, height: int = 256) -> Frame:
    """Render one frame, without those before it.

    Args:
        world: Parameters; equal ones give equal bytes.
        frame: Index, may be negative.
        width: Image width in pixels. The camera sees the same at every size; pixels are square if width = 2 height.
        height: Image height in pixels.
    """
    hits = trace_grid(world, frame, make_camera(width, height))
    return shade_hits(hits)


def shade_hits(hits: Hits) -> Frame:
    """Turn hits on a pixel grid into a frame."""
    scene = hits.scene
    points = hit_points(hits)
    with np.errstate(divide="ignore"):
        depth = 1.0 / hits.inverse_depth
    label = np.array([f.label for f in scene.finishes], np.uint8)[hits.solid]
    offset = np.zeros(label.shape)
    on_ground = hits.solid == GROUND
    offset[on_ground] = road_offset(scene.world, points[0][on_ground], points[1][on_ground])
    label[on_ground] = ground_label(offset[on_ground], depth[on_ground])
    rgb, nir = paint(hits, points, label, offset)
    return Frame(rgb, nir, depth, label, _instances(hits), scene.camera, scene.pose, scene.world.time(scene.frame))


def _instances(hits: Hits) -> npt.NDArray[np.uint16]:
    things: Array = np.array([t.instance for t in hits.scene.things] + [0], np.uint16)
    return things[hits.scene.thing_of][hits.solid]
