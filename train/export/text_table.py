"""Tables that stay readable where the terminal is narrow or a file."""

from collections.abc import Sequence

__all__ = ["text_table"]


def text_table(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return rows of equal length with their columns below each other.

    Args:
        rows: The headings first.
        left: How many columns begin at the left; in the others numbers end at the right.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
