"""How the weights that others publish of a network fit ours: names, inputs, and what their network does otherwise."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from segprep.datasets.errors import ConfigurationError
from segprep.train.models._network import InputColumn, InputScaling, Network

__all__ = [
    "CAFFE_MEAN",
    "EPSILON",
    "Names",
    "Published",
    "by_scope",
    "conv",
    "conv_norm_names",
    "norm",
    "numbered",
    "published_options",
    "raw_rgb",
]

Names = dict[str, str]
"""Name of a published variable to name of our tensor."""

EPSILON: Final = 1e-5
"""Of our batch norm, and of the Freiburg programs' and PARIS'."""

CAFFE_MEAN: Final = (123.68, 116.779, 103.939)
"""R, G and B that VGG16's and Keras' ResNet50's programs subtract, as Caffe's did."""

_SCOPES: Final = re.compile(r"(?:resnet_v[12]_50|bottleneck_v[12])/")
_NUMBER: Final = re.compile(r"(?:_(\d+))?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a network's file says of published weights.

    Attributes:
        system: Who published them, for messages.
        names: The network and the names and shapes of a file give `Names`; what is not in there is unknown.
        options: Of the network's `Config`, as these weights need them; those that are not said get these values.
        scaling: What a column becomes before it enters; gets the `Config`, too.
        blue_first: Our tensors whose inputs are the channels of a picture, which that program reads as BGR.
        epsilon: Of their batch norm.
    """

    system: str
    names: Callable[[Network, Mapping[str, tuple[int, ...]]], Names]
    options: Mapping[str, Any]
    scaling: Callable[[Any, InputColumn], InputScaling]
    blue_first: Collection[str] = ()
    epsilon: float = EPSILON


def published_options(module: ModuleType) -> Mapping[str, Any]:
    """Return the options that published weights of a network need; nothing for one that knows none."""
    published: Published | None = getattr(module, "PUBLISHED", None)
    return {} if published is None else published.options


def raw_rgb(column: InputColumn, centre: tuple[float, ...] = (0.0, 0.0, 0.0)) -> InputScaling:
    """Return the scaling of programs that take 0..255 as it is, or less a mean.

    Raises:
        ConfigurationError: If the column is no 8-bit picture of three channels.
    """
    if column.dtype != "uint8" or column.channels != 3:
        raise ConfigurationError(
            f"published weights see 8-bit pictures of three channels, not {column.dtype} of {column.channels} as "
            f"{column.name!r}: take another column, or no weights"
        )
    return InputScaling(centre, (1.0, 1.0, 1.0))


def conv(theirs: str, ours: str) -> Names:
    """Return the names of a convolution of the Freiburg programs or of slim; those without biases lack the second."""
    return {f"{theirs}/weights": f"{ours}.weight", f"{theirs}/biases": f"{ours}.bias"}


def norm(theirs: str, ours: str) -> Names:
    """Return the names of a batch norm."""
    parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    return {f"{theirs}/{part}": f"{ours}.{own}" for part, own in parts.items()}


def conv_norm_names(theirs: str, ours: str) -> Names:
    """Return the names of a convolution and the batch norm behind it, as `conv_norm` makes them."""
    return conv(theirs, f"{ours}.0") | norm(f"{theirs}/BatchNorm", f"{ours}.1")


def by_scope(table: Names, given: Iterable[str]) -> Names:
    """Return what a table gives for the names of a file, whose scopes may be called by other versions of ResNet."""
    plain = {name: _SCOPES.sub("", name.removesuffix(":0")) for name in given}
    return {name: table[each] for name, each in plain.items() if each in table}


def numbered(given: Iterable[str], layer: str) -> list[str]:
    """Return the layers that were called alike and got numbers, in their order: conv2d, conv2d_1, conv2d_2."""
    found = {name.rpartition("/")[0] for name in given}
    own = {each: match for each in found if (match := _NUMBER.search(each)) and each[: match.start()] == layer}
    return sorted(own, key=lambda each: int(own[each].group(1) or 0))
