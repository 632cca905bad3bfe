"""What the commands that make columns take; the options of a modality stand in its own file.

Each docstring is the help of its command. This module is light: `prep --help` and completion read it. The order of the
fields is that of the ledger's JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from segprep.datasets.program.tables import option
from segprep.datasets.program.values import Accept, above, at_least, finite, parse_size, within
from segprep.datasets.record import Direction
from segprep.prep.labels.method import LabelMethodName

__all__ = ["DEPTH_UNIT_NAMES", "FileArguments", "FlowArguments", "MotionLabelArguments", "ResizeArguments"]

DEPTH_UNIT_NAMES: Final = (
    "m, mm, cm, 1/N (of a metre), tum, kitti, sun, kinect, kinect-swapped, cityscapes, kitti-disparity"
)
"""For help texts: those of `segprep.datasets.codes.depth_units`, which is not light."""

_ON_FILES: Final = "On single files, without a workspace"
_SIZE: Final = Accept("two whole numbers of at least 1, width and height", lambda size: min(size) >= 1)


@dataclass(frozen=True, slots=True)
class ResizeArguments:
    """Resize images by area, labels by vote (as train ids), and depth, camera and neighbours with them."""

    alternatives: ClassVar = (("factor",), ("size",))
    details: ClassVar[Mapping[str, tuple[str, ...]]] = {"labels": ("threshold", "void_id", "priority", "share")}

    factor: int | None = option(None, metavar="N", accept=at_least(1), help="Divide width and height by N.")
    size: tuple[int, int] | None = option(
        None, metavar="WxH", read=parse_size, accept=_SIZE, help="Make everything this size instead."
    )
    format: Literal["png", "jpg"] = option(
        "png", help="Files of images and near infrared: lossless, or JPEG of quality 95."
    )
    labels: LabelMethodName = option(
        "vote",
        metavar="vote|nearest|priority|paris",
        help="Label ids: vote takes the majority of the covered area, nearest the pixel at the exact centre, priority "
        "lets listed classes win from a share on, paris is PARIS's soft resize.",
    )
    threshold: float | None = option(
        None,
        metavar="SHARE",
        accept=within(0, 1, "a share"),
        help="A winner with less of the pixel gives way to void.",
        unsaid="0 with vote, 0.75 with paris",
    )
    void_id: int | None = option(
        None,
        metavar="ID",
        help="With --labels paris or --label-ids raw: the raw id of void.",
        unsaid="the first ignored one",
    )
    priority: tuple[str, ...] | None = option(
        None,
        metavar="CLASS,...",
        values="class",
        help="With --labels priority: thin classes that win, the strongest first.",
    )
    share: float | None = option(
        None, metavar="SHARE", accept=within(0, 1, "a share"), help="From which share of the pixel they win.",
        unsaid="0.25",
    )  # fmt: skip
    label_ids: Literal["train", "void0", "raw"] = option(
        "train",
        help="Ids in the label files: train ids (0..C-1, 255 = ignore); void0, the same with 0 = ignore and classes "
        "from 1, as SMSnet and SSMA read them; or the dataset's own. Shards always hold train ids.",
    )


@dataclass(frozen=True, slots=True)
class FlowArguments:
    """Compute optical flow to the neighbouring frame, the part that the camera makes, and SMSnet's motion image."""

    details: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "estimator": ("preset", "check", "at"),
        "pattern": ("flow_format", "flow_direction", "flow_size"),
    }

    scale: float = option(
        6.4,
        metavar="S",
        accept=above(0),
        help="Grey levels per pixel of motion in SMSnet's image: u*S+128, v*S+128, |uv|*S*255/128.",
    )
    estimator: str = option(
        "dis",
        metavar="NAME",
        values="estimator",
        help="Optical flow estimator: dis, farneback, or precomputed (see --pattern).",
    )
    preset: str | None = option(
        None, metavar="NAME", values="flow preset", help="Of dis: ultrafast, fast, medium (default), fine."
    )
    check: bool = option(True, help="Estimate the way back, too, and mark pixels whose ways do not meet as invalid.")
    at: Literal["workspace", "source"] = option(
        "workspace", help="On the workspace's images (default), or on the dataset's, with vectors rescaled.", unsaid=""
    )
    pattern: str | None = option(
        None,
        metavar="PATTERN",
        help="Files of precomputed flow, e.g. 'flow/{split}/{stem}.flo'; fields: key, stem, split, sequence, frame. "
        "Relative to the dataset's root.",
    )
    flow_format: Literal["auto", "flo", "kitti", "vkitti", "npy", "pfm"] = option(
        "auto",
        metavar="FORMAT",
        help="Of these files: auto (by suffix; .png is KITTI's), flo, kitti, vkitti, npy, pfm.",
    )
    flow_direction: Direction | None = option(None, help="Where their vectors point.")
    flow_size: tuple[int, int] | None = option(
        None,
        metavar="WxH",
        read=parse_size,
        accept=_SIZE,
        help="Their size, if it is neither the dataset's nor the workspace's.",
    )
    ego: Literal["pose", "refine", "odometry", "homography", "none"] | None = option(
        None,
        help="How the camera's own motion is known, whose flow is subtracted: as the dataset says; that, corrected by "
        "the flow; from flow and depth; from flow alone; not at all.",
        unsaid="pose where the dataset has one, else none",
    )
    raw_image: bool = option(False, help="Also write column raw_flow: the motion image without subtraction.")


@dataclass(frozen=True, slots=True)
class MotionLabelArguments:
    """Label what can move as static (0) or moving (1), the rest as 255, from flow and depth or from annotations."""

    details: ClassVar[Mapping[str, tuple[str, ...]]] = {"annotations": ("annotation_map",)}

    movable: tuple[str, ...] | None = option(
        None,
        metavar="CLASS,...",
        values="class",
        help="Classes that can move.",
        unsaid="people, vehicles and animals, by their usual names",
    )
    max_range: int | float | None = option(
        None,
        metavar="METRES",
        accept=above(0, "a number of metres"),
        help="What is farther is not labelled; SMSnet's data have 20, 40 and 60.",
        unsaid="no limit",
    )
    min_speed: int | float | None = option(
        None,
        metavar="M_PER_S",
        accept=above(0, "a number of metres per second"),
        help="What stands still is labelled static only where so slow a motion would have shown.",
        unsaid="1, slower than people walk",
    )
    annotations: str | None = option(
        None,
        metavar="PATTERN",
        help="Take given annotations instead: an id image per frame, e.g. 'motion/{split}/{stem}.png'.",
    )
    annotation_map: str | None = option(
        None, metavar="MEANING=ID,...", help="What their ids mean, e.g. ignore=0,static=1,moving=2."
    )
    label_ids: Literal["train", "void0"] = option(
        "train",
        help="Ids in the files: 0 static, 1 moving, 255 the rest; or void0, as SMSnet has them: 0 the rest, 1 static, "
        "2 moving. Shards always hold the former.",
    )


@dataclass(frozen=True, slots=True)
class FileArguments:
    """Options of `prep modality` for single files."""

    depth_file: Path | None = option(
        None, metavar="FILE", help="A depth file; --out names the result.", panel=_ON_FILES
    )
    raw_depth_file: Path | None = option(
        None,
        metavar="FILE",
        help="The depth as it was measured, where --depth-file has its holes filled: surfaces are then fitted to what "
        "was measured, as in the published HHA.",
        panel=_ON_FILES,
    )
    depth_unit: str | None = option(
        None,
        metavar="UNIT",
        help=f"What its numbers are: {DEPTH_UNIT_NAMES}.",
        panel=_ON_FILES,
    )
    image_file: Path | None = option(None, metavar="FILE", help="The image.", panel=_ON_FILES)
    nir_file: Path | None = option(None, metavar="FILE", help="The near infrared.", panel=_ON_FILES)
    camera: tuple[float, float, float, float] | tuple[float, float, float, float, float] | None = option(
        None,
        metavar="FX,FY,CX,CY[,BASELINE]",
        accept=finite("FX,FY,CX,CY or FX,FY,CX,CY,BASELINE, all of them finite numbers"),
        help="Intrinsics in pixels whose centres lie at integers, the first at 0,0; the baseline in metres for "
        "disparity.",
        panel=_ON_FILES,
    )

    @property
    def paths(self) -> dict[str, Path]:
        """The files that were named, by the column that they stand for."""
        depths = {"depth": self.depth_file, "raw_depth": self.raw_depth_file}
        named = depths | {"image": self.image_file, "nir": self.nir_file}
        return {name: path for name, path in named.items() if path is not None}
