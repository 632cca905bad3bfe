"""What a file of weights says of itself, so that it can be used where nothing else is at hand.

The header of `weights.safetensors` holds the state of its checkpoint as JSON, and a digest over the tensors.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from segprep.datasets.documents import parse_json
from segprep.datasets.errors import ConfigurationError, DamagedStoreError, MissingInputError, UnreadableFileError
from segprep.datasets.machine import machine_error
from segprep.datasets.sample import JsonDict
from segprep.train.network.pointers import CHECKPOINT_NAME
from segprep.train.network.seal import STATE_FILE, UNSEALED, open_seal
from segprep.train.network.tensor_file import tensor_file, values_of

__all__ = ["described", "read_described"]

_ENTRY: Final = "segprep"  # the only one: their order in the header is by chance
_STATE: Final = "state"
_DIGEST: Final = "sha256"


def described(weights: Mapping[str, Tensor], state: JsonDict) -> Iterator[bytes | memoryview]:
    """Yield the parts of a file of weights that says what they are of.

    Args:
        weights: By name.
        state: What the checkpoint remembers.
    """
    said = {_STATE: state, _DIGEST: _digest(weights)}
    yield from tensor_file(weights, {_ENTRY: json.dumps(said, allow_nan=False)})


def read_described(path: Path, say: Callable[[str], None] = lambda _: None) -> tuple[dict[str, Tensor], JsonDict]:
    """Read a file of weights and what it says of itself; of a checkpoint of an earlier version what lies beside it.

    Args:
        path: `.safetensors`.
        say: Gets a sentence if there are no checksums.

    Raises:
        MissingInputError: If there is no such file.
        UnreadableFileError: If it is no file of tensors.
        DamagedStoreError: If it is not what was written.
        ConfigurationError: If nothing says what the weights are of.
    """
    if not path.is_file():
        raise MissingInputError(f"the weights {path} do not exist: check the path")
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
        weights = safetensors.torch.load_file(path)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        failed = machine_error(error)
        if failed is not None:
            raise failed from error
        why = str(error).partition("\n")[0]
        raise UnreadableFileError(f"the weights {path} cannot be read ({why}): copy them again") from error
    if _ENTRY in header:
        said = _said(path, header[_ENTRY])
        if said.get(_DIGEST) != _digest(weights):
            raise DamagedStoreError(f"the weights {path} are damaged (their digest differs): copy them again")
        return weights, said[_STATE]
    if CHECKPOINT_NAME.fullmatch(path.resolve().parent.name) is None or not (path.parent / STATE_FILE).is_file():
        raise ConfigurationError(
            f"{path} does not say what its weights are of: name a run, or weights.safetensors of its checkpoint"
        )
    state, has_checksums = open_seal(path.parent, [path.name])
    if not has_checksums:
        say(f"the checkpoint {path.parent} {UNSEALED}")
    return weights, state


def _said(path: Path, text: str) -> JsonDict:
    try:
        said = parse_json(text)
    except ValueError as error:
        raise DamagedStoreError(f"what {path} says of itself is no JSON: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get(_STATE), dict):
        raise DamagedStoreError(f"what {path} says of itself is {said!r:.40} and holds no state")
    return said


def _digest(weights: Mapping[str, Tensor]) -> str:
    """Return a digest over names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        for part in values_of(tensor):
            digest.update(part)
    return digest.hexdigest()
