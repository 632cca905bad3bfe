"""What happens to each fault: which command finds it, and whether a result changes without a word."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import safetensors.numpy
from _commands import Said, answer
from _damage_faults import Fault
from _damage_world import STAGES, World, read_everything

from segprep.datasets.errors import SegprepError

__all__ = ["Outcome", "Trial", "Truth", "copied", "judged", "sound_results", "sufferers"]


class Outcome(StrEnum):
    """How the command that would suffer from a fault ended."""

    REFUSED = "refused"
    EQUAL = "equal result"
    TOLD = "changed, and said"
    VERIFIED = "changed; prep verify or status says it"
    SILENT = "changed in silence"


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault and what became of it.

    Attributes:
        fault: What was done.
        outcome: How the sufferer ended.
        verified: Whether `prep verify` or `prep status` finds it.
        bug: Whether a command called it a bug of its own.
        text: What was said, or what differs.
    """

    fault: Fault
    outcome: Outcome
    verified: bool
    bug: bool
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a sufferer gave: its answers, and digests of what it made; None where it made nothing."""

    said: tuple[Said, ...]
    made: object


Sufferer = Callable[[Path], Result]
Truth = dict[str, object]


def prepare_again(place: Path) -> Result:
    """Run the stages again and freeze new stores, as after an interruption."""
    shutil.rmtree(place / "shards", ignore_errors=True)
    said = []
    for command in (*STAGES, ("shard",)):
        said.append(answer("prep", *command, "--workers", "0", at=place))
        if said[-1].code:
            return Result(tuple(said), None)
    return Result(tuple(said), [read_everything(place / "shards" / f"{split}.zarr") for split in ("train", "val")])


def read_stores(place: Path) -> Result:
    """Read all of both stores, as a training that uses everything would."""
    try:
        return Result((), [read_everything(place / "shards" / f"{split}.zarr") for split in ("train", "val")])
    except SegprepError as error:
        return Result((Said(error.exit_code, str(error)),), None)


def train_and_evaluate(place: Path) -> Result:
    """Evaluate a run and go on with it."""
    evaluated = answer("train", "eval", "--at", "network", "--json", at=place)
    resumed = answer("train", "run", "--resume", at=place)
    made = [] if evaluated.code else [json.loads(evaluated.text[evaluated.text.index("{") :])["mean_iou"]]
    if not resumed.code:
        runs = [path for path in (place / "runs").iterdir() if path.is_dir()]
        checkpoints = runs[0] / "checkpoints"
        last = checkpoints / (checkpoints / "last").read_text(encoding="utf-8").strip()
        weights = safetensors.numpy.load_file(last / "weights.safetensors")
        made.append({name: value.tobytes().hex() for name, value in sorted(weights.items())})
    return Result((evaluated, resumed), made if not evaluated.code and not resumed.code else None)


def sufferers(part: str) -> Sufferer:
    """Return what suffers from faults in a part of a workspace."""
    if part in ("store", "store's notes"):
        return read_stores
    return train_and_evaluate if part in ("checkpoint", "run") else prepare_again


def sound_results(world: World, place: Path) -> Truth:
    """Return what each sufferer gives where nothing is wrong, and what `prep status` says then."""
    found: Truth = {}
    for suffers in (prepare_again, read_stores, train_and_evaluate):
        copied(world.workspace, place)
        found[suffers.__name__] = suffers(place).made
        if found[suffers.__name__] is None:
            raise SystemExit(f"{suffers.__name__} fails without any fault")
    copied(world.workspace, place)
    found["status"] = answer("prep", "status", "--json", at=place).text
    return found


def judged(world: World, place: Path, fault: Fault, suffers: Sufferer, truth: Truth) -> Trial:
    """Let commands meet a fault that stands in `place`."""
    damaged = place.with_name(f"{place.name}-damaged")
    copied(place, damaged)
    verify = answer("prep", "verify", at=damaged)
    status = answer("prep", "status", "--json", at=damaged)
    verified = bool(verify.code) or bool(status.code) or status.text != truth["status"]
    result = suffers(place)
    answers = (*result.said, verify, status)
    bug = any(said.code == 1 or "this is a bug" in said.text for said in answers)
    text = " | ".join(_last_line(said) for said in result.said if said.code) or _last_line(verify)
    if any(said.code for said in result.said):
        outcome = Outcome.REFUSED
    elif result.made == truth[suffers.__name__]:
        outcome = Outcome.EQUAL
    else:
        outcome = Outcome.TOLD if _warned(result) else Outcome.VERIFIED if verified else Outcome.SILENT
    return Trial(fault, outcome, verified, bug, text)


def copied(source: Path, target: Path) -> None:
    """Copy a workspace with the times of its files; what stood at the target goes."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def _warned(result: Result) -> bool:
    return any(re.search(r"changed|damaged|differ|another|older", said.text) for said in result.said)


def _last_line(said: Said) -> str:
    lines = [line for line in said.text.splitlines() if line.strip()]
    return f"{said.code}: {lines[-1][:300]}" if lines else str(said.code)
