"""How large what a file holds may become: asked before memory is taken for it."""

from typing import Final

from segprep.datasets.source_files import size_text

__all__ = ["MAX_DECODED_BYTES", "check_decoded"]

MAX_DECODED_BYTES: Final = 2**30
"""Larger arrays (such as 16384 x 16384 numbers of 32 bits and more) are refused."""


def check_decoded(size: int, stored: int | None = None, most: int = 1) -> None:
    """Refuse what would fill the memory.

    Args:
        size: Bytes of the array.
        stored: Bytes that it is unpacked from; None if that does not matter.
        most: How many bytes one stored byte can become.

    Raises:
        ValueError: If it is too large, or the file too short for it.
    """
    if size > MAX_DECODED_BYTES:
        raise ValueError(
            f"what it holds takes {size_text(size)} of memory, and no more than {size_text(MAX_DECODED_BYTES)} are "
            "accepted: cut it into parts"
        )
    if stored is not None and size > stored * most:
        raise ValueError(f"truncated: {stored} bytes cannot hold the {size_text(size)} that its header promises")
