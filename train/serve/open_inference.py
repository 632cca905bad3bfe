"""The Open Inference Protocol, version 2, so that clients of Triton and KServe work.

https://github.com/kserve/open-inference-protocol, and Triton's extension for binary tensors. Inputs are the columns,
with the batch first: numbers in the column's own unit, or a file (PNG, JPEG, .npy) in each element of BYTES. Outputs
are `ids` and `scores`.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.metadata import version as version_of

import numpy as np
from fastapi import APIRouter, Request, Response

from segprep.datasets.codes import code_from_json
from segprep.datasets.sample import Array, JsonDict, Mask
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.serve.answered_errors import AnsweringRoute
from segprep.train.serve.answers import Segmented, enlarged
from segprep.train.serve.bodies import body_of
from segprep.train.serve.columns import decoded_column
from segprep.train.serve.refusals import Refused
from segprep.train.serve.samples import check_names
from segprep.train.serve.service import Service
from segprep.train.serve.tensors import InferRequest, Tensor, bad_request, read_request, written_outputs

__all__ = ["open_inference"]

_VERSION = "1"
_LENGTH = "Inference-Header-Content-Length"
_OUTPUTS = {"ids": "UINT8", "scores": "FP32"}

_Sample = tuple[Mapping[str, Array], Mapping[str, Mask | None]]


def open_inference(service: Service) -> APIRouter:
    """Return the protocol's routes."""
    router = APIRouter(prefix="/v2", route_class=AnsweringRoute)

    @router.get("")
    async def server() -> JsonDict:
        return {"name": "segprep", "version": version_of("segprep"), "extensions": ["binary_tensor_data"]}

    @router.get("/health/live")
    async def live() -> Response:
        return _status(service.alive)

    @router.get("/health/ready")
    async def ready() -> Response:
        return _status(service.ready)

    @router.get("/models/{name}")
    @router.get("/models/{name}/versions/{version}")
    async def metadata(name: str, version: str = _VERSION) -> JsonDict:
        _check_model(service, name, version)
        return {
            "name": service.name,
            "versions": [_VERSION],
            "platform": "pytorch_segprep",
            "inputs": [_described(column) for column in service.model.columns],
            "outputs": [
                {"name": "ids", "datatype": "UINT8", "shape": [-1, -1, -1]},
                {"name": "scores", "datatype": "FP32", "shape": [-1, len(service.classes_of(None).names), -1, -1]},
            ],
        }

    @router.get("/models/{name}/ready")
    @router.get("/models/{name}/versions/{version}/ready")
    async def model_ready(name: str, version: str = _VERSION) -> Response:
        _check_model(service, name, version)
        return _status(service.ready)

    @router.post("/models/{name}/infer")
    @router.post("/models/{name}/versions/{version}/infer")
    async def infer(request: Request, name: str, version: str = _VERSION) -> Response:
        _check_model(service, name, version)
        with service.admitted():
            body = await body_of(request, service.limits)
            asked = await service.beside(lambda: read_request(body, request.headers.get(_LENGTH)))
            segmented = await _segmented(service, asked)
            content, length = await service.beside(lambda: _answer(service, asked, segmented))
        if length is None:
            return Response(content, media_type="application/json")
        return Response(content, media_type="application/octet-stream", headers={_LENGTH: str(length)})

    return router


async def _segmented(service: Service, asked: InferRequest) -> list[Segmented]:
    """Return the answer to each sample of the batch; they may share a batch with those of others."""
    check_names(service.model, asked.inputs)
    unknown = [name for name in asked.outputs if name not in _OUTPUTS]
    if unknown:
        raise bad_request(f"there is no output {unknown[0]!r}. Known: {', '.join(_OUTPUTS)}")
    counts = {tensor.shape[0] for tensor in asked.inputs.values()}
    if len(counts) > 1:
        raise bad_request("the first number of every input's shape is the batch: they differ")
    samples = [_sample(service, asked, row) for row in range(counts.pop())]
    dataset = asked.parameters.get("dataset")
    named = None if dataset is None else str(dataset)
    size = asked.parameters.get("size", "original")
    if size not in ("original", "network"):
        raise bad_request(f"size must be original or network, not {size!r}")
    if len(samples) > service.limits.queue:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{len(samples)} samples came at once, and this server takes {service.limits.queue}: send fewer",
        )
    found = await asyncio.gather(
        *(service.segmented(each, size, named) for each in samples), return_exceptions=True
    )  # all are waited for, so that none goes on when the request is no longer in hand
    segmented = []
    for each in found:
        if isinstance(each, BaseException):
            raise each
        segmented.append(each)
    if len({each.size for each in segmented}) > 1:
        raise bad_request("the pictures of a batch differ in size: send them one by one")
    return segmented


def _sample(service: Service, asked: InferRequest, row: int) -> Callable[[], _Sample]:
    """Return what decodes one row of the batch."""

    def decoded() -> _Sample:
        arrays: dict[str, Array] = {}
        valid: dict[str, Mask | None] = {}
        for column in service.model.columns:
            tensor = asked.inputs[column.name]
            values = tensor.values
            if isinstance(values, list):
                if len(tensor.shape) != 1:
                    raise bad_request(f"input {column.name!r} of BYTES has the shape [batch], not {list(tensor.shape)}")
                unit = tensor.parameters.get("unit")
                named = None if unit is None else str(unit)
                decoded = decoded_column(column, values[row], named, service.limits.max_pixels)
                arrays[column.name], valid[column.name] = decoded
            else:
                arrays[column.name], valid[column.name] = _numbers(column, tensor, values[row]), None
        return arrays, valid

    return decoded


def _numbers(column: ArraySpec, tensor: Tensor, values: Array) -> Array:
    said = _described(column)
    if values.ndim != len(said["shape"]) - 1 or (values.ndim == 3 and values.shape[2] != said["shape"][-1]):
        raise bad_request(f"input {column.name!r} has the shape {list(tensor.shape)}, not {said['shape']}")
    if values.dtype.kind != "f" and said["datatype"] != f"UINT{8 * values.dtype.itemsize}":
        raise bad_request(
            f"input {column.name!r} came as {values.dtype}: send {said['datatype']}, or files as BYTES with "
            "parameters.unit"
        )
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _answer(service: Service, asked: InferRequest, segmented: list[Segmented]) -> tuple[bytes, int | None]:
    made: dict[str, tuple[str, Array, bool]] = {}
    for name, binary in (asked.outputs or dict.fromkeys(_OUTPUTS, asked.binary)).items():
        if name == "ids":
            values: Array = np.stack([each.likeliest()[0] for each in segmented])
        else:
            most = service.limits.max_answer_bytes // len(segmented)
            values = np.stack([enlarged(each.probabilities_CHW, each.size, most) for each in segmented])
        made[name] = (_OUTPUTS[name], values, binary)
    head: JsonDict = {"model_name": service.name, "model_version": _VERSION}
    return written_outputs(head | ({} if asked.id is None else {"id": asked.id}), made)


def _described(column: ArraySpec) -> JsonDict:
    """Return what the protocol says of an input: whole numbers where the code takes them as they are."""
    code = code_from_json(column.code)
    values, _ = code.decode(np.zeros((1, 1, *column.shape[2:]), column.dtype), None)
    datatype = f"UINT{8 * values.dtype.itemsize}" if values.dtype.kind == "u" else "FP32"
    return {"name": column.name, "datatype": datatype, "shape": [-1, -1, -1, *values.shape[2:]]}


def _check_model(service: Service, name: str, version: str) -> None:
    if name != service.name or version != _VERSION:
        raise Refused(
            HTTPStatus.NOT_FOUND,
            f"there is no model {name!r} of version {version!r}: this server has {service.name!r}, {_VERSION!r}",
        )


def _status(good: bool) -> Response:
    return Response(status_code=HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)
