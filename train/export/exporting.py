"""Exporting a trained network to a file of another runtime, with a proof that it answers the same."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.train.export.facts import ExportFacts, Parity
from segprep.train.export.formats import FORMATS, FileFormat
from segprep.train.export.noise import noise
from segprep.train.export.parity import answers, check_parity, in_32_bits, measured_parity, other_size
from segprep.train.export.runners import Save
from segprep.train.export.samples import Samples, Values
from segprep.train.export.whole import WholeNetwork, whole_network
from segprep.train.predict.model import Model

__all__ = ["Exported", "exported", "facts_of", "noise_samples", "refuse_existing", "write_exported"]

_NOISE_SAMPLES: Final = 2
_EXAMPLE: Final = (61, 45)  # (width, height): odd, and smaller than what most networks see at once


@dataclass(frozen=True, slots=True)
class Exported:
    """A file that is ready to be written.

    Attributes:
        save: Makes its bytes.
        facts: What it shall say.
        format: What kind of file it is.
    """

    save: Save
    facts: ExportFacts
    format: FileFormat

    def content(self) -> bytes:
        """Return its bytes."""
        return self.save(self.facts.to_text())


def exported(
    model: Model,
    to: str,
    samples: Samples,
    path: Path,
    dataset: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export a network and compare its answers, at the size of the samples and at another one.

    Args:
        model: On the CPU.
        to: Name of a format.
        samples: What answers are compared on.
        path: Where it will be written, for messages.
        dataset: Whose classes, of a network that learned several data sets; the first one by default.
        say: Gets sentences for the user.

    Raises:
        ConflictError: If answers differ.
        ConfigurationError: If a column's code cannot be inside, or there is no such data set.
    """
    head = model.head(dataset)
    judge = in_32_bits(model)
    network = whole_network(judge, head)
    expected = [answers(judge, values, dataset) for values in samples.values]
    save, fixed = _saver(network, judge, FORMATS[to], samples, dataset, say)
    parity = measured_parity(expected, FORMATS[to].runner(save("")), samples)
    check_parity(parity, str(path))
    if model.config.model.precision != "fp32":
        own = [answers(model, values, dataset) for values in samples.values]
        same = np.mean([np.mean(a.argmax(0) == b.argmax(0)) for a, b in zip(own, expected, strict=True)])
        say(
            f"the file computes in 32 bits, the run in {model.config.model.precision}: both give {same:.3%} of the "
            "pixels the same class"
        )
    facts = replace(facts_of(model, head, parity), fixed_size=fixed, smallest=1 if fixed else FORMATS[to].SMALLEST)
    return Exported(save, facts, FORMATS[to])


def facts_of(model: Model, head: int = 0, parity: Parity | None = None) -> ExportFacts:
    """Return what a file of a network says of itself."""
    state, name = model.state, list(model.class_maps)[head]
    return ExportFacts(
        version=version("segprep"),
        network=model.config.model.name,
        options=dict(model.config.model.options),
        parameters=model.parameters,
        step=state.step,
        dataset=name,
        target=model.config.data.target,
        precision="fp32",
        size=model.size,
        fixed_size=None,
        smallest=1,
        columns=tuple(column.to_json() for column in model.columns),
        class_map=model.class_maps[name].to_json(),
        provenance=dict(state.provenance[head]) if state.provenance else {},
        parity=parity,
    )


def noise_samples(model: Model) -> Samples:
    """Return samples without any meaning, for where nothing real is at hand."""
    values = zip(*(noise(each, _NOISE_SAMPLES, model.size) for each in model.columns), strict=True)
    return Samples(tuple(values), "noise")


def refuse_existing(path: Path, force: bool) -> None:
    """Refuse to write over a file.

    Raises:
        ConflictError: If there is one and `force` does not allow it.
    """
    if path.exists() and (not force or path.is_dir()):
        raise ConflictError(f"{path} exists: give another --out, or --force to replace it")


def write_exported(file: Exported, path: Path) -> None:
    """Write a file at once, with what it says of itself.

    Raises:
        WriteFailedError: If it cannot be written; nothing is left behind.
    """
    atomic_write_bytes(path, file.content())


def _saver(
    network: WholeNetwork,
    judge: Model,
    to: FileFormat,
    samples: Samples,
    dataset: str | None,
    say: Callable[[str], None],
) -> tuple[Save, tuple[int, int] | None]:
    """Return what makes a file that takes every size, else one of the trained size and that size."""
    names = [column.name for column in judge.columns]
    others = other_size(samples, to.SMALLEST)
    why = f"it was trained on less than {to.SMALLEST}x{to.SMALLEST} pixels" if min(judge.size) < to.SMALLEST else ""
    if not why:
        expected = [answers(judge, values, dataset) for values in others.values]
        try:
            save = to.exported(network, names, _example(judge, _EXAMPLE), any_size=True)
            found = measured_parity(expected, to.runner(save("")), others)
            check_parity(found, "")
        except (RuntimeError, ValueError, ConflictError) as error:
            why = str(error).partition("\n")[0]
        else:
            return save, None
    width, height = judge.size
    say(f"the file takes pictures of {width}x{height} only, the size of the training: {why}")
    other = next((each for each in map(_size, samples.values) if each != judge.size), None)
    if other is not None:
        raise ConfigurationError(
            f"a sample of {samples.source} has {other[0]}x{other[1]} pixels, and the file takes {width}x{height} only: "
            "give samples of this size"
        )
    try:
        return to.exported(network, names, _example(judge, judge.size), any_size=False), judge.size
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(f"{judge.path} cannot be exported to {to.SUFFIX}: {error}") from error


def _example(model: Model, size: tuple[int, int]) -> list[Tensor]:
    return [torch.from_numpy(noise(each, 2, size)) for each in model.columns]


def _size(values: Values) -> tuple[int, int]:
    height, width = values[0].shape[:2]
    return width, height
