"""Everything that an evaluation counts, picture by picture, and the numbers that come of it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segprep.datasets.json_values import finite_or_none
from segprep.datasets.sample import JsonDict
from segprep.train.evaluation.boundary import BoundaryCounts
from segprep.train.evaluation.calibration import Calibration
from segprep.train.evaluation.distance import DistanceBands, Distances
from segprep.train.evaluation.images import ImageCounts
from segprep.train.evaluation.instance_maps import InstanceMaps
from segprep.train.evaluation.instances import InstanceCounts
from segprep.train.evaluation.known import Known
from segprep.train.evaluation.metrics import ConfusionMatrix, defined_mean
from segprep.train.evaluation.only_classes import OnlyClasses
from segprep.train.evaluation.predictions import Prediction, SourceLabels
from segprep.train.evaluation.temporal import TemporalConsistency
from segprep.train.reading.reader import Reader

__all__ = ["Tally"]

_Numbers = npt.NDArray[np.float64]


class Tally:
    """Counts predictions and says what they are worth.

    Args:
        reader: Of the store.
        rows: Those of the store that are predicted.
        source: The original labels, if these are compared.
        only: Which pixels count.
        bands: Limits of the bands of distance in metres.

    Attributes:
        matrix: At the size of the labels that are compared; most numbers come from it.
        images: Counts of each image.
    """

    def __init__(
        self,
        reader: Reader,
        rows: Sequence[int],
        source: SourceLabels | None,
        only: OnlyClasses | None,
        bands: Sequence[float],
    ) -> None:
        self._names = reader.class_map.names
        classes = len(self._names)
        self._judged = tuple(range(classes)) if only is None or only.ids is None else only.ids
        self.matrix, self._at_network = ConfusionMatrix(classes), ConfusionMatrix(classes)
        self.images: list[ImageCounts] = []
        self._boundary, self._calibration = BoundaryCounts(classes), Calibration()
        self._temporal = TemporalConsistency(reader.store, rows, classes)
        self._distances, self._bands = Distances(reader.store), DistanceBands(classes, bands)
        own = reader.class_map is reader.store.class_map
        known = Known.of(reader.store) if own else Known()
        self._categories, self._groups = known.grouped(self._names)
        self._instance_maps = InstanceMaps(
            reader.store, None if source is None else source.root, known.smallest_instance
        )
        self._has_instances = own and self._instance_maps.there
        self._instances = InstanceCounts(classes, self._groups)
        # The data set's mean sizes are in pixels of its own pictures.
        self._known_pixels = {} if source is None else known.instance_pixels

    def add(self, each: Prediction) -> None:
        """Count a sample."""
        image = ConfusionMatrix(len(self._names))
        image.update(each.prediction_HW, each.label_HW)
        self.matrix.merge(image)
        self.images.append(ImageCounts.of(each.key, image))
        self._at_network.update(each.network_prediction_HW, each.network_label_HW)
        self._boundary.update(each.prediction_HW, each.label_HW)
        self._calibration.update(each.prediction_HW, each.label_HW, each.confidence_HW)
        self._temporal.update(each.index, each.network_prediction_HW)
        if self._distances.column is not None:
            self._bands.update(each.prediction_HW, each.label_HW, *self._distances.metres(each.index))
        if self._has_instances:
            self._instances.update(each.prediction_HW, each.label_HW, self._instance_maps.read(each.index))

    @property
    def judged(self) -> tuple[int, ...]:
        """Train ids of the classes that means are over."""
        return self._judged

    def mean_iou(self) -> float:
        """Return the mean IoU so far."""
        return self.matrix.mean_iou(self._judged)

    def to_json(self) -> JsonDict:
        """Return the numbers. What is not defined is None: JSON has no NaN."""
        matrix = self.matrix
        boundary = self._boundary.iou()
        found: JsonDict = {
            "mean_iou": finite_or_none(self.mean_iou()),
            "mean_iou_of_present": finite_or_none(matrix.mean_iou_of_present()),
            "pixel_accuracy": finite_or_none(matrix.pixel_accuracy()),
            "mean_class_accuracy": finite_or_none(matrix.mean_class_accuracy()),
            "frequency_weighted_iou": finite_or_none(matrix.frequency_weighted_iou()),
            "mean_boundary_iou": finite_or_none(defined_mean(boundary[list(self._judged)])),
            "calibration_error": finite_or_none(self._calibration.error()),
            "pixels": matrix.pixels,
            "absent": [self._names[c] for c in self._judged if not matrix.present[c]],
            "classes": self._classes(boundary),
            "mean_iou_at_network_size": finite_or_none(self._at_network.mean_iou(self._judged)),
            "calibration": self._calibration.to_json(),
        }
        return {**found, **self._of_instances(), **self._of_categories(), **self._of_distance(), **self._of_time()}

    def _classes(self, boundary: _Numbers) -> list[JsonDict]:
        matrix, pixels = self.matrix, self.matrix.counts.sum(1)
        columns = {
            "iou": matrix.iou(),
            "boundary_iou": boundary,
            "precision": matrix.precision(),
            "recall": matrix.recall(),
        }
        if self._has_instances:
            columns["instance_iou"] = self._instance_iou()
        return [
            {
                "name": self._names[c],
                **{what: finite_or_none(float(values[c])) for what, values in columns.items()},
                "pixels": int(pixels[c]),
                "share": float(pixels[c] / max(matrix.pixels, 1)),
            }
            for c in self._judged
        ]

    def _sizes(self) -> _Numbers:
        return self._instances.sizes(self._names, self._known_pixels)

    def _instance_iou(self) -> _Numbers:
        sizes = self._sizes()
        return np.where(np.isnan(sizes), np.nan, self._instances.iou(self.matrix, sizes))

    def _of_instances(self) -> JsonDict:
        if not self._has_instances:
            return {}
        found = self._instance_iou()[list(self._judged)]
        return {
            "mean_instance_iou": finite_or_none(defined_mean(found)),
            "instances": int(self._instances.count.sum()),
            "instance_pixels": {
                name: float(size) for name, size in zip(self._names, self._sizes(), strict=True) if np.isfinite(size)
            },
        }

    def _of_categories(self) -> JsonDict:
        if self._groups is None:
            return {}
        iou = self.matrix.grouped(self._groups).iou()
        judged = sorted({int(self._groups[c]) for c in self._judged})
        weighted = self._instances.group_iou(self.matrix, self._sizes()) if self._has_instances else None
        return {
            "mean_category_iou": finite_or_none(defined_mean(iou[judged])),
            "categories": [
                {
                    "name": self._categories[g],
                    "iou": finite_or_none(float(iou[g])),
                    **({} if weighted is None else {"instance_iou": finite_or_none(float(weighted[g]))}),
                }
                for g in judged
            ],
        }

    def _of_distance(self) -> JsonDict:
        if self._distances.column is None:
            return {}
        limits = self._bands.limits
        bands = zip((0.0, *limits), (*limits, None), self._bands.matrices, strict=True)
        return {
            "distance": {
                "column": self._distances.column,
                "bands": [{"from": low, "to": high, **self._short(matrix)} for low, high, matrix in bands],
                "within": [
                    {"to": high, **self._short(matrix)}
                    for high, matrix in zip(limits, self._bands.within(), strict=True)
                ],
                "unknown": self._short(self._bands.unknown),
            }
        }

    def _short(self, matrix: ConfusionMatrix) -> JsonDict:
        iou = matrix.iou()
        return {
            "mean_iou": finite_or_none(matrix.mean_iou(self._judged)),
            "pixels": matrix.pixels,
            "classes": {self._names[c]: finite_or_none(float(iou[c])) for c in self._judged},
        }

    def _of_time(self) -> JsonDict:
        if not self._temporal.pairs:
            return {}
        matrix = self._temporal.matrix
        return {
            "temporal": {
                "pairs": self._temporal.pairs,
                "pixels": matrix.pixels,
                "mean_iou": finite_or_none(matrix.mean_iou()),
                "agreement": finite_or_none(matrix.pixel_accuracy()),
            }
        }
