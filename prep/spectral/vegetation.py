"""Vegetation indices of reflectances: NDVI, EVI and EVI2, without a division by what is as good as nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import CodeRangeError
from segprep.datasets.sample import JsonDict, Mask

__all__ = ["INDICES", "IndexImage", "VegetationIndex", "vegetation_index"]

Bands = Mapping[str, npt.NDArray[np.float64]]
"""(H, W) reflectances by the name of the band."""


@dataclass(frozen=True, slots=True)
class VegetationIndex:
    """An index as numerator / denominator of reflectances 0..1.

    Attributes:
        formula: For people.
        bands: Names of those that it needs.
        smallest_denominator: Pixels with less have no index.
        ratio: Returns numerator and denominator.
    """

    formula: str
    bands: tuple[str, ...]
    smallest_denominator: float
    ratio: Callable[[Bands], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]


INDICES: Final[Mapping[str, VegetationIndex]] = {
    "ndvi": VegetationIndex(
        "(N - R) / (N + R)",
        ("nir", "red"),
        # Half a step of 8 bits: less is black in both bands.
        0.002,
        lambda b: (b["nir"] - b["red"], b["nir"] + b["red"]),
    ),
    "evi": VegetationIndex(
        "2.5 (N - R) / (N + 6 R - 7.5 B + 1)",
        ("nir", "red", "blue"),
        # Rounding to 8 bits alone moves it by up to 14.5 / 510 = 0.028. Below zero, in bright blue, the index would
        # change its sign.
        0.03,
        lambda b: (2.5 * (b["nir"] - b["red"]), b["nir"] + 6 * b["red"] - 7.5 * b["blue"] + 1),
    ),
    "evi2": VegetationIndex(
        "2.5 (N - R) / (N + 2.4 R + 1)",
        ("nir", "red"),
        0.0,  # it is never below 1
        lambda b: (2.5 * (b["nir"] - b["red"]), b["nir"] + 2.4 * b["red"] + 1),
    ),
}
"""By name. Sources: EVI with the constants of MODIS (Huete et al.: Overview of the radiometric and biophysical
performance of the MODIS vegetation indices. Remote Sensing of Environment 83, 2002), EVI2 (Jiang, Huete, Didan, Miura:
Development of a two-band enhanced vegetation index without a blue band. Remote Sensing of Environment 112, 2008)."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexImage:
    """An index, clipped to -1..1.

    Attributes:
        values_HW: (H, W) float32, 0 where invalid.
        valid_HW: (H, W) bool: where the denominator is large enough.
        facts: `guarded`, the share of all pixels that are invalid; `out_of_range`, the share of the valid ones that
            were clipped; `smallest` and `largest` before clipping.
    """

    values_HW: npt.NDArray[np.float32]
    valid_HW: Mask
    facts: JsonDict


def vegetation_index(name: str, bands: Bands) -> IndexImage:
    """Compute an index.

    Args:
        name: One of `INDICES`. With N = 0.5, R = 0.1, B = 0.05: NDVI 0.6667, EVI 0.5797, EVI2 0.5747.
        bands: (H, W) reflectances of equal size; at least those that the index needs.

    Raises:
        CodeRangeError: If no pixel has a denominator that is large enough.
    """
    index = INDICES[name]
    above_HW, below_HW = index.ratio(bands)
    valid_HW: Mask = below_HW >= index.smallest_denominator
    if not valid_HW.any():
        raise CodeRangeError(
            f"no pixel has a value: the denominator of {name} = {index.formula} is everywhere below "
            f"{index.smallest_denominator:g}, as in black pictures"
        )
    values_HW = np.divide(above_HW, below_HW, out=np.zeros(below_HW.shape), where=valid_HW)
    known = values_HW[valid_HW]
    facts = {
        "guarded": 1 - known.size / values_HW.size,
        "out_of_range": float((np.abs(known) > 1).mean()),
        "smallest": float(known.min()),
        "largest": float(known.max()),
    }
    rounded = {fact: round(value, 6) for fact, value in facts.items()}
    return IndexImage(np.clip(values_HW, -1, 1).astype(np.float32), valid_HW, rounded)
