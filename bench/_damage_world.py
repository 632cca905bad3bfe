"""A small workspace with stores and a trained run, which is damaged, and what its commands give while it is sound."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _commands import answer

from segprep.datasets.shards import ShardStore
from segprep.datasets.synthetic import write_drive

__all__ = ["STAGES", "World", "build", "read_everything"]

STAGES = (("resize",), ("flow", "--ego", "pose"), ("modality", "jet"))
_NETWORK = ("--model", "frrn", "--base-channels", "2", "--precision", "fp32", "--batch-size", "1")


@dataclass(frozen=True, slots=True)
class World:
    """Where the sound things are.

    Attributes:
        workspace: Prepared, with stores and a run that was stopped after its first step.
        older: Stores of the same samples with labels of another method.
    """

    workspace: Path
    older: Path


def build(place: Path, *, tiny: bool = False) -> World:
    """Render a drive, a tiny one of fewer frames, and make all of it."""
    workspace = place / "workspace"
    workspace.mkdir(parents=True)
    write_drive(place / "drive", splits={"train": 2, "val": 2} if tiny else {"train": 4, "val": 3}, width=64, height=32)

    def sound(program: str, *words: str) -> None:
        said = answer(program, *words, at=workspace)
        if said.code:
            raise SystemExit(f"{program} {' '.join(words)} exited with {said.code}:\n{said.text}")

    def prepare(*labels: str) -> None:
        for stage, *words in STAGES:
            sound("prep", stage, *words, *(labels if stage == "resize" else ()), "--workers", "0")
        sound("prep", "shard", "--workers", "0")

    sound("prep", "init", "synthetic", "../drive")
    prepare("--factor", "2", "--labels", "nearest")
    shutil.copytree(workspace / "shards", place / "older")
    prepare("--labels", "vote")
    sound("train", "run", *_NETWORK, "--steps", "2" if tiny else "4", "--val-every", "1", "--max-minutes", "0")
    return World(workspace, place / "older")


def read_everything(store: Path) -> str:
    """Read all that a store holds and return a digest of it.

    Raises:
        SegprepError: If any of it is found to be damaged.
    """
    opened = ShardStore.open(store)
    digest = hashlib.sha256()
    known: Mapping[str, Callable[[int], Any]] = {
        name: getattr(opened, name)
        for name in ("camera_K", "pose", "motion", "source_size", "source_paths", "augmentation")
    }
    digest.update(json.dumps([opened.split, opened.class_map.to_json(), list(opened.keys)], sort_keys=True).encode())
    digest.update(repr({name: spec.to_json() for name, spec in sorted(opened.columns.items())}).encode())
    digest.update(repr(opened.statistics).encode())
    for index in range(len(opened)):
        for column in sorted(opened.columns):
            digest.update(np.ascontiguousarray(opened.read(column, index)).tobytes())
            digest.update(np.ascontiguousarray(opened.read_valid(column, index)).tobytes())
        digest.update(repr([(name, _plain(read(index))) for name, read in known.items()]).encode())
    return digest.hexdigest()


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value
