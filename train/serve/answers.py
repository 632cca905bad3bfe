"""From the network's probabilities to what a client gets."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from segprep.datasets.classes import ClassMap
from segprep.datasets.imageio import encode_image, encode_palette
from segprep.datasets.sample import Array, JsonDict
from segprep.datasets.source_files import size_text
from segprep.train.serve.batching import Probabilities
from segprep.train.serve.refusals import Refused

__all__ = ["JSON", "NPZ", "PNG", "Output", "Segmented", "Size", "enlarged", "runs_of"]

Output = Literal["ids", "colors", "overlay", "json", "scores"]
Size = Literal["original", "network"]

PNG, JSON, NPZ = "image/png", "application/json", "application/x-npz"


@dataclass(frozen=True, slots=True, eq=False)
class Segmented:
    """The answer of the network to one sample.

    Attributes:
        probabilities_CHW: At the network's size.
        size: (width, height) that the client wants.
        shown_HW3: What it sent, to lay the classes over.
        classes: Of the data set that was asked for.
        clipped: By column how many pixels its code could not express.
    """

    probabilities_CHW: Probabilities
    size: tuple[int, int]
    shown_HW3: Array
    classes: ClassMap
    clipped: Mapping[str, int]

    def likeliest(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Return (H, W) train ids and the probabilities of these classes, at the size that is wanted.

        Probabilities are enlarged bilinearly, class by class so that large pictures take little memory, and the
        likeliest class is taken last: enlarged ids would have the steps of the network's grid.
        """
        width, height = self.size
        ids_HW = np.zeros((height, width), np.uint8)
        best_HW = _at(self.probabilities_CHW[0], self.size).copy()
        for train_id, plane_HW in enumerate(self.probabilities_CHW[1:], 1):
            scaled_HW = _at(plane_HW, self.size)
            ids_HW[scaled_HW > best_HW] = train_id
            np.maximum(best_HW, scaled_HW, out=best_HW)
        return ids_HW, best_HW

    def answer(self, output: Output, opacity: float, most_bytes: int) -> tuple[bytes, str]:
        """Return the body and its media type.

        Args:
            output: What is wanted.
            opacity: Of the classes' colours in an overlay.
            most_bytes: That scores may take before they are packed.

        Raises:
            Refused: If scores would be larger.
        """
        if output == "scores":
            return _scores(enlarged(self.probabilities_CHW, self.size, most_bytes)), NPZ
        ids_HW, best_HW = self.likeliest()
        if output == "json":
            return json.dumps(_summary(self, ids_HW, best_HW)).encode(), JSON
        return _PICTURES[output](self, ids_HW, opacity), PNG


def enlarged(probabilities_CHW: Probabilities, size: tuple[int, int], most_bytes: int) -> Probabilities:
    """Return probabilities of all classes at (width, height).

    Raises:
        Refused: If they take more than so many bytes.
    """
    needed = 4 * len(probabilities_CHW) * size[0] * size[1]
    if needed > most_bytes:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the probabilities of {len(probabilities_CHW)} classes at {size[0]}x{size[1]} take {size_text(needed)}, "
            f"and this server sends at most {size_text(most_bytes)}: ask for size=network, or for ids",
        )
    return np.stack([_at(plane_HW, size) for plane_HW in probabilities_CHW])


def runs_of(ids_HW: Array) -> list[list[int]]:
    """Return [[id, how many], ...] of the pixels row by row."""
    flat = ids_HW.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.append(starts, len(flat)))
    runs: list[list[int]] = np.stack([flat[starts].astype(np.int64), lengths], 1).tolist()
    return runs


def _at(plane_HW: Array, size: tuple[int, int]) -> Array:
    if size == (plane_HW.shape[1], plane_HW.shape[0]):
        return plane_HW
    return cv2.resize(plane_HW, size, interpolation=cv2.INTER_LINEAR)


def _ids(segmented: Segmented, ids_HW: Array, opacity: float) -> bytes:
    return encode_palette(ids_HW, segmented.classes.colors)


def _colors(segmented: Segmented, ids_HW: Array, opacity: float) -> bytes:
    return encode_image(".png", segmented.classes.colored(ids_HW))


def _overlay(segmented: Segmented, ids_HW: Array, opacity: float) -> bytes:
    shown_HW3 = segmented.shown_HW3
    if segmented.size != (shown_HW3.shape[1], shown_HW3.shape[0]):
        shown_HW3 = cv2.resize(shown_HW3, segmented.size, interpolation=cv2.INTER_AREA)
    blended = cv2.addWeighted(segmented.classes.colored(ids_HW), opacity, shown_HW3, 1 - opacity, 0)
    return encode_image(".png", np.asarray(blended))


_PICTURES: Final[Mapping[str, Callable[[Segmented, Array, float], bytes]]] = MappingProxyType(
    {"ids": _ids, "colors": _colors, "overlay": _overlay}
)


def _summary(segmented: Segmented, ids_HW: Array, best_HW: Array) -> JsonDict:
    """Return what was found, as JSON values; `runs` has every pixel."""
    names = segmented.classes.names
    counts = np.bincount(ids_HW.reshape(-1), minlength=len(names))
    sums = np.bincount(ids_HW.reshape(-1), best_HW.reshape(-1), minlength=len(names))
    return {
        "size": list(segmented.size),
        "classes": [
            {
                "id": train_id,
                "name": name,
                "pixels": int(counts[train_id]),
                "share": round(counts[train_id] / ids_HW.size, 6),
                "confidence": round(float(sums[train_id] / counts[train_id]), 6) if counts[train_id] else None,
            }
            for train_id, name in enumerate(names)
        ],
        "confidence": round(float(best_HW.mean()), 6),
        "clipped": dict(segmented.clipped),
        "order": "row by row from the upper left: [id, pixels]",
        "runs": runs_of(ids_HW),
    }


def _scores(probabilities_CHW: Probabilities) -> bytes:
    file = io.BytesIO()
    np.savez(file, scores=probabilities_CHW.astype(np.float16))
    return file.getvalue()
