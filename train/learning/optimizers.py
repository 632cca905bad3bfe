"""Optimizers: which parameters train, how fast each of them, and with how much decay."""

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from segprep.datasets.errors import ConfigurationError
from segprep.train.learning.sections import OptimizerConfig, rate_of_group

__all__ = ["build_optimizer", "freeze", "hold_frozen_statistics", "set_rate"]


def build_optimizer(config: OptimizerConfig, network: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Freeze what shall not learn and make the optimizer of the rest.

    Args:
        config: How.
        network: Its parameters with `requires_grad` are taken, in their order.
        lr: The learning rate, before the factors of the groups; `set_rate` changes it.

    Raises:
        ConfigurationError: If a pattern matches no parameter, naming what is near, or nothing is left to learn.
    """
    freeze(config.frozen, network)
    factors = [rate_of_group(group) for group in config.groups]
    _check_patterns([pattern for pattern, _ in factors], network, "groups")
    learning = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    if not learning:
        raise ConfigurationError("every parameter of the network is frozen: nothing is left to train")
    members: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in learning:
        factor = next((f for pattern, f in factors if fnmatchcase(name, pattern)), 1.0)
        # Norms and biases are the vectors among the parameters: decay would pull them to 0 for no gain.
        members.setdefault((factor, parameter.ndim > 1), []).append(parameter)
    groups: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": lr * factor,
            "factor": factor,
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (factor, decays), parameters in members.items()
    ]
    match config.kind:
        case "sgd":
            return torch.optim.SGD(groups, lr, momentum=config.momentum, nesterov=config.nesterov)
        case "adam":
            return torch.optim.Adam(groups, lr, betas=(config.beta1, config.beta2), eps=config.eps)
        case "adamw":
            return torch.optim.AdamW(groups, lr, betas=(config.beta1, config.beta2), eps=config.eps)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate; each group gets its factor of it."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["factor"]


def freeze(patterns: Sequence[str], network: nn.Module) -> None:
    """Let the parameters that match stay as they are.

    Raises:
        ConfigurationError: If a pattern matches no parameter.
    """
    _check_patterns(patterns, network, "frozen")
    for name, parameter in network.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)


def hold_frozen_statistics(network: nn.Module) -> None:
    """Put batch norms whose parameters are all frozen into evaluation mode; call it after `network.train()`.

    In training mode their running statistics would follow the data, and what is frozen would change.
    """
    for module in network.modules():
        if isinstance(module, _NormBase):
            own = list(module.parameters(recurse=False))
            if own and not any(p.requires_grad for p in own):
                module.eval()


def _check_patterns(patterns: Iterable[str], network: nn.Module, option: str) -> None:
    names = [name for name, _ in network.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            folders = dict.fromkeys(f"{name.rsplit('.', depth)[0]}.*" for name in names for depth in (1, 2, 3))
            near = difflib.get_close_matches(pattern, [*folders, *names], n=3, cutoff=0.4) or [*folders][:3]
            raise ConfigurationError(
                f"{option}: {pattern!r} matches no parameter of the network. Near: {', '.join(near)}"
            )
