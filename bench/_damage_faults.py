"""Single faults in the files of a workspace: what disks, copies and people's hands do to them."""

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["PARTS", "Fault", "drawn_fault", "exchange_stores", "older_store"]

_DIGIT = re.compile(rb"[0-9]")
_TEXT = (".json", ".toml", ".jsonl")

PARTS: Mapping[str, tuple[str, ...]] = {
    "cells": ("*/*_data/*.png", "*/*_valid/*.png"),
    "cameras": ("*/camera_data/*.json",),
    "scales": ("*/*_data/scale.json",),
    "ledger": ("ledger.sqlite",),
    "settings": ("prep.toml",),
    "store": ("shards/*.zarr/*/c.*",),
    "store's notes": ("shards/*.zarr/zarr.json", "shards/*.zarr/*/zarr.json"),
    "checkpoint": ("runs/*/checkpoints/step-*/*", "runs/*/checkpoints/last"),
    "run": ("runs/*/config.toml", "runs/*/shards.json"),
}
"""Part of a workspace to the patterns of its files."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that went wrong.

    Attributes:
        kind: One of `_FAULTS`.
        path: Of the file, relative to the workspace.
        detail: Where in it.
    """

    kind: str
    path: Path
    detail: str


def _files_of(workspace: Path, part: str) -> list[Path]:
    """Return the files of a part, relative to the workspace, in a fixed order."""
    found = {path.relative_to(workspace) for pattern in PARTS[part] for path in workspace.glob(pattern)}
    return sorted(path for path in found if not (workspace / path).is_symlink())


def _flip_bit(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    place, bit = int(rng.integers(len(data))), int(rng.integers(8))
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :], f"bit {bit} of byte {place}"


def _zero_block(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    length = min(512, max(1, len(data) // 4))
    place = int(rng.integers(len(data) - length + 1))
    return data[:place] + bytes(length) + data[place + length :], f"{length} zeros from byte {place}"


def _lose_end(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    kept = int(rng.integers(len(data)))
    return data[:kept], f"{len(data) - kept} of {len(data)} bytes lost at the end"


def _change_digit(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    places = [match.start() for match in _DIGIT.finditer(data)]
    place = places[int(rng.integers(len(places)))]
    digit = (data[place] - ord("0") + int(rng.integers(1, 10))) % 10
    return data[:place] + b"%d" % digit + data[place + 1 :], f"digit at byte {place}"


_FAULTS: Mapping[str, Callable[[bytes, np.random.Generator], tuple[bytes, str]]] = {
    "a bit": _flip_bit,
    "zeros": _zero_block,
    "end lost": _lose_end,
    "a digit": _change_digit,
}
"""Kind to what it makes of a file's bytes. Size and time stay where the size can; another kind is "exchanged"."""


def drawn_fault(workspace: Path, part: str, rng: np.random.Generator) -> Fault | None:
    """Damage one file of a part; None where what was drawn changes nothing."""
    files = _files_of(workspace, part)
    path = files[int(rng.integers(len(files)))]
    kinds = [kind for kind in _FAULTS if kind != "a digit" or path.suffix in _TEXT]
    others = _alike(workspace, files, path)
    kinds += ["exchanged"] if others else []
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "exchanged":
        other = others[int(rng.integers(len(others)))]
        _exchange(workspace / path, workspace / other)
        return Fault(kind, path, f"with {other}")
    before = (workspace / path).read_bytes()
    data, detail = _FAULTS[kind](before, rng)
    if data == before:
        return None
    _write(workspace / path, data)
    return Fault(kind, path, detail)


def _alike(workspace: Path, files: Sequence[Path], path: Path) -> list[Path]:
    """Return files of the same size and suffix whose content differs: a copy may have exchanged them."""
    content = (workspace / path).read_bytes()
    found = [each for each in files if each.suffix == path.suffix and (workspace / each).stat().st_size == len(content)]
    return [each for each in found if (workspace / each).read_bytes() != content]


def _write(path: Path, data: bytes) -> None:
    """Change the content and leave the time of the last change as it was."""
    times = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _exchange(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    _write(one, second)
    _write(other, first)


def exchange_stores(shards: Path) -> Fault:
    """Let the stores of two splits change their names."""
    (shards / "train.zarr").rename(shards / "aside")
    (shards / "val.zarr").rename(shards / "train.zarr")
    (shards / "aside").rename(shards / "val.zarr")
    return Fault("splits exchanged", Path("shards"), "train and val")


def older_store(shards: Path, older: Path, split: str) -> Fault:
    """Put a whole store from before in place of a split's."""
    shutil.rmtree(shards / f"{split}.zarr")
    shutil.copytree(older / f"{split}.zarr", shards / f"{split}.zarr")
    return Fault("older store", Path("shards") / f"{split}.zarr", "made before the labels were resized again")
