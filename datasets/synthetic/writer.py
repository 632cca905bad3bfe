"""Writes drives as a dataset of plain files: the layout that the catalog knows as `synthetic`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.codes import DepthCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.imageio import write_image
from segprep.datasets.sample import Array
from segprep.datasets.synthetic.motion import Motion, motion
from segprep.datasets.synthetic.palette import CLASSES
from segprep.datasets.synthetic.render import Frame, render
from segprep.datasets.synthetic.world import World

__all__ = ["DEPTH_CODE", "FORMAT_VERSION", "drive_world", "write_drive"]

FORMAT_VERSION: Final = 1

DEPTH_CODE: Final = DepthCode(scale_m=0.005)
"""Depth files: metres = code * 0.005, 65535 is the sky; what is farther than 327.67 m is stored as that."""

_SEQUENCE_EVERY_M: Final = 7200.0  # sequences show different stretches of the same road
_PITCH_WOBBLE_RAD: Final = 0.004


def drive_world(seed: int, sequence: int) -> World:
    """Return the world of a written drive's n-th sequence, counted over all splits: its truth is the drive's."""
    return World(seed=seed, start=sequence * _SEQUENCE_EVERY_M, pitch_wobble=_PITCH_WOBBLE_RAD)


def write_drive(
    root: Path,
    *,
    splits: Mapping[str, int],
    width: int = 512,
    height: int = 256,
    seed: int = 0,
    sequence_length: int = 40,
    truth: bool = False,
) -> None:
    """Render drives and write them below a folder; what is there already is replaced file by file.

    The layout is `drive.json` and, per frame, `<split>/drive<NN>/<part>/<frame>.<ext>` with the parts rgb and nir
    (8 bit), depth (16 bit, `DEPTH_CODE`), label (raw ids), instance (16 bit) as PNG and camera (JSON: the camera,
    `pose` as a 4 x 4 camera-to-world transform, `time` in seconds). The same arguments write the same bytes.

    Args:
        root: Folder, made if absent.
        splits: Name of each split to its number of frames.
        width: Image width in pixels.
        height: Image height in pixels.
        seed: Of the world.
        sequence_length: Frames of a sequence; a split is cut into as many sequences as it takes, each on another
            stretch of the road.
        truth: Whether to add, for each frame but the first of a sequence, its exact motion to the frame before:
            truth/flow_previous and truth/ego_previous (float32 .npy), truth/moving and truth/occluded_previous (PNG,
            0 or 255).

    Raises:
        ConfigurationError: If a number of frames is not positive or the image is smaller than 16 x 8.
        WriteFailedError: If a file cannot be written.
    """
    if sequence_length < 1 or not splits or min(splits.values()) < 1:
        raise ConfigurationError(f"a drive needs at least one frame in every split, not {dict(splits)}")
    if width < 16 or height < 8:
        raise ConfigurationError(f"a drive needs images of at least 16 x 8 pixels, not {width} x {height}")
    stretch = 0
    frame_rate = World().frame_rate
    for split, frames in splits.items():
        for number, first in enumerate(range(0, frames, sequence_length)):
            world = drive_world(seed, stretch)
            stretch += 1
            sequence = root / split / f"drive{number:02d}"
            for frame in range(min(sequence_length, frames - first)):
                _write_frame(sequence, frame, render(world, frame, width, height))
                if truth and frame > 0:
                    _write_truth(sequence, frame, motion(world, frame, frame - 1, width, height))
    header = {
        "format_version": FORMAT_VERSION,
        "class_map": CLASSES.to_json(),
        "frame_rate": frame_rate,
        "width": width,
        "height": height,
        "seed": seed,
    }
    # Written last: a folder without it is no finished drive.
    _write_json(root / "drive.json", header)


def _write_frame(sequence: Path, index: int, frame: Frame) -> None:
    depth = DEPTH_CODE.encode(frame.depth_HW, None).stored
    parts = {
        "rgb": frame.rgb_HWC,
        "nir": frame.nir_HW,
        "depth": depth,
        "label": frame.label_HW,
        "instance": frame.instance_HW,
    }
    for part, array in parts.items():
        write_image(sequence / part / f"{index:06d}.png", array)
    camera = {**frame.camera.to_json(), "pose": frame.pose.matrix.tolist(), "time": frame.time}
    _write_json(sequence / "camera" / f"{index:06d}.json", camera)


def _write_truth(sequence: Path, index: int, truth: Motion) -> None:
    for part, flow in (("flow_previous", truth.flow_HW2), ("ego_previous", truth.ego_HW2)):
        write_image(sequence / "truth" / part / f"{index:06d}.npy", flow.astype(np.float32))
    masks: dict[str, Array] = {"moving": truth.moving_HW, "occluded_previous": truth.occluded_HW}
    for part, mask in masks.items():
        write_image(sequence / "truth" / part / f"{index:06d}.png", mask.astype(np.uint8) * 255)


def _write_json(path: Path, value: object) -> None:
    atomic_write_bytes(path, (json.dumps(value, indent=1) + "\n").encode())
