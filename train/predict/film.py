"""What a video to predict is, and what is written of it. Without PyAV, which reading it needs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segprep.datasets.imageio.video_names import IDS_SUFFIX, PICTURES_SUFFIX, VIDEO_SUFFIXES, is_live
from segprep.train.predict.outputs import Output

__all__ = ["FILM_OUTPUTS", "Film", "is_film"]

FILM_OUTPUTS: Final[Mapping[Output, str]] = {
    "ids": IDS_SUFFIX,
    "colors": PICTURES_SUFFIX,
    "overlay": PICTURES_SUFFIX,
}
"""What can be written of a video, and the suffix of each."""


@dataclass(frozen=True, slots=True)
class Film:
    """A video to predict.

    Attributes:
        source: A file, a URL or a camera, see `VideoReader`.
        primary: The column that its frames are.
        neighbour: The column that is the frame before, or behind; None where none is needed.
        camera: fx, fy, cx and cy in pixels of the upright frames.
        most_frames: How many frames are predicted at most.
    """

    source: str
    primary: str = "image"
    neighbour: str | None = None
    camera: tuple[float, float, float, float] | None = None
    most_frames: int | None = None

    @property
    def name(self) -> str:
        """Of its outputs."""
        if not is_live(self.source):
            return Path(self.source).stem
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.source.partition("://")[2] or self.source).strip("-.") or "stream"


def is_film(named: str) -> bool:
    """Whether what a user typed is a video, a stream or a camera."""
    return is_live(named) or Path(named).suffix.lower() in VIDEO_SUFFIXES
