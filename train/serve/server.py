"""A server's life: an address that is free, requests until it is asked to stop, what runs is finished."""

import ipaddress
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from segprep.datasets.errors import ConfigurationError
from segprep.train.serve.app import build_app
from segprep.train.serve.service import Service

__all__ = ["bound", "is_loopback", "serve"]

_FINISH_S = 60  # for what runs; then it is cut off


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that has the address; port 0 takes any that is free.

    Raises:
        ConfigurationError: If the address is taken or none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(f"--host {host} is no address: {error.strerror or error}") from error
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(address)
        taken.listen()
    except (OSError, OverflowError) as error:
        taken.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{host}:{port} cannot be used ({reason}): end what listens there, or choose another --port (0: a free one)"
        ) from error
    return taken


def is_loopback(place: socket.socket) -> bool:
    """Return whether only this machine can reach a socket."""
    return ipaddress.ip_address(place.getsockname()[0].partition("%")[0]).is_loopback


def url_of(place: socket.socket) -> str:
    """Return the address for a browser."""
    host, port = place.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Lets the service know when the end begins."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        self._service.finish()
        super().handle_exit(sig, frame)


def serve(service: Service, place: socket.socket, say: Callable[[str], None]) -> signal.Signals | None:
    """Answer requests until SIGTERM or Ctrl-C, finish those that run, and return the signal.

    Args:
        service: What answers; it is stopped at the end.
        place: Where it listens.
        say: Gets sentences for the user.
    """
    caught: list[signal.Signals] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(signal.Signals(number))

    app = build_app(service)
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        ws_max_size=service.limits.max_bytes,
        ws_max_queue=1,
        timeout_graceful_shutdown=_FINISH_S,
        server_header=False,
    )
    server = _Server(config, service)
    # Uvicorn has handlers of its own while it serves, and afterwards raises again what it caught.
    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        shown = ", ".join(column.name for column in service.model.columns)
        say(f"{service.name} takes {shown} and answers at {url_of(place)} (Ctrl-C ends it)")
        server.run(sockets=[place])
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if caught:
        say("every request that ran was answered")
    return caught[-1] if caught else None
