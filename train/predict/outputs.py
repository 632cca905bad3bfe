"""What predictions are written as: ids, colours, overlay, scores, entropy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import cv2
import numpy as np

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import code_from_json
from segprep.datasets.codes.column import ColumnFacts
from segprep.datasets.drawing.columns import draw_column
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.imageio import encode_image, encode_palette, npz
from segprep.datasets.kinds import Kind
from segprep.datasets.names import nearest_name
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import ArraySpec
from segprep.prep.resizing.resample import resample
from segprep.train.predict.enlarging import Answer

__all__ = ["OUTPUTS", "Ids", "Output", "OutputFiles", "ids_picture", "overlay", "parse_outputs", "shown_rgb"]

Output = Literal["ids", "colors", "overlay", "scores", "entropy"]
Ids = Literal["train", "raw"]

OUTPUTS: Final[tuple[Output, ...]] = get_args(Output)

_SUFFIXES: Final[Mapping[Output, str]] = {
    "ids": ".png",
    "colors": ".png",
    "overlay": ".png",
    "scores": ".npz",
    "entropy": ".npz",
}
_OPACITY: Final = 0.5


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """Which files are written of each prediction.

    Attributes:
        save: What is written.
        ids: Which ids those are in the files of ids.
        classes: Of the network.
    """

    save: tuple[Output, ...]
    ids: Ids
    classes: ClassMap

    def names(self, name: str) -> dict[Output, str]:
        """Return the files of an item, relative to the folder of the outputs."""
        return {output: f"{output}/{name}{_SUFFIXES[output]}" for output in self.save}

    def encoded(self, answer: Answer, rgb_HWC: Array | None) -> dict[Output, bytes]:
        """Return the bytes of each file.

        Args:
            answer: With what `save` asks for.
            rgb_HWC: What the overlay lies on, of the answer's size.
        """
        found: dict[Output, bytes] = {}
        for output in self.save:
            match output:
                case "ids":
                    found[output] = _encoded_ids(answer.ids_HW, self.classes, self.ids)
                case "colors":
                    found[output] = encode_image(".png", self.classes.colored(answer.ids_HW))
                case "overlay":
                    if rgb_HWC is None:
                        raise ValueError("an overlay needs a picture")
                    found[output] = encode_image(".png", overlay(rgb_HWC, answer.ids_HW, self.classes))
                case "scores":
                    if answer.scores_CHW is None:
                        raise ValueError("the answer has no scores")
                    found[output] = npz.encode({"scores": answer.scores_CHW})
                case "entropy":
                    if answer.entropy_HW is None:
                        raise ValueError("the answer has no entropy")
                    found[output] = npz.encode({"entropy": answer.entropy_HW})
        return found


def parse_outputs(text: str) -> tuple[Output, ...]:
    """Return the outputs that a text such as "ids,overlay" names, each once.

    Raises:
        ConfigurationError: If it names none, or what is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in OUTPUTS:
            raise ConfigurationError(f"there is no output {name!r} to --save. {nearest_name(name, OUTPUTS)}")
    if not names:
        raise ConfigurationError(f"--save takes one or more of {', '.join(OUTPUTS)}, with commas")
    return tuple(output for output in OUTPUTS if output in names)


def overlay(rgb_HWC: Array, ids_HW: Array, classes: ClassMap) -> Array:
    """Return (H, W, 3) uint8 RGB: the picture, half covered by the colours of its classes."""
    mixed_HWC: Array = cv2.addWeighted(rgb_HWC, 1 - _OPACITY, classes.colored(ids_HW), _OPACITY, 0)
    return mixed_HWC


def ids_picture(ids_HW: Array, classes: ClassMap, ids: Ids) -> Array:
    """Return (H, W) ids as files hold them: uint8, or uint16 for raw ids beyond 255."""
    return classes.to_raw_ids(ids_HW) if ids == "raw" else ids_HW


def shown_rgb(
    columns: Sequence[ArraySpec], arrays: Mapping[str, Array], stored_HWC: Array, size: tuple[int, int]
) -> Array:
    """Return (H, W, 3) uint8 RGB that shows what was predicted, of (width, height).

    It is the column `image` where there is one of 8-bit colours, else what the network's first column looks like.

    Args:
        columns: Of the network.
        arrays: The columns that were read.
        stored_HWC: What the network saw.
        size: Of the result.
    """
    image = arrays.get("image")
    if image is None or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        first = columns[0]
        stored = stored_HWC[..., : first.shape[2]] if len(first.shape) == 3 else stored_HWC[..., 0]
        facts = ColumnFacts(first.name, first.kind, code_from_json(first.code), first.attributes)
        image = draw_column(facts, stored.astype(first.dtype), None).picture_HW3
    resized, _ = resample(np.ascontiguousarray(image), None, Kind.IMAGE, size)
    return resized


def _encoded_ids(ids_HW: Array, classes: ClassMap, ids: Ids) -> bytes:
    picture_HW = ids_picture(ids_HW, classes, ids)
    if picture_HW.dtype != np.uint8:
        return encode_image(".png", picture_HW)
    colors_N3 = np.zeros((256, 3), np.uint8)
    places = ids_picture(np.arange(len(classes.names), dtype=np.uint8)[None], classes, ids)[0]
    colors_N3[places] = [each.color for each in classes.classes]
    return encode_palette(picture_HW, colors_N3)
