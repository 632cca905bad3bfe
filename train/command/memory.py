"""What is said when memory does not suffice, that of a GPU or of the machine."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.machine import machine_error

__all__ = ["memory_explained"]


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
        failed = machine_error(error)
        if failed is None or failed.errno != errno.ENOMEM:
            raise
        where = "the GPU's memory" if isinstance(error, torch.OutOfMemoryError) else "the memory of this machine"
        what = str(error).partition("\n")[0]
        raise ConfigurationError(f"{where} does not suffice ({what or 'no more is left'}): {remedy}") from error
