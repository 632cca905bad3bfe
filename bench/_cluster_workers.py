"""A Dask scheduler with workers of several kinds, most of which must not be trusted."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["KINDS", "Kind", "UsersCluster", "World"]

_PATIENCE_SECONDS = 120
_DASK = "from distributed.cli.dask_{} import main; main()"
_ON_LOOPBACK = ("--host", "127.0.0.1", "--no-dashboard")
_ONE_THREAD = ("--nthreads", "1", "--no-nanny")
_FOLDERS = ("workspace", "copy", "dataset", "other")
_WITHOUT_US = "import sys; sys.modules['segprep'] = None; "


@dataclass(frozen=True, slots=True)
class World:
    """The folders of a campaign.

    Attributes:
        place: For everything.
        workspace: Where the commands work; prepared anew for each round.
        dataset: What it is made from.
        copy: A copy of the prepared workspace.
        other: A dataset of the same file names.
        code: A folder for PYTHONPATH with a copy of segprep, one byte changed.
    """

    place: Path
    workspace: Path
    dataset: Path
    copy: Path
    other: Path
    code: Path


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of worker that must be refused.

    Attributes:
        name: What it is called here.
        said: A part of the reason that the command must give.
        mount: Shell command that is run in a mount namespace of the worker's own; empty for none.
        reads: Whether it is a misfit for a command that only reads the dataset, too.
        begins: Python that runs before Dask's.
        own_code: Whether it imports the changed copy of segprep.
    """

    name: str
    said: str
    mount: str = ""
    reads: bool = True
    begins: str = ""
    own_code: bool = False


def _can_mount() -> bool:
    """Whether this machine lets a process have mounts of its own."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


_MOUNTS = (
    Kind("another disk", "another disk or folder: there it is empty", "mount -t tmpfs none {workspace}", reads=False),
    Kind(
        "folder of the same name",
        "another disk or folder: there it holds ",
        "mount --bind {copy} {workspace}",
        reads=False,
    ),
    Kind("other dataset", "is not that of this command", "mount --bind {other} {dataset}"),
)
KINDS = (
    *(_MOUNTS if _can_mount() else ()),
    Kind("other code", "has other code than this command", own_code=True),
    Kind("no segprep", "cannot load the segprep of this command", begins=_WITHOUT_US),
)


class UsersCluster:
    """A scheduler, to which workers are added. Use as a context manager.

    Args:
        place: A folder for its files, made.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True)
        self._file = place / "scheduler.json"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        code = _DASK.format("scheduler")
        self._start([sys.executable, "-c", code, "--port", "0", "--scheduler-file", str(self._file), *_ON_LOOPBACK], {})
        self._wait(lambda: self._file.exists() and bool(self._file.read_text()))
        self.address: str = json.loads(self._file.read_text())["address"]
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def add(self, world: World, kind: Kind | None = None, *, late: bool = False) -> None:
        """Start a worker; it joins by and by.

        Args:
            world: The folders.
            kind: What is wrong with it; None for a good one.
            late: It joins when a command has begun to work in the workspace.
        """
        begins = "" if kind is None else kind.begins
        words = [sys.executable, "-c", begins + _DASK.format("worker"), self.address, *_ONE_THREAD, *_ON_LOOPBACK]
        script = f"exec {shlex.join(words)}"
        if kind is not None and kind.mount:
            folders = {name: shlex.quote(str(getattr(world, name))) for name in _FOLDERS}
            script = f"{kind.mount.format(**folders)} && {script}"
        if late:
            token = f"{shlex.quote(str(world.workspace))}/.writer-token-*"
            script = f"until ls {token} > /dev/null 2>&1; do sleep 0.05; done; {script}"
        environment = {"PYTHONPATH": str(world.code)} if kind is not None and kind.own_code else {}
        unshare = ["unshare", "-m"] if kind is not None and kind.mount else []
        self._start([*unshare, "sh", "-c", script], environment)

    def wait_for(self, workers: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            self._wait(lambda: len(client.nthreads()) >= workers)

    def _start(self, command: list[str], environment: dict[str, str]) -> None:
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=nothing, env={**os.environ, **environment}
        )
        self._stack.callback(_stop, process)

    @staticmethod
    def _wait(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise SystemExit("the cluster did not start")
            time.sleep(0.05)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
