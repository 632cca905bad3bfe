"""What the miniatures of RGB-D sequences are rendered from: walks through a street in which nothing moves."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.codes import DepthCode
from segprep.datasets.sample import Array, Camera
from segprep.datasets.synthetic import Frame, World, make_camera, render

__all__ = [
    "RenderedRecording",
    "depth_picture",
    "number_line",
    "rendered_recordings",
    "write_lines",
    "write_pinhole_json",
]

_WIDTH: Final = 128
_HEIGHT: Final = 64
_FRAME_RATE: Final = 30.0
_DARK: Final = 65535  # the code that depth cameras give to what they do not see


@dataclass(frozen=True, slots=True)
class RenderedRecording:
    """A recording of a miniature, with what it is rendered from.

    Attributes:
        name: Of its folder.
        world: Its frames 0, 1, 2, ... are those of the recording.
        count: Number of frames.
    """

    name: str
    world: World
    count: int

    @property
    def camera(self) -> Camera:
        """The camera of all frames."""
        return make_camera(_WIDTH, _HEIGHT)

    def frames(self) -> Iterator[Frame]:
        """Render all frames."""
        return (render(self.world, index, _WIDTH, _HEIGHT) for index in range(self.count))


def rendered_recordings(names: tuple[str, str], frames: int) -> tuple[RenderedRecording, RenderedRecording]:
    """Return two recordings, the second of a quarter of the frames, at least one, to judge on."""
    judged = max(1, frames // 4)
    first, second = (
        World(seed=seed, speed=1.5, frame_rate=_FRAME_RATE, bend=0.3, pitch_wobble=0.02, traffic_speed=0.0)
        for seed in (21, 22)
    )
    return RenderedRecording(names[0], first, frames - judged), RenderedRecording(names[1], second, judged)


def depth_picture(frame: Frame, code: DepthCode) -> Array:
    """Return (H, W) uint16 depth of what lies within the code's range; 0, and 65535 in the sky, beyond it."""
    near_HW = frame.depth_HW < (_DARK - 1) * code.scale_m
    stored_HW = code.encode(frame.depth_HW, near_HW).stored
    stored_HW[np.isinf(frame.depth_HW)] = _DARK
    return stored_HW


def number_line(values: Iterable[float]) -> str:
    """Return numbers with blanks between, so that reading them gives the same numbers."""
    return " ".join(repr(float(value)) for value in values)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file."""
    atomic_write_bytes(path, "".join(f"{line}\n" for line in lines).encode())


def write_pinhole_json(path: Path, camera: Camera) -> None:
    """Write a camera as Open3D does: the matrix column by column."""
    data = {"width": camera.width, "height": camera.height, "intrinsic_matrix": camera.K.T.ravel().tolist()}
    atomic_write_bytes(path, (json.dumps(data, indent=1) + "\n").encode())
