"""Checkpoints: weights that other tools can open, state that people can read, never half written."""

import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.errors import DamagedStoreError, WriteFailedError
from segprep.datasets.sample import JsonDict

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

_POINTERS = ("last", "best")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a run needs to go on, and an evaluation to begin.

    Attributes:
        weights: Parameters and buffers of the network by name.
        optimizer: `state_dict` of the optimizer.
        random_state: Of torch's generator, for networks that draw numbers.
        state: JSON: `step` and whatever else the loop wants to find again.
    """

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    random_state: Tensor
    state: JsonDict


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, best: bool) -> None:
    """Write `folder/step-N` and point `last`, and if so wished `best`, at it; then remove what nothing points at.

    Everything is written and synced under another name first, so that a checkpoint is complete or not there, and the
    former `last` stays until the new one is.

    Raises:
        WriteFailedError: If the disk is full or the folder cannot be written.
    """
    name = f"step-{checkpoint.state['step']:08d}"
    partial = folder / f"{name}.{os.getpid()}.partial"
    buffer = io.BytesIO()
    torch.save({"optimizer": checkpoint.optimizer, "random_state": checkpoint.random_state}, buffer)
    files = {
        "weights.safetensors": safetensors.torch.save({k: v.contiguous() for k, v in checkpoint.weights.items()}),
        "optimizer.pt": buffer.getvalue(),
        "state.json": json.dumps(checkpoint.state, indent=1, allow_nan=False).encode(),
    }
    try:
        for file, content in files.items():
            atomic_write_bytes(partial / file, content)
        shutil.rmtree(folder / name, ignore_errors=True)  # of a run that was killed before it pointed at it
        partial.rename(folder / name)
        for pointer in _POINTERS if best else _POINTERS[:1]:
            link = folder / f"{pointer}.{os.getpid()}.partial"
            link.symlink_to(name)
            link.replace(folder / pointer)
        _sync(folder)
        _remove_unused(folder)
    except WriteFailedError:
        raise
    except OSError as error:
        raise WriteFailedError(f"the checkpoint {folder / name} cannot be written: {error}") from error


def load_checkpoint(folder: Path, pointer: str) -> Checkpoint | None:
    """Read the checkpoint that `last` or `best` points at; None if there is none.

    Raises:
        DamagedStoreError: If its files are not what was written.
    """
    path = folder / pointer
    if not path.exists():
        return None
    try:
        saved = torch.load(path / "optimizer.pt", map_location="cpu", weights_only=True)
        return Checkpoint(
            weights=safetensors.torch.load_file(path / "weights.safetensors"),
            optimizer=saved["optimizer"],
            random_state=saved["random_state"],
            state=json.loads((path / "state.json").read_bytes()),
        )
    except (OSError, SafetensorError, UnpicklingError, RuntimeError, ValueError, KeyError, EOFError) as error:
        raise DamagedStoreError(
            f"the checkpoint {path.resolve()} is damaged ({error}): remove the run, or copy the checkpoint back"
        ) from error


def _remove_unused(folder: Path) -> None:
    used = {(folder / pointer).readlink().name for pointer in _POINTERS if (folder / pointer).is_symlink()}
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name not in used:
            shutil.rmtree(path)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
