"""The device that a network computes on, by the name that people type."""

import os
import re

import torch

from segprep.datasets.errors import ConfigurationError
from segprep.train.network.segmenter import default_device

__all__ = ["chosen_device"]

_NAMES = re.compile(r"cpu|cuda(:\d+)?|mps")


def chosen_device(name: str | None) -> torch.device:
    """Return the device of a name; `default_device` without one.

    Args:
        name: `cpu`, `cuda` (of several processes each its own), `cuda:N` or `mps`.

    Raises:
        ConfigurationError: If it is no such name, or torch sees no such device here; says which there are.
    """
    if name is None:
        return default_device()
    if _NAMES.fullmatch(name) is None:
        raise ConfigurationError(f"--device is cpu, cuda, cuda:N or mps, not {name!r}")
    if name not in _there():
        raise ConfigurationError(
            f"--device {name}: torch {torch.__version__} sees no such device here, but {', '.join(_there())}"
        )
    if name == "cuda":
        return default_device()
    device = torch.device(name)
    if device.type == "cuda":
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ConfigurationError(f"of several processes each takes its own GPU: --device cuda instead of {name}")
        torch.cuda.set_device(device)
    return device


def _there() -> list[str]:
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{number}" for number in range(gpus))]
    return [*names, "mps"] if torch.backends.mps.is_available() else names
