"""Depth images of which a part is hidden, to see how well it is found again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segprep.datasets.catalog._kitti.calibration import KittiCalibration
from segprep.datasets.codes import DepthCode
from segprep.datasets.imageio import read_image
from segprep.datasets.imageio.scans import project_points, read_velodyne
from segprep.datasets.sample import Array, Mask
from segprep.datasets.synthetic import World, render

__all__ = ["HIDDEN", "Scene", "find_scenes", "render_scenes"]

_SHARE = 0.2
_BLOCK = 24
_BEAM_STEP = 4
_POINT_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Depth in metres, where it is known, and an image of the same view if there is one."""

    name: str
    depth: Array
    valid: Mask
    rgb: Array | None


def render_scenes(size: tuple[int, int]) -> list[Scene]:
    """Render a street, once seen by a stereo camera with sky and all, once by a laser scanner."""
    frame = render(World(seed=3), 6, *size)
    depth = frame.depth_HW.astype(np.float32)
    everywhere = np.ones(depth.shape, np.bool_)
    points = np.random.default_rng(0).random(depth.shape) < _POINT_SHARE
    points[np.arange(len(depth)) % _BEAM_STEP > 0] = False
    return [
        Scene("rendered street", depth, everywhere, frame.rgb_HWC),
        Scene("rendered laser points", depth, points & np.isfinite(depth), frame.rgb_HWC),
    ]


def find_scenes(data: Path) -> Iterator[Scene]:
    """Yield the real scenes that are there."""
    for name, depth_file, metres, image_file in (
        ("NYU, office", "hha/nyu_python_demo/0_raw.png", 1e-4, None),
        ("NYU, dining room", "hha/nyu_rcnn_depth_demo/rawdepth.png", 1e-3, "hha/nyu_rcnn_depth_demo/images.png"),
    ):
        if (data / depth_file).is_file():
            code = DepthCode(metres, far_code=False)
            depth, valid = code.decode(*code.from_file(read_image(data / depth_file)))
            assert valid is not None
            yield Scene(name, depth, valid, None if image_file is None else read_image(data / image_file))
    lidar = data / "kitti" / "lidar_frame_000007"
    if lidar.is_dir():
        rgb = read_image(lidar / "image_2" / "000007.png")
        P = KittiCalibration.from_object_file(lidar / "calib" / "000007.txt").P_image_velo
        assert P is not None
        points = read_velodyne(lidar / "velodyne" / "000007.bin")
        yield Scene("KITTI, laser points", *project_points(points, P, (rgb.shape[1], rgb.shape[0])), rgb)


def _hide_pixels(valid_HW: Mask) -> Mask:
    hidden: Mask = valid_HW & (np.random.default_rng(0).random(valid_HW.shape) < _SHARE)
    return hidden


def _hide_blocks(valid_HW: Mask) -> Mask:
    """Hide blocks of 24x24 anywhere, overlapping or not, until they cover a fifth of what is valid."""
    rng = np.random.default_rng(0)
    hidden_HW = np.zeros_like(valid_HW)
    while (hidden_HW & valid_HW).sum() < _SHARE * valid_HW.sum():
        y, x = (int(rng.integers(1 - _BLOCK, places)) for places in valid_HW.shape)
        hidden_HW[max(0, y) : y + _BLOCK, max(0, x) : x + _BLOCK] = True
    return hidden_HW & valid_HW


HIDDEN: Mapping[str, Callable[[Mask], Mask]] = {"pixels": _hide_pixels, "blocks of 24x24": _hide_blocks}
"""Which fifth of the valid pixels is hidden: valid mask to mask."""
