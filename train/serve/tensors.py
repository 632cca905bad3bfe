"""Tensors of the Open Inference Protocol, as JSON and in its binary extension."""

import base64
import binascii
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from segprep.datasets.sample import Array, JsonDict
from segprep.train.serve.refusals import Refused

__all__ = ["DATATYPES", "InferRequest", "Tensor", "bad_request", "read_request", "written_outputs"]

DATATYPES: Final[Mapping[str, "np.dtype[Any]"]] = MappingProxyType(
    {
        name: np.dtype(kind)
        for name, kind in (
            ("BOOL", "?"),
            *((f"UINT{8 * size}", f"<u{size}") for size in (1, 2, 4, 8)),
            *((f"INT{8 * size}", f"<i{size}") for size in (1, 2, 4, 8)),
            *((f"FP{8 * size}", f"<f{size}") for size in (2, 4, 8)),
        )
    }
)
"""Name to how the elements stand in the binary extension: little-endian."""

_BYTES: Final = "BYTES"


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An input.

    Attributes:
        name: Of the column.
        shape: With the batch first.
        values: An array of this shape; of BYTES a list of elements, row by row.
        parameters: What else stands there.
    """

    name: str
    shape: tuple[int, ...]
    values: Array | list[bytes]
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    """A request for inference.

    Attributes:
        id: Comes back with the answer; None if there was none.
        inputs: By name.
        outputs: Name to whether it is to be binary, in the order that was asked for; empty for all of them.
        binary: Whether outputs are binary that do not say it.
        parameters: Of the whole request.
    """

    id: str | None
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, bool]
    binary: bool
    parameters: Mapping[str, Any]


def bad_request(reason: str) -> Refused:
    """Return the answer to what is not as the protocol says."""
    return Refused(HTTPStatus.BAD_REQUEST, reason)


def read_request(body: bytes, json_length: str | None) -> InferRequest:
    """Read a request.

    Args:
        body: All of it.
        json_length: The header Inference-Header-Content-Length: how long its JSON part is; None for the whole.

    Raises:
        Refused: 400 if anything in it is not as the protocol says.
    """
    if json_length is not None and not (json_length.isascii() and json_length.isdigit()):
        raise bad_request(f"Inference-Header-Content-Length must be a number of bytes, not {json_length!r}")
    length = len(body) if json_length is None else int(json_length)
    if length > len(body):
        raise bad_request(f"Inference-Header-Content-Length is {length}, but only {len(body)} bytes came")
    try:
        said = json.loads(body[:length])
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the request is no JSON: {error}") from error
    head = _object(said, "the request")
    parameters = _object(head.get("parameters", {}), "parameters")
    raw = memoryview(body)[length:]
    inputs: dict[str, Tensor] = {}
    for each in _list(head.get("inputs"), "inputs"):
        tensor, raw = _tensor(_object(each, "an input"), raw)
        if tensor.name in inputs:
            raise bad_request(f"input {tensor.name!r} came twice")
        inputs[tensor.name] = tensor
    if len(raw):
        raise bad_request(f"{len(raw)} bytes are left over behind the inputs: is binary_data_size of one too small?")
    binary = parameters.get("binary_data_output") is True
    outputs: dict[str, bool] = {}
    for each in _list(head.get("outputs", []), "outputs"):
        asked = _object(each, "an output")
        wishes = _object(asked.get("parameters", {}), "the parameters of an output")
        outputs[str(asked.get("name"))] = bool(wishes.get("binary_data", binary))
    named = head.get("id")
    return InferRequest(None if named is None else str(named), inputs, outputs, binary, parameters)


def written_outputs(head: JsonDict, outputs: Mapping[str, tuple[str, Array, bool]]) -> tuple[bytes, int | None]:
    """Return the body of an answer, and how long its JSON part is; None where all of it is JSON.

    Args:
        head: What stands in the answer beside the outputs.
        outputs: Name to datatype, array, and whether it is to be binary.
    """
    described, raw = [], []
    for name, (datatype, values, binary) in outputs.items():
        each: JsonDict = {"name": name, "shape": list(values.shape), "datatype": datatype}
        if binary:
            data = values.astype(DATATYPES[datatype]).tobytes()
            raw.append(data)
            each["parameters"] = {"binary_data_size": len(data)}
        else:
            each["data"] = values.reshape(-1).tolist()
        described.append(each)
    text = json.dumps(head | {"outputs": described}).encode()
    return b"".join([text, *raw]), len(text) if raw else None


def _tensor(each: Mapping[str, Any], raw: memoryview) -> tuple[Tensor, memoryview]:
    """Return an input, and the binary part that is left behind it."""
    name, datatype = str(each.get("name")), str(each.get("datatype"))
    shape = tuple(_list(each.get("shape"), f"the shape of input {name!r}"))
    if not shape or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in shape):
        raise bad_request(f"the shape of input {name!r} must be numbers above 0, not {list(shape)}")
    count = int(np.prod(shape, dtype=object))
    parameters = _object(each.get("parameters", {}), f"the parameters of input {name!r}")
    if datatype != _BYTES and datatype not in DATATYPES:
        raise bad_request(f"input {name!r} has the datatype {datatype!r}. Known: {', '.join(DATATYPES)}, {_BYTES}")
    size = parameters.get("binary_data_size")
    if size is None:
        return Tensor(name, shape, _from_json(name, datatype, shape, count, each.get("data")), parameters), raw
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(raw):
        raise bad_request(f"input {name!r} says binary_data_size {size!r}, and {len(raw)} bytes are there for it")
    data, rest = raw[:size], raw[size:]
    if datatype == _BYTES:
        return Tensor(name, shape, _elements(name, data, count), parameters), rest
    dtype = DATATYPES[datatype]
    if size != count * dtype.itemsize:
        raise bad_request(
            f"input {name!r} of shape {list(shape)} and {datatype} needs {count * dtype.itemsize} bytes, not {size}"
        )
    values = np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    return Tensor(name, shape, values, parameters), rest


def _elements(name: str, data: memoryview, count: int) -> list[bytes]:
    """Return the elements of BYTES: each has its length before it, 4 bytes little-endian."""
    found, place = [], 0
    while place + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, place)
        found.append(bytes(data[place + 4 : place + 4 + length]))
        place += 4 + length
    if place != len(data) or len(found) != count:
        raise bad_request(f"input {name!r} should hold {count} elements of BYTES, each behind its length of 4 bytes")
    return found


def _from_json(name: str, datatype: str, shape: tuple[int, ...], count: int, data: object) -> Array | list[bytes]:
    if not isinstance(data, list):
        raise bad_request(f"input {name!r} has no data: a list of numbers, or parameters.binary_data_size")
    if datatype == _BYTES:
        try:
            elements = [base64.b64decode(each, validate=True) for each in data]
        except (TypeError, ValueError, binascii.Error) as error:
            raise bad_request(f"elements of BYTES in JSON must be base64; those of input {name!r} are not") from error
        if len(elements) != count:
            raise bad_request(f"input {name!r} has {len(elements)} elements, its shape {list(shape)} needs {count}")
        return elements
    dtype = DATATYPES[datatype]
    try:
        numbers = np.asarray(data)
    except ValueError as error:  # rows of different lengths
        raise bad_request(f"the rows of input {name!r} differ in length") from error
    if numbers.size != count or (numbers.ndim > 1 and numbers.shape != shape):
        raise bad_request(f"input {name!r} has {numbers.size} numbers in {list(numbers.shape)}, not {list(shape)}")
    wanted = {"b": "b", "u": "iu", "i": "iu", "f": "iuf"}[dtype.kind]
    limits = None if dtype.kind in "bf" else np.iinfo(dtype)
    if numbers.dtype.kind not in wanted or (
        limits is not None and (int(numbers.min()) < limits.min or int(numbers.max()) > limits.max)
    ):
        raise bad_request(f"the data of input {name!r} are no {datatype}")
    return numbers.reshape(shape).astype(dtype.newbyteorder("="))


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise bad_request(f"{what} must be an object")
    return value


def _list(value: object, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise bad_request(f"{what} must be a list")
    return value
