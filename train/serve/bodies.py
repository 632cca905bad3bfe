"""Reading what clients send: never more than the limit, never for longer than a while."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from segprep.datasets.source_files import size_text
from segprep.train.serve.limits import Limits
from segprep.train.serve.refusals import Refused
from segprep.train.serve.samples import Part
from segprep.train.serve.servable import Servable

__all__ = ["body_of", "parts_of"]

_UNIT: Final = ".unit"
_MULTIPART: Final = "multipart/form-data"
_RAW: Final = ("image/jpeg", "image/png", "application/octet-stream")


class _InMemory(MultiPartParser):
    """Keeps parts in memory, which the limit of the whole body bounds: the disk has no part in it."""

    spool_max_size = 2**62


async def body_of(request: Request, limits: Limits) -> bytes:
    """Return all bytes of a request.

    Raises:
        Refused: 413 if they are too many, 415 if they are packed, 408 if they do not come.
        ClientDisconnect: If the client went away.
    """
    async with _in_time(limits):
        return b"".join([chunk async for chunk in _stream(request, limits)])


async def parts_of(request: Request, model: Servable, limits: Limits) -> Mapping[str, Part]:
    """Return the columns that a request holds: as a form with a file each, or the only one as the whole body.

    Raises:
        Refused: 413, 415, 408 as of `body_of`; 400 if it is no form, 422 if it is empty.
        ClientDisconnect: If the client went away.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    columns = [column.name for column in model.columns]
    if kind == _MULTIPART:
        return await _form(request, limits)
    if kind not in _RAW:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"send a picture as {_RAW[0]} or {_RAW[1]}, or a form ({_MULTIPART}) with a file for each of "
            f"{', '.join(columns)}; this came as {kind or 'nothing that says what it is'}",
        )
    data = await body_of(request, limits)
    if not data:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "the request is empty: send a picture")
    if len(columns) > 1:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the network takes {', '.join(columns)}: send a form ({_MULTIPART}) with a file for each",
        )
    return {columns[0]: Part(data, request.query_params.get("unit"))}


async def _form(request: Request, limits: Limits) -> Mapping[str, Part]:
    parser = _InMemory(request.headers, _stream(request, limits), max_files=32, max_fields=32)
    try:
        async with _in_time(limits):
            form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, f"this is no form that can be read: {error}") from error
    files, units = {}, {}
    for name, value in form.multi_items():
        if name in files or name in units:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name} came twice: send each column once")
        if isinstance(value, UploadFile):
            files[name] = await value.read()
            await value.close()
        else:
            units[name] = value
    for name in units:
        if name.removesuffix(_UNIT) not in files or not name.endswith(_UNIT):
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{name} came as text: a column is a file with a file name, and COLUMN{_UNIT} the only text",
            )
    return {name: Part(data, units.get(name + _UNIT)) for name, data in files.items()}


@asynccontextmanager
async def _in_time(limits: Limits) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(limits.body_s):
            yield
    except TimeoutError as error:
        reason = f"the request did not arrive within {limits.body_s:g} s"
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, reason) from error


async def _stream(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    packed = request.headers.get("content-encoding", "identity")
    if packed != "identity":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send it as it is, not packed ({packed})")
    too_large = Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request may have at most {size_text(limits.max_bytes)}: send less"
    )
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limits.max_bytes:
        raise too_large
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limits.max_bytes:
            raise too_large
        yield chunk
