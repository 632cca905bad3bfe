"""What is said of a dataset beside its samples: what was guessed, what looks wrong, and what labels hold."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["About", "FoundValue", "Notice"]


class About(StrEnum):
    """What a notice is."""

    GUESSED = "guessed"
    """No file says it: it may be otherwise, and the text says how to put it right."""

    SEEN = "seen"
    """Measured in a few files: people know best whether it can be."""

    SUSPECT = "suspect"
    """A file says it, and other evidence speaks against it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the user of `prep init`, kept in the workspace for `prep status`.

    Attributes:
        about: What it is.
        subject: The column or file that it is about, for example "depth".
        text: What was taken for what, on which evidence, and how to say otherwise. No full stop at the end.
    """

    about: About
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.about}, {self.subject}: {self.text}"


@dataclass(frozen=True, slots=True)
class FoundValue:
    """An id or a colour of the label files, and what becomes of it.

    Attributes:
        value: The id, or red, green, blue; None for all that are not told one by one.
        pixels: How many hold it.
        share: Of all pixels.
        files: In how many files it occurs; 0 where that is not known.
        becomes: Name of the class, "ignored", or what will happen to it.
    """

    value: int | tuple[int, ...] | None
    pixels: int
    share: float
    files: int
    becomes: str
