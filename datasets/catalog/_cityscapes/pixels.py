"""Pictures, annotations and disparity of a miniature Cityscapes, made from rendered frames of any size."""

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.codes import DisparityCode
from segprep.datasets.sample import Array, Mask
from segprep.datasets.synthetic import CLASSES, Frame

__all__ = ["BASELINE_M", "coarse_ids", "disparity_codes", "fine_ids", "instance_ids", "picture"]

BASELINE_M: Final = 0.209

_Ids = npt.NDArray[np.uint8]

_STATIC: Final = 4  # what the rendered world does not name
_RAW_IDS: Final[Mapping[str, int]] = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "fence": 13,
    "pole": 17,
    "sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "car": 26,
}
_WITH_INSTANCES: Final = (24, 26)
_EGO_VEHICLE, _BORDER, _OUTSIDE = 1, 2, 3
_BONNET_RGB: Final = (38, 40, 44)
_BONNET_M: Final = 1.9
_COARSE_PX: Final = 8


def picture(frame: Frame) -> npt.NDArray[np.uint8]:
    """Return the (H, W, 3) uint8 image with the own vehicle's bonnet and black borders, which stay where they are."""
    hidden_HW = _hidden_ids(*frame.label_HW.shape)
    rgb_HWC = frame.rgb_HWC.copy()
    rgb_HWC[hidden_HW == _EGO_VEHICLE] = _BONNET_RGB
    rgb_HWC[hidden_HW > _EGO_VEHICLE] = 0
    return rgb_HWC


def fine_ids(frame: Frame) -> _Ids:
    """Return (H, W) raw ids as gtFine has them."""
    return _with_hidden(_scene_ids(frame))


def coarse_ids(frame: Frame) -> _Ids:
    """Return (H, W) raw ids as gtCoarse has them: the inside of large regions, in blocks; the rest is unlabelled."""
    scene_HW = _scene_ids(frame)
    height, width = (-(-n // _COARSE_PX) for n in scene_HW.shape)
    missing = ((0, height * _COARSE_PX - scene_HW.shape[0]), (0, width * _COARSE_PX - scene_HW.shape[1]))
    blocks = np.pad(scene_HW, missing, mode="edge").reshape(height, _COARSE_PX, width, _COARSE_PX)
    uniform = blocks.min(axis=(1, 3)) == blocks.max(axis=(1, 3))
    kept = np.where(uniform, blocks[:, 0, :, 0], 0).repeat(_COARSE_PX, axis=0).repeat(_COARSE_PX, axis=1)
    return _with_hidden(kept[: scene_HW.shape[0], : scene_HW.shape[1]])


def instance_ids(raw_HW: _Ids, frame: Frame) -> npt.NDArray[np.uint16]:
    """Return (H, W) ids: class * 1000 + number for cars and persons, numbered from 0 each; else the class."""
    ids_HW = raw_HW.astype(np.uint16)
    for raw_id in _WITH_INSTANCES:
        at: Mask = raw_HW == raw_id
        ids_HW[at] = 1000 * raw_id + np.unique(frame.instance_HW[at], return_inverse=True)[1]
    return ids_HW


def disparity_codes(frame: Frame) -> Array:
    """Return (H, W) uint16 codes of the true disparity.

    The sky has disparity 0. The borders have none, nor have the pixels at the left that the right camera does not see.
    """
    hidden_HW = _hidden_ids(*frame.label_HW.shape)
    depth_HW = np.where(hidden_HW == _EGO_VEHICLE, _BONNET_M, frame.depth_HW)
    pixels_HW = BASELINE_M * frame.camera.K[0, 0] / depth_HW
    valid_HW = (np.arange(depth_HW.shape[1]) >= pixels_HW) & (hidden_HW <= _EGO_VEHICLE)
    return DisparityCode(step=1 / 256, zero_code=1).encode(pixels_HW, valid_HW).stored


def _scene_ids(frame: Frame) -> _Ids:
    table = np.full(256, _STATIC, np.uint8)
    for rendered in CLASSES.classes:
        table[list(rendered.raw_ids)] = _RAW_IDS[rendered.name]
    ids_HW: _Ids = table[frame.label_HW]
    return ids_HW


def _with_hidden(raw_HW: _Ids) -> _Ids:
    hidden_HW = _hidden_ids(*raw_HW.shape)
    return np.where(hidden_HW > 0, hidden_HW, raw_HW)


@cache
def _hidden_ids(height: int, width: int) -> _Ids:
    """Return (H, W) ids of what hides the scene: a bonnet, and a border with an outer rim; 0 elsewhere."""
    y, x = np.mgrid[:height, :width]
    ids_HW = np.zeros((height, width), np.uint8)
    ids_HW[y > height * (0.9 + 0.08 * (2 * x / width - 1) ** 2)] = _EGO_VEHICLE
    to_edge = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    ids_HW[to_edge < 4] = _BORDER
    ids_HW[to_edge < 2] = _OUTSIDE
    ids_HW.setflags(write=False)
    return ids_HW
