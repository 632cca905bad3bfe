"""The command as a process: its address, its end by a signal, and what users get wrong."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.program.command_line import run_app
from segprep.train import Model
from segprep.train.cli import app
from segprep.train.serve.server import bound
from support.runs import checkpoint_of
from support.scenes import make_scenes


@contextmanager
def _process(file: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Yield a server of a file of weights, and its address."""
    command = [sys.executable, "-c", "from segprep.train.cli import main; main()", "serve", str(file), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--threads", "1", *options], stderr=subprocess.PIPE, text=True, cwd=file.parent
    )
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        found = re.search(r"answers at (http://127\.0\.0\.1:\d+) ", said)
        assert found, said + process.stderr.read()
        assert "streets takes image" in said
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def file(kept_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights alone."""
    path = tmp_path_factory.mktemp("alone") / "streets.safetensors"
    shutil.copy(checkpoint_of(kept_run) / "weights.safetensors", path)
    return path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_lets_what_runs_finish(file: Path, model: Model, number: signal.Signals, code: int) -> None:
    frames = make_scenes(range(30, 33))["image"]
    # A batch that waits long for a fourth picture: it runs when the signal comes.
    with (
        _process(file, "--batch-ms", "600000", "--batch-size", "4") as (process, url),
        ThreadPoolExecutor(3) as clients,
    ):
        http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        headers = {"content-type": "image/png"}
        sent = [
            clients.submit(http.post, "/v1/segment", content=encode_image(".png", each), headers=headers)
            for each in frames
        ]
        while "segprep_queue_length 3.0" not in http.get("/metrics").text:
            time.sleep(0.01)
        process.send_signal(number)
        for answer, frame in zip(sent, frames, strict=True):
            found = answer.result()
            assert found.status_code == 200, found.text
            np.testing.assert_array_equal(
                decode_image(found.content, Path("a")), model.predict({"image": frame}).ids_HW
            )
        http.close()
        assert process.wait(60) == code
        assert process.stderr is not None
        assert process.stderr.read() == "every request that ran was answered\n"


def test_what_users_get_wrong_is_said_before_anything_is_loaded(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    taken = bound("127.0.0.1", 0)
    port = taken.getsockname()[1]
    try:
        for options, code, part in (
            (["--port", str(port)], 2, f"127.0.0.1:{port} cannot be used (Address already in use)"),
            (["--host", "no.such.host.invalid"], 2, "--host no.such.host.invalid is no address"),
            (["--host", "192.0.2.1", "--port", "0"], 2, "192.0.2.1:0 cannot be used"),
            (["--max-megabytes", "0"], 2, "--max-megabytes must be above 0"),
            (["--max-megapixels", "-1"], 2, "--max-megapixels must be above 0"),
            (["--checkpoint", "last", "--port", "0"], 2, "is no run: leave it out"),
        ):
            assert run_app(app, "train", ["serve", str(file), "-C", str(tmp_path), *options]) == code
            assert part in capfd.readouterr().err
    finally:
        taken.close()
    assert run_app(app, "train", ["serve", "nobody", "-C", str(tmp_path), "--port", "0"]) == 2
    assert "there is no run 'nobody'" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_goes_away_leaves_nothing_behind(address: str, client: httpx.Client) -> None:
    host, port = address.split(":")
    head = b"POST /v1/segment HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head + b"half of it")
        while "segprep_requests_in_hand 1.0" not in client.get("/metrics").text:
            time.sleep(0.01)
    while "segprep_requests_in_hand 0.0" not in client.get("/metrics").text:
        time.sleep(0.01)
    assert 'segprep_requests_total{code="499",path="/v1/segment"}' in client.get("/metrics").text
