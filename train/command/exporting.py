"""What `train export` does, between the command line and the parts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segprep.datasets.errors import ConfigurationError, SegprepError
from segprep.datasets.sample import JsonDict
from segprep.train.command.memory import memory_explained
from segprep.train.command.place import runs_of
from segprep.train.export.exporting import exported, noise_samples, refuse_existing, write_exported
from segprep.train.export.facts import ExportFacts
from segprep.train.export.formats import FORMATS
from segprep.train.export.quantising import Comparison, quantised
from segprep.train.export.samples import Samples, folder_samples, run_store, store_samples
from segprep.train.network.pointers import CHECKPOINT_NAME
from segprep.train.predict.model import Model, load
from segprep.train.runs.folder import find_run

__all__ = ["ExportReport", "ExportWishes", "export_run"]

_SAMPLES: Final = 8
_SPLITS: Final = ("val", "train")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWishes:
    """What the user wants.

    Attributes:
        to: Name of a format.
        out: The file; None for the run's folder.
        force: Whether an existing file is replaced.
        dataset: Whose classes; None for the first data set.
        samples: Folder of files to compare answers on; None for the store.
        shards: Folder of the stores; None for the run's.
        calibration: Samples that 8 bits are measured on; None for 32 bits.
    """

    to: str
    out: Path | None
    force: bool
    dataset: str | None
    samples: Path | None
    shards: Path | None
    calibration: int | None


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes:
        path: The file.
        facts: What it says of itself.
        comparison: Of 32 and 8 bits; None for a file of 32 bits.
    """

    path: Path
    facts: ExportFacts
    comparison: Comparison | None

    def to_json(self) -> JsonDict:
        """Return plain values."""
        compared = {} if self.comparison is None else {"int8": self.comparison.to_json()}
        return {"file": str(self.path), "bytes": self.path.stat().st_size, **self.facts.to_json(), **compared}

    def text(self) -> str:
        """Return lines for the terminal."""
        said = self.facts.to_json()
        lines = [
            f"takes {each['name']}: {each['type']} ({', '.join(map(str, each['shape']))}): {each['holds']}"
            for each in said["inputs"]
        ]
        classes = len(said["classes"])
        fixed = self.facts.fixed_size
        height, width = ("height", "width") if fixed is None else (fixed[1], fixed[0])
        lines += [
            f"gives ids: uint8 (batch, {height}, {width}), of {classes} classes",
            f"gives scores: float32 (batch, {classes}, {height}, {width}), their probabilities",
        ]
        if fixed is None:
            least = self.facts.smallest
            lines.append("any batch and size" + (f" from {least}x{least} pixels on" if least > 1 else ""))
        parity = self.facts.parity
        if parity is not None:
            samples = f"{parity.samples} samples of {parity.source}"
            lines.append(
                f"compared with the network on {samples}: {parity.agreement:.3%} of the pixels have the same class, "
                f"probabilities differ by at most {parity.max_difference:.2g}"
            )
        if self.comparison is not None:
            lines += ["", self.comparison.text(), ""]
        return "\n".join([*lines, f"file: {self.path} ({self.path.stat().st_size / 1e6:.1f} MB)"])


def export_run(
    workspace: Path, named: str | None, checkpoint: str | None, wishes: ExportWishes, say: Say = lambda _: None
) -> ExportReport:
    """Export a network.

    Args:
        workspace: Where runs are looked for.
        named: A run or a file; None for the last run.
        checkpoint: Which one of a run.
        wishes: What is wanted.
        say: Gets sentences for the user.

    Raises:
        ConflictError: If the file exists, or would answer otherwise.
        ConfigurationError: If wishes exclude each other.
    """
    if wishes.calibration is not None and wishes.to != "onnx":
        raise ConfigurationError(f"--int8 makes ONNX files, not {wishes.to}: leave --to out")
    folder = runs_of(workspace)
    model = load(named or find_run(folder, None).root, checkpoint, runs=folder, device="cpu", say=say)
    path = wishes.out or _usual_path(model, wishes)
    refuse_existing(path, wishes.force)
    with memory_explained("end other programs"):
        samples = _samples(model, wishes, say)
        file = exported(model, wishes.to, samples, path, wishes.dataset, say)
        comparison = None
        if wishes.calibration is not None:
            head = model.head(wishes.dataset)
            train, val = (run_store(model, split, head, wishes.shards) for split in ("train", "val"))
            file, comparison = quantised(model, file, train, val, wishes.calibration, samples, say)
        write_exported(file, path)
    return ExportReport(path, file.facts, comparison)


def _usual_path(model: Model, wishes: ExportWishes) -> Path:
    """Return a name in the folder of the run, beside a file of weights that lies alone."""
    checkpoint = model.path.resolve().parent
    in_run = CHECKPOINT_NAME.fullmatch(checkpoint.name) is not None and checkpoint.parent.name == "checkpoints"
    run = checkpoint.parent.parent
    place = run / run.name if in_run else model.path.with_suffix("")
    bits = "" if wishes.calibration is None else ".int8"
    return place.with_name(f"{place.name}{bits}{FORMATS[wishes.to].SUFFIX}")


def _samples(model: Model, wishes: ExportWishes, say: Say) -> Samples:
    if wishes.samples is not None:
        return folder_samples(wishes.samples, model.columns, _SAMPLES)
    head = model.head(wishes.dataset)
    why = ""
    for split in _SPLITS:
        try:
            return store_samples(run_store(model, split, head, wishes.shards), model.columns, _SAMPLES)
        except SegprepError as error:
            if wishes.shards is not None and split == _SPLITS[-1]:
                raise
            why = why or str(error)
    say(
        f"no real sample is at hand ({why}): answers are compared on noise only, which says less. Name pictures with "
        "--samples, or the shards with --shards"
    )
    return noise_samples(model)
