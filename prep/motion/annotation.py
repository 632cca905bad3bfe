"""What the ids of a motion annotation mean."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.errors import ConfigurationError, LabelIdError
from segprep.datasets.kinds import IGNORE_ID
from segprep.datasets.sample import Array, JsonDict

__all__ = ["AnnotationMap"]

_LARGEST_ID: Final = 65535
_UNKNOWN: Final = 254
_MOST_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class AnnotationMap:
    """What the ids of an annotation mean.

    Attributes:
        static: Ids of what stands still.
        moving: Ids of what moves.
        ignored: Ids of what is not known or does not count.

    Raises:
        ConfigurationError: If nothing moves, or an id has two meanings or cannot be stored.
    """

    static: tuple[int, ...]
    moving: tuple[int, ...]
    ignored: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        ids = (*self.static, *self.moving, *self.ignored)
        if not self.moving or len(set(ids)) < len(ids) or not all(0 <= i <= _LARGEST_ID for i in ids):
            raise ConfigurationError(
                f"an annotation map needs an id for moving, and each id from 0 to {_LARGEST_ID} once: {self}"
            )

    @classmethod
    def parse(cls, text: str) -> "AnnotationMap":
        """Read `moving=1,static=0`, or with several ids `ignore=0,ignore=255,static=1,moving=2`.

        Raises:
            ConfigurationError: If it is not of that form.
        """
        found: dict[str, list[int]] = {"static": [], "moving": [], "ignore": []}
        for entry in text.split(","):
            meaning, _, number = (part.strip() for part in entry.partition("="))
            if meaning not in found or not (number.isascii() and number.isdigit()):
                raise ConfigurationError(
                    f"an annotation map is like moving=1,static=0,ignore=255; {entry.strip()!r} is no part of one"
                )
            found[meaning].append(int(number))
        return cls(tuple(found["static"]), tuple(found["moving"]), tuple(found["ignore"]))

    def to_motion(self, ids_HW: Array) -> npt.NDArray[np.uint8]:
        """Return motion labels (H, W) uint8 for the ids of an annotation.

        Raises:
            LabelIdError: If there are ids without a meaning; names them and their pixel counts.
        """
        if ids_HW.ndim != 2 or ids_HW.dtype not in (np.uint8, np.uint16):
            raise LabelIdError(
                f"a motion annotation is an image of ids, 8 or 16 bits in one channel, not {ids_HW.dtype} of shape "
                f"{ids_HW.shape}"
            )
        table = np.full(_LARGEST_ID + 1, _UNKNOWN, np.uint8)
        for ids, label in ((self.static, 0), (self.moving, 1), (self.ignored, IGNORE_ID)):
            table[list(ids)] = label
        motion_HW: npt.NDArray[np.uint8] = table[ids_HW]
        if (unknown_HW := motion_HW == _UNKNOWN).any():
            found, counts = np.unique(ids_HW[unknown_HW], return_counts=True)
            listed = list(zip(found.tolist(), counts.tolist(), strict=True))[:_MOST_LISTED]
            more = f" and {len(found) - len(listed)} more" if len(found) > len(listed) else ""
            raise LabelIdError(
                f"the motion annotation holds ids without a meaning: {', '.join(f'{i} ({n} px)' for i, n in listed)}"
                f"{more}. Say what they are in the annotation map, as ignore={found[0]}"
            )
        return motion_HW

    def to_json(self) -> JsonDict:
        """Return what decides the result."""
        return {"static": sorted(self.static), "moving": sorted(self.moving), "ignored": sorted(self.ignored)}
