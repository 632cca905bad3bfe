"""From probabilities on the network's grid to answers on that of the picture, in memory that the picture bounds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from segprep.datasets.sample import Array

__all__ = ["Answer", "answer_at", "enlarged_rows"]

_AT_ONCE: Final = 2**26  # numbers of 32 bits: 256 MB


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is written of a prediction.

    Attributes:
        ids_HW: uint8 train ids of the likeliest classes.
        scores_CHW: float16 probabilities by train id, where they are wanted.
        entropy_HW: float16, of the probabilities in nats, from 0 (certain) to log(classes), where it is wanted.
    """

    ids_HW: Array
    scores_CHW: npt.NDArray[np.float16] | None = None
    entropy_HW: npt.NDArray[np.float16] | None = None


@torch.inference_mode()
def answer_at(
    probabilities_CHW: Tensor, size: tuple[int, int], *, scores: bool = False, entropy: bool = False
) -> Answer:
    """Return the answer on a grid of (width, height): probabilities enlarged bilinearly, the likeliest class last."""
    width, height = size
    ids_HW = np.empty((height, width), np.uint8)
    scores_CHW = np.empty((len(probabilities_CHW), height, width), np.float16) if scores else None
    entropy_HW = np.empty((height, width), np.float16) if entropy else None
    for rows, enlarged_CHW in enlarged_rows(probabilities_CHW, size):
        ids_HW[rows] = enlarged_CHW.argmax(0).to(torch.uint8).cpu().numpy()
        if scores_CHW is not None:
            scores_CHW[:, rows] = enlarged_CHW.half().cpu().numpy()
        if entropy_HW is not None:
            entropy_HW[rows] = torch.special.entr(enlarged_CHW).sum(0).half().cpu().numpy()
    return Answer(ids_HW, scores_CHW, entropy_HW)


def enlarged_rows(
    probabilities_CHW: Tensor, size: tuple[int, int], at_once: int = _AT_ONCE
) -> Iterator[tuple[slice, Tensor]]:
    """Yield bands of rows of `F.interpolate(..., mode="bilinear", align_corners=False)`, from top to bottom.

    Args:
        probabilities_CHW: On the network's grid.
        size: (width, height) of the whole.
        at_once: Most numbers of a band.
    """
    classes, source_height, source_width = probabilities_CHW.shape
    width, height = size
    if (source_width, source_height) == size:
        step = max(1, at_once // (classes * width))
        for top in range(0, height, step):
            yield slice(top, min(top + step, height)), probabilities_CHW[:, top : top + step]
        return
    if classes * width * height <= at_once:
        whole = F.interpolate(probabilities_CHW[None], size=(height, width), mode="bilinear", align_corners=False)[0]
        yield slice(0, height), whole
        return
    # Row y lies at (y + 0.5) h / H - 0.5 of the source, between two of its rows.
    places = ((torch.arange(height, dtype=torch.float64) + 0.5) * source_height / height - 0.5).clamp(min=0)
    above = places.floor().long().clamp(max=source_height - 1)
    below = (above + 1).clamp(max=source_height - 1)
    share = (places - above).float().to(probabilities_CHW.device)
    step = max(1, at_once // (classes * width))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        first, last = int(above[rows][0]), int(below[rows][-1])
        band = probabilities_CHW[None, :, first : last + 1]
        wide = F.interpolate(band, size=(band.shape[2], width), mode="bilinear", align_corners=False)[0]
        upper, lower = wide[:, above[rows] - first], wide[:, below[rows] - first]
        yield rows, torch.lerp(upper, lower, share[rows][None, :, None])
