"""What the run was trained by whose weights another one takes, and what is different now."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from segprep.datasets.documents import read_toml
from segprep.datasets.errors import ConfigurationError, DamagedStoreError
from segprep.datasets.json_values import json_of
from segprep.train.models._network import InputScaling
from segprep.train.network.checkpoint import WEIGHTS_FILE, damaged_checkpoint
from segprep.train.network.pointers import CHECKPOINT_NAME, POINTERS
from segprep.train.network.seal import UNSEALED, open_seal

__all__ = ["check_backbone_options", "check_origin"]

_FREE = ("dropout", "frozen")  # parts of names of options that may differ: they matter while training only


def check_backbone_options(module: ModuleType, options: Mapping[str, Any]) -> None:
    """Refuse options by which a network would compute something else than its ImageNet weights were trained for.

    Raises:
        ConfigurationError: If one says the contrary.
    """
    for name, value in getattr(module, "BACKBONE_OPTIONS", {}).items():
        if options.get(name) != value:
            raise ConfigurationError(
                f"weights with PyTorch's names of {module.BACKBONE} were trained with {name} = {_toml(value)}, not "
                f"{_toml(options.get(name))}: leave model.{name} out, or take no weights"
            )


def check_origin(
    path: Path,
    module: ModuleType,
    options: Mapping[str, Any],
    scalings: Mapping[str, InputScaling],
    published: Mapping[str, InputScaling],
    say: Callable[[str], None],
) -> Mapping[str, InputScaling]:
    """Compare weights that lie in a checkpoint with their digest, and the options of their run with those of today.

    A file that lies elsewhere says nothing of its origin.

    Args:
        path: The weights.
        module: Of the network that takes them.
        options: Of that network.
        scalings: Of the columns of the part that takes them.
        published: Those that published weights of the network want; a run that began with such weights has them.
        say: Gets a sentence for what differs, and where there are no checksums.

    Returns:
        The scalings, those of published weights where that run has them.

    Raises:
        ConfigurationError: If an option differs by which the same weights compute something else.
        DamagedStoreError: If the weights are damaged; names a checkpoint of the run that is whole.
    """
    folder = path.resolve().parent
    if path.name != WEIGHTS_FILE or not (CHECKPOINT_NAME.fullmatch(folder.name) or folder.name in POINTERS):
        return scalings
    try:
        state, has_checksums = open_seal(folder, [path.name])
    except DamagedStoreError as error:
        raise damaged_checkpoint(folder, str(error)) from error
    if not has_checksums:
        say(f"the checkpoint {folder} {UNSEALED}")
    tables = state.get("config") or _config(folder.parent.parent / "config.toml")
    theirs = tables.get("model", {})
    changed = {
        name: f"{name} = {_toml(theirs[name])} (now {_toml(value)})"
        for name, value in options.items()
        if name in theirs and _plain(theirs[name]) != _plain(value) and not any(each in name for each in _FREE)
    }
    if decisive := [text for name, text in changed.items() if name in getattr(module, "BACKBONE_OPTIONS", {})]:
        raise ConfigurationError(f"{folder} was trained with {decisive[0]}: set it alike, or its features would differ")
    inputs = tables.get("data", {}).get("inputs", list(scalings))
    if inputs != list(scalings):
        changed["inputs"] = f"inputs {','.join(inputs)} (now {','.join(scalings)})"
    suited = dict(scalings)
    for name, own in scalings.items():
        former = state.get("scalings", {}).get(name)
        if name in published and former == json_of(published[name]):
            suited[name] = published[name]
        elif former is not None and former != json_of(own):
            changed[f"scaling of {name}"] = f"another scaling of {name}: its shards have other statistics"
    if changed:
        say(f"{folder} was trained with {', '.join(changed.values())}")
    return suited


def _config(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file)
    except (OSError, ValueError):
        return {}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(_plain(value))
