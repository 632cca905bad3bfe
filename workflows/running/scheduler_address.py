"""Who is at an address where a scheduler is said to be."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from segprep.datasets.errors import ConfigurationError

__all__ = ["require_scheduler"]

_CONNECT_SECONDS = 20.0
_TLS_SETTINGS = tuple(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY"))


def require_scheduler(address: str) -> None:
    """Ask who is at an address before a Client does, which waits without end for, say, the dashboard's port to answer.

    Raises:
        ConfigurationError: If it is no scheduler, or it asks for certificates that Dask's configuration does not name.
    """
    arguments = _connection_arguments(address)
    with ThreadPoolExecutor(1) as thread:  # an event loop may run in this one, as in a notebook
        try:
            kind = thread.submit(asyncio.run, _kind_of_server(address, arguments)).result()
        except TimeoutError as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {address} within {_CONNECT_SECONDS:g} s: is it running there?"
            ) from error
        except (OSError, ValueError, MemoryError) as error:  # other servers' greetings are read as absurd sizes
            raise ConfigurationError(f"no Dask scheduler answers at {address}: {error}") from error
    if kind != "Scheduler":
        raise ConfigurationError(f"{address} is a Dask {kind}, not the scheduler")


def _connection_arguments(address: str) -> dict[str, Any]:
    """Return what Dask's own configuration says of connections."""
    from distributed.security import Security

    try:
        arguments: dict[str, Any] = Security().get_connection_args("client")
    except OSError as error:
        raise ConfigurationError(f"the certificates that Dask's configuration names cannot be used: {error}") from error
    if address.startswith("tls://") and arguments["ssl_context"] is None:
        raise ConfigurationError(
            f"{address} asks for certificates, and Dask's configuration names none: set {', '.join(_TLS_SETTINGS)}"
        )
    return arguments


async def _kind_of_server(address: str, arguments: dict[str, Any]) -> str:
    from distributed.core import rpc

    async with rpc(address, connection_args=arguments) as server:
        identity = await asyncio.wait_for(server.identity(), _CONNECT_SECONDS)
    return str(identity["type"])
