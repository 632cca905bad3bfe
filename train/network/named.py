"""Finding the weights that people name: by a run, its folder, the folder of a checkpoint, or the file itself."""

from collections.abc import Sequence
from pathlib import Path

from segprep.datasets.errors import ConfigurationError
from segprep.train.network.checkpoint import WEIGHTS_FILE
from segprep.train.network.pointers import checkpoint_path

__all__ = ["named_weights"]

_BEST_FIRST = ("best", "last")


def named_weights(name: str, runs: Path, checkpoints: Sequence[str] = _BEST_FIRST) -> Path:
    """Return the file of weights that a name means.

    Args:
        name: Of a run, or a path: of a run's folder, of a checkpoint's, or of a file.
        runs: Folder of the runs that may be named.
        checkpoints: Which one of a run; the first that is there.

    Raises:
        ConfigurationError: If there is none.
        DamagedStoreError: If a pointer of the run names no checkpoint.
    """
    path = Path(name).expanduser()
    for root in (runs / name, path):
        for checkpoint in checkpoints:
            folder = checkpoint_path(root / "checkpoints", checkpoint)
            if folder is not None:
                return folder / WEIGHTS_FILE
    if path.is_file():
        return path
    if (path / WEIGHTS_FILE).is_file():
        return path / WEIGHTS_FILE
    if any((root / "config.toml").is_file() for root in (runs / name, path)):
        raise ConfigurationError(f"the run {name} has no checkpoint {' or '.join(checkpoints)}: train it first")
    raise ConfigurationError(f"there is no run {name!r} with a checkpoint in {runs}, nor such a folder or file")
