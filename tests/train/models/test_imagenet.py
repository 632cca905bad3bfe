"""Downloading published weights, from a server of this process."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from segprep.datasets.errors import ConfigurationError, UnreadableFileError, WriteFailedError
from segprep.train.network import imagenet
from segprep.train.network.imagenet import ImageNetFile, imagenet_file

CONTENT = bytes(range(256)) * 9000  # more than two chunks


@dataclass
class Server:
    """What is served under any path.

    Attributes:
        url: Of a file.
        content: The bytes.
        announced: The length that is announced.
        requests: How often it was asked.
    """

    url: str = ""
    content: bytes = CONTENT
    announced: int = len(CONTENT)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose file is published as ImageNet's resnet50."""
    served = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(served.announced))
            self.end_headers()
            self.wfile.write(served.content)

        def log_message(self, *_arguments: object) -> None:
            """Be silent."""

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{listener.server_port}/models/resnet50-test.pth"
        published = ImageNetFile(served.url, hashlib.sha256(CONTENT).hexdigest()[:8])
        monkeypatch.setitem(imagenet.IMAGENET_FILES, "resnet50", published)
        yield served
        listener.shutdown()
        thread.join()


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    path = imagenet_file("resnet50", cache)
    assert path == cache / "resnet50-test.pth"
    assert path.read_bytes() == CONTENT
    assert imagenet_file("resnet50", cache) == path
    assert server.requests == ["/models/resnet50-test.pth"]
    assert list(cache.iterdir()) == [path]


def test_a_damaged_file_in_the_cache_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "resnet50-test.pth").write_bytes(CONTENT[:-1])
    assert imagenet_file("resnet50", tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_other_bytes_than_those_published_are_refused(server: Server, tmp_path: Path) -> None:
    server.content = b"?" + CONTENT[1:]
    with pytest.raises(UnreadableFileError, match=r"resnet50-test\.pth gave a file whose SHA-256 begins with"):
        imagenet_file("resnet50", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_transfer_that_breaks_off_is_refused(server: Server, tmp_path: Path) -> None:
    server.announced += 10
    with pytest.raises(ConfigurationError, match=rf"{len(CONTENT)} of {server.announced} bytes came"):
        imagenet_file("resnet50", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_network_the_address_and_a_way_out_are_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(imagenet.IMAGENET_FILES, "resnet50", ImageNetFile("http://127.0.0.1:1/r.pth", "00"))
    with pytest.raises(ConfigurationError, match=r"http://127\.0\.0\.1:1/r\.pth cannot be downloaded .* give the file"):
        imagenet_file("resnet50", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteFailedError, match="cannot be written"):
        imagenet_file("resnet50", tmp_path / "file")


def test_unknown_backbones_are_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no weights of 'vit'\. Known: resnet50, mobilenet_v3_large, vgg16"):
        imagenet_file("vit", tmp_path)


def test_the_published_names_hold_the_beginning_of_their_checksums() -> None:
    for name, file in imagenet.IMAGENET_FILES.items():
        assert file.url.endswith(f"/{name}-{file.sha256}.pth")
