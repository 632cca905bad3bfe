"""What an exported network can do: run, and become a file."""

from collections.abc import Callable, Sequence

from torch import Tensor

__all__ = ["Runner", "Save"]

Runner = Callable[[Sequence[Tensor]], tuple[Tensor, Tensor]]
"""Columns with a batch axis, in their order, to (N, H, W) uint8 ids and (N, classes, H, W) float32 probabilities."""

Save = Callable[[str], bytes]
"""Gives the bytes of a file that says a text of itself."""
