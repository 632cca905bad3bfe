"""The device that a command line names."""

import torch

from segprep.datasets.errors import ConfigurationError
from segprep.train.network.segmenter import default_device

__all__ = ["named_device"]


def named_device(name: str | None) -> torch.device:
    """Return a device by torch's name for it, such as `cpu` or `cuda:1`; without a name the first GPU, else the CPU.

    Raises:
        ConfigurationError: If there is no such device on this machine.
    """
    if name is None:
        return default_device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch has no error of its own for it
        why = str(error).partition("\n")[0]
        raise ConfigurationError(f"--device {name} cannot be used here ({why}): cpu always can") from error
    return device
