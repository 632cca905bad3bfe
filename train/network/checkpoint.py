"""Checkpoints: weights that other tools can open, state that people can read, never half written."""

import contextlib
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, Final, cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from segprep.datasets.atomic import PARTIAL_SUFFIX, atomic_write_bytes, sync_folder
from segprep.datasets.errors import ConfigurationError, DamagedStoreError, MachineError, WriteFailedError
from segprep.datasets.machine import machine_error
from segprep.datasets.sample import JsonDict
from segprep.train.network.description import described
from segprep.train.network.pointers import CHECKPOINT_NAME, POINTERS, checkpoint_path, point_at, pointed_at
from segprep.train.network.recorded import RecordedStream, write_recorded
from segprep.train.network.seal import STATE_FILE, UNSEALED, open_seal, sealed

__all__ = [
    "WEIGHTS_FILE",
    "Checkpoint",
    "SavedCheckpoint",
    "check_names",
    "checkpoint_name",
    "damaged_checkpoint",
    "list_checkpoints",
    "load_checkpoint",
    "load_into",
    "remove_unused",
    "save_checkpoint",
]

WEIGHTS_FILE: Final = "weights.safetensors"
_OPTIMIZER_FILE: Final = "optimizer.pt"
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
        cuda_random_states: Of torch's generators on the GPUs that train, in the order of the processes.
        path: Where it was read from.
        has_checksums: Whether its files were compared with their digests; earlier versions wrote none.
    """

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    random_state: Tensor
    state: JsonDict
    averaged: Mapping[str, Tensor] | None = None
    scaler: Mapping[str, Any] | None = None
    cuda_random_states: tuple[Tensor, ...] = ()
    path: Path | None = None
    has_checksums: bool = True


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
        _write(partial, checkpoint)
        partial.rename(final)
        sync_folder(folder)
        if best:  # first: from the former `last` this checkpoint would be made again, but from itself not be the best
            point_at(folder, "best", final.name)
        point_at(folder, "last", final.name)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        last = pointed_at(folder, "last")
        kept = "there is none before it" if last is None else f"the one before, {last}, is kept"
        failed = WriteFailedError(f"the checkpoint {final} cannot be written; {kept}: {error}")
        failed.errno = error.errno
        raise failed from error
    remove_unused(folder, keep)


def load_checkpoint(folder: Path, name: str, say: Callable[[str], None] = lambda _: None) -> Checkpoint | None:
    """Read a checkpoint of a run; None if there is none of this name.

    Args:
        folder: Of all checkpoints.
        name: `last`, `best`, or the name of one of `list_checkpoints`.
        say: Gets a sentence if the checkpoint was made without checksums.

    Raises:
        DamagedStoreError: If its files are not what was written; names one that is whole, if there is. If a pointer
            names no checkpoint.
    """
    for pointer in POINTERS:  # before a run goes on that could not save then
        pointed_at(folder, pointer)
    path = checkpoint_path(folder, name)
    if path is None:
        return None
    try:
        checkpoint = _read(path)
    except DamagedStoreError as error:
        if checkpoint_path(folder, name) != path:  # the run went on meanwhile, and removed this one
            return load_checkpoint(folder, name, say)
        raise damaged_checkpoint(path, str(error)) from error
    if not checkpoint.has_checksums:
        say(f"the checkpoint {path} {UNSEALED}")
    return checkpoint


def damaged_checkpoint(path: Path, why: str) -> DamagedStoreError:
    """Return the error that says what is damaged and which checkpoint beside it is whole, the newest first.

    Args:
        path: Of the checkpoint.
        why: Which of its files, and what is wrong with it.
    """
    whole = next((each.path.name for each in reversed(list_checkpoints(path.parent)) if _is_whole(each, path)), None)
    ways = f"--checkpoint {whole}, or its {WEIGHTS_FILE} for --start"
    other = f"take {whole} beside it, which is whole ({ways})" if whole else "remove the run"
    return DamagedStoreError(f"the checkpoint {path} is damaged ({why}): copy it back, or {other}")


def checkpoint_name(written: str) -> str:
    """Return the folder's name for what people write: `step-6` for `step-00000006`; other names as they are."""
    step = written.removeprefix("step-")
    return f"step-{int(step):08d}" if step != written and step.isdecimal() else written


def list_checkpoints(folder: Path) -> tuple[SavedCheckpoint, ...]:
    """Return the complete checkpoints of a run, oldest first."""
    targets = {pointer: pointed_at(folder, pointer) for pointer in POINTERS}
    found = [
        SavedCheckpoint(path, int(match[1]), tuple(p for p in POINTERS if targets[p] == path.name))
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if (match := CHECKPOINT_NAME.fullmatch(path.name)) and path.is_dir()
    ]
    return tuple(sorted(found, key=lambda each: each.step))


def remove_unused(folder: Path, keep: int) -> None:
    """Remove what need not be kept, and what killed processes left half written; what cannot go now goes next time.

    Call it only where no other process saves.

    Args:
        folder: Of all checkpoints of a run.
        keep: How many to keep beside those that `last` and `best` point at: the newest ones.
    """
    others = [each for each in list_checkpoints(folder) if not each.pointers]
    for each in others[: max(0, len(others) - keep)]:
        _remove(each.path)
    for path in folder.glob(f"*{PARTIAL_SUFFIX}"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


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


def _is_whole(each: SavedCheckpoint, other_than: Path) -> bool:
    if each.path.name == other_than.name:
        return False
    try:
        _read(each.path)
    except (DamagedStoreError, MachineError):
        return False
    return True


def _read(path: Path) -> Checkpoint:
    """Read a checkpoint's folder.

    Raises:
        DamagedStoreError: Says which file is wrong, and how.
    """
    state, has_checksums = open_seal(path, (WEIGHTS_FILE, _OPTIMIZER_FILE))
    if type(state.get("step")) is not int:
        raise DamagedStoreError(f"{STATE_FILE} says no step")
    try:
        saved = _load_plain(path / _OPTIMIZER_FILE)
        shown = safetensors.torch.load_file(path / WEIGHTS_FILE)
        trained = saved.get("weights")
        return Checkpoint(
            weights=shown if trained is None else trained,
            optimizer=saved["optimizer"],
            random_state=saved["random_state"],
            state=state,
            averaged=None if trained is None else shown,
            scaler=saved.get("scaler"),
            cuda_random_states=tuple(saved.get("cuda_random_states", ())),
            path=path,
            has_checksums=has_checksums,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(f"{_OPTIMIZER_FILE} is of another program, it holds no {error}") from error
    except UnpicklingError as error:
        raise DamagedStoreError(f"{_OPTIMIZER_FILE} is no file of tensors and plain values") from error
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        failed = machine_error(error)
        if failed is not None:
            raise failed from error
        raise DamagedStoreError(str(error).partition("\n")[0] or "a file is empty") from error


def _load_plain(path: Path) -> dict[str, Any]:
    """Read tensors and plain values; nothing that a file says is run."""
    with warnings.catch_warnings():
        # torch asks to report files of a foreign protocol before it refuses them.
        warnings.filterwarnings("ignore", "Detected pickle protocol")
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return saved


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the files of a checkpoint tensor by tensor: together they are larger than the network."""
    averages = checkpoint.averaged is not None
    shown = checkpoint.weights if checkpoint.averaged is None else checkpoint.averaged
    rest = {
        "optimizer": checkpoint.optimizer,
        "random_state": checkpoint.random_state,
        "cuda_random_states": list(checkpoint.cuda_random_states),
        "scaler": None if checkpoint.scaler is None else dict(checkpoint.scaler),
        "weights": dict(checkpoint.weights) if averages else None,
    }
    parts = described(shown, checkpoint.state)

    def save_rest(stream: RecordedStream) -> None:
        torch.save(rest, cast("IO[bytes]", stream))  # which only writes and flushes

    records = {
        WEIGHTS_FILE: write_recorded(folder / WEIGHTS_FILE, lambda stream: stream.writelines(parts)),
        _OPTIMIZER_FILE: write_recorded(folder / _OPTIMIZER_FILE, save_rest),
    }
    atomic_write_bytes(folder / STATE_FILE, sealed(checkpoint.state, records))


def _free_name(folder: Path, step: int) -> Path:
    """Return where to put a step; one that something points at stays until nothing does."""
    used = {pointed_at(folder, pointer) for pointer in POINTERS}
    names = (f"step-{step:08d}{suffix}" for suffix in ("", "-2", "-3"))
    path = folder / next(name for name in names if name not in used)  # two pointers: one of three is free
    if path.exists():
        _remove(path)  # of a run that was killed before it pointed at it
    return path


def _remove(path: Path) -> None:
    """Remove a checkpoint under another name: killed meanwhile, what is left of it is no checkpoint."""
    aside = path.with_name(f"{path.name}.unused.{os.getpid()}{PARTIAL_SUFFIX}")
    with contextlib.suppress(OSError):
        path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
