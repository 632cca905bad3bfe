"""Video over a WebSocket: each frame that is computed is answered, and the latest wins."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from segprep.datasets.imageio import decode_image, encode_image
from segprep.train import Model
from segprep.train.serve.limits import Limits
from segprep.train.serve.stream import HEADER
from support.scenes import make_scenes
from support.serving import served


def _with(address: str, query: str, use: Callable[[ClientConnection], Awaitable[Any]], **more: Any) -> Any:
    async def run() -> Any:
        async with connect(f"ws://{address}/v1/stream?{query}", proxy=None, **more) as socket:
            return await use(socket)

    return asyncio.run(run())


def test_frames_are_answered_with_their_number_and_time(address: str, model: Model) -> None:
    frames = make_scenes(range(20, 24))["image"]

    async def use(socket: ClientConnection) -> list[bytes]:
        answers = []
        for frame in frames:
            await socket.send(encode_image(".png", frame))
            answers.append(bytes(await socket.recv()))  # type: ignore[arg-type]
        return answers

    for number, (answer, frame) in enumerate(zip(_with(address, "output=ids", use), frames, strict=True)):
        sequence, milliseconds = HEADER.unpack(answer[:16])
        assert (sequence, milliseconds > 0) == (number, True)
        ids_HW = decode_image(answer[16:], Path("answer"))
        np.testing.assert_array_equal(ids_HW, model.predict({"image": frame}).ids_HW)


def test_what_came_too_late_is_dropped_and_counted(model: Model) -> None:
    frame = encode_image(".png", make_scenes(range(1))["image"][0])

    async def use(socket: ClientConnection) -> list[int]:
        for _ in range(40):
            await socket.send(frame)
        answered: list[int] = []
        while not answered or answered[-1] < 39:
            (sequence, _) = HEADER.unpack(bytes(await socket.recv())[:16])  # type: ignore[arg-type]
            answered.append(sequence)
        return answered

    with served(model, Limits(batch_s=0.05, batch_size=2)) as place:  # so long each frame waits for another one
        answered = _with(place, "output=ids", use)
        metrics = httpx.get(f"http://{place}/metrics", trust_env=False).text
    assert answered == sorted(set(answered))
    assert len(answered) < 40
    assert f'segprep_stream_frames_total{{end="answered"}} {float(len(answered))}' in metrics
    assert f'segprep_stream_frames_total{{end="dropped"}} {float(40 - len(answered))}' in metrics


def test_a_bad_frame_is_told_and_the_stream_goes_on(address: str) -> None:
    async def use(socket: ClientConnection) -> list[Any]:
        answers: list[Any] = []
        for frame in (b"GIF89a", "text", encode_image(".png", make_scenes(range(1))["image"][0])):
            await socket.send(frame)
            answers.append(await socket.recv())
        return answers

    bad, text, good = _with(address, "output=overlay", use)
    assert json.loads(bad)["sequence"] == 0
    assert "neither PNG, JPEG" in json.loads(bad)["error"]
    assert "frames are binary" in json.loads(text)["error"]
    assert HEADER.unpack(good[:16])[0] == 1


def test_who_may_not_use_it_is_told_why(address: str, depth_client: httpx.Client) -> None:
    async def use(socket: ClientConnection) -> str:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        return closed.value.rcvd.reason

    assert "another server" in _with(address, "", use, origin="http://elsewhere.example")
    assert "output is one of" in _with(address, "output=json", use)
    assert "use POST /v1/segment" in _with(depth_client.base_url.netloc.decode(), "", use)
