"""What an evaluation is of, and the folder that is its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from segprep.datasets.documents import read_json
from segprep.datasets.json_values import json_of
from segprep.datasets.sample import JsonDict
from segprep.train.evaluation.distance import DEFAULT_BANDS

__all__ = ["METRICS_FILE", "Subject", "evaluation_folder"]

METRICS_FILE: Final = "metrics.json"

_ONE_VIEW: Final[Mapping[str, Any]] = {"window": None, "stride": None, "scales": [1.0], "flip": False}

# What the numbers depend on, and what it was before it stood in the file. Where the store lies, and which pointer led
# to the step, they do not depend on.
_DECIDES: Final[Mapping[str, Any]] = {
    "dataset": None,
    "split": None,
    "digest": None,
    "step": None,
    "at": None,
    "views": _ONE_VIEW,
    "only_classes": [],
    "bands": list(DEFAULT_BANDS),
}
_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was evaluated, as `metrics.json` says it.

    Attributes:
        run: Its name.
        checkpoint: `best`, `last` or `step-N`.
        step: Of the checkpoint.
        dataset: Whose head, of a run that learned several; else None.
        split: Of the store.
        store: Its path.
        digest: What changes when its content does.
        at: `source` or `network`: the size of the labels that are compared.
        why_not_source: Why the original labels could not be read, if they were wanted.
        views: Windows, scales and flips, as `Views.to_json` says them.
        only_classes: The classes that count; all if there are none.
        bands: Limits of the bands of distance in metres.
    """

    run: str
    checkpoint: str
    step: int
    dataset: str | None
    split: str
    store: str
    digest: str
    at: str
    why_not_source: str | None
    views: Mapping[str, Any] = field(default_factory=lambda: dict(_ONE_VIEW))
    only_classes: tuple[str, ...] = ()
    bands: tuple[float, ...] = DEFAULT_BANDS

    def to_json(self) -> JsonDict:
        """Return plain values."""
        return json_of(self)


def evaluation_folder(run_root: Path, subject: Subject, *marks: str | None) -> Path:
    """Return where an evaluation goes: a folder that is free, or that holds the same evaluation.

    It is `eval-<split>` with the marks of what is unusual behind it. Where that holds another evaluation, what differs
    is added to the name until it does not, so that none replaces another.

    Args:
        run_root: Folder of the run.
        subject: What is evaluated.
        marks: Such as the name of other shards; None where all is as usual.
    """
    wanted = subject.to_json()
    further = {"digest": subject.digest[:_DIGITS], "step": f"step-{subject.step}", "at": subject.at}
    name = "-".join(("eval", subject.split, *(mark for mark in marks if mark)))
    while (held := _held(run_root / name)) is not None and any(
        held.get(key, before) != wanted[key] for key, before in _DECIDES.items()
    ):
        other = next((key for key in further if held.get(key) != wanted[key]), None)
        name += "-other" if other is None else f"-{further.pop(other)}"
    return run_root / name


def _held(folder: Path) -> JsonDict | None:
    """Return what the metrics in a folder say, as far as they can be read; None where there are none."""
    try:
        held = read_json(folder / METRICS_FILE)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
