"""How the numbers of label files are read: which of a file's numbers, or its colours, say the class."""

from enum import StrEnum

__all__ = ["LabelReading"]


class LabelReading(StrEnum):
    """What says the class of a pixel. It is decided once for all files of a dataset, so that none is guessed alone."""

    STORED = "stored"
    """The number where a file has one channel (of a palette the index), the colour where it has three."""

    IDS = "ids"
    """The number, in one channel or in three equal ones; of a palette the index."""

    LEVELS = "levels"
    """As `IDS`, but of a palette the grey level that it shows: each file may have a palette of its own."""

    RED = "red"
    """The number in the first of three channels; the others hold 0."""

    GREEN = "green"
    """The number in the second of three channels; the others hold 0."""

    BLUE = "blue"
    """The number in the third of three channels; the others hold 0."""

    COLORS = "colors"
    """The colour, also that of a palette; a grey level is the grey colour."""

    @classmethod
    def _missing_(cls, value: object) -> "LabelReading":
        raise ValueError(f"labels are read as one of {', '.join(cls)}, not {value!r}")

    @property
    def shows_palette(self) -> bool:
        """Whether a palette's colours count and not its indices."""
        return self in (LabelReading.LEVELS, LabelReading.COLORS)

    @property
    def channel(self) -> int | None:
        """Place of the only channel that counts; None for all."""
        channels = (LabelReading.RED, LabelReading.GREEN, LabelReading.BLUE)
        return channels.index(self) if self in channels else None
