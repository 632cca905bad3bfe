"""Frozen graphs of TensorFlow (`.pb`): what were variables are constants, by the variables' names.

Source of the format: graph.proto, node_def.proto, attr_value.proto and tensor.proto of TensorFlow.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.sample import Array
from segprep.train.network.foreign.protobuf import Message, fields
from segprep.train.network.foreign.tensors import (
    FLOATS,
    ForeignTensors,
    as_array,
    checked_shape,
    is_of_training,
    mapped_file,
)

__all__ = ["read_graph"]

_MAX_NODES: Final = 200_000
_READ: Final = "/read"  # the node behind a variable, which freezing leaves
_LISTS: Final = {1: 5, 2: 6}  # by DataType: the field of TensorProto that lists its numbers
_CONTENT: Final = 4
_MOST_OF_FILE: Final = 2
_MOST_FILLED: Final = 2**26  # bytes of constants that one number in the file stands for


def read_graph(path: Path) -> ForeignTensors:
    """Read the constants of a graph that were variables.

    These are the constants that a node `<name>/read` hands on. A graph that was made quicker has none of these nodes:
    then they are all floating-point constants of at least one dimension.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no graph, or damaged.
    """
    constants, read = _constants(mapped_file(path))
    if not constants:
        raise ValueError("it holds no constants of a network")
    variables = {name: array for name, array in constants.items() if (name in read if read else array.ndim)}
    weights = {name: array for name, array in variables.items() if not is_of_training(name)}
    return ForeignTensors(weights, len(variables) - len(weights))


def _constants(graph: Message) -> tuple[dict[str, Array], set[str]]:
    """Return the constants of floating-point numbers, and the names that are handed on as variables are."""
    constants: dict[str, Array] = {}
    read: set[str] = set()
    room = _MOST_OF_FILE * len(graph) + _MOST_FILLED
    for node in _nodes(graph):
        if node.operation == "Const" and node.value is not None:
            array = _array(node.name, node.value)
            if array is not None:
                room -= array.nbytes
                if room < 0:
                    raise ValueError("its constants are larger than it has room for")
                constants[node.name] = array
        elif node.operation == "Identity" and node.name == f"{node.input}{_READ}":
            read.add(node.input)
    return constants, read


@dataclass(slots=True)
class _Node:
    """What is looked at of a NodeDef: name, operation, first input, and the attribute `value`."""

    name: str = ""
    operation: str = ""
    input: str = ""
    value: Message | None = None


def _nodes(graph: Message) -> Iterator[_Node]:
    count = 0
    for number, message in fields(graph):
        if number != 1:
            continue
        count += 1
        if not isinstance(message, Message) or count > _MAX_NODES:
            raise ValueError("it is no graph of TensorFlow")
        node = _Node()
        for part, value in fields(message):
            if not isinstance(value, Message):
                continue
            if part == 1:
                node.name = _text(value)
            elif part == 2:
                node.operation = _text(value)
            elif part == 3:
                node.input = node.input or _text(value)
            elif part == 5:
                entry = dict(fields(value))
                key, attribute = entry.get(1), entry.get(2)
                if isinstance(key, Message) and isinstance(attribute, Message) and _text(key) == "value":
                    node.value = attribute
        yield node


def _text(value: Message) -> str:
    return str(value, "utf-8")


def _array(name: str, attribute: Message) -> Array | None:
    """Return a constant of floating-point numbers; None for another."""
    tensor = dict(fields(attribute)).get(8)
    if not isinstance(tensor, Message):
        raise ValueError(f"the constant {name} has no value")
    found = dict(fields(tensor))
    dtype = found.get(1, 0)
    if not isinstance(dtype, int) or dtype not in FLOATS:
        return None
    shape = _shape(found.get(2))
    content = found.get(_CONTENT)
    if isinstance(content, Message) and len(content):
        return as_array(bytes(content), FLOATS[dtype], shape)
    return _listed(name, tensor, dtype, shape)


def _shape(value: int | Message | None) -> tuple[int, ...]:
    if not isinstance(value, Message):
        return ()
    dimensions = (each for number, each in fields(value) if number == 2 and isinstance(each, Message))
    return checked_shape([dict(fields(each)).get(1, 0) for each in dimensions])


def _listed(name: str, tensor: Message, dtype: int, shape: tuple[int, ...]) -> Array:
    """Return the numbers of a list; the last one stands for all that are missing."""
    number, size = _LISTS.get(dtype), math.prod(shape)
    if number is None:
        raise ValueError(f"the numbers of {name} are listed one by one, which is not read for 16 bits")
    item = np.dtype(FLOATS[dtype])
    parts = []
    for part, value in fields(tensor):
        if part == number:
            data = bytes(value) if isinstance(value, Message) else value.to_bytes(item.itemsize, "little")
            if len(data) % item.itemsize:
                raise ValueError(f"the numbers of {name} are not whole")
            parts.append(np.frombuffer(data, item))
    values = np.concatenate(parts) if parts else np.zeros(1, item)
    if not 0 < len(values) <= max(size, 1):
        raise ValueError(f"{name} has {len(values)} numbers for a shape of {size}")
    filled: Array = np.full(shape, values[-1], item)
    filled.reshape(-1)[: len(values)] = values[:size]
    return filled
