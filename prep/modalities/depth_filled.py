"""`depth_filled`: depth without holes, and what of it was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segprep.datasets.codes import DepthCode, IdCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.sample import Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.depth.completion import Fill, complete_depth
from segprep.prep.depth.depth_range import check_depth
from segprep.prep.modalities._depth_input import FILLED, MEASURED, depth_name, depth_option
from segprep.prep.modalities._member import Scene
from segprep.prep.step import BaseStep, Input, Origin, Step, StepHead

__all__ = ["Arguments", "FillDepth", "build"]


@dataclass(frozen=True, slots=True)
class Arguments:
    """Options of `depth_filled`."""

    depth: str = depth_option()
    fill: Fill = option(
        Fill.IP_BASIC,
        help="Also write column depth_filled: holes completed by IP-Basic, by the nearest measured pixel, or along the "
        "image's edges; and depth_measured, which tells the two apart.",
        unsaid="",
    )


@dataclass(frozen=True)
class FillDepth(BaseStep):
    """Columns `depth_filled`, valid everywhere, and `depth_measured`: 1 where depth was known before, else 0.

    Attributes:
        depth: The column whose holes are filled.
        fill: The method.
        code: How that column keeps depth, and how this one does.
    """

    depth: str
    fill: Fill
    code: DepthCode

    @cached_property
    def head(self) -> StepHead:
        """From depth, and the image if the method follows it; the code stays, and what was measured becomes a mask."""
        depth, image = Input(self.depth, Origin.COLUMN), Input("image", Origin.COLUMN)
        return StepHead(
            name=FILLED,
            version=1,
            inputs=(depth, image) if self.fill is Fill.GUIDED else (depth,),
            outputs=(
                Column(FILLED, Kind.DEPTH, self.code, (("fill", self.fill.value), ("source", self.depth))),
                Column(MEASURED, Kind.MASK, IdCode(8), (("source", self.depth),)),
            ),
            parameters={"depth": self.depth, "fill": self.fill.value, "code": self.code.to_json()},
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Fill.

        Raises:
            CodeRangeError: If fewer than two pixels have a depth, or a valid one is NaN, zero or negative.
            SizeMismatchError: If the image is of another size.
        """
        depth_HW = sample.arrays[self.depth]
        valid_HW = sample.valid.get(self.depth, np.ones(depth_HW.shape, np.bool_))
        if valid_HW.any():  # else the method says what lacks
            check_depth(depth_HW, valid_HW)
        filled_HW, measured_HW = complete_depth(depth_HW, valid_HW, self.fill, sample.arrays.get("image"))
        measured = round(float(measured_HW.mean()), 6)
        facts = {"measured": measured, "filled": round(1 - measured, 6)}
        return {
            FILLED: Cell(filled_HW, np.ones(depth_HW.shape, np.bool_), facts),
            MEASURED: Cell(measured_HW.astype(np.uint8)),
        }


def build(arguments: Arguments, scene: Scene) -> Step:
    """Return the step. See `ModalityMember.build`."""
    name = depth_name(arguments.depth, scene)
    if name == FILLED:
        raise ConfigurationError(f"--depth names the column whose holes are filled; {FILLED} has none")
    column = scene.columns.get(name)
    if column is None:
        raise ConfigurationError(f"there is no column {name!r} to fill holes in; --depth names a column of depth")
    if not isinstance(column.code, DepthCode):
        raise ConfigurationError(f"--depth names a column of depth; {name} is one of {column.kind}")
    return FillDepth(name, arguments.fill, column.code)
