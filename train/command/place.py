"""Where the shards and the runs of a command are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.errors import ConfigurationError, WorkspaceNotFoundError
from segprep.datasets.workspace import find_workspace

__all__ = ["TrainingPlace", "find_place", "runs_of", "shards_of"]


@dataclass(frozen=True, slots=True)
class TrainingPlace:
    """Where a command works.

    Attributes:
        shards: Folders of `<split>.zarr` that the command line or the workspace names, one per data set; none if
            neither does and only earlier runs, which know theirs, were found.
        given: Whether the command line named the shards.
        runs: Folder of runs.
    """

    shards: tuple[Path, ...]
    given: bool
    runs: Path


def find_place(start: Path, shards: Sequence[Path]) -> TrainingPlace:
    """Find the workspace at or above `start`; with `shards` named none is needed, and runs go to `start/runs`.

    Raises:
        WorkspaceNotFoundError: If there is no workspace, no `shards` and no earlier run.
    """
    named = tuple(folder.absolute() for folder in shards)
    try:
        workspace = find_workspace(start)
    except WorkspaceNotFoundError:
        runs = _runs_without_workspace(start)
        if not named and not runs.is_dir():
            raise
        return TrainingPlace(named, bool(named), runs)
    return TrainingPlace(named or (workspace.shards_dir,), bool(named), workspace.runs_dir)


def runs_of(start: Path) -> Path:
    """Return the folder of the runs of the workspace at or above `start`, else `start/runs`. It need not be there."""
    try:
        return find_workspace(start).runs_dir
    except WorkspaceNotFoundError:
        return _runs_without_workspace(start)


def _runs_without_workspace(start: Path) -> Path:
    return start.absolute() / "runs"


def shards_of(place: TrainingPlace, shards: Sequence[str]) -> tuple[Path, ...]:
    """Return the folders that the command line names, else a run's own, else the workspace's.

    Raises:
        ConfigurationError: If nobody names any.
    """
    folders = place.shards if place.given or not shards else tuple(Path(folder) for folder in shards)
    if not folders:
        raise ConfigurationError("name the folder of the shards with --shards")
    return folders
