"""The units and codes of depth files by the names that users give."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from segprep.datasets.codes import DepthCode, DepthFileCode, DisparityCode, SourceCode, source_code_from_json
from segprep.datasets.errors import UnknownNameError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import SampleRecord
from segprep.datasets.sample import JsonDict

__all__ = ["DEPTH_SUFFIXES", "DEPTH_UNITS", "depth_unit", "unit_text", "with_depth_unit"]

DEPTH_UNITS: Final[Mapping[str, tuple[Kind, SourceCode]]] = MappingProxyType(
    {
        "m": (Kind.DEPTH, DepthFileCode(1.0)),
        "mm": (Kind.DEPTH, DepthFileCode(0.001)),  # NYU, ScanNet, 7-Scenes, most depth cameras
        "cm": (Kind.DEPTH, DepthFileCode(0.01, far_code=True)),  # Virtual KITTI 2, SYNTHIA
        "tum": (Kind.DEPTH, DepthFileCode(1 / 5000)),  # TUM RGB-D
        "kitti": (Kind.DEPTH, DepthFileCode(1 / 256)),  # KITTI's depth completion and prediction
        "sun": (Kind.DEPTH, DepthFileCode(0.001, "rotated-bits")),  # SUN RGB-D
        "kinect": (Kind.DEPTH, DepthFileCode(0.1236, "kinect")),  # raw disparity of the first Kinect
        "kinect-swapped": (Kind.DEPTH, DepthFileCode(0.1236, "kinect-swapped")),  # the .pgm of NYU's raw recordings
        "cityscapes": (Kind.DISPARITY, DisparityCode(zero_code=1)),
        "kitti-disparity": (Kind.DISPARITY, DisparityCode()),  # KITTI stereo 2012 and 2015
    }
)
"""Name to kind and code. Beside them `1/N` for any whole N: metres = number / N. Disparities need a baseline."""

DEPTH_SUFFIXES: Final = (".png", ".pgm", ".npy", ".npz", ".pfm", ".h5", ".hdf5", ".mat")
"""Of files that can hold depth."""

_SHARE: Final = re.compile(r"1/([1-9][0-9]{0,6})")


def depth_unit(name: str) -> tuple[Kind, SourceCode]:
    """Return what files of a unit hold, depth or disparity, and their code. "1/10000" has the scale 0.0001 m.

    Raises:
        UnknownNameError: If there is no such unit; lists those that exist.
    """
    share = _SHARE.fullmatch(name)
    if share is not None:
        return Kind.DEPTH, DepthFileCode(1 / int(share[1]))
    if name not in DEPTH_UNITS:
        raise UnknownNameError(
            f"there is no unit of depth called {name!r}. Known: {', '.join(DEPTH_UNITS)}, and 1/N of a metre such as "
            "1/10000"
        )
    return DEPTH_UNITS[name]


def unit_text(code: JsonDict) -> str:
    """Return how a depth or disparity file is read, as a text to show: the unit's name, else what a step of it means.

    Args:
        code: As `SourceCode.to_json` gives it.
    """
    known = source_code_from_json(code)
    name = next((name for name, (_, other) in DEPTH_UNITS.items() if other == known), None)
    if name is not None:
        return name
    if not isinstance(known, DepthCode | DepthFileCode):
        return str(known.name)
    named = next((n for n, (_, other) in DEPTH_UNITS.items() if other == DepthFileCode(known.scale_m)), None)
    parts = round(1 / known.scale_m) if known.scale_m <= 1 else 0
    if named is None and parts and math.isclose(parts * known.scale_m, 1, rel_tol=1e-9):
        named = f"1/{parts}"
    return named or f"{known.scale_m:g} m per step"


def with_depth_unit(record: SampleRecord, name: str) -> SampleRecord:
    """Return a record whose depth (or disparity) files are read in another unit than the dataset says.

    A unit of disparity makes a source of depth one of disparity, under its name, and the other way round; where a
    record has both, the one that the unit is about changes.

    Raises:
        UnknownNameError: If there is no such unit.
    """
    kind, code = depth_unit(name)
    offered = {n: s.kind for n, s in record.sources.items() if s.kind in (Kind.DEPTH, Kind.DISPARITY)}
    meant = [n for n, each in offered.items() if each is kind] or list(offered)[:1]
    sources = {
        (kind.value if n in meant and s.kind is not kind else n): (
            replace(s, kind=kind, code=code.to_json()) if n in meant else s
        )
        for n, s in record.sources.items()
    }
    return replace(record, sources=sources) if meant else record
