"""The rounds of the campaign with workers that are not what they seem."""

import random
import shutil
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from _cluster_workers import KINDS, Kind, UsersCluster, World
from _commands import answer

from segprep.datasets.synthetic import write_drive
from segprep.workflows.running import users_cluster

__all__ = ["Counts", "one_round", "prepared"]

_FOLDERS = ("datasets", "flow", "prep", "train", "workflows")
_ROOT = Path(__file__).resolve().parents[1]
_COMMANDS = (("resize", "--factor", "2"), ("flow",), ("shard",))


@dataclass(slots=True)
class Counts:
    """What happened.

    Attributes:
        refused: Refusals that were told, by kind.
        commands: Commands that were run on a cluster.
        files: Files that were compared with those made without a cluster.
        faults: What should not have been.
    """

    refused: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    files: int = 0
    faults: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Return the counts as lines."""
        refused = ", ".join(f"{name} {count}" for name, count in self.refused.items())
        return (
            f"commands on a cluster: {self.commands}\nworkers refused by name: {refused}\n"
            f"files compared with those made without a cluster: {self.files}\nfaults: {len(self.faults)}"
        )


def prepared(place: Path, frames: int) -> World:
    """Make the folders, and what a command without a cluster makes."""
    world = World(*(place / name for name in ("", "workspace", "drive", "copy", "other", "code")))
    for folder, seed in ((world.dataset, 0), (world.other, 1)):
        write_drive(folder, splits={"train": frames}, width=96, height=48, seed=seed)
    for name in _FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_ROOT / name, world.code / "segprep" / name, ignore=ignored)
    changed = world.code / "segprep" / "prep" / "step.py"
    changed.write_bytes(changed.read_bytes() + b"\n")
    world.copy.mkdir()
    answer("prep", "init", "synthetic", str(world.dataset), at=world.copy)
    shutil.copytree(world.copy, place / "alone")
    for command in _COMMANDS:
        said = answer("prep", *command, "--workers", "0", at=place / "alone")
        if said.code:
            raise SystemExit(f"{command} without a cluster ended with {said.code}: {said.text}")
    return world


def one_round(world: World, cluster: UsersCluster, number: int, counts: Counts) -> None:
    """Let commands work on a cluster: without a good worker, with workers that join late, and with all."""
    shutil.rmtree(world.workspace, ignore_errors=True)
    shutil.copytree(world.copy, world.workspace)
    kinds = list(KINDS)
    random.Random(number).shuffle(kinds)
    for kind in kinds:
        cluster.add(world, kind)
    cluster.wait_for(len(kinds))
    users_cluster._PATIENCE_SECONDS = 1.0  # nobody else comes
    _on_cluster(world, cluster, ("resize", "--factor", "2"), 2, kinds, counts)
    made = list(world.workspace.rglob("*.png"))
    if made:
        counts.faults.append(f"{len(made)} files are there, but no worker was to be trusted")
    users_cluster._PATIENCE_SECONDS = 120.0
    late = [kind for kind in kinds if kind.mount][:1]
    for kind in (*late, None):
        cluster.add(world, kind, late=True)
    for command in _COMMANDS:
        _on_cluster(world, cluster, command, 0, kinds, counts)
    cluster.wait_for(len(kinds) + len(late) + 1)
    _on_cluster(world, cluster, ("check",), 0, [kind for kind in kinds if kind.reads], counts)
    _compare(world, counts)


def _on_cluster(
    world: World,
    cluster: UsersCluster,
    command: tuple[str, ...],
    expected: int,
    misfits: Collection[Kind],
    counts: Counts,
) -> None:
    said = answer("prep", *command, "--scheduler", cluster.address, at=world.workspace)
    counts.commands += 1
    name = f"prep {command[0]}"
    if said.code != expected:
        counts.faults.append(f"{name} ended with {said.code} instead of {expected}: {said.text}")
    lines = [line for line in said.text.splitlines() if " is refused and gets no tasks" in line]
    for kind in KINDS:
        told = sum(kind.said in line for line in lines)
        counts.refused[kind.name] += told
        if (told > 0) != (kind in misfits):
            counts.faults.append(f"{name}: {kind.name}: refused {told} times: {said.text}")


def _compare(world: World, counts: Counts) -> None:
    alone, here = (_files(folder) for folder in (world.place / "alone", world.workspace))
    counts.files += len(alone)
    for name in sorted(alone.keys() | here.keys()):
        if alone.get(name) != here.get(name):
            counts.faults.append(f"{name} is not what is made without a cluster")


def _files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith((".writer", "ledger.sqlite"))
    }
