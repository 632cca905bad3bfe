"""What `prep flow` makes: optical flow, ego flow, and SMSnet's motion image, from the command's arguments."""

from typing import Final

from segprep.datasets.codes import SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace import Workspace
from segprep.flow.estimators import ESTIMATORS
from segprep.flow.flow_files import FlowFormat, check_pattern
from segprep.prep.motion.ego_steps import EGO_MODES, EgoFlow
from segprep.prep.motion.flow_steps import MotionImage, OpticalFlow, PrecomputedFlow
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.step import Step
from segprep.workflows.ledger.database import Ledger

__all__ = ["FLOW_DEFAULTS", "flow_steps", "workspace_target"]

FLOW_DEFAULTS: Final[JsonDict] = {
    "scale": 6.4,
    "estimator": "dis",
    "preset": None,
    "check": True,
    "at": "workspace",
    "pattern": None,
    "flow_format": "auto",
    "flow_direction": None,
    "flow_size": None,
    "ego": None,
    "raw_image": False,
}
"""Arguments of `prep flow`."""


def flow_steps(workspace: Workspace, ledger: Ledger, arguments: JsonDict) -> list[Step]:
    """Return the steps of `prep flow`.

    Raises:
        ConfigurationError: If an argument makes no sense.
        ConflictError: If nothing was resized yet, or the ego motion needs columns that do not exist.
    """
    scale, raw_image = arguments["scale"], arguments["raw_image"]
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < float("inf"):
        raise ConfigurationError(f"the scale must be a number above 0, not {scale!r}")
    if not isinstance(raw_image, bool):
        raise ConfigurationError(f"raw_image is true or false, not {raw_image!r}")
    direction = workspace.config.neighbour
    code = SmsnetFlowCode(float(scale))
    steps: list[Step] = [_optical_flow(ledger, direction, arguments)]
    mode = _ego_mode(ledger, arguments["ego"])
    if mode != "none":
        steps.append(EgoFlow(mode, direction))  # type: ignore[arg-type]  # one of EGO_MODES
    steps.append(MotionImage(code, direction, ego=mode != "none"))
    if raw_image:
        if mode == "none":
            raise ConfigurationError(
                "--raw-image adds the unsubtracted flow; without ego flow column flow is just that"
            )
        steps.append(MotionImage(code, direction, ego=False, column="raw_flow"))
    return steps


def _optical_flow(ledger: Ledger, direction: Direction, arguments: JsonDict) -> Step:
    if arguments["at"] not in ("workspace", "source"):
        raise ConfigurationError(f"flow can be computed at workspace or source, not {arguments['at']!r}")
    if not isinstance(arguments["check"], bool):
        raise ConfigurationError(f"check is true or false, not {arguments['check']!r}")
    if arguments["estimator"] == "precomputed":
        return _precomputed(ledger, direction, arguments)
    if arguments["pattern"] is not None:
        raise ConfigurationError("--pattern names files of flow: it goes with --estimator precomputed")
    ESTIMATORS.load(arguments["estimator"]).config_from(arguments["preset"])  # wrong names are told now, not per sample
    source_to = workspace_target(ledger) if arguments["at"] == "source" else None
    return OpticalFlow(arguments["estimator"], arguments["preset"], direction, arguments["check"], source_to)


def _precomputed(ledger: Ledger, direction: Direction, arguments: JsonDict) -> Step:
    pattern, size = arguments["pattern"], arguments["flow_size"]
    if not pattern:
        raise ConfigurationError("--estimator precomputed needs --pattern, such as 'flow/{split}/{stem}.flo'")
    check_pattern(pattern)
    if arguments["flow_format"] not in list(FlowFormat):
        raise ConfigurationError(
            f"there is no flow format {arguments['flow_format']!r}. Known: {', '.join(FlowFormat)}"
        )
    if arguments["flow_direction"] != direction:
        said = arguments["flow_direction"]
        raise ConfigurationError(
            f"say where the files' vectors point with --flow-direction {direction}"
            + (f"; this workspace pairs each frame with its {direction} one, not with the {said} one" if said else "")
        )
    return PrecomputedFlow(
        pattern,
        str(FlowFormat(arguments["flow_format"])),
        direction,
        workspace_target(ledger),
        None if size is None else (int(size[0]), int(size[1])),
    )


def workspace_target(ledger: Ledger) -> TargetSize:
    """Return the size that `prep resize` made.

    Raises:
        ConflictError: If it was not run yet.
    """
    row = ledger.columns().get("image")
    if row is None:
        raise ConflictError("the size of the workspace is not known: run `prep resize` first")
    size = row.arguments["size"]
    return TargetSize(row.arguments["factor"], None if size is None else (size[0], size[1]))


def _ego_mode(ledger: Ledger, given: object) -> str:
    if given is None:
        columns = ledger.columns()
        depth = columns.get("depth")
        # Laser points leave most pixels without ego flow and the motion image nearly empty: only if it is asked for.
        dense = depth is not None and ("source", "points") not in depth.column.attributes
        return "pose" if ledger.has_motions() and dense and "camera" in columns else "none"
    if given not in (*EGO_MODES, "none"):
        raise ConfigurationError(f"the ego motion can be {', '.join(EGO_MODES)} or none, not {given!r}")
    return str(given)
