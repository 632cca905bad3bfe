"""Finding the weights that people name: by a run, its folder, the folder of a checkpoint, or the file itself."""

from pathlib import Path

from segprep.datasets.errors import ConfigurationError
from segprep.train.network.checkpoint import WEIGHTS_FILE
from segprep.train.network.pointers import checkpoint_path

__all__ = ["named_weights"]

_BEST_FIRST = ("best", "last")


def named_weights(name: str, runs: Path, checkpoint: str | None = None) -> Path:
    """Return the file of weights that a name means.

    Args:
        name: Of a run, or a path: of a run's folder, of a checkpoint's, or of a file.
        runs: Folder of the runs that may be named.
        checkpoint: Which one of a run; None takes `best` where there is one, else `last`.

    Raises:
        ConfigurationError: If there is none, or a checkpoint is wanted of what is no run.
        DamagedStoreError: If a pointer of the run names no checkpoint.
    """
    path = Path(name).expanduser()
    wanted = _BEST_FIRST if checkpoint is None else (checkpoint,)
    for root in (runs / name, path):
        for each in wanted:
            folder = checkpoint_path(root / "checkpoints", each)
            if folder is not None:
                return folder / WEIGHTS_FILE
    if any((root / "config.toml").is_file() for root in (runs / name, path)):
        raise ConfigurationError(f"the run {name} has no checkpoint {' or '.join(wanted)}: train it first")
    file = next((each for each in (path, path / WEIGHTS_FILE) if each.is_file()), None)
    if file is None:
        raise ConfigurationError(f"there is no run {name!r} with a checkpoint in {runs}, nor such a folder or file")
    if checkpoint is not None:
        raise ConfigurationError(f"{checkpoint} would be a checkpoint of a run, but {name} is no run: leave it out")
    return file
