"""`hha`: disparity, height above the floor and angle with gravity, as networks for RGB and depth are trained on."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Final, Literal

from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.program.values import Accept, within
from segprep.datasets.sample import Camera, JsonDict, Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.depth.gravity import mount_down
from segprep.prep.depth.hha import PRESETS, HhaImage, hha
from segprep.prep.modalities._depth_input import (
    depth_and_camera,
    depth_inputs,
    depth_name,
    depth_option,
    measured_mask,
    tells_measured,
)
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Absent, BaseStep, Step, StepHead

__all__ = ["Arguments", "Hha", "build"]

_MOUNT: Final = "mount"
_HIGHEST_PERCENTILE: Final = 50.0


@dataclass(frozen=True, slots=True)
class Arguments:
    """Options of `hha`."""

    depth: str = depth_option()
    preset: Literal["indoor", "outdoor"] | None = option(
        None,
        help="the reference's constants, or those that spread streets over 0..255.",
        unsaid="per dataset",
    )
    gravity: Literal["estimate", "mount"] | tuple[float, float, float] = option(
        "estimate",
        metavar="estimate|mount|X,Y,Z",
        accept=Accept(
            "estimate, mount, or the direction down as x, y and z in camera axes (x right, y down, z forward)",
            lambda value: isinstance(value, str) or (all(map(math.isfinite, value)) and any(value)),
        ),
        help="where down is: estimated from floor and walls, from the camera's mount, or near a direction in the "
        "camera's axes (right, down, forward).",
    )
    floor_percentile: float | None = option(
        None,
        metavar="PERCENT",
        accept=within(0, _HIGHEST_PERCENTILE),
        help="how many of the points may lie below the floor.",
        unsaid="0 indoor, 1 outdoor",
    )


@dataclass(frozen=True)
class Hha(BaseStep):
    """Column `hha`: R = disparity, G = height, B = angle; (0, 0, 0) is invalid, which no valid angle is.

    With `measured`, angle and gravity come from what column `depth_measured` marks, as in the published program.

    Attributes:
        depth: The column of depth.
        preset: Name of the constants, one of `PRESETS`.
        gravity: "estimate", from where the camera's mount or else the image's columns say; "mount", which takes the
            mount's word; or the direction (x, y, z) down in camera axes from which the estimate starts.
        floor_percentile: The floor is as low as this share of the points, in percent; 0 is the lowest point.
        measured: Whether depth was filled in and what was measured is known.
    """

    depth: str
    preset: str
    gravity: str | tuple[float, float, float]
    floor_percentile: float
    measured: bool = False

    @cached_property
    def head(self) -> StepHead:
        """From depth and camera, the mask beside; what the code gives back is 1/m, m and degrees."""
        about = (
            ("gravity", self._gravity_text()),
            ("preset", self.preset),
            ("quantities", "1/m, m, degrees"),
            ("source", self.depth),
        )
        constants = asdict(replace(PRESETS[self.preset], floor_percentile=self.floor_percentile))
        return StepHead(
            name="hha",
            version=2 if self.measured else 1,
            inputs=depth_inputs(self.depth, measured=self.measured),
            outputs=(Column("hha", Kind.INDEX, PRESETS[self.preset].code, about),),
            parameters={"depth": self.depth, "preset": self.preset, **constants, "gravity": self._gravity_text()},
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Compute HHA.

        Raises:
            Absent: If the sample has no camera, or the camera no mount from which gravity is to be taken.
            SizeMismatchError: If depth and camera differ in size.
            CodeRangeError: If depth is bad or shows no surface, or gravity is found far from where it was expected.
            MotionError: If the intrinsics are singular.
        """
        depth_HW, valid_HW, camera = depth_and_camera(sample, self.depth)
        image = hha(
            depth_HW,
            valid_HW,
            camera,
            PRESETS[self.preset],
            down_3=_down_of(camera) if self.gravity == _MOUNT else None,
            prior_3=None if isinstance(self.gravity, str) else self.gravity,
            floor_percentile=self.floor_percentile,
            measured_HW=measured_mask(sample),
        )
        return {"hha": Cell(image.values_HW3, image.valid_HW, _facts(image))}

    def _gravity_text(self) -> str:
        return self.gravity if isinstance(self.gravity, str) else ",".join(f"{each:g}" for each in self.gravity)


def build(arguments: Arguments, scene: Scene) -> Step:
    """Return the step. See `ModalityMember.build`."""
    preset = arguments.preset or ("outdoor" if scene.outdoor else "indoor")
    percentile = arguments.floor_percentile
    if percentile is None:
        percentile = PRESETS[preset].floor_percentile
    depth = depth_name(arguments.depth, scene)
    return Hha(depth, preset, arguments.gravity, float(percentile), tells_measured(depth, scene))


def _down_of(camera: Camera) -> tuple[float, float, float]:
    down_3 = mount_down(camera)
    if down_3 is None:
        raise Absent("its camera has no mount from which gravity could be taken")
    x, y, z = down_3.tolist()
    return x, y, z


def _facts(image: HhaImage) -> JsonDict:
    return {
        "gravity": [round(each, 6) for each in image.gravity_3.tolist()],
        "floor_m": round(image.floor_m, 4),
        "floor_seen": image.floor_seen,
        "share_without_normal": round(image.without_normal, 4),
    }
