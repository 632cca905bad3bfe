"""From what was read to what is written: prepared, seen by the network in batches, brought to the wanted size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import numpy as np
import torch

from segprep.datasets.sample import Array, JsonDict, Mask
from segprep.train.predict.enlarging import Answer, answer_at
from segprep.train.predict.item import LoadedItem
from segprep.train.predict.model import Model
from segprep.train.predict.network_size import NetworkSize
from segprep.train.predict.outputs import Output, OutputFiles, shown_rgb
from segprep.train.predict.prepare import Preparation
from segprep.train.predict.views import Views

__all__ = ["At", "Predictor", "Ready", "in_batches"]

At = Literal["original", "network"]

_Held = TypeVar("_Held")
_NEED_RGB: Final[Output] = "overlay"


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """What the network sees of an item, and what is kept for its outputs.

    Attributes:
        stored_HWC: See `Encoded`.
        valid: By column (H, W) bool, of those whose code has a mask.
        size: (width, height) of the outputs.
        rgb_HWC: uint8 of this size, where an overlay is wanted.
        inputs: See `LoadedItem`.
        clipped: By column how many pixels its code could not express.
    """

    stored_HWC: Array
    valid: Mapping[str, Mask]
    size: tuple[int, int]
    rgb_HWC: Array | None
    inputs: JsonDict
    clipped: Mapping[str, int]

    @property
    def alike(self) -> tuple[object, ...]:
        """What samples of one batch share."""
        return self.stored_HWC.shape, self.stored_HWC.dtype


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """A network with all that decides its predictions.

    Attributes:
        model: The network.
        size: At which size it sees.
        at: The size of the outputs: that of the picture, or that at which the network saw it.
        files: What is written.
        preparation: How samples are brought to what it takes.
        views: Windows, scales and flips.
        dataset: Whose classes, of a network that learned several data sets.
        batch_size: How many samples or windows it sees at once.
    """

    model: Model
    size: NetworkSize
    at: At
    files: OutputFiles
    preparation: Preparation = field(default_factory=Preparation)
    views: Views = field(default_factory=Views)
    dataset: str | None = None
    batch_size: int = 1

    def ready(self, loaded: LoadedItem) -> Ready:
        """Prepare an item; threads may do so at the same time.

        Raises:
            SegprepError: If it cannot be, see `Preparation.prepared` and `Model.encoded`.
        """
        size = self.size.of(loaded.original)
        sample = self.preparation.prepared(loaded.sample, size)
        encoded = self.model.encoded(sample)
        wanted = loaded.original if self.at == "original" else size
        rgb_HWC = None
        if _NEED_RGB in self.files.save:
            source = loaded.sample.arrays if self.at == "original" else sample.arrays
            rgb_HWC = shown_rgb(self.model.columns, source, encoded.stored_HWC, wanted)
        return Ready(encoded.stored_HWC, encoded.valid, wanted, rgb_HWC, loaded.inputs, encoded.clipped)

    def answers(self, batch: Sequence[Ready]) -> Iterator[Answer]:
        """Yield the answer to each sample of a batch, all of one size."""
        stored_NHWC = torch.from_numpy(np.stack([each.stored_HWC for each in batch]))
        masks = {name: torch.from_numpy(np.stack([each.valid[name] for each in batch])) for name in batch[0].valid}
        found_NCHW = self.model.probabilities(
            stored_NHWC, dataset=self.dataset, views=self.views, batch_size=self.batch_size, valid_NHW=masks
        )
        for each, found_CHW in zip(batch, found_NCHW, strict=True):
            scores, entropy = ("scores" in self.files.save, "entropy" in self.files.save)
            yield answer_at(found_CHW, each.size, scores=scores, entropy=entropy)


def in_batches(held: Iterable[tuple[_Held, Ready | None]], size: int) -> Iterator[list[tuple[_Held, Ready | None]]]:
    """Yield neighbours in groups of at most `size` that the network can see at once; what is not ready goes alone."""
    batch: list[tuple[_Held, Ready | None]] = []
    for each in held:
        ready, first = each[1], batch[0][1] if batch else None
        joins = ready is not None and first is not None and ready.alike == first.alike and len(batch) < size
        if batch and not joins:
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch
