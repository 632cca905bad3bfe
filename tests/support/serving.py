"""A server on loopback in a thread of the test, and the network that it serves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from segprep.train.serve.app import build_app
from segprep.train.serve.limits import Limits
from segprep.train.serve.servable import Servable
from segprep.train.serve.server import bound
from segprep.train.serve.service import Service

__all__ = ["served"]


@contextmanager
def served(model: Servable, limits: Limits | None = None, name: str = "streets") -> Iterator[str]:
    """Serve a network on a free port; yield host and port."""
    service = Service(model, name, limits or Limits(), threads=1)
    place = bound("127.0.0.1", 0)
    config = uvicorn.Config(build_app(service), log_level="error", ws_max_size=service.limits.max_bytes, ws_max_queue=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    host, port = place.getsockname()
    thread.start()
    try:
        yield f"{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
