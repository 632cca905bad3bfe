"""What the numbers themselves say against the way they are read."""

from dataclasses import dataclass

__all__ = ["Doubt"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A physical quantity that is unlikely, or cannot be.

    Attributes:
        subject: The column or file that it is about, for example "depth".
        text: What was seen, why it is strange, and what to do. No full stop at the end.
        impossible: Whether it cannot be, so that nothing should be made of it.
    """

    subject: str
    text: str
    impossible: bool = False
