"""How videos, streams and cameras are named. Without PyAV, so that asking what a name means needs no extra."""

from typing import Final

__all__ = ["CAMERA", "IDS_SUFFIX", "PICTURES_SUFFIX", "VIDEO_SUFFIXES", "is_live"]

CAMERA: Final = "camera:"
"""Begins the name of a camera; its number follows."""

PICTURES_SUFFIX: Final = ".mp4"
"""Of videos of pictures that are written."""

IDS_SUFFIX: Final = ".mkv"
"""Of videos of ids that are written."""

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts"),
    *(".mxf", ".dv", ".wmv", ".flv", ".3gp", ".ogv", ".mjpeg", ".y4m"),
)
"""Of the files that are taken for videos."""


def is_live(source: str) -> bool:
    """Whether a source is a stream or a camera, which gives each frame but once."""
    return "://" in source or source.startswith(CAMERA)
