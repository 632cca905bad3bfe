"""Whether an exported file answers what the network that it was made of answers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConflictError
from segprep.datasets.sample import Array
from segprep.train.export.facts import Parity
from segprep.train.export.runners import Runner
from segprep.train.export.samples import Samples, Values
from segprep.train.export.whole import batch_of
from segprep.train.network.segmenter import Segmenter
from segprep.train.predict.model import Model

__all__ = ["AGREEMENT", "answers", "check_parity", "in_32_bits", "measured_parity", "other_size"]

AGREEMENT: Final = 0.999
"""Share of pixels whose likeliest class must be the same."""


def in_32_bits(model: Model) -> Model:
    """Return the same network, computing in 32 bits, as exported files do."""
    old = model.segmenter
    segmenter = Segmenter(old.network, old.scalings, "fp32", model.config.data.blank)
    return replace(model, segmenter=segmenter.to(old.centre.device).eval())


def answers(model: Model, values: Values, dataset: str | None = None) -> npt.NDArray[np.float32]:
    """Return (classes, H, W) probabilities that a network gives for a sample, coded as by `Model.predict`."""
    arrays: dict[str, Array] = {column.name: each for column, each in zip(model.columns, values, strict=True)}
    return model.predict(arrays, dataset=dataset).probabilities_CHW


def measured_parity(expected: Sequence[npt.NDArray[np.float32]], run: Runner, samples: Samples) -> Parity:
    """Compare the answers of a file with those that a network gave.

    Args:
        expected: (classes, H, W) probabilities of each sample.
        run: Runs the file.
        samples: What both are asked.
    """
    equal = pixels = 0
    difference = 0.0
    for scores_CHW, values in zip(expected, samples.values, strict=True):
        ids_NHW, scores_NCHW = run(batch_of(values))
        found_CHW = scores_NCHW[0].numpy()
        if found_CHW.shape != scores_CHW.shape:
            return Parity(samples=len(expected), source=samples.source, agreement=0.0, max_difference=1.0)
        equal += int((ids_NHW[0].numpy() == scores_CHW.argmax(0)).sum())
        pixels += scores_CHW[0].size
        difference = max(difference, float(np.abs(found_CHW - scores_CHW).max()))
    agreement = equal / pixels
    # A NaN among the answers is no small difference.
    difference = difference if np.isfinite(difference) else 1.0
    return Parity(samples=len(expected), source=samples.source, agreement=agreement, max_difference=difference)


def check_parity(parity: Parity, path: str) -> None:
    """Refuse a file whose answers are others.

    Raises:
        ConflictError: If fewer than 99.9 % of the pixels have the same class.
    """
    if parity.agreement < AGREEMENT:
        raise ConflictError(
            f"{path} was not written: it would give only {parity.agreement:.3%} of the pixels the class that the "
            f"network gives them, and probabilities that differ by up to {parity.max_difference:.2g} "
            f"({parity.samples} samples of {parity.source}); {AGREEMENT:.1%} is the least"
        )


def other_size(samples: Samples, smallest: int) -> Samples:
    """Return parts of some samples, of a size that is odd both ways and other than theirs."""

    def part(values: Values) -> Values:
        height, width = (_odd_part(side, smallest) for side in values[0].shape[:2])
        return tuple(np.ascontiguousarray(each[:height, :width]) for each in values)

    return Samples(tuple(part(each) for each in samples.values[:2]), samples.source)


def _odd_part(side: int, smallest: int) -> int:
    return max(min(side, smallest), 3 * side // 4 | 1)
