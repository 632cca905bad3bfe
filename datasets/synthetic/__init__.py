"""A rendered street with exact truth: pictures, depth, labels, instances, poses, optical flow, ego flow, occlusion.

`render(World(seed=1), 0)` gives a `Frame`; `motion(World(seed=1), 0, 1)` where its pixels are in the next frame;
`render_pair(World(seed=1), 0, 1)` both frames and both motions. Fixtures of pytest: `.fixtures`.
Needs numpy only; every frame can be rendered alone, and equal parameters give equal bytes.
"""

from segprep.datasets.synthetic.motion import Motion, follow, motion
from segprep.datasets.synthetic.pair import Pair, render_pair
from segprep.datasets.synthetic.palette import CLASSES, RawId
from segprep.datasets.synthetic.placement import Thing, things_near
from segprep.datasets.synthetic.render import Frame, render
from segprep.datasets.synthetic.trace import Hits, trace, trace_grid
from segprep.datasets.synthetic.world import World, camera_pose, make_camera
from segprep.datasets.synthetic.writer import DEPTH_CODE, drive_world, write_drive

__all__ = [
    "CLASSES",
    "DEPTH_CODE",
    "Frame",
    "Hits",
    "Motion",
    "Pair",
    "RawId",
    "Thing",
    "World",
    "camera_pose",
    "drive_world",
    "follow",
    "make_camera",
    "motion",
    "render",
    "render_pair",
    "things_near",
    "trace",
    "trace_grid",
    "write_drive",
]
