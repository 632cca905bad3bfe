"""What `prep motion-labels` makes: one step, from the command's arguments."""

from collections.abc import Sequence

from segprep.datasets.classes import ClassMap
from segprep.datasets.errors import ConfigurationError, ConflictError
from segprep.datasets.workspace.cells import Column
from segprep.flow.flow_files import check_pattern
from segprep.prep.motion.annotation import AnnotationMap
from segprep.prep.motion.label_steps import GivenMotionLabel, MotionLabel
from segprep.prep.motion.labels import MIN_SPEED
from segprep.prep.motion.movable import Movable, find_movable
from segprep.prep.step import Step
from segprep.workflows.ledger.table import Table
from segprep.workflows.stages.arguments import MotionLabelArguments
from segprep.workflows.stages.flow import workspace_target

__all__ = ["motion_label_steps"]


def motion_label_steps(table: Table, arguments: MotionLabelArguments) -> list[Step]:
    """Return the step of `prep motion-labels`.

    Raises:
        ConfigurationError: If an argument makes no sense.
        ConflictError: If nothing was resized yet.
    """
    label = table.columns().get("label")
    void_first = arguments.label_ids == "void0"
    class_map = table.workspace.config.class_map
    pattern, text, given = arguments.annotations, arguments.annotation_map, arguments.movable
    if pattern is None:
        if text is not None:
            raise ConfigurationError("--annotation-map says what the ids of --annotations mean: give both")
        if label is None:
            raise ConflictError(
                "`prep motion-labels` needs column label, which does not exist: run `prep resize` first"
            )
        movable, slowest = _movable(class_map, given, label), arguments.min_speed or MIN_SPEED
        return [MotionLabel(movable, arguments.max_range, slowest, void_first=void_first)]
    check_pattern(pattern)
    if text is None:
        raise ConfigurationError("--annotations needs --annotation-map, such as moving=1,static=0,ignore=255")
    for name in ("max_range", "min_speed"):
        if getattr(arguments, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"{flag} is about judged labels: annotations are taken as they are")
    if given is not None and label is None:
        raise ConflictError("--movable needs column label, which does not exist: run `prep resize` first")
    shown = None if given is None or label is None else _movable(class_map, given, label)
    return [GivenMotionLabel(AnnotationMap.parse(text), workspace_target(table), pattern, shown, void_first)]


def _movable(class_map: ClassMap, given: Sequence[str] | None, label: Column) -> Movable:
    found = find_movable(class_map, given, raw=label.holds_raw_ids)
    if found is None:
        raise ConfigurationError(f"say which classes can move, with --movable: {', '.join(class_map.names)}")
    return found
