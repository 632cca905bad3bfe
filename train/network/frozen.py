"""Refusing to hold still what begins with random numbers."""

from collections import Counter
from collections.abc import Collection
from typing import Final

from torch import Tensor

from segprep.datasets.errors import ConfigurationError
from segprep.train.models import MODELS
from segprep.train.models._network import Network
from segprep.train.network.config import NetworkConfig
from segprep.train.network.weights import part_of

__all__ = ["check_frozen"]

_STATISTICS: Final = ("running_mean", "running_var")


def check_frozen(network: Network, filled: Collection[str], config: NetworkConfig) -> None:
    """Refuse a part that is held still at random numbers.

    What begins with constants, as norms and biases do, may stay there; moving statistics may not.

    Args:
        network: With everything frozen that shall be.
        filled: Names of what files gave.
        config: Of the network.

    Raises:
        ConfigurationError: Names the parts, and what to give.
    """
    random: list[str] = []
    for place, module in network.named_modules():
        own = {name: p for name, p in module.named_parameters(recurse=False) if not p.requires_grad}
        held = bool(own) and len(own) == len(list(module.parameters(recurse=False)))
        statistics = [name for name, _ in module.named_buffers(recurse=False) if name in _STATISTICS and held]
        names = [f"{place}.{name}" for name in (*(n for n, p in own.items() if not _is_constant(p)), *statistics)]
        random += [name for name in names if name not in filled]
    if random:
        module = MODELS.load(config.name)
        parts = ", ".join(f"{part} ({count})" for part, count in Counter(map(part_of, random)).items())
        ways = ["--expert COLUMN=RUN"] if hasattr(module, "from_expert") else []
        ways += ["--weights FILE|imagenet"] if hasattr(module, "BACKBONE") and not config.weights else []
        raise ConfigurationError(
            f"{parts} of network {config.name!r} shall not learn, but no file gave its weights, so that it would stay "
            f"at random numbers: give {' or '.join([*ways, '--start RUN'])}, or let it learn"
        )


def _is_constant(tensor: Tensor) -> bool:
    return bool((tensor == tensor.flatten()[0]).all())
