"""What is said when memory does not suffice, that of a GPU or of the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

from segprep.datasets.errors import ConfigurationError

__all__ = ["memory_explained"]

# torch raises a plain RuntimeError where the machine's own memory ends.
_OF_THE_MACHINE: Final = ("DefaultCPUAllocator", "not enough memory")


@contextmanager
def memory_explained(remedy: str) -> Iterator[None]:
    """Say what to do if memory does not suffice for what is inside.

    Args:
        remedy: Such as "lower --batch-size".

    Raises:
        ConfigurationError: If it does not.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            where = "the GPU's memory"
        elif isinstance(error, MemoryError) or any(words in str(error) for words in _OF_THE_MACHINE):
            where = "the memory of this machine"
        else:
            raise
        what = str(error).partition("\n")[0]
        raise ConfigurationError(f"{where} does not suffice ({what or 'no more is left'}): {remedy}") from error
