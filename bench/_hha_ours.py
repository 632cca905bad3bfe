"""HHA as segprep makes it: depth to 8-bit codes, as a call to be timed and, in a fresh process, its memory.

Run as a program, `python _hha_ours.py DEPTH.npy K.txt` prints by how many bytes a call grows the process.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _measure import peak_growth, peak_growth_of

from segprep.datasets.codes import Encoded
from segprep.datasets.sample import Array, Camera, Mask
from segprep.prep.depth.hha import PRESETS, HhaImage, hha
from segprep.workflows.running.process import settle_process

__all__ = ["calls", "growth", "load_camera"]


def load_camera(intrinsics: Path, depth_HW: Array) -> Camera:
    """Return the camera of a file whose K counts pixels from 1, as Matlab does."""
    K = np.loadtxt(intrinsics)
    K[:2, 2] -= 1
    return Camera(K, depth_HW.shape[1], depth_HW.shape[0])


def calls(depth_HW: Array, valid_HW: Mask, camera: Camera) -> dict[str, Callable[[], Encoded]]:
    """Return what is timed: gravity estimated, holes masked, gravity known."""
    everywhere_HW = np.ones(depth_HW.shape, np.bool_)
    down_3 = hha(depth_HW, everywhere_HW, camera).gravity_3
    return {
        "**hha**": lambda: _encoded(hha(depth_HW, everywhere_HW, camera)),
        "hha, holes masked": lambda: _encoded(hha(depth_HW, valid_HW, camera)),
        "hha, gravity known": lambda: _encoded(hha(depth_HW, everywhere_HW, camera, down_3=down_3)),
    }


def growth(depth: Path, intrinsics: Path) -> int | None:
    """Return by how many bytes a fresh process grows with the first of the calls."""
    return peak_growth_of(__file__, str(depth), str(intrinsics))


def _encoded(image: HhaImage) -> Encoded:
    return PRESETS["indoor"].code.encode(image.values_HW3, image.valid_HW)


def _main(depth: str, intrinsics: str) -> None:
    settle_process()
    depth_HW = np.load(depth)
    camera = load_camera(Path(intrinsics), depth_HW)
    everywhere_HW = np.ones(depth_HW.shape, np.bool_)

    def work(rows: slice) -> Encoded:
        part_HW = depth_HW[rows]
        part = Camera(camera.K, part_HW.shape[1], part_HW.shape[0])
        return _encoded(hha(part_HW, everywhere_HW[rows], part))

    work(slice(0, 48))  # what libraries load at the first call is nobody's
    print(peak_growth(lambda: work(slice(None))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
