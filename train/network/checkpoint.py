"""Checkpoints: weights that other tools can open, state that people can read, never half written."""

import contextlib
import io
import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from segprep.datasets.atomic import PARTIAL_SUFFIX, atomic_write_bytes, sync_folder
from segprep.datasets.errors import ConfigurationError, DamagedStoreError, WriteFailedError
from segprep.datasets.sample import JsonDict

__all__ = [
    "Checkpoint",
    "SavedCheckpoint",
    "check_names",
    "checkpoint_name",
    "list_checkpoints",
    "load_checkpoint",
    "load_into",
    "save_checkpoint",
]

_POINTERS = ("last", "best")
_NAME = re.compile(r"step-(\d+)(?:-\d+)?")
_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What a run needs to go on, and an evaluation to begin.

    Attributes:
        weights: Parameters and buffers of the network by name, as they train.
        optimizer: `state_dict` of the optimizer.
        random_state: Of torch's generator on the CPU, for networks that draw numbers.
        state: JSON: `step` and whatever else the loop wants to find again.
        averaged: Moving averages of `weights`; None where the run makes none.
        scaler: `state_dict` of the scaler of fp16's gradients; None without.
        cuda_random_states: Of torch's generators on the GPUs, in their order.
        path: Where it was read from.
    """

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    random_state: Tensor
    state: JsonDict
    averaged: Mapping[str, Tensor] | None = None
    scaler: Mapping[str, Any] | None = None
    cuda_random_states: tuple[Tensor, ...] = ()
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A checkpoint on the disk.

    Attributes:
        path: Its folder.
        step: Steps done.
        pointers: Which of `last` and `best` point at it.
    """

    path: Path
    step: int
    pointers: tuple[str, ...]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, best: bool, keep: int = 0) -> None:
    """Write `folder/step-N` and point `last`, and if so wished `best`, at it; then remove what need not be kept.

    `weights.safetensors` holds the averaged weights where there are some, because that is what people take; the others
    lie in `optimizer.pt` then. Everything is written and synced under another name first, so that a checkpoint is
    complete or not there, and the former `last` stays until the new one is.

    Args:
        folder: Of all checkpoints of a run.
        checkpoint: What to save.
        best: Whether it is the best so far.
        keep: How many to keep beside those that `last` and `best` point at: the newest ones.

    Raises:
        WriteFailedError: If the disk is full or the folder cannot be written. What was there is as it was.
    """
    final = _free_name(folder, checkpoint.state["step"])
    partial = folder / f"{final.name}.{os.getpid()}{PARTIAL_SUFFIX}"
    try:
        for file, content in _files(checkpoint).items():
            atomic_write_bytes(partial / file, content)
        partial.rename(final)
        for pointer in _POINTERS if best else _POINTERS[:1]:
            link = folder / f"{pointer}.{os.getpid()}{PARTIAL_SUFFIX}"
            link.unlink(missing_ok=True)
            link.symlink_to(final.name)
            link.replace(folder / pointer)
        sync_folder(folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        last = _target(folder, "last")
        kept = "there is none before it" if last is None else f"the one before, {last}, is kept"
        failed = WriteFailedError(f"the checkpoint {final} cannot be written; {kept}: {error}")
        failed.errno = error.errno
        raise failed from error
    _remove_unused(folder, keep)


def load_checkpoint(folder: Path, name: str) -> Checkpoint | None:
    """Read a checkpoint of a run; None if there is none of this name.

    Args:
        folder: Of all checkpoints.
        name: `last`, `best`, or the name of one of `list_checkpoints`.

    Raises:
        DamagedStoreError: If its files are not what was written.
    """
    path = folder / name
    if not path.exists() and not path.is_symlink():
        return None
    try:
        saved = _load_plain(path / "optimizer.pt")
        shown = safetensors.torch.load_file(path / "weights.safetensors")
        state = json.loads((path / "state.json").read_bytes())
        trained = saved.get("weights")
        return Checkpoint(
            weights=shown if trained is None else trained,
            optimizer=saved["optimizer"],
            random_state=saved["random_state"],
            state={**state, "step": int(state["step"])},
            averaged=None if trained is None else shown,
            scaler=saved.get("scaler"),
            cuda_random_states=tuple(saved.get("cuda_random_states", ())),
            path=path.resolve(),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"it is of another program, entries such as {error} are not there") from error
    except UnpicklingError as error:
        raise _damaged(path, "optimizer.pt is no file of tensors and plain values") from error
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise _damaged(path, str(error).partition("\n")[0] or "a file is empty") from error


def checkpoint_name(written: str) -> str:
    """Return the folder's name for what people write: `step-6` for `step-00000006`; other names as they are."""
    step = written.removeprefix("step-")
    return f"step-{int(step):08d}" if step != written and step.isdecimal() else written


def list_checkpoints(folder: Path) -> tuple[SavedCheckpoint, ...]:
    """Return the complete checkpoints of a run, oldest first."""
    targets = {pointer: _target(folder, pointer) for pointer in _POINTERS}
    found = [
        SavedCheckpoint(path, int(match[1]), tuple(p for p in _POINTERS if targets[p] == path.name))
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if (match := _NAME.fullmatch(path.name)) and path.is_dir()
    ]
    return tuple(sorted(found, key=lambda each: each.step))


def load_into(network: nn.Module, checkpoint: Checkpoint, *, averaged: bool = False) -> None:
    """Give the network the weights of a checkpoint.

    Args:
        network: Whose parameters and buffers are overwritten.
        checkpoint: Of the same network.
        averaged: Whether to take the averaged weights where there are some: to evaluate; not to go on training.

    Raises:
        ConfigurationError: If they are those of another network; names what does not fit. Nothing is loaded then.
    """
    weights = checkpoint.averaged if averaged and checkpoint.averaged is not None else checkpoint.weights
    what = "the checkpoint" if checkpoint.path is None else f"the checkpoint {checkpoint.path}"
    check_names(network.state_dict(), weights, what)
    network.load_state_dict(weights)


def check_names(own: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    """Compare names and shapes of two sets of weights.

    Args:
        own: Of the network.
        given: What shall be loaded.
        what: How the message calls `given`.

    Raises:
        ConfigurationError: If they differ; names up to three of each sort.
    """
    complaints = {
        "missing": [name for name in own if name not in given],
        "unexpected": sorted(name for name in given if name not in own),
        "of another shape": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(own[name].shape)}"
            for name in own
            if name in given and given[name].shape != own[name].shape
        ],
    }
    if any(complaints.values()):
        found = "; ".join(f"{how}: {_some(names)}" for how, names in complaints.items() if names)
        raise ConfigurationError(
            f"{what} cannot be loaded into this network ({found}): take the network and classes it was trained with"
        )


def _load_plain(path: Path) -> dict[str, Any]:
    """Read tensors and plain values; nothing that a file says is run."""
    with warnings.catch_warnings():
        # torch asks to report files of a foreign protocol before it refuses them.
        warnings.filterwarnings("ignore", "Detected pickle protocol")
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return saved


def _files(checkpoint: Checkpoint) -> dict[str, bytes]:
    averages = checkpoint.averaged is not None
    shown = checkpoint.weights if checkpoint.averaged is None else checkpoint.averaged
    rest = {
        "optimizer": checkpoint.optimizer,
        "random_state": checkpoint.random_state,
        "cuda_random_states": list(checkpoint.cuda_random_states),
        "scaler": None if checkpoint.scaler is None else dict(checkpoint.scaler),
        "weights": dict(checkpoint.weights) if averages else None,
    }
    buffer = io.BytesIO()
    torch.save(rest, buffer)
    return {
        "weights.safetensors": safetensors.torch.save({k: v.contiguous() for k, v in shown.items()}),
        "optimizer.pt": buffer.getvalue(),
        "state.json": json.dumps(checkpoint.state, indent=1, allow_nan=False).encode(),
    }


def _free_name(folder: Path, step: int) -> Path:
    """Return where to put a step; one that something points at stays until nothing does."""
    used = {_target(folder, pointer) for pointer in _POINTERS}
    names = (f"step-{step:08d}{suffix}" for suffix in ("", "-2", "-3"))
    path = folder / next(name for name in names if name not in used)  # two pointers: one of three is free
    shutil.rmtree(path, ignore_errors=True)  # of a run that was killed before it pointed at it
    return path


def _target(folder: Path, pointer: str) -> str | None:
    link = folder / pointer
    return link.readlink().name if link.is_symlink() else None


def _remove_unused(folder: Path, keep: int) -> None:
    """Remove checkpoints that need not be kept and what killed processes left; what cannot go now goes next time."""
    others = [each for each in list_checkpoints(folder) if not each.pointers]
    unused = [each.path for each in others[: max(0, len(others) - keep)]]
    unused += [path for path in folder.iterdir() if path.name.endswith(PARTIAL_SUFFIX)]
    for path in unused:
        if path.is_symlink():
            with contextlib.suppress(OSError):
                path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)


def _damaged(path: Path, why: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"the checkpoint {path.resolve()} is damaged ({why}): copy it back, take another one, or remove the run"
    )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
