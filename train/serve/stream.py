"""A WebSocket for video: frames in, pictures out, the latest wins.

Each binary message of the client is a frame (JPEG or PNG). Each answer is binary: 16 bytes, little-endian, then a PNG.
The first 8 bytes are the number of the frame, uint64, the first one is 0; the other 8 the milliseconds from its arrival
to its answer, float64. Frames that come while others are computed replace one another: only the latest is computed, and
the numbers in between show how many were dropped. What is wrong with a frame comes as text: {"sequence": n, "error":
"..."}.
"""

import asyncio
import json
import struct
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast, get_args
from urllib.parse import urlsplit

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from segprep.train.serve.answered_errors import refusal_or_bug
from segprep.train.serve.answers import Output, Size
from segprep.train.serve.samples import Part
from segprep.train.serve.service import Service

__all__ = ["HEADER", "add_stream"]

HEADER: Final = struct.Struct("<Qd")
_PICTURES: Final = ("ids", "colors", "overlay")
_POLICY: Final = 1008  # of RFC 6455
_MOST_REASON: Final = 120  # a closing frame has 125 bytes


@dataclass(frozen=True, slots=True)
class _Frame:
    sequence: int
    data: bytes
    arrived: float


class _Latest:
    """A place for one frame."""

    def __init__(self) -> None:
        self._frame: _Frame | None = None
        self._put = asyncio.Event()
        self._closed = False

    def put(self, frame: _Frame) -> bool:
        """Lay a frame down; return whether another one was thrown away for it."""
        replaced = self._frame is not None
        self._frame = frame
        self._put.set()
        return replaced

    def close(self) -> None:
        """There will be no more frames."""
        self._closed = True
        self._put.set()

    async def take(self) -> _Frame | None:
        """Wait for a frame; None after the last one."""
        await self._put.wait()
        frame, self._frame = self._frame, None
        if not self._closed:
            self._put.clear()
        return frame


def add_stream(app: FastAPI, service: Service) -> None:
    """Add the WebSocket to an application."""

    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket, output: str = "overlay", size: str = "original", opacity: float = 0.5) -> None:
        await socket.accept()
        reason = _why_not(socket, service, output, size, opacity)
        if reason is not None:
            await socket.close(_POLICY, reason[:_MOST_REASON])
            return
        latest = _Latest()
        answering = asyncio.create_task(_answer(socket, service, latest, output, size, opacity))
        try:
            await _receive(socket, service, latest)
        finally:
            latest.close()
            await answering


def _why_not(socket: WebSocket, service: Service, output: str, size: str, opacity: float) -> str | None:
    """Return why there is no stream, None if there is one."""
    origin = socket.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != socket.headers.get("host"):
        return "a page of another server may not use this one"
    if output not in _PICTURES or size not in get_args(Size) or not 0 <= opacity <= 1:
        return f"output is one of {', '.join(_PICTURES)}, size original or network, opacity in 0..1"
    if len(service.model.columns) > 1:
        names = ", ".join(column.name for column in service.model.columns)
        return f"the network takes {names}: a stream has one picture per frame, use POST /v1/segment"
    return None


async def _receive(socket: WebSocket, service: Service, latest: _Latest) -> None:
    sequence = 0
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        if data is None:
            await socket.send_text(json.dumps({"error": "frames are binary: send JPEG or PNG"}))
            continue
        if latest.put(_Frame(sequence, data, time.perf_counter())):
            service.metrics.frames.labels("dropped").inc()
        sequence += 1


async def _answer(socket: WebSocket, service: Service, latest: _Latest, output: str, size: str, opacity: float) -> None:
    column = service.model.columns[0].name
    while (frame := await latest.take()) is not None:
        message: bytes | str
        try:
            with service.admitted():
                parts = {column: Part(frame.data)}
                picture, _ = await service.answered(parts, cast(Output, output), cast(Size, size), None, opacity)
            end = "answered"
            message = HEADER.pack(frame.sequence, 1e3 * (time.perf_counter() - frame.arrived)) + picture
        except Exception as error:  # noqa: BLE001  (whoever sent the frame gets the answer)
            refusal = refusal_or_bug(error)
            if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
                service.metrics.frames.labels("dropped").inc()
                await asyncio.sleep(service.limits.batch_s)
                continue
            end = "refused"
            message = json.dumps({"sequence": frame.sequence, "error": refusal.reason})
        try:
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
        except (WebSocketDisconnect, RuntimeError):  # the client went away meanwhile
            return
        service.metrics.frames.labels(end).inc()
