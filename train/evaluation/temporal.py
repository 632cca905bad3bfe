"""Whether predictions stay the same from frame to frame, which needs no labels: consistency along stored flow."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from segprep.datasets.codes import code_from_json
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array
from segprep.datasets.shards import ShardStore
from segprep.train.evaluation.metrics import ConfusionMatrix

__all__ = ["TemporalConsistency"]

_FLOW: Final = "optical_flow"


class TemporalConsistency:
    """Compares each prediction with that of the neighbouring frame, fetched along the flow.

    A pixel x is compared with the neighbour's pixel nearest to x + flow(x), where the flow is valid, which stored
    optical flow is where the way there and the way back meet, and ends in the picture. Source: Liu, Shen, Yu, Wang:
    Efficient semantic video segmentation with per-frame inference. ECCV 2020, temporal consistency.

    Args:
        store: Holds the flow, and which frame is whose neighbour.
        rows: Those that will be predicted.
        classes: How many.

    Attributes:
        matrix: The neighbour's class (row) and the own one (column): mean IoU is the measure.
        pairs: How many samples have a neighbour among the rows; 0 where the store holds no flow.
    """

    def __init__(self, store: ShardStore, rows: Sequence[int], classes: int) -> None:
        self.matrix = ConfusionMatrix(classes)
        self._store, self._flow = store, store.columns.get(_FLOW)
        self._pairs: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._waiting: dict[int, bytes] = {}
        self.pairs = 0
        if self._flow is not None and "direction" in self._flow.attributes:
            for pair in _neighbours(store, rows, str(self._flow.attributes["direction"])):
                self.pairs += 1
                for row in pair:
                    self._pairs[row].append(pair)

    def update(self, row: int, prediction_HW: Array) -> None:
        """Take a prediction at the store's size; in any order, each row once.

        It waits, compressed, until all that it is compared with have come.
        """
        if row not in self._pairs:
            return
        self._waiting[row] = zlib.compress(prediction_HW.astype(np.uint8).tobytes(), 1)
        for pair in [pair for pair in self._pairs[row] if all(each in self._waiting for each in pair)]:
            self._compare(*pair, prediction_HW.shape)
            for each in pair:
                self._pairs[each].remove(pair)
                if not self._pairs[each]:
                    del self._waiting[each]

    def _compare(self, row: int, neighbour: int, shape: tuple[int, ...]) -> None:
        own_HW, other_HW = (self._prediction(each).reshape(shape) for each in (row, neighbour))
        assert self._flow is not None
        valid = self._store.read_valid(self._flow.name, row) if self._flow.masked else None
        uv_HW2, known = code_from_json(self._flow.code).decode(self._store.read(self._flow.name, row), valid)
        height, width = own_HW.shape
        y_HW, x_HW = np.indices(own_HW.shape)
        there_x, there_y = (np.rint(at + d) for at, d in ((x_HW, uv_HW2[..., 0]), (y_HW, uv_HW2[..., 1])))
        usable = (there_x >= 0) & (there_x < width) & (there_y >= 0) & (there_y < height)
        if known is not None:
            usable &= known
        fetched_HW = np.full(own_HW.shape, IGNORE_ID, np.uint8)
        fetched_HW[usable] = other_HW[there_y[usable].astype(np.int64), there_x[usable].astype(np.int64)]
        self.matrix.update(own_HW, fetched_HW)

    def _prediction(self, row: int) -> Array:
        return np.frombuffer(zlib.decompress(self._waiting[row]), np.uint8)


def _neighbours(store: ShardStore, rows: Sequence[int], direction: str) -> list[tuple[int, int]]:
    """Return each row and the row of its neighbour, which is found by the files that they were made from."""
    paths = {row: store.source_paths(row) for row in rows}
    by_image = {path["image"]: row for row, path in paths.items() if "image" in path}
    found = [(row, by_image.get(path.get(direction, ""))) for row, path in paths.items()]
    return [(row, neighbour) for row, neighbour in found if neighbour is not None and neighbour != row]
