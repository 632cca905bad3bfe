"""Weights from elsewhere: ImageNet's in torchvision's or timm's naming, and those of trained experts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType, ModuleType
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from segprep.datasets.errors import ConfigurationError, MissingInputError, UnreadableFileError
from segprep.datasets.machine import machine_error
from segprep.train.models._network import Network
from segprep.train.network.backbones import backbone_shapes
from segprep.train.network.checkpoint import check_names
from segprep.train.network.config import TORCH_SUFFIXES
from segprep.train.network.imagenet import imagenet_file

__all__ = [
    "LoadReport",
    "fill_network",
    "imagenet_file",
    "load_backbone",
    "load_expert",
    "load_network",
    "part_of",
    "read_weights",
]

_DAMAGE = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError)  # what pickles end in
_WRAPPERS: Final = ("state_dict", "model")
_PREFIX: Final = "module."  # of what torch's data-parallel wrappers save
_TIMM: Final = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
_COUNTER: Final = "num_batches_tracked"  # of batch norm; nothing here depends on it
_TRUNK: Final = "trunk."
_HEADS: Final = "heads."
_SHOWN: Final = 6
_PART: Final = 3  # levels of a name that say which part of the network it belongs to


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a file of weights.

    Attributes:
        path: The file.
        loaded: Names of the network that were filled.
        unused: Names of the file that nobody expected there.
        missing: Names of the network that such a file should have filled.
        unfilled: Names of the network that keep their fresh values, the missing ones among them; its heads are not
            meant to be in the file.
        mismatched: (name of the network, shape in the file, shape in the network) of what was left out for its shape.
        averaged: Names of the network that got the mean over the colours.
        of_training: How many entries of the file only its training needed.
    """

    path: Path
    loaded: tuple[str, ...]
    unused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()
    averaged: tuple[str, ...] = ()
    of_training: int = 0

    @property
    def sentence(self) -> str:
        """What people should read: the names that nobody expects to differ. The others are counted."""
        sorts = {
            "left out for their shape": [f"{name} {theirs} instead of {own}" for name, theirs, own in self.mismatched],
            "in the file but not in the network": self.unused,
            "not in the file, although they belong there": self.missing,
            "mean over the colours, for one channel": self.averaged,
        }
        found = [f"{sort}: {', '.join(names)}" for sort, names in sorts.items() if names]
        fresh = len(self.unfilled)
        counted = [f"{fresh} of the network begin fresh, heads not counted"] if fresh else []
        if self.of_training:
            counted.append(f"{self.of_training} of their optimizer and counters left out")
        return "; ".join([f"{self.path}: {len(self.loaded)} tensors loaded", *counted, *found])


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a file of named tensors; nothing in it is executed.

    The names come back as torchvision has them: without `module.`, and timm's of VGG16 translated, whose convolutions
    of 7x7 and 1x1 become torchvision's (out, in) matrices. timm's of ResNet-50 are the same.

    Args:
        path: `.pth` or `.pt` of torch, also one level down under `state_dict` or `model`, or `.safetensors`.

    Raises:
        ConfigurationError: If the name ends in something else.
        MissingInputError: If there is no such file.
        UnreadableFileError: If it is damaged or holds other things than named tensors.
    """
    if path.suffix not in TORCH_SUFFIXES:
        raise ConfigurationError(f"weights are read from .pth, .pt and .safetensors, not from {path}")
    if not path.is_file():
        raise MissingInputError(f"the weights {path} do not exist: check the path")
    try:
        if path.suffix == ".safetensors":
            return _translated(safetensors.torch.load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, UnpicklingError, *_DAMAGE) as error:
        failed = machine_error(error)
        if failed is not None:
            raise failed from error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UnreadableFileError(
            f"the weights {path} cannot be read ({reason}): copy them again, or save tensors only, by name"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(t, Tensor) for t in content.values()):
        raise UnreadableFileError(
            f"{path} does not hold named tensors, but {type(content).__name__}: save a module's state_dict()"
        )
    return _translated({str(name): tensor for name, tensor in content.items()})


def load_backbone(network: Network, module: ModuleType, path: Path, backbone: str | None = None) -> LoadReport:
    """Fill a network with ImageNet's weights, as far as its file in `train/models` says where they belong.

    Where the network's input has one channel, the first convolution gets the mean of its kernels over the colours.

    Args:
        network: Made by `module.build`; its tensors are written in place.
        module: With `BACKBONE` and `from_imagenet`.
        path: See `read_weights`.
        backbone: Which encoder the network has, see `backbone_of`; None takes `BACKBONE`.

    Raises:
        ConfigurationError: If the network has no use for such weights, or none of the file's fits.
        MissingInputError: If there is no such file.
        UnreadableFileError: If it cannot be read.
    """
    if not hasattr(module, "from_imagenet"):
        raise ConfigurationError(f"network {_name(module)!r} has no ImageNet weights: train it without")
    backbone = backbone or module.BACKBONE
    shapes = backbone_shapes(backbone)
    places = {n: module.from_imagenet({n: torch.empty(shape, device="meta")}) for n, shape in shapes.items()}
    own = network.state_dict()
    given: dict[str, dict[str, Tensor]] = {}
    averaged: list[str] = []
    for name, tensor in read_weights(path).items():
        given[name] = module.from_imagenet({name: tensor})
        for inner, each in given[name].items():
            if inner in own and _sees_one_channel(own[inner], each):
                given[name][inner] = each.mean(1, keepdim=True)
                averaged.append(inner)
    return fill_network(
        network,
        path,
        given,
        f"of ImageNet's {backbone}",
        needless=[name for name, inner in places.items() if not own.keys() & inner.keys()],
        wanted=[name for inner in places.values() for name in inner],
        averaged=averaged,
    )


def load_expert(
    network: Network,
    module: ModuleType,
    column: str,
    path: Path,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> LoadReport:
    """Fill the part of a network that sees one column with the weights of a run on that column alone.

    Only names of this part count as unfilled.

    Args:
        network: Made by `module.build`; its tensors are written in place.
        module: With `from_expert`.
        column: Name of the input column.
        path: `weights.safetensors` of the run's checkpoint.
        options: Of the network.

    Raises:
        ConfigurationError: If the network takes no experts, has no such column, or none of the file's tensors fits.
        MissingInputError: If there is no such file.
        UnreadableFileError: If it cannot be read.
    """
    if not hasattr(module, "from_expert"):
        raise ConfigurationError(f"network {_name(module)!r} takes no experts: give them to a network that does")
    state = read_weights(path)
    # Most networks know one expert only; one that may have several asks for its options.
    asked = {"options": options} if "options" in signature(module.from_expert).parameters else {}
    given = {name: module.from_expert(column, {name: tensor}, **asked) for name, tensor in state.items()}
    needless = [name for name, inner in given.items() if not inner and name.startswith((_TRUNK, _HEADS))]
    return fill_network(network, path, given, f"of an expert for column {column!r}", needless=needless, part_only=True)


def load_network(network: Network, path: Path) -> LoadReport:
    """Fill a network with the weights of another run of it; its heads may be for other classes.

    Args:
        network: Its tensors are written in place.
        path: `weights.safetensors` of the run's checkpoint.

    Raises:
        ConfigurationError: If they are those of another network; names what does not fit.
        MissingInputError: If there is no such file.
        UnreadableFileError: If it cannot be read.
    """
    state = read_weights(path)
    own, given = (
        {name: tensor for name, tensor in each.items() if not name.startswith(_HEADS) and not name.endswith(_COUNTER)}
        for each in (network.state_dict(), state)
    )
    check_names(own, given, str(path))
    return fill_network(network, path, {name: {name: tensor} for name, tensor in state.items()}, "of a run")


def fill_network(
    network: Network,
    path: Path,
    given: Mapping[str, Mapping[str, Tensor]],
    what: str,
    *,
    needless: Collection[str] = (),
    wanted: Collection[str] = (),
    averaged: Sequence[str] = (),
    part_only: bool = False,
) -> LoadReport:
    """Copy what each name of a file gives.

    Args:
        network: Its tensors are written in place.
        path: The file.
        given: By name of the file, then by name of the network.
        what: The kind of weights, for messages.
        needless: Names of the file that the network is known to have no use for.
        wanted: Names of the network that such a file fills.
        averaged: See `LoadReport`.
        part_only: Whether only names of the parts that are touched are looked at; all of these are wanted.

    Raises:
        ConfigurationError: If nothing fits.
    """
    own = network.state_dict()
    fitting: dict[str, Tensor] = {}
    unused, mismatched = [], []
    for name, tensors in given.items():
        known = {inner: tensor for inner, tensor in tensors.items() if inner in own}
        if not known and name not in needless and not name.endswith(_COUNTER):
            unused.append(name)
        for inner, tensor in known.items():
            if tensor.shape == own[inner].shape:
                fitting[inner] = tensor
            else:
                mismatched.append((inner, tuple(tensor.shape), tuple(own[inner].shape)))
    if not fitting:
        names = ", ".join(list(given)[:_SHOWN]) or "nothing"
        raise ConfigurationError(f"{path} holds no weights {what} that fit this network; it holds {names} ...")
    for inner, tensor in fitting.items():
        own[inner].copy_(tensor)  # the state's tensors are the network's own memory
    touched = set(map(part_of, fitting))
    unfilled = [
        name
        for name in own
        if name not in fitting
        and not name.startswith(_HEADS)
        and not name.endswith(_COUNTER)
        and (part_of(name) in touched or not part_only)
    ]
    left_out = {name for name, _, _ in mismatched}
    missing = [name for name in unfilled if (part_only or name in wanted) and name not in left_out]
    return LoadReport(
        path, tuple(fitting), tuple(unused), tuple(missing), tuple(unfilled), tuple(mismatched), tuple(averaged)
    )


def _sees_one_channel(own: Tensor, given: Tensor) -> bool:
    """Whether these are kernels of one convolution, the given ones for three colours, the network's for one channel."""
    colours, rest = given.shape[1:2], (*given.shape[:1], *given.shape[2:])
    return given.ndim == 4 and colours == (3,) and own.shape[1:2] == (1,) and rest == (*own.shape[:1], *own.shape[2:])


def _translated(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    translated = {}
    for name, tensor in state.items():
        layer, _, which = name.removeprefix(_PREFIX).rpartition(".")
        if layer in _TIMM and which == "weight":
            tensor = tensor.flatten(1)
        translated[f"{_TIMM.get(layer, layer)}.{which}" if layer else which] = tensor
    return translated


def part_of(name: str) -> str:
    """Return which part of a network a name belongs to."""
    return ".".join(name.split(".")[:_PART])


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
