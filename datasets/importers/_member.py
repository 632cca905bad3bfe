"""What a file of the importers holds: `SPEC`, `read` and `write_miniature`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segprep.datasets.classes import ClassMap
from segprep.datasets.importers._common.source import FoundFile, ImportSource
from segprep.datasets.sample import Array

__all__ = ["AnnotatedPicture", "Annotations", "Importer", "ImporterSpec", "Paint", "Painted"]


@dataclass(frozen=True, slots=True)
class ImporterSpec:
    """What people should know of a form of annotations.

    Attributes:
        title: Its name in full, with the tool or the export that writes it.
        layout: The files that `read` expects, as a text to show; paths begin with SOURCE.
    """

    title: str
    layout: str


@dataclass(frozen=True, slots=True)
class Painted:
    """What one picture's annotation says of its pixels.

    Attributes:
        label_HW: Raw ids of the class map, (H, W) integers.
        instance_HW: Numbers of objects from 1, 0 for none, (H, W) integers; None where nothing tells objects apart.
    """

    label_HW: Array
    instance_HW: Array | None = None


Paint = Callable[[int, int], Painted]
"""Draws an annotation for a picture of a width and a height; raises ValueError or a SegprepError if it is wrong."""


@dataclass(frozen=True, slots=True)
class AnnotatedPicture:
    """A picture and how its annotation is drawn. Nothing is decoded before `paint` is called.

    Attributes:
        picture: Its file.
        paint: Draws its annotation.
        split: For example "train".
        size: (width, height) that the annotation says; None if it says none. A picture of another size is refused.
    """

    picture: FoundFile
    paint: Paint
    split: str = "train"
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Annotations:
    """What a source holds.

    Attributes:
        class_map: The classes; the labels that are painted hold its raw ids.
        pictures: In a fixed order.
        instances: Whether objects are told apart.
    """

    class_map: ClassMap
    pictures: Sequence[AnnotatedPicture]
    instances: bool = False


class Importer(Protocol):
    """A module of the importers."""

    SPEC: ImporterSpec

    def read(self, source: ImportSource) -> Annotations:
        """Read all annotations of a source.

        What cannot be read of a single picture is told by `source.problem`, and the rest goes on; a picture that nobody
        annotated is told by `source.not_annotated`.

        Raises:
            DatasetNotFoundError: If the source is nothing of this form.
            UnreadableFileError: If a file is broken on which all pictures depend.
        """

    def write_miniature(self, root: Path, frames: int) -> None:
        """Write `frames` small annotated pictures in this form: to try the import, and for tests."""
