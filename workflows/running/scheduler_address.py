"""Who is at an address where a scheduler is said to be."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from segprep.datasets.errors import ConfigurationError

__all__ = ["require_scheduler"]

_CONNECT_SECONDS = 20.0


def require_scheduler(address: str) -> None:
    """Ask who is at an address before a Client does, which waits without end for, say, the dashboard's port to answer.

    Raises:
        ConfigurationError: If it is no scheduler.
    """
    with ThreadPoolExecutor(1) as thread:  # an event loop may run in this one, as in a notebook
        try:
            kind = thread.submit(asyncio.run, _kind_of_server(address)).result()
        except TimeoutError as error:
            raise ConfigurationError(
                f"no Dask scheduler answers at {address} within {_CONNECT_SECONDS:g} s: is it running there?"
            ) from error
        except (OSError, ValueError, MemoryError) as error:  # other servers' greetings are read as absurd sizes
            raise ConfigurationError(f"no Dask scheduler answers at {address}: {error}") from error
    if kind != "Scheduler":
        raise ConfigurationError(f"{address} is a Dask {kind}, not the scheduler")


async def _kind_of_server(address: str) -> str:
    from distributed.core import rpc
    from distributed.security import Security

    async with rpc(address, connection_args=Security().get_connection_args("client")) as server:
        identity = await asyncio.wait_for(server.identity(), _CONNECT_SECONDS)
    return str(identity["type"])
