"""What the numbers of depth files say against the code that they are read by."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from segprep.datasets.codes import DepthFileCode, source_code_from_json
from segprep.datasets.codes.depth_units import DEPTH_UNITS, unit_text
from segprep.datasets.sample import JsonDict
from segprep.prep.inspection.number_signs import ORDERS, NumberSigns
from segprep.prep.inspection.seen_depth import SeenDepth

__all__ = ["code_evidence"]

_ROUGH: Final = 0.03  # of the mean: what neighbours differ by in noise
_SMOOTHER: Final = 5.0  # times, in the right order of bits
_SQUARE_STEP: Final = (0.0021, 0.0042)  # metres at 1 m: 0.0029 of PrimeSense and the first Kinect
_WHOLE_STEP_M: Final = 0.0015
_REMEDIES: Final = {
    "plain": "`--depth-unit mm`, or the unit of the plain numbers, reads them so",
    "rotated": "`--depth-unit sun` reads them so",
    "swapped": "no unit reads them so: write the files again with the bytes in the usual order",
}


def code_evidence(reading: JsonDict, seen: Sequence[SeenDepth]) -> tuple[str, bool] | None:
    """Return what the files' own numbers say against their code, and whether that is certain; None for nothing."""
    code = source_code_from_json(reading)
    signs = [each.signs for each in seen if each.signs is not None]
    scale = getattr(code, "scale_m", None)
    if not signs or scale is None:
        return None
    law = code.law if isinstance(code, DepthFileCode) else "linear"
    order = "rotated" if law == "rotated-bits" else "plain"
    rough = {name: float(np.median([s.roughness[i] for s in signs])) for i, name in enumerate(ORDERS)}
    smoothest = min(rough, key=rough.__getitem__)
    if law != "kinect" and rough[order] > max(_ROUGH, _SMOOTHER * rough[smoothest]):
        words = {"plain": "as plain numbers", "rotated": "with rotated bits", "swapped": "with swapped bytes"}
        return (
            f"so read it is noise: neighbours differ by {rough[order]:.0%}, {words[smoothest]} by "
            f"{rough[smoothest]:.1%}; {_REMEDIES[smoothest]}"
        ), True
    if law != "linear":
        return None
    if all(s.eleven_bits for s in signs):
        return (
            "2047 is its largest number, and frequent, as in raw disparities of a Kinect: `--depth-unit kinect`",
            False,
        )
    if all(s.low_bits for s in signs):
        return (
            "the lowest three bits of its numbers are 0 or 1, as in files of SUN RGB-D, whose bits are rotated: "
            "`--depth-unit sun`"
        ), False
    return _coarse_steps(scale, signs) or _square_steps(scale, signs)


def _coarse_steps(scale_m: float, signs: Sequence[NumberSigns]) -> tuple[str, bool] | None:
    multiple = math.gcd(*(s.multiple for s in signs))
    if multiple == 1 or multiple * scale_m < _WHOLE_STEP_M:
        return None
    return (
        f"its numbers are all multiples of {multiple}, as of millimetres times {multiple}: "
        f"`--depth-unit {unit_text(DepthFileCode(0.001 / multiple).to_json())}`"
    ), False


def _square_steps(scale_m: float, signs: Sequence[NumberSigns]) -> tuple[str, bool] | None:
    """Compare the steps with those of structured light, which are 3 mm at 1 m and grow with the square of distance."""
    laws = [s.square_step for s in signs if s.square_step is not None]
    if 2 * len(laws) <= len(signs):
        return None
    law = float(np.median(laws))
    if _SQUARE_STEP[0] <= law / scale_m <= _SQUARE_STEP[1]:
        return None
    linear = {n: c.scale_m for n, (_, c) in DEPTH_UNITS.items() if isinstance(c, DepthFileCode) and c.law == "linear"}
    named = [n for n, each in (linear | {"1/10000": 1e-4}).items() if _SQUARE_STEP[0] <= law / each <= _SQUARE_STEP[1]]
    if not named:
        return None
    return (
        f"its steps grow with the square of the distance, as those of a depth camera of structured light, which are "
        f"about 3 mm at 1 m; so read they are {1000 * law / scale_m:.2g} mm: `--depth-unit {named[0]}`"
    ), False
