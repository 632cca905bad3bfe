"""`jet`: depth or disparity in the colours of OpenCV's JET, as SSMA and AdapNet++ were trained on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import ClassVar, Final

import numpy as np

from segprep.datasets.codes import JetCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.program.values import finite
from segprep.datasets.sample import Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.depth.depth_range import (
    FixedRange,
    OwnRange,
    ShownQuantity,
    check_depth,
    scale_value,
    scaled_position,
)
from segprep.prep.modalities._depth_input import depth_name, depth_option
from segprep.prep.modalities._member import Scene
from segprep.prep.step import BaseStep, Input, Origin, Step, StepHead

__all__ = ["Arguments", "Jet", "build"]
_METRES: Final = finite("a distance in metres")


@dataclass(frozen=True, slots=True)
class Arguments:
    """Options of `jet`."""

    alternatives: ClassVar = (("near", "far"), ("percentiles",))

    depth: str = depth_option()
    near: float | None = option(
        None, metavar="METRES", accept=_METRES, help="lower end of the colours.", unsaid="per dataset"
    )
    far: float | None = option(
        None, metavar="METRES", accept=_METRES, help="upper end of the colours.", unsaid="per dataset"
    )
    percentiles: tuple[float, float] | None = option(
        None,
        metavar="LOW,HIGH",
        accept=finite("two numbers in percent, for example 2 and 98"),
        help="range per image between these percentiles, instead of a fixed one.",
    )
    quantity: ShownQuantity = option(ShownQuantity.DEPTH, help="what the colours show.")


@dataclass(frozen=True)
class Jet(BaseStep):
    """Column `jet`: dark blue is the smaller end of the range, dark red the larger one, black is invalid.

    Attributes:
        depth: The column that is shown.
        span: Which depths get colours of their own.
        quantity: What grows evenly from colour to colour: depth, or disparity, whose larger end is near.
    """

    depth: str
    span: FixedRange | OwnRange
    quantity: ShownQuantity

    @cached_property
    def head(self) -> StepHead:
        """RGB, the mask beside; what the code gives back is metres, 1/m, or the place in the image's own range."""
        about = {"per_image": "no", "quantity": self.quantity.value, "source": self.depth}
        if isinstance(self.span, OwnRange):
            code = JetCode(0.0, 1.0)
            about |= {
                "per_image": f"percentiles {self.span.low:g} to {self.span.high:g}",
                "unit": "share of the image's range",
            }
        elif self.quantity is ShownQuantity.DEPTH:
            code = JetCode(self.span.near, self.span.far)
            about |= {"unit": "m"}
        else:
            code = JetCode(1 / self.span.far, 1 / self.span.near)
            about |= {"unit": "1/m"}
        return StepHead(
            name="jet",
            version=1,
            inputs=(Input(self.depth, Origin.COLUMN),),
            outputs=(Column("jet", Kind.CODED, code, tuple(sorted(about.items()))),),
            parameters={"depth": self.depth, "range": asdict(self.span), "quantity": self.quantity.value},
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Return the scalar; the column's code makes the colours, and counts what lies outside the range.

        Raises:
            CodeRangeError: If no depth is valid, one is no depth, or the image has no range of its own.
        """
        depth_HW, valid_HW = sample.arrays[self.depth], sample.valid.get(self.depth)
        if valid_HW is None:
            valid_HW = np.ones(depth_HW.shape, np.bool_)
        check_depth(depth_HW, valid_HW)
        if isinstance(self.span, FixedRange):
            return {"jet": Cell(scale_value(depth_HW, valid_HW, self.span.far, self.quantity), valid_HW)}
        span = self.span.of(depth_HW, valid_HW)
        position_HW = scaled_position(depth_HW, valid_HW, span, self.quantity)
        return {"jet": Cell(position_HW, valid_HW, {"near_m": span.near, "far_m": span.far})}


def build(arguments: Arguments, scene: Scene) -> Step:
    """Return the step. See `ModalityMember.build`."""
    return Jet(depth_name(arguments.depth, scene), _span(arguments, scene), arguments.quantity)


def _span(arguments: Arguments, scene: Scene) -> FixedRange | OwnRange:
    near, far = arguments.near, arguments.far
    if arguments.percentiles is not None:
        if near is not None or far is not None:
            raise ConfigurationError("--percentiles takes the range from each image: omit --near and --far")
        return OwnRange(*arguments.percentiles)
    usual = scene.depth_range or (None, None)
    near, far = usual[0] if near is None else near, usual[1] if far is None else far
    if near is None or far is None:
        lacking = bool(scene.columns) and arguments.depth not in scene.columns
        raise ConfigurationError(
            (f"there is no column {arguments.depth!r}, and " if lacking else "")
            + "nobody knows the range of this dataset's depths: give --near --far in metres (for example 0.5 and 8 "
            "indoors, 2 and 80 on a street), or --percentiles for a range of each image's own"
        )
    if arguments.quantity is ShownQuantity.DISPARITY and near == 0:
        raise ConfigurationError("--near must be above 0 for disparity, which grows without end towards 0 m")
    return FixedRange(near, far)
