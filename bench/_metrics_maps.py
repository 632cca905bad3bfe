"""Label maps, instances and predictions in the files of Cityscapes: small, drawn, and the same for the same seed."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.imageio import write_image

__all__ = ["write_maps"]

_Ids = npt.NDArray[np.uint8]

_IDS = (0, 3, 4, 7, 8, 11, 17, 20, 21, 23, 24, 25, 26, 27, 28, 32, 33)  # wall, train and others are in no label
_THINGS = (24, 25, 26, 27, 28, 32, 33)
_GROUPED = 0.2  # share of things that are a group, which has no number
_CELL = 6  # pixels, about the size of blobs


def write_maps(folder: Path, images: int, size: tuple[int, int], seed: int) -> list[str]:
    """Write files for so many images of (width, height); return their names.

    For each `<name>_gtFine_labelIds.png` (raw ids), `_gtFine_instanceIds.png`, `_pred.png` (raw ids of the 19 classes)
    and `_sure.png` (probability of the prediction, times 256 and rounded down).
    """
    rng = np.random.default_rng(seed)
    names = []
    for number in range(images):
        label_HW = _blobs(rng, size)
        instance_HW = label_HW.astype(np.uint16)
        for raw_id in _THINGS:
            count, parts_HW = cv2.connectedComponents((label_HW == raw_id).astype(np.uint8))
            for part in range(1, count):
                if rng.random() > _GROUPED:
                    instance_HW[parts_HW == part] = 1000 * raw_id + part
        prediction_HW = np.roll(label_HW, rng.integers(-2, 3, 2), (0, 1))
        other_HW, wrong_HW = _blobs(rng, size), _noise(rng, size)[..., 0] > 1
        prediction_HW = np.where(wrong_HW | np.isin(prediction_HW, (0, 3, 4)), other_HW, prediction_HW)
        prediction_HW = np.where(np.isin(prediction_HW, (0, 3, 4)), 12, prediction_HW).astype(np.uint8)
        sure_HW = rng.integers(80, 256, label_HW.shape).astype(np.uint8)
        name = f"drawn_{number:06d}_000019"
        pictures: dict[str, npt.NDArray[Any]] = {
            "gtFine_labelIds": label_HW,
            "gtFine_instanceIds": instance_HW,
            "pred": prediction_HW,
            "sure": sure_HW,
        }
        for ending, picture in pictures.items():
            write_image(folder / f"{name}_{ending}.png", picture)
        names.append(name)
    return names


def _noise(rng: np.random.Generator, size: tuple[int, int], channels: int = 1) -> npt.NDArray[np.float32]:
    """Smooth noise of standard deviation 1, (H, W, channels)."""
    width, height = size
    coarse = rng.normal(size=(height // _CELL + 2, width // _CELL + 2, channels)).astype(np.float32)
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)
    return np.asarray(smooth / smooth.std(), np.float32)


def _blobs(rng: np.random.Generator, size: tuple[int, int]) -> _Ids:
    found: _Ids = np.array(_IDS, np.uint8)[_noise(rng, size, len(_IDS)).argmax(2)]
    return found
