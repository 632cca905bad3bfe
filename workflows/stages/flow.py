"""What `prep flow` makes: optical flow, ego flow, and SMSnet's motion image, from the command's arguments."""

from typing import Literal

from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.record import Direction
from segprep.flow.estimators import ESTIMATORS
from segprep.flow.flow_files import check_pattern
from segprep.prep.motion.ego_steps import EgoFlow
from segprep.prep.motion.flow_steps import MotionImage, OpticalFlow, PrecomputedFlow
from segprep.prep.motion.movable import Movable, find_movable
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.step import Step
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.arguments import FlowArguments

__all__ = ["flow_steps", "workspace_target"]


def flow_steps(table: Table, arguments: FlowArguments) -> list[Step]:
    """Return the steps of `prep flow`.

    Raises:
        ConfigurationError: If an argument makes no sense.
        ConflictError: If nothing was resized yet, or the ego motion needs columns that do not exist.
    """
    direction = table.workspace.config.neighbour
    code = SmsnetFlowCode(arguments.scale)
    steps: list[Step] = [_optical_flow(table, direction, arguments)]
    mode = arguments.ego or _usual_ego_mode(table)
    if mode != "none":
        steps.append(EgoFlow(mode, direction, _movable(table)))
    steps.append(MotionImage(code, direction, ego=mode != "none"))
    if arguments.raw_image:
        if mode == "none":
            raise ConfigurationError(
                "--raw-image adds the unsubtracted flow; without ego flow column flow is just that"
            )
        steps.append(MotionImage(code, direction, ego=False, column="raw_flow"))
    return steps


def _optical_flow(table: Table, direction: Direction, arguments: FlowArguments) -> Step:
    if arguments.estimator == "precomputed":
        return _precomputed(table, direction, arguments)
    if arguments.pattern is not None:
        raise ConfigurationError("--pattern names files of flow: it goes with --estimator precomputed")
    ESTIMATORS.load(arguments.estimator).config_from(arguments.preset)  # wrong names are told now, not per sample
    source_to = workspace_target(table) if arguments.at == "source" else None
    return OpticalFlow(arguments.estimator, arguments.preset, direction, arguments.check, source_to)


def _precomputed(table: Table, direction: Direction, arguments: FlowArguments) -> Step:
    if not arguments.pattern:
        raise ConfigurationError("--estimator precomputed needs --pattern, such as 'flow/{split}/{stem}.flo'")
    check_pattern(arguments.pattern)
    said = arguments.flow_direction
    if said != direction:
        raise ConfigurationError(
            f"say where the files' vectors point with --flow-direction {direction}"
            + (f"; this workspace pairs each frame with its {direction} one, not with the {said} one" if said else "")
        )
    size = workspace_target(table)
    return PrecomputedFlow(arguments.pattern, arguments.flow_format, direction, size, arguments.flow_size)


def workspace_target(table: Table) -> TargetSize:
    """Return the size that `prep resize` made.

    Raises:
        ConflictError: If it was not run yet.
    """
    row = table.ledger.columns().get("image")
    if row is None:
        raise ConflictError("the size of the workspace is not known: run `prep resize` first")
    size = row.arguments["size"]
    return TargetSize(row.arguments["factor"], None if size is None else (size[0], size[1]))


def _movable(table: Table) -> Movable | None:
    """Return what can move by its label, by which it is kept out of the camera's motion; None if nothing is known."""
    label = table.columns().get("label")
    return None if label is None else find_movable(table.workspace.config.class_map, raw=label.holds_raw_ids)


def _usual_ego_mode(table: Table) -> Literal["pose", "none"]:
    columns = table.columns()
    depth = columns.get("depth")
    # Laser points leave most pixels without ego flow and the motion image nearly empty: only if it is asked for.
    dense = depth is not None and ("source", "points") not in depth.attributes
    return "pose" if table.ledger.has_motions() and dense and "camera" in columns else "none"
