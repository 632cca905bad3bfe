"""What every worker of a cluster must share with the command: the workspace's disk, the dataset, the code.

A folder of the same name is not enough. The command writes a file of random content into the workspace, and each worker
process reads it before its first task. Into a dataset nothing is written: there some files must be the same.
"""

import asyncio
import hashlib
import os
import platform
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.sample import SampleKey
from segprep.flow.opencv import behaviour
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.code_digest import OUR_FOLDERS, code_digest, code_place

__all__ = ["Claims", "Shared", "Shown", "claims", "shared_with", "show", "show_in_thread"]

_TOKEN_PREFIX = ".writer-token-"
_SAMPLES = 8
_BLOCK_BYTES = 2**20
_OPENCV = "OpenCV"


@dataclass(frozen=True, slots=True)
class Shared:
    """What the tasks of a command rest on.

    Attributes:
        workspace: The folder that they read and write; None if they do neither.
        dataset: The folder of the dataset.
        sources: Some of the dataset's files, relative to its folder.
        modules: Modules of other packages that they call.
        opencv: Whether what they make depends on how OpenCV interpolates.
    """

    workspace: Path | None
    dataset: Path | None
    sources: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    opencv: bool = False


def shared_with(
    table: Table,
    keys: Sequence[SampleKey],
    *,
    writes: bool = True,
    modules: Sequence[str] = (),
    opencv: bool = False,
) -> Shared:
    """Return what work on samples of a workspace rests on.

    Args:
        table: The open table.
        keys: The samples; the files of a few, spread over them, stand for the dataset.
        writes: Whether the work reads or writes the workspace itself.
        modules: Where the functions come from; those of segprep go without saying.
        opencv: Whether what is made depends on how OpenCV interpolates.
    """
    workspace = table.workspace
    spread = [keys[len(keys) * number // _SAMPLES] for number in range(_SAMPLES)] if keys else []
    paths = {path for key in dict.fromkeys(spread) for path in table.ledger.sample(key).source_paths.values()}
    others = {name for name in modules if not name.startswith("segprep.")}
    return Shared(
        workspace.root if writes else None,
        workspace.config.dataset_root,
        tuple(sorted(paths)),
        tuple(sorted(others)),
        opencv,
    )


@dataclass(frozen=True, slots=True)
class Claims:
    """What a command sees and runs, for workers to compare.

    Attributes:
        token: Random, of this command alone.
        workspace: The workspace, where a file named after the token holds it; None if tasks need no workspace.
        dataset: The folder of the dataset.
        sources: Path and content of some of its files.
        segprep: The version.
        code: Names of packages or modules, and a digest over their files, each.
        versions: Of what else makes pixels.
        opencv: How OpenCV interpolates, see `segprep.flow.opencv`; None if nothing depends on it or it is not known.
    """

    token: str
    workspace: Path | None
    dataset: Path | None
    sources: tuple[tuple[str, str], ...]
    segprep: str
    code: tuple[tuple[tuple[str, ...], str], ...]
    versions: tuple[tuple[str, str], ...]
    opencv: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a worker found.

    Attributes:
        host: Its machine.
        differences: Why it must not work for the command; empty if it may.
        notes: Other versions of libraries: bytes may differ.
    """

    host: str
    differences: tuple[str, ...]
    notes: tuple[str, ...]


@contextmanager
def claims(shared: Shared) -> Iterator[Claims]:
    """Make what workers compare; meanwhile the token lies in the workspace, whose lock the caller holds.

    Raises:
        WriteFailedError: If the workspace cannot be written.
    """
    token = secrets.token_hex(16)
    names = [OUR_FOLDERS, *((name,) for name in shared.modules)]
    made = Claims(
        token=token,
        workspace=shared.workspace,
        dataset=shared.dataset,
        sources=tuple((path, _content(shared.dataset / path)) for path in shared.sources) if shared.dataset else (),
        segprep=_version("segprep"),
        code=tuple((each, code_digest(each)) for each in names),
        versions=_versions(),
        opencv=behaviour() if shared.opencv else None,
    )
    if shared.workspace is None:
        yield made
        return
    for left in shared.workspace.glob(f"{_TOKEN_PREFIX}*"):  # of commands that were killed
        left.unlink(missing_ok=True)
    path = _token_path(shared.workspace, token)
    atomic_write_bytes(path, token.encode())
    try:
        yield made
    finally:
        path.unlink(missing_ok=True)


@lru_cache(maxsize=4)
def show(expected: Claims) -> Shown:
    """Compare what this process sees and runs with a command's claims; runs in a worker, once for each command."""
    differences = []
    if expected.workspace is not None and _token_seen(expected.workspace, expected.token) != expected.token:
        differences.append(
            f"its {expected.workspace} is not the workspace of this command but another disk or folder: there it "
            f"{_looks(expected.workspace)}"
        )
    if expected.dataset is not None:
        others = [path for path, content in expected.sources if _content(expected.dataset / path) != content]
        if others:
            seen = _content(expected.dataset / others[0])
            how = "has other content" if seen.startswith("sha256") else seen
            differences.append(
                f"its dataset {expected.dataset} is not that of this command: there {others[0]} {how} "
                f"({len(others)} of {len(expected.sources)} files that were compared differ)"
            )
    for names, digest in expected.code:
        if code_digest(names) != digest:
            differences.append(_other_code(names, expected))
    if expected.opencv is not None and behaviour() != expected.opencv:
        differences.append(_other_opencv(expected))
    here = dict(expected.versions)
    notes = [f"{name} {found} (here {here.get(name)})" for name, found in _versions() if found != here.get(name)]
    return Shown(socket.gethostname(), tuple(differences), tuple(notes))


async def show_in_thread(expected: Claims) -> Shown:
    """Do as `show` beside the event loop of the worker, which goes on with what it has."""
    return await asyncio.to_thread(show, expected)


def _other_code(names: tuple[str, ...], expected: Claims) -> str:
    place = code_place(names[0])
    if place is None:
        return f"it has no {names[0]}"
    if names != OUR_FOLDERS:
        return f"its {names[0]} ({place}) has other code than that of this command"
    ours, here = _version("segprep"), expected.segprep
    if ours != here:
        return f"it runs segprep {ours}, this command is segprep {here}"
    return f"its segprep {ours} ({place.parent}) has other code than this command, or has loaded it before a change"


def _other_opencv(expected: Claims) -> str:
    ours = "as no version that is known" if behaviour() is None else f"as OpenCV {behaviour()}"
    return (
        f"its OpenCV {cv2.__version__} interpolates {ours}, that of this command "
        f"({dict(expected.versions)[_OPENCV]}) as OpenCV {expected.opencv}: what they make would not fit together"
    )


def _token_path(workspace: Path, token: str) -> Path:
    return workspace / f"{_TOKEN_PREFIX}{token[:8]}"


def _token_seen(workspace: Path, token: str) -> str:
    try:
        return _token_path(workspace, token).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _looks(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"holds {shown}" if names else "is empty"


def _content(path: Path) -> str:
    """Return size and digest of a file's first and last bytes, or why there are none."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            found = hashlib.sha256(file.read(_BLOCK_BYTES))
            file.seek(max(size - _BLOCK_BYTES, 0))
            found.update(file.read(_BLOCK_BYTES))
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return f"sha256 {size} {found.hexdigest()}"


def _versions() -> tuple[tuple[str, str], ...]:
    # Several packages install cv2, the last one wins: only the module knows which it is.
    return ("python", platform.python_version()), ("numpy", np.__version__), (_OPENCV, cv2.__version__)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"
