"""What sort of quantity an array holds, and therefore how geometry treats it.

Interpolation, fill, flips and scaling are decided by this table and nowhere else.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["IGNORE_ID", "MOSTLY_IGNORED", "RULES", "Flip", "Kind", "KindRule", "Resampling", "Scaling", "rule"]

IGNORE_ID = 255
"""Train id of pixels that no loss and no metric may count."""

MOSTLY_IGNORED = 0.9
"""A larger share of ignored pixels is said: they may be classes that were taken for void."""


class Kind(StrEnum):
    """The kinds of arrays (and, last, two kinds that lie on no grid of pixels)."""

    IMAGE = "image"
    NIR = "nir"
    THERMAL = "thermal"
    LABEL = "label"
    INSTANCE = "instance"
    MASK = "mask"  # 1 where something holds, 0 elsewhere
    DEPTH = "depth"
    DISPARITY = "disparity"
    FLOW = "flow"
    NORMALS = "normals"
    INDEX = "index"  # HHA, EVI, NDVI
    CODED = "coded"  # for the eye: jet, SMSnet's motion image. Warp what it was made from, encode last
    CAMERA = "camera"  # JSON: calibration, pose, motion
    POINTS = "points"  # of a laser scanner: a source only, which becomes depth on the workspace's own grid


class Resampling(StrEnum):
    """How values of a kind are combined when the sampling grid changes."""

    AREA = "area"  # mean over the covered area when shrinking, linear when enlarging
    VOTE = "vote"  # majority over the covered area, or exact-centre nearest; never a mixture of ids
    VALID_AREA = "valid-area"  # mean over the valid part of the covered area
    NEVER = "never"


class Flip(StrEnum):
    """What a horizontal flip does to the values, beyond mirroring their places."""

    MIRROR = "mirror"
    NEGATE_FIRST = "negate-first"  # u of a flow vector, n_x of a normal
    REFUSE = "refuse"  # impossible without data that this array does not hold


class Scaling(StrEnum):
    """What scaling the image by (sx, sy) does to the values."""

    UNCHANGED = "unchanged"
    BY_X = "by-x"  # disparity: value * sx
    BY_XY = "by-xy"  # flow: (u * sx, v * sy)


@dataclass(frozen=True, slots=True)
class KindRule:
    """The geometry of one kind.

    Attributes:
        resampling: How values are combined.
        flip: What a horizontal flip does to the values.
        scaling: What a change of image size does to the values.
        fill: Value of places that no source pixel reaches.
        masked: Whether arrays of this kind always come with a validity mask.
        infinity: The value that means infinitely far, which enters no mean; None for kinds without one.
    """

    resampling: Resampling
    flip: Flip
    scaling: Scaling
    fill: int
    masked: bool
    infinity: float | None = None


RULES: dict[Kind, KindRule] = {
    Kind.IMAGE: KindRule(Resampling.AREA, Flip.MIRROR, Scaling.UNCHANGED, 0, masked=False),
    Kind.NIR: KindRule(Resampling.AREA, Flip.MIRROR, Scaling.UNCHANGED, 0, masked=False),
    Kind.THERMAL: KindRule(Resampling.AREA, Flip.MIRROR, Scaling.UNCHANGED, 0, masked=False),
    Kind.LABEL: KindRule(Resampling.VOTE, Flip.MIRROR, Scaling.UNCHANGED, IGNORE_ID, masked=False),
    Kind.INSTANCE: KindRule(Resampling.VOTE, Flip.MIRROR, Scaling.UNCHANGED, 0, masked=False),
    Kind.MASK: KindRule(Resampling.VOTE, Flip.MIRROR, Scaling.UNCHANGED, 0, masked=False),
    Kind.DEPTH: KindRule(Resampling.VALID_AREA, Flip.MIRROR, Scaling.UNCHANGED, 0, masked=True, infinity=math.inf),
    Kind.DISPARITY: KindRule(Resampling.VALID_AREA, Flip.REFUSE, Scaling.BY_X, 0, masked=True, infinity=0.0),
    Kind.FLOW: KindRule(Resampling.VALID_AREA, Flip.NEGATE_FIRST, Scaling.BY_XY, 0, masked=True),
    Kind.NORMALS: KindRule(Resampling.VALID_AREA, Flip.NEGATE_FIRST, Scaling.UNCHANGED, 0, masked=True),
    Kind.INDEX: KindRule(Resampling.VALID_AREA, Flip.MIRROR, Scaling.UNCHANGED, 0, masked=True),
    Kind.CODED: KindRule(Resampling.NEVER, Flip.REFUSE, Scaling.UNCHANGED, 0, masked=True),
}


def rule(kind: Kind) -> KindRule:
    """Return the geometry of a kind.

    Raises:
        ValueError: For `Kind.CAMERA`, which is no array: use `Camera.transformed`; and for `Kind.POINTS`, which lie in
            space: project them by the camera of the grid.
    """
    if kind is Kind.POINTS:
        raise ValueError("points lie on no grid: project them with the camera of the grid that is wanted")
    if kind is Kind.CAMERA:
        raise ValueError("a camera is no array: use Camera.transformed(A)")
    return RULES[kind]
