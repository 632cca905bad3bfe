"""Making the columns that a sample lacks, by the preparation's own steps with the parameters of the training."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from segprep.datasets.catalog import CATALOG
from segprep.datasets.codes import Code, DepthCode, SmsnetFlowCode, code_from_json
from segprep.datasets.codes.depth_units import depth_unit
from segprep.datasets.errors import ConfigurationError, MissingInputError
from segprep.datasets.json_values import as_json
from segprep.datasets.program.tables import Place, from_table
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict, Sample, scale_map
from segprep.datasets.shards.columns import ArraySpec
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import Scene
from segprep.prep.motion.flow_steps import MotionImage, OpticalFlow
from segprep.prep.resizing.columns import TargetSize
from segprep.prep.resizing.resample import resample
from segprep.prep.step import Absent, Origin, Step
from segprep.train.predict.columns import kind_of_values, takes

__all__ = ["Preparation", "fitted", "plan_preparation"]

_FLOW: Final = "flow"
_OPTICAL_FLOW: Final = "optical_flow"
_CAMERA: Final = "camera"


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a sample is brought to what a network takes.

    Attributes:
        steps: Make the columns that it lacks, in this order.
        reads: What must be there for them beside the network's own columns: `image`, `previous`, `depth`, `camera`.
        guessed: Sentences: what nobody had said.
        depth: The code that depth of files was kept in before anything was made from it; None for as it is.
    """

    steps: tuple[Step, ...] = ()
    reads: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    depth: DepthCode | None = None

    def prepared(self, sample: Sample, size: tuple[int, int]) -> Sample:
        """Return a sample at the network's (width, height), with the columns that are made.

        As in a workspace, columns are resized first; what steps make is coded and decoded before others build on it,
        so that the same pixels come out.

        Raises:
            MissingInputError: If what a step needs is absent.
            SegprepError: As the steps.
        """
        found = fitted(sample, size)
        if self.depth is not None:
            found = _kept(found, "depth", self.depth)
        for step in self.steps:
            from_source = any(each.origin is Origin.SOURCE for each in step.inputs)
            if isinstance(step, OpticalFlow) and from_source:
                step = replace(step, source_to=TargetSize(size=size))
            try:
                cells = step(sample if from_source else found)
            except Absent as error:
                raise MissingInputError(f"{step.outputs[0].name} cannot be made: {error}") from error
            for column in step.outputs:
                cell = cells[column.name]
                if isinstance(cell.values, dict) or column.code is None:
                    continue
                arrays = {**found.arrays, column.name: cell.values}
                kind = kind_of_values(column.kind, column.code)
                valid = dict(found.valid) if cell.valid is None else {**found.valid, column.name: cell.valid}
                found = replace(found, arrays=arrays, kinds={**found.kinds, column.name: kind}, valid=valid)
                found = _kept(found, column.name, column.code)
        return found


def fitted(sample: Sample, size: tuple[int, int]) -> Sample:
    """Return a sample at another (width, height): each column by the rule of its kind, the camera with them.

    Raises:
        CodeRangeError: If a column is a picture for the eye whose values cannot be read from it.
    """
    arrays, valid = {}, {}
    for name, array in sample.arrays.items():
        arrays[name], mask = resample(array, sample.valid.get(name), sample.kinds[name], size)
        if mask is not None:
            valid[name] = mask
    camera = sample.camera
    if camera is not None:
        camera = camera.transformed(scale_map((camera.width, camera.height), size), *size)
    return replace(sample, arrays=arrays, valid=valid, camera=camera)


def plan_preparation(
    columns: Sequence[ArraySpec],
    given: Collection[str],
    provenance: Mapping[str, Any],
    unit: str | None = None,
) -> Preparation:
    """Return how the columns that are not given are made.

    Args:
        columns: What the network takes.
        given: Columns that are there, `camera` among them.
        provenance: Where the samples of the training came from, as their store said.
        unit: Of the depth files, if depth comes from files of people's own.

    Raises:
        ConfigurationError: If one of them cannot be made; says what it must hold.
    """
    makers = _Makers(columns, given, provenance)
    for column in columns:
        makers.need(column.name)
    reads = tuple(name for name in makers.reads if name not in {column.name for column in columns})
    code = depth_unit(unit)[1] if unit is not None and "depth" in given else None
    kept = getattr(code, "kept_as", None)
    return Preparation(tuple(makers.steps.values()), reads, tuple(makers.guessed), kept if makers.steps else None)


class _Makers:
    """Finds for each column the step that makes it, and what that step builds on."""

    def __init__(self, columns: Sequence[ArraySpec], given: Collection[str], provenance: Mapping[str, Any]) -> None:
        self._columns = {column.name: column for column in columns}
        self._given = given
        self._commands: Mapping[str, JsonDict] = provenance.get("commands") or {}
        self._dataset = provenance.get("dataset")
        self.steps: dict[str, Step] = {}
        self.reads: dict[str, None] = {}
        self.guessed: list[str] = []

    def need(self, name: str, needed_by: str = "") -> None:
        """Take a column as it is, or find what makes it."""
        if name in self._given:
            self.reads[name] = None
            return
        if name in self.steps:
            return
        step = self._step(name, needed_by)
        for each in step.inputs:
            if not each.optional or each.name in self._given:
                self.need(each.name, name)
        self.steps[name] = step
        self._check(name, step)

    def _step(self, name: str, needed_by: str) -> Step:
        column = self._columns.get(name)
        if name == _OPTICAL_FLOW:
            return self._optical_flow(needed_by)
        if column is not None and isinstance(code := code_from_json(column.code), SmsnetFlowCode):
            return self._motion_image(column, code)
        if name in MODALITIES.names():
            return self._modality(name)
        raise self._missing(name, needed_by)

    def _missing(self, name: str, needed_by: str) -> ConfigurationError:
        if name == _CAMERA:
            return ConfigurationError(f"{needed_by} is made with the camera: say --camera FX,FY,CX,CY, in pixels")
        what = f": {takes(self._columns[name])}" if name in self._columns else ""
        by = f", from which {needed_by} is made" if needed_by else ", which no step makes"
        return ConfigurationError(f"there is no column {name!r}{by}{what}. Give it with --columns {name}=DIR")

    def _modality(self, name: str) -> Step:
        member = MODALITIES.load(name)
        said = self._commands.get(f"modality {name}")
        if said is None:
            said = self._as_described(name)
            self.guessed.append(f"how {name} was made is not recorded: made as the column describes it")
        range_m = CATALOG.load(self._dataset).SPEC.depth_range if self._dataset in CATALOG.names() else None
        step: Step = member.build(from_table(member.Arguments, said, Place(f"modality {name}")), Scene(range_m))
        return step

    def _as_described(self, name: str) -> JsonDict:
        """Return the arguments that follow from the column's own attributes and code."""
        column = self._columns.get(name)
        if column is None:
            return {}
        about, code = column.attributes, column.code
        said: JsonDict = {"depth": about.get("source", "depth")}
        if name == "hha":
            said |= {"preset": about.get("preset"), "gravity": about.get("gravity", "estimate")}
        if name == "jet":
            said["quantity"] = about.get("quantity", "depth")
            shares = str(about.get("per_image", "no")).removeprefix("percentiles ").split(" to ")
            if len(shares) == 2:
                said["percentiles"] = [float(each) for each in shares]
            elif said["quantity"] == "disparity":
                said |= {"near": 1 / code["high"], "far": 1 / code["low"]}
            else:
                said |= {"near": code["low"], "far": code["high"]}
        return {key: value for key, value in said.items() if value is not None}

    def _optical_flow(self, needed_by: str) -> Step:
        said = self._commands.get(_FLOW, {})
        if said.get("estimator") == "precomputed":
            raise ConfigurationError(
                "the optical flow of the training came from files of another program: give it with "
                f"--columns {_OPTICAL_FLOW}=DIR"
            )
        if not said:
            self.guessed.append("how the optical flow was made is not recorded: made by dis, with its check")
        column = self._columns.get(needed_by) or self._columns.get(_OPTICAL_FLOW)
        direction = Direction((column.attributes if column else {}).get("direction", Direction.PREVIOUS))
        to = TargetSize() if said.get("at") == "source" else None  # the size is set when it is known
        return OpticalFlow(said.get("estimator", "dis"), said.get("preset"), direction, said.get("check", True), to)

    def _motion_image(self, column: ArraySpec, code: SmsnetFlowCode) -> Step:
        direction = Direction(column.attributes.get("direction", Direction.PREVIOUS))
        ego = "ego_flow" in str(column.attributes.get("source", ""))
        if ego and "ego_flow" not in self._given:
            raise ConfigurationError(
                f"column {column.name!r} is made of optical minus ego flow, which needs depth and the camera's poses: "
                "let `prep flow` make it, and predict the workspace"
            )
        return MotionImage(code, direction, ego, column.name)

    def _check(self, name: str, step: Step) -> None:
        """Refuse to make something else than the network was trained on."""
        wanted = self._columns.get(name)
        made = next(column for column in step.outputs if column.name == name)
        if wanted is None or made.code is None:
            return
        if as_json(made.code.to_json()) != wanted.code or dict(made.attributes) != wanted.attributes:
            raise ConfigurationError(
                f"column {name!r} would be made as {made.code.to_json()} {dict(made.attributes)}, but the network was "
                f"trained on {wanted.code} {wanted.attributes}: give it with --columns {name}=DIR"
            )


def _kept(sample: Sample, name: str, code: Code) -> Sample:
    """Return a sample with a column as its code keeps it."""
    encoded = code.encode(sample.arrays[name], sample.valid.get(name))
    values, valid = code.decode(encoded.stored, encoded.valid)
    masks = dict(sample.valid) if valid is None else {**sample.valid, name: valid}
    return replace(sample, arrays={**sample.arrays, name: values}, valid=masks)
