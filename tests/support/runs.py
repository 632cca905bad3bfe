"""What a training run left."""

from pathlib import Path

from segprep.train.network.pointers import checkpoint_path

__all__ = ["checkpoint_of"]


def checkpoint_of(folder: Path, name: str = "last") -> Path:
    """Return the folder of a checkpoint that must be there, of a run or of the folder of its checkpoints."""
    checkpoints = folder / "checkpoints" if (folder / "checkpoints").is_dir() else folder
    path = checkpoint_path(checkpoints, name)
    assert path is not None, f"{checkpoints} has no {name}"
    return path
