"""`train serve` under load: `python bench/serve.py [--out DIR] [--requests N] [--tiny]`.

Eight clients on loopback send pictures of 256x128, and among them what a server must survive: a truncated JPEG, a PNG
of 100 megapixels, a column that the network does not take, a connection that is closed half way. Every good answer is
compared with `Model.predict`. Then the memory of the server at the start, in the middle and at the end; how many of a
burst are told to come back; whether SIGTERM lets finish what runs; and the throughput of good requests against the bare
network in a loop over batches that are there as tensors, in turns.
"""

import argparse
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from _measure import in_turn, load_line, table, timed
from _read_data import Scale, make_arrays, write_store

import segprep.train
from segprep.datasets.imageio import decode_image, encode_image
from segprep.datasets.program.command_line import run_app
from segprep.datasets.sample import Array
from segprep.train.cli import app

_FULL: dict[str, Any] = {
    "scale": ((256, 128), 8, 64, 32),
    "requests": 1000,
    "rounds": 5,
    "timed": 160,
    "channels": "16",
}
_TINY: dict[str, Any] = {"scale": ((32, 16), 1, 4, 4), "requests": 40, "rounds": 1, "timed": 16, "channels": "2"}
_CLIENTS = 8
_BATCH = 8
_EVERY = 5  # so many requests have one bad among them
_JPEG = {"content-type": "image/jpeg"}


def trained(place: Path, options: dict[str, Any]) -> Path:
    """Return a file of weights of a network that one step was trained."""
    arrays = make_arrays(place / "arrays", Scale(*options["scale"]))
    write_store(place / "shards" / "train.zarr", arrays, "lz4", options["scale"][3])
    command = ["run", "--shards", str(place / "shards"), "-C", str(place), "--inputs", "image", "--steps", "1"]
    command += ["--batch-size", "2", "--base-channels", options["channels"], "--precision", "fp32"]
    if run_app(app, "train", command):
        raise SystemExit("no network was trained")
    return next((place / "runs" / "run-001" / "checkpoints").glob("step-*/weights.safetensors"))


def huge_png() -> bytes:
    """Return 100 megapixels in 100 kB."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10_001 * 10_000))) + chunk(b"IEND", b"")


class Server:
    """`train serve` as a process."""

    def __init__(self, file: Path) -> None:
        code = "from segprep.train.cli import main; main()"
        command = [sys.executable, "-c", code, "serve", str(file), "--port", "0", "--queue", str(2 * _CLIENTS)]
        self.process = subprocess.Popen([*command, "--batch-size", str(_BATCH)], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = re.search(r"http://\S+", said := self.process.stderr.readline())
        if found is None:
            raise SystemExit(said + self.process.stderr.read())
        self.url = found[0]

    @property
    def megabytes(self) -> float:
        """Resident memory; NaN where Linux's /proc is not there."""
        status = Path(f"/proc/{self.process.pid}/status")
        found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
        return int(found[1]) / 1024 if found else float("nan")

    def client(self) -> httpx.Client:
        """Return one of its own connections."""
        return httpx.Client(base_url=self.url, timeout=600, trust_env=False)


def bad_request(server: Server, client: httpx.Client, number: int, jpeg: bytes, huge: bytes) -> str:
    """Send one of the four sorts; return what came of it."""
    match number % 4:
        case 0:
            answer = client.post("/v1/segment", content=jpeg[: len(jpeg) // 2], headers=_JPEG)
            return f"truncated JPEG {answer.status_code}"
        case 1:
            answer = client.post("/v1/segment", content=huge, headers={"content-type": "image/png"})
            return f"100 megapixels {answer.status_code}"
        case 2:
            return f"wrong column {client.post('/v1/segment', files={'depth': jpeg}).status_code}"
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"POST /v1/segment HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        )
        connection.sendall(head.encode() + jpeg[: len(jpeg) // 2])
    return "closed connection"


def loaded(server: Server, pictures: Sequence[bytes], expected: Sequence[Array], requests: int) -> Counter[str]:
    """Send all requests from eight clients; count what came of them, and measure the memory meanwhile."""
    counts: Counter[str] = Counter()
    lock, huge = threading.Lock(), huge_png()

    def work(first: int) -> None:
        with server.client() as client:
            for number in range(first, requests, _CLIENTS):
                place = number % len(pictures)
                if number % _EVERY == 0:
                    end = bad_request(server, client, number // _EVERY, pictures[place], huge)
                else:
                    answer = client.post("/v1/segment", content=pictures[place], headers=_JPEG)
                    while answer.status_code == 429:
                        time.sleep(0.01)
                        answer = client.post("/v1/segment", content=pictures[place], headers=_JPEG)
                    ids_HW = decode_image(answer.content, Path("answer")) if answer.status_code == 200 else None
                    right = ids_HW is not None and np.mean(ids_HW == expected[place]) > 0.9999
                    end = "right" if right else f"WRONG {answer.status_code}"
                with lock:
                    counts[end] += 1

    with ThreadPoolExecutor(_CLIENTS) as clients:
        for each in [clients.submit(work, first) for first in range(_CLIENTS)]:
            each.result()
    return counts


def burst(server: Server, picture: bytes) -> Counter[int]:
    """Send more at once than the server takes; count the statuses."""

    def one(_: int) -> int:
        with server.client() as client:
            return client.post("/v1/segment", content=picture, headers=_JPEG).status_code

    with ThreadPoolExecutor(6 * _CLIENTS) as clients:
        return Counter(clients.map(one, range(6 * _CLIENTS)))


def ended(server: Server, picture: bytes) -> str:
    """Send SIGTERM while requests run."""
    with ThreadPoolExecutor(_CLIENTS) as clients, server.client() as client, server.client() as watch:
        watch.get("/healthz")
        sent = [clients.submit(client.post, "/v1/segment", content=picture, headers=_JPEG) for _ in range(_CLIENTS)]
        while not re.search(r"in_hand [1-9]", watch.get("/metrics").text) and not all(each.done() for each in sent):
            pass
        server.process.send_signal(signal.SIGTERM)
        codes: Counter[str] = Counter()
        for each in sent:
            try:
                codes[str(each.result().status_code)] += 1
            except httpx.ConnectError:
                codes["came after the end"] += 1
            except httpx.TransportError as error:
                codes[f"LOST ({type(error).__name__})"] += 1
    return f"{dict(codes)}, exit code {server.process.wait(60)}"


def throughput(server: Server, model: segprep.train.Model, pictures: Sequence[bytes], options: dict[str, Any]) -> str:
    """Compare good requests of eight clients with the network alone."""
    count = options["timed"]
    decoded = [decode_image(pictures[i % len(pictures)], Path("a")) for i in range(_BATCH)]
    inputs_NHWC = torch.from_numpy(np.stack(decoded))
    clients = [server.client() for _ in range(_CLIENTS)]

    def bare() -> None:
        for _ in range(count // _BATCH):
            model.probabilities(inputs_NHWC).cpu()

    def requested(first: int) -> None:
        for number in range(first, count, _CLIENTS):
            place = number % len(pictures)
            answer = clients[first].post("/v1/segment", content=pictures[place], headers=_JPEG)
            assert answer.status_code == 200, answer.text

    def serve() -> None:
        with ThreadPoolExecutor(_CLIENTS) as pool:
            list(pool.map(requested, range(_CLIENTS)))

    arms: dict[str, Callable[[], float]] = {"bare network": timed(bare), "server": timed(serve)}
    taken = in_turn(arms, options["rounds"])
    for each in clients:
        each.close()
    ratios = [b / s for b, s in zip(taken["bare network"], taken["server"], strict=True)]
    rows = [[name, f"{count / statistics.median(seconds):.1f}"] for name, seconds in taken.items()]
    rows[1].append(f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]")
    rows[0].append("1")
    return table(("arm", "pictures/s", "by the bare network"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "serve", help="for data")
    parser.add_argument("--requests", type=int, help="how many; default 1000")
    parser.add_argument("--tiny", action="store_true", help="in seconds: does it run at all?")
    given = parser.parse_args()
    options = _TINY if given.tiny else _FULL
    place = given.out / ("tiny" if given.tiny else "full")
    shutil.rmtree(place, ignore_errors=True)
    file = trained(place, options)
    model = segprep.train.load(file)
    width, height = model.size
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 255, (height // 4, width // 4, 3), np.uint8) for _ in range(16)]
    pictures = [encode_image(".jpg", each.repeat(4, 0).repeat(4, 1)) for each in coarse]
    expected = [model.predict({"image": decode_image(each, Path("a"))}).ids_HW for each in pictures]
    print(load_line("at the start"))
    server = Server(file)
    requests = given.requests or options["requests"]
    try:
        loaded(server, pictures, expected, requests // 10)
        memory, counts = [server.megabytes], Counter[str]()
        for half in (requests // 2, requests - requests // 2):
            counts += loaded(server, pictures, expected, half)
            memory.append(server.megabytes)
        rows = [[name, str(number)] for name, number in sorted(counts.items())]
        rows.append(["MB at the start, in the middle, at the end", ", ".join(f"{each:.0f}" for each in memory)])
        print(table((f"of {requests} requests of {_CLIENTS} clients", ""), rows))
        print(throughput(server, model, pictures, options))
        print(f"a burst of {6 * _CLIENTS}: {dict(burst(server, pictures[0]))}")
        print(f"SIGTERM while {_CLIENTS} requests run: {ended(server, pictures[0])}")
    finally:
        server.process.kill()
        server.process.communicate()
    print(load_line("at the end"))
    if any(name.startswith("WRONG") for name in counts):
        raise SystemExit("some answers were wrong")


if __name__ == "__main__":
    main()
