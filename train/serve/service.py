"""What all doors of a server share: how many requests are in hand, threads for pictures, the network's thread."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

import numpy as np
import torch

from segprep.datasets.classes import ClassMap
from segprep.datasets.names import nearest_name
from segprep.datasets.sample import Array, Mask
from segprep.train.serve.answers import Output, Segmented, Size
from segprep.train.serve.batching import Batcher
from segprep.train.serve.limits import Limits
from segprep.train.serve.metrics import Metrics
from segprep.train.serve.refusals import Refused
from segprep.train.serve.samples import Part, Prepared, prepared, sample_of
from segprep.train.serve.servable import Servable

__all__ = ["Service"]

T = TypeVar("T")


class Service:
    """A network in use.

    Args:
        model: Computes.
        name: What clients call it.
        limits: See `Limits`.
        threads: Of torch for the network; None for as many as it takes.
        picture_threads: That decode and encode.
    """

    def __init__(
        self, model: Servable, name: str, limits: Limits, threads: int | None = None, picture_threads: int = 2
    ) -> None:
        self.model, self.name, self.limits = model, name, limits
        self.metrics = Metrics()
        self._batcher = Batcher(model, limits, threads, self.metrics.batch_size.observe)
        self._pictures = ThreadPoolExecutor(picture_threads, "pictures")
        self._in_hand = 0
        self._stopping = False
        self.metrics.queue_length.set_function(lambda: len(self._batcher))
        self.metrics.in_hand.set_function(lambda: self._in_hand)

    def warm_up(self) -> None:
        """Let the network compute once, so that the first client does not wait for what is made at first use.

        Raises:
            Exception: Whatever the network raises: it cannot compute here.
        """
        width, height = self.model.size
        channels = sum(column.shape[2] if len(column.shape) == 3 else 1 for column in self.model.columns)
        kinds = {column.dtype for column in self.model.columns}
        dtype = np.dtype(next(iter(kinds)) if len(kinds) == 1 else np.float32)
        self.model.probabilities(torch.from_numpy(np.zeros((1, height, width, channels), dtype)))

    @property
    def alive(self) -> bool:
        """Whether the network's thread works."""
        return self._batcher.alive

    @property
    def ready(self) -> bool:
        """Whether a request that comes now would be taken."""
        return self.alive and not self._stopping and self._in_hand < self.limits.queue

    def finish(self) -> None:
        """Be ready for nothing new, and let nothing in hand wait for company."""
        self._stopping = True
        self._batcher.finish()

    def stop(self) -> None:
        """Finish what was begun, then end the threads."""
        self.finish()
        self._batcher.stop()
        self._pictures.shutdown()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request as one in hand.

        Raises:
            Refused: 429 if there are too many.
        """
        if self._in_hand >= self.limits.queue:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"this server has {self._in_hand} requests in hand, as many as it takes: try again in a second",
                1,
            )
        self._in_hand += 1
        try:
            yield
        finally:
            self._in_hand -= 1

    def classes_of(self, dataset: str | None) -> ClassMap:
        """Return the classes of a data set, of the first one by default.

        Raises:
            Refused: If the network did not learn it.
        """
        maps = self.model.class_maps
        name = next(iter(maps)) if dataset is None else dataset
        if name not in maps:
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"the network learned no data set {name!r}. {nearest_name(name, tuple(maps))}",
            )
        return maps[name]

    async def beside(self, work: Callable[[], T]) -> T:
        """Do something with pictures on a thread beside the network."""
        return await asyncio.get_running_loop().run_in_executor(self._pictures, work)

    async def segmented(
        self,
        sample: Callable[[], tuple[Mapping[str, Array], Mapping[str, Mask | None]]],
        size: Size,
        dataset: str | None = None,
    ) -> Segmented:
        """Let the network compute one sample.

        Args:
            sample: Decodes it: arrays and masks by column.
            size: At which size the answer is wanted.
            dataset: Whose classes.

        Raises:
            Refused, SegprepError: If the sample cannot be used.
        """
        classes = self.classes_of(dataset)

        def ready() -> Prepared:
            return prepared(self.model, *sample())

        made = await self.beside(ready)
        probabilities_CHW = await asyncio.wrap_future(self._batcher.submit(made.stored_HWC, dataset))
        height, width = probabilities_CHW.shape[1:]
        wanted = made.size if size == "original" else (width, height)
        return Segmented(probabilities_CHW, wanted, made.shown_HW3, classes, made.clipped)

    async def answered(
        self, parts: Mapping[str, Part], output: Output, size: Size, dataset: str | None = None, opacity: float = 0.5
    ) -> tuple[bytes, str]:
        """Return the body and media type of the answer to files of a sample.

        Raises:
            Refused, SegprepError: If they cannot be used.
        """
        segmented = await self.segmented(lambda: sample_of(self.model, parts, self.limits), size, dataset)
        return await self.beside(lambda: segmented.answer(output, opacity, self.limits.max_answer_bytes))
