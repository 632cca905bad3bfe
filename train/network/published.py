"""Beginning with the weights that others published of a network, in files of TensorFlow or Keras."""

import dataclasses
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import Array
from segprep.train.models._network import InputColumn, InputScaling
from segprep.train.models._published import EPSILON, Published
from segprep.train.network.config import NetworkConfig
from segprep.train.network.foreign.files import read_foreign
from segprep.train.network.segmenter import Segmenter
from segprep.train.network.weights import LoadReport, fill_network

__all__ = ["load_published", "published_scalings"]

_DEPTHWISE = "depthwise_weights"
_VARIANCE = "running_var"


def load_published(
    segmenter: Segmenter,
    module: ModuleType,
    config: NetworkConfig,
    columns: Sequence[InputColumn],
    say: Callable[[str], None],
) -> LoadReport:
    """Fill a network, its head too where it is for as many classes, and scale its inputs as the published network's.

    Args:
        segmenter: Made with the module; its network's tensors are written in place.
        module: With `PUBLISHED`.
        config: Its `weights` is the file, see `read_foreign`.
        columns: The inputs.
        say: Gets a sentence about how the inputs enter, and about options by which the network computes otherwise.

    Raises:
        ConfigurationError: If the network has no published weights, none of the file's fits, or they see other columns.
        MissingInputError: If there is no such file.
        UnreadableFileError: If it cannot be read.
    """
    published: Published | None = getattr(module, "PUBLISHED", None)
    if published is None:
        raise ConfigurationError(
            f"network {config.name!r} knows no weights in files of TensorFlow or Keras: leave them"
        )
    path = Path(config.weights).expanduser()
    found = read_foreign(path)
    names = published.names(segmenter.network, {name: array.shape for name, array in found.arrays.items()})
    given = {
        name: {names[name]: _converted(array, name, names[name], published)} if name in names else {}
        for name, array in found.arrays.items()
    }
    report = fill_network(
        segmenter.network, path, given, f"of {published.system}", wanted=list(segmenter.network.state_dict())
    )
    scalings = {column.name: published.scaling(module.Config(**config.options), column) for column in columns}
    segmenter.scale_by(scalings)
    say(f"{path}: {_told(scalings)}, as in {published.system}")
    changed = [n for n, value in published.options.items() if config.options.get(n) != value]
    if changed:
        say(f"{published.system} was trained with other {', '.join(changed)}: it computes something else here")
    return dataclasses.replace(report, of_training=found.of_training)


def published_scalings(
    module: ModuleType, config: NetworkConfig, columns: Sequence[InputColumn]
) -> dict[str, InputScaling]:
    """Return what published weights of a network want of the columns that they can see."""
    published: Published | None = getattr(module, "PUBLISHED", None)
    found: dict[str, InputScaling] = {}
    if published is None:
        return found
    for column in columns:
        try:
            found[column.name] = published.scaling(module.Config(**config.options), column)
        except ConfigurationError:
            continue
    return found


def _converted(array: Array, theirs: str, ours: str, published: Published) -> Tensor:
    """Return a variable as the tensor of ours that it belongs to.

    TensorFlow's kernels are (height, width, in, out), those of its transposed convolutions (height, width, out, in):
    both are read from behind. Where its batch norm has another epsilon, the variance makes up for it.
    """
    values = torch.from_numpy(array.astype(np.float32))
    if values.ndim == 4:
        depthwise = theirs.removesuffix(":0").endswith(_DEPTHWISE)
        values = values.permute(2, 3, 0, 1).flatten(0, 1).unsqueeze(1) if depthwise else values.permute(3, 2, 0, 1)
    if ours.endswith(_VARIANCE):
        values = values + (published.epsilon - EPSILON)
    if any(fnmatchcase(ours, pattern) for pattern in published.blue_first):
        values = values.flip(1 if values.ndim == 4 else 0)
    return values


def _told(scalings: dict[str, InputScaling]) -> str:
    parts = []
    for name, scaling in scalings.items():
        centre, spread = (", ".join(f"{value:g}" for value in values) for values in (scaling.centre, scaling.spread))
        parts.append(f"{name} enters as (value - ({centre})) / ({spread})")
    return "; ".join(parts)
