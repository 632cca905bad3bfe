"""Writes a small Cityscapes from the rendered world, with true disparity, calibration, odometry and time stamps.

Each annotated frame is a snippet of three: it, the one before and the one after, as leftImg8bit_sequence has thirty.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.catalog._cityscapes import layout, pixels
from segprep.datasets.catalog._cityscapes.calibration import CAMERA_TO_ISO, FRAME_RATE, Odometry, mean_odometry
from segprep.datasets.catalog._cityscapes.layout import FrameName
from segprep.datasets.imageio import write_image
from segprep.datasets.sample import Camera, JsonDict, Matrix
from segprep.datasets.synthetic import Frame, World, camera_pose, make_camera, render

__all__ = ["Snippet", "snippets", "write_cityscapes"]

_WIDTH: Final = 512
_HEIGHT: Final = 256
_TICKS_PER_S: Final = 1000  # frames of the world are milliseconds, so that the time between pictures can vary


@dataclass(frozen=True, slots=True)
class Snippet:
    """An annotated frame of the miniature, with what it was rendered from.

    Attributes:
        split: "train", "val" or "train_extra".
        name: Of the annotated frame.
        world: `tick` says which frame of it a picture shows.
    """

    split: str
    name: FrameName
    world: World

    @property
    def fine(self) -> bool:
        """Whether there are fine annotations and a video; train_extra has neither."""
        return self.split != "train_extra"

    def tick(self, number: int) -> int:
        """Return the world's frame of a picture, in milliseconds: 17 per second, not quite evenly."""
        return round(number * _TICKS_PER_S / FRAME_RATE) + 3 * number % 5

    def beside(self, offset: int) -> FrameName:
        """Return the frame `offset` after the annotated one."""
        number = self.name.number + offset
        return FrameName(self.name.city, self.name.sequence, number, f"{number:06d}")


def snippets(fine: int, coarse_only: int) -> Iterator[Snippet]:
    """Yield the annotated frames of a miniature.

    As in the real set, some cities have one annotated frame per sequence (aachen) and some have many in one long
    sequence (frankfurt).

    Args:
        fine: Number of frames with fine annotations; a quarter, at least one, is in split val.
        coarse_only: Number of frames in split train_extra.
    """
    val = max(1, fine // 4)
    for split, city, seed, count in (
        ("train", "aachen", 11, fine - val),
        ("val", "frankfurt", 12, val),
        ("train_extra", "augsburg", 13, coarse_only),
    ):
        for index in range(count):
            sequence, number = (0, 294 + 34 * index) if split == "val" else (index, 19)
            world = World(seed=seed, start=300.0 * sequence, bend=0.3, frame_rate=float(_TICKS_PER_S))
            yield Snippet(split, FrameName(city, f"{city}_{sequence:06d}", number, f"{number:06d}"), world)


def write_cityscapes(root: Path, *, fine: int, coarse_only: int) -> None:
    """Write a miniature below a folder; the same numbers write the same bytes.

    Args:
        root: Folder, made if absent.
        fine: Number of frames with fine and coarse annotations and video, in splits train and val.
        coarse_only: Number of frames with coarse annotations and no video, in split train_extra.

    Raises:
        WriteFailedError: If a file cannot be written.
    """
    for snippet in snippets(fine, coarse_only):
        frame = _render(snippet, snippet.name)
        odometry = _odometry(snippet)
        _write_annotated(root, snippet, frame, odometry[0])
        if snippet.fine:
            for offset in odometry:
                name = snippet.beside(offset)
                _write_video(root, snippet, name, frame if offset == 0 else _render(snippet, name), odometry[offset])


def _write_annotated(root: Path, snippet: Snippet, frame: Frame, odometry: Odometry) -> None:
    split, name = snippet.split, snippet.name
    write_image(root / layout.IMAGE.path(split, name), pixels.picture(frame))
    annotations = {"gtCoarse": pixels.coarse_ids(frame)} | ({"gtFine": pixels.fine_ids(frame)} if snippet.fine else {})
    for annotation, raw_HW in annotations.items():
        write_image(root / layout.label_part(annotation).path(split, name), raw_HW)
        write_image(root / layout.instance_part(annotation).path(split, name), pixels.instance_ids(raw_HW, frame))
    write_image(root / layout.DISPARITY.path(split, name), pixels.disparity_codes(frame))
    _write_json(root / layout.CAMERA.path(split, name), _calibration(frame.camera))
    _write_json(root / layout.VEHICLE.path(split, name), _vehicle(odometry))


def _write_video(root: Path, snippet: Snippet, name: FrameName, frame: Frame, odometry: Odometry) -> None:
    write_image(root / layout.SEQUENCE_IMAGE.path(snippet.split, name), pixels.picture(frame))
    _write_json(root / layout.SEQUENCE_VEHICLE.path(snippet.split, name), _vehicle(odometry))
    nanoseconds = snippet.tick(name.number) * (1_000_000_000 // _TICKS_PER_S)
    atomic_write_bytes(root / layout.TIMESTAMP.path(snippet.split, name), str(nanoseconds).encode())


def _render(snippet: Snippet, name: FrameName) -> Frame:
    return render(snippet.world, snippet.tick(name.number), _WIDTH, _HEIGHT)


def _calibration(camera: Camera) -> JsonDict:
    """Return what a camera file holds, from a camera with a mount."""
    mount = np.eye(4) if camera.mount is None else camera.mount
    R = mount[:3, :3] @ CAMERA_TO_ISO.T  # of a camera whose x looks forward
    return {
        "extrinsic": {
            "baseline": pixels.BASELINE_M,
            "pitch": math.asin(-R[2, 0]),
            "roll": math.atan2(R[2, 1], R[2, 2]),
            "x": mount[0, 3],
            "y": mount[1, 3],
            "yaw": math.atan2(R[1, 0], R[0, 0]),
            "z": mount[2, 3],
        },
        "intrinsic": {"fx": camera.K[0, 0], "fy": camera.K[1, 1], "u0": camera.K[0, 2], "v0": camera.K[1, 2]},
    }


def _odometry(snippet: Snippet) -> dict[int, Odometry]:
    """Return speed and yaw rate of the annotated frame (0), the one before (-1) and the one after (1).

    Readers take the mean of two frames for the way between them. The annotated frame gets the mean of the two ways and
    its neighbours what makes both means exact.
    """
    before, after = _way(snippet, -1, 0), _way(snippet, 0, 1)
    here = mean_odometry([before, after])
    return {0: here} | {
        offset: Odometry(2 * way.speed - here.speed, 2 * way.yaw_rate - here.yaw_rate)
        for offset, way in ((-1, before), (1, after))
    }


def _way(snippet: Snippet, start: int, end: int) -> Odometry:
    """Return the speed and yaw rate that lead from one pose of the vehicle to another along an arc.

    An arc of length r w that turns by w has the chord 2 r sin(w / 2). The rendered camera looks along the road, which
    is not quite an arc: after 1/17 s it is within 0.01 mm of it.
    """
    ticks = [snippet.tick(snippet.name.number + offset) for offset in (start, end)]
    first, last = (_vehicle_pose(snippet.world, tick) for tick in ticks)
    seconds = (ticks[1] - ticks[0]) / _TICKS_PER_S
    M = np.linalg.inv(first) @ last
    turn = math.atan2(M[1, 0], M[0, 0])
    path = math.hypot(M[0, 3], M[1, 3]) / float(np.sinc(turn / math.tau))
    return Odometry(path / seconds, turn / seconds)


def _vehicle_pose(world: World, tick: int) -> Matrix:
    mount = make_camera(_WIDTH, _HEIGHT).mount
    to_world: Matrix = camera_pose(world, tick).matrix @ np.linalg.inv(np.eye(4) if mount is None else mount)
    return to_world


def _vehicle(odometry: Odometry) -> JsonDict:
    return {"speed": odometry.speed, "yawRate": odometry.yaw_rate}


def _write_json(path: Path, value: JsonDict) -> None:
    atomic_write_bytes(path, (json.dumps(value, indent=4) + "\n").encode())
