"""Variants of a sample in a workspace: floats are augmented, and what is coded from them is made last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.codes import Code, IdCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Sample
from segprep.datasets.workspace import Workspace
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.coding import decoded
from segprep.prep.augment.samples import PreparedSample, prepare
from segprep.prep.step import Input, Origin, Step
from segprep.workflows.ledger.database import KnownSample
from segprep.workflows.running.inputs import Reading, SampleInputs, StoredInputs

__all__ = ["Derived", "SampleVariants", "derived_columns", "load_sample", "stored_code"]

_FLOATS = (Kind.DEPTH, Kind.FLOW)
_CAMERA: Final = Column("camera", Kind.CAMERA, None)


@dataclass(frozen=True, slots=True)
class Derived:
    """A picture for the eye that is made anew from augmented depth or flow, instead of being decoded and warped.

    Attributes:
        column: Its name.
        step: Makes it.
        sources: What it is made from.
    """

    column: str
    step: Step
    sources: tuple[Column, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SampleVariants:
    """A sample of a workspace, ready for any number of variants.

    Attributes:
        columns: As shards hold them, by name.
        derived: Which of them are made anew.
        prepared: The others, and what those are made from.
    """

    columns: Mapping[str, Column]
    derived: tuple[Derived, ...]
    prepared: PreparedSample

    @classmethod
    def of(
        cls, workspace: Workspace, known: KnownSample, columns: Sequence[Column], derived: Sequence[Derived]
    ) -> "SampleVariants":
        """Read the cells of a sample."""
        anew = {each.column for each in derived}
        sources = [source for each in derived for source in each.sources]
        read = {each.name: each for each in (*(c for c in columns if c.name not in anew), *sources)}
        sample = load_sample(workspace, known, list(read.values()))
        return cls(_as_stored(columns), tuple(derived), prepare(sample, _as_stored(read.values())))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the sample."""
        return self.prepared.size

    def augmented(self, augmentation: Augmentation) -> Sample:
        """Return the values of a variant, of `columns` and no others."""
        sample = self.prepared.augmented(augmentation)
        arrays, kinds, valid = dict(sample.arrays), dict(sample.kinds), dict(sample.valid)
        for each in self.derived:
            cell = each.step(sample)[each.column]
            if isinstance(cell.values, dict) or cell.valid is None:
                raise ConfigurationError(f"column {each.column} is no picture with a mask")
            arrays[each.column], valid[each.column], kinds[each.column] = cell.values, cell.valid, Kind.CODED
        names = self.columns.keys()
        return replace(
            sample,
            arrays={name: arrays[name] for name in names},
            kinds={name: kinds[name] for name in names},
            valid={name: mask for name, mask in valid.items() if name in names},
        )


def derived_columns(steps: Iterable[Step], existing: Mapping[str, Column], chosen: Sequence[Column]) -> list[Derived]:
    """Return which of the chosen columns can be made anew from columns of depth or flow.

    A jet whose range is each image's own is not: the variant would get a range of its own.

    Args:
        steps: Those that made the columns of the workspace.
        existing: All columns by name.
        chosen: Those that variants are wanted of.
    """
    found = []
    for step in steps:
        for column in step.outputs:
            sources = tuple(existing[i.name] for i in step.inputs if i.origin is Origin.COLUMN and i.name in existing)
            whole = len(sources) == len(step.inputs) and all(source.kind in _FLOATS for source in sources)
            own_range = dict(column.attributes).get("per_image", "no") != "no"
            if column in chosen and column.kind is Kind.CODED and whole and not own_range:
                found.append(Derived(column.name, step, sources))
    return found


def stored_code(column: Column) -> Code:
    """Return the code of a column in shards: they hold train ids, whatever the files hold.

    Raises:
        ConfigurationError: If the column holds no arrays.
    """
    if column.code is None:
        raise ConfigurationError(f"column {column.name} holds no arrays")
    return IdCode() if column.kind is Kind.LABEL else column.code


def _as_stored(columns: Iterable[Column]) -> dict[str, Column]:
    """Return columns as shards hold them, by name."""
    return {
        column.name: replace(
            column,
            code=stored_code(column),
            attributes=tuple(each for each in column.attributes if each != ("ids", "raw")),
        )
        for column in columns
    }


def load_sample(workspace: Workspace, known: KnownSample, columns: Sequence[Column]) -> Sample:
    """Return the cells of a sample as steps see them, labels as train ids, with its camera where it has one."""
    stored = StoredInputs(workspace, known, {c.name: c for c in (*columns, _CAMERA)}, integers=True)
    cells = (Input(column.name, Origin.COLUMN) for column in columns)
    camera = Input(_CAMERA.name, Origin.COLUMN, optional=True)
    sample = SampleInputs(known.record.key, stored.read).sample(Reading((*cells, camera)))
    return decoded(sample, _as_stored(columns))
