"""Which reader a file of TensorFlow or Keras needs, and one kind of error for all of them."""

from pathlib import Path
from typing import Final

from segprep.datasets.errors import MissingInputError, UnreadableFileError
from segprep.datasets.machine import machine_error
from segprep.train.network.foreign.checkpoints import INDEX_SUFFIX, read_checkpoint
from segprep.train.network.foreign.graphs import read_graph
from segprep.train.network.foreign.keras import read_keras
from segprep.train.network.foreign.tensors import ForeignTensors

__all__ = ["read_foreign"]

_GRAPH: Final = ".pb"
_KERAS: Final = (".h5", ".hdf5")


def read_foreign(path: Path) -> ForeignTensors:
    """Read the weights of a file of another framework; nothing in it is executed.

    Args:
        path: A frozen graph (`.pb`), a model of Keras (`.h5`), or a checkpoint of TensorFlow: what the names of its
            files have in common (`model.ckpt-150000`), or its `.index`.

    Raises:
        MissingInputError: If there is no such file.
        UnreadableFileError: If it is damaged or another kind of file.
    """
    try:
        if path.suffix == _GRAPH:
            return read_graph(path)
        if path.suffix in _KERAS:
            return read_keras(path)
        return read_checkpoint(path.with_suffix("") if path.suffix == INDEX_SUFFIX else path)
    except FileNotFoundError as error:
        raise MissingInputError(
            f"the weights {path} do not exist ({error.filename}): give a file .pth, .pt, .safetensors, .pb or .h5, or "
            "a checkpoint of TensorFlow as model.ckpt-150000, with its .index and .data files"
        ) from error
    except (OSError, ValueError, MemoryError) as error:
        failed = machine_error(error)
        if failed is not None:
            raise failed from error
        raise UnreadableFileError(f"the weights {path} cannot be read ({error}): copy them again") from error
