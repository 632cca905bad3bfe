"""The nearest of the known names, for messages about one that nobody knows."""

import difflib
from collections.abc import Collection

__all__ = ["nearest_name"]


def nearest_name(name: str, known: Collection[str]) -> str:
    """Return a sentence that names the nearest of the known names, and all of them."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"Did you mean {nearest[0]!r}? There are: {', '.join(known)}" if nearest else "There are none"
