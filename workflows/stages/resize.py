"""What `prep resize` makes of a dataset: one step per source, from the command's arguments."""

from collections.abc import Sequence
from typing import Final

from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import (
    DepthCode,
    DepthFileCode,
    KittiFlowCode,
    PlainCode,
    code_from_json,
    source_code_from_json,
)
from segprep.datasets.codes.depth_units import unit_text
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.workspace.cells import Column
from segprep.prep.labels.resampling import LabelMethod
from segprep.prep.resizing.columns import ResizeCamera, ResizeColumn, TargetSize
from segprep.prep.resizing.depth import ResizeDepth
from segprep.prep.resizing.ids import LabelIds, ResizeInstance, ResizeLabel
from segprep.prep.resizing.points import ProjectPoints
from segprep.prep.step import Step
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.arguments import ResizeArguments

__all__ = ["resize_steps"]

_PARIS_THRESHOLD: Final = 0.75
_PRIORITY_SHARE: Final = 0.25
_PICTURES: Final = (Kind.IMAGE, Kind.NIR, Kind.THERMAL)


def resize_steps(table: Table, arguments: ResizeArguments) -> list[Step]:
    """Return the steps of `prep resize`.

    Raises:
        ConfigurationError: If an argument makes no sense.
    """
    if arguments.factor is None and arguments.size is None:
        raise ConfigurationError("say how large the images shall be: `prep resize --factor N` or `--size WxH`")
    target = TargetSize(arguments.factor, arguments.size)
    class_map, sources = table.workspace.config.class_map, table.ledger.source_columns()
    as_jpeg = arguments.format == "jpg"
    ids = _label_ids(class_map, arguments)
    steps: list[Step] = []
    for name, source in sources.items():
        code = source_code_from_json(source.code)
        match source.kind:
            case Kind.LABEL:
                steps.append(ResizeLabel(ids, target))
            case Kind.INSTANCE:
                steps.append(ResizeInstance(ids, target))
            case Kind.DEPTH if isinstance(code, DepthCode | DepthFileCode):
                kept_as = code if isinstance(code, DepthCode) else code.kept_as
                steps.append(ResizeDepth(name, kept_as, target, class_map, unit_text(source.code)))
            case Kind.DISPARITY if "depth" not in sources:  # measured depth is better than derived
                steps.append(ResizeDepth.of_disparity(target, class_map, unit_text(source.code)))
            case Kind.POINTS if not {"depth", "disparity"} & set(sources):  # dense depth is better than that of points
                steps.append(ProjectPoints(name, target))
            case Kind.DISPARITY | Kind.POINTS:
                continue
            case kind if as_jpeg and kind in _PICTURES and isinstance(code, PlainCode) and code.bits == 8:
                lossy = PlainCode(code.channels, lossy=True)
                steps.append(ResizeColumn(Column(name, kind, lossy), target))
            case Kind.FLOW:  # whatever code it comes in: some of them know one size only
                steps.append(ResizeColumn(Column(name, Kind.FLOW, KittiFlowCode()), target))
            case kind:
                steps.append(ResizeColumn(Column(name, kind, code_from_json(source.code)), target))
    if table.ledger.has_cameras():
        steps.append(ResizeCamera(Column("camera", Kind.CAMERA, None), target))
    return steps


def _label_ids(class_map: ClassMap, arguments: ResizeArguments) -> LabelIds:
    raw = arguments.label_ids == "raw"
    name, threshold, share = arguments.labels, arguments.threshold, arguments.share
    if threshold is None:
        threshold = _PARIS_THRESHOLD if name == "paris" else 0.0
    priority = _ids_of(class_map, arguments.priority or (), raw=raw)
    if share is None:
        share = _PRIORITY_SHARE if name == "priority" else 0.0
    if name == "priority" and not priority:
        raise ConfigurationError(
            f"--labels priority needs --priority with names of classes, of: {', '.join(class_map.names)}"
        )
    void = _void_id(class_map, arguments.void_id) if raw or name == "paris" else IGNORE_ID
    if arguments.void_id is not None and not (raw or name == "paris"):
        raise ConfigurationError("--void-id is a raw id: it goes with --labels paris or --label-ids raw")
    if raw and threshold and void not in class_map.ignored_raw_ids:
        raise ConfigurationError(f"raw id {void} is to stand for void: add it to ignored_raw_ids in prep.toml")
    return LabelIds(class_map, LabelMethod(name, threshold, void, priority, share), raw, arguments.label_ids == "void0")


def _void_id(class_map: ClassMap, given: int | None) -> int:
    if given is None:
        return class_map.void_raw_id
    if any(given in c.raw_ids for c in class_map.classes):
        raise ConfigurationError(f"the void id must be a raw id that is no class's, not {given!r}")
    return given


def _ids_of(class_map: ClassMap, names: Sequence[str], *, raw: bool) -> tuple[int, ...]:
    places = class_map.places_of(names)
    return tuple(i for place in places for i in class_map.classes[place].raw_ids) if raw else places
