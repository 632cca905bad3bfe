"""A modality to be checked, and the street that it is checked on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import numpy as np

from segprep.datasets.codes import DepthCode, PlainCode
from segprep.datasets.kinds import Kind
from segprep.datasets.program.layers import COMMAND_LINE
from segprep.datasets.program.tables import default_table, from_table
from segprep.datasets.sample import Array, JsonDict, Mask, Sample, SampleKey
from segprep.datasets.synthetic import World, render
from segprep.datasets.workspace.cells import Cell, Column, StoredCell, encode_cell
from segprep.prep.modalities._member import ModalityMember, Scene
from segprep.prep.step import Step

__all__ = ["COLUMNS", "HEIGHT", "KEY", "WIDTH", "ModalityCase", "everywhere", "street", "values_of", "with_depth"]

KEY: Final = SampleKey("a")
WIDTH, HEIGHT = 256, 128
COLUMNS: Final = {
    "image": Column("image", Kind.IMAGE, PlainCode()),
    "nir": Column("nir", Kind.NIR, PlainCode(channels=())),
    "depth": Column("depth", Kind.DEPTH, DepthCode(1 / 200)),
    "camera": Column("camera", Kind.CAMERA, None),
}
_SCENE: Final = Scene((2.0, 80.0), COLUMNS)


@dataclass(frozen=True)
class ModalityCase:
    """A modality to be checked.

    Attributes:
        name: That users type; also the name of a column that it makes.
        member: A module, or an object that looks like one; `MODALITIES.load(name)` gives an installed one.
        options: Other values than the defaults.
    """

    name: str
    member: ModalityMember
    options: JsonDict = field(default_factory=dict)
    _cells: dict[str, Cell] = field(default_factory=dict, repr=False, compare=False)
    _stored: dict[str, StoredCell] = field(default_factory=dict, repr=False, compare=False)

    @property
    def defaults(self) -> JsonDict:
        """Its options with their defaults."""
        return default_table(self.member.Arguments)

    def step(self, **options: object) -> Step:
        """Return the step with the options."""
        arguments = from_table(self.member.Arguments, {**self.options, **options}, COMMAND_LINE)
        return self.member.build(arguments, _SCENE)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that it makes."""
        return self.step().outputs

    @property
    def reads(self) -> set[str]:
        """Names of the columns that it is made from."""
        return {each.name for each in self.step().inputs}

    def cells(self) -> Mapping[str, Cell]:
        """Return what it makes of the street, which is calculated once."""
        if not self._cells:
            self._cells.update(self.step()(street()))
        return self._cells

    def stored(self) -> Mapping[str, StoredCell]:
        """Return the same as it is stored."""
        if not self._stored:
            made = self.cells()
            self._stored.update({each.name: encode_cell(each, KEY, made[each.name]) for each in self.columns})
        return self._stored


def street() -> Sample:
    """Return a frame as the workspace holds it: depth as decoded from its files, with sky, holes and lone pixels."""
    sample = _rendered()  # a step may not write into it, but one that is checked might
    arrays, valid = ({k: v.copy() for k, v in each.items()} for each in (sample.arrays, sample.valid))
    return replace(sample, arrays=arrays, valid=valid)


@cache
def _rendered() -> Sample:
    frame = render(World(seed=3, pitch_wobble=0.02), 4, WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    valid = rng.random((HEIGHT, WIDTH)) > 0.02
    valid[70:90, 30:60] = False
    valid[100:, 200:] = False
    depth = encode_cell(COLUMNS["depth"], KEY, Cell(frame.depth_HW.astype(np.float32), valid)).cell
    assert isinstance(depth.values, np.ndarray)
    assert depth.valid is not None
    arrays = {"image": frame.rgb_HWC, "nir": frame.nir_HW, "depth": depth.values}
    kinds = {name: COLUMNS[name].kind for name in arrays}
    return Sample(KEY, arrays, kinds, {"depth": depth.valid}, frame.camera, frame.pose)


def with_depth(depth: Array, valid: Mask) -> Sample:
    """Return the street with another depth, (H, W) float32 metres."""
    sample = street()
    return replace(sample, arrays={**sample.arrays, "depth": depth}, valid={**sample.valid, "depth": valid})


def values_of(cell: Cell) -> Array:
    """Return the array of a cell."""
    assert isinstance(cell.values, np.ndarray), f"a column of a modality is an array, not {type(cell.values).__name__}"
    return cell.values


def everywhere(cell: Cell) -> Mask:
    """Return the mask of a cell, all true where it has none."""
    return np.ones(values_of(cell).shape[:2], np.bool_) if cell.valid is None else cell.valid
