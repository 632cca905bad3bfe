"""`prep modality` on single files, without a workspace."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes, remove_partials_of
from segprep.datasets.codes import DepthCode, DepthFileCode, IdCode, PlainCode
from segprep.datasets.codes.depth_units import depth_unit
from segprep.datasets.errors import (
    ConfigurationError,
    MissingInputError,
    SegprepError,
    SizeMismatchError,
    UnreadableFileError,
)
from segprep.datasets.imageio import decode_image
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import About, Notice
from segprep.datasets.program.layers import COMMAND_LINE
from segprep.datasets.program.tables import from_table
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, SampleKey
from segprep.datasets.source_files import read_file
from segprep.datasets.workspace.cells import Cell, Column, decode_file, decode_source, encode_cell
from segprep.prep.inspection.camera_doubts import camera_doubts
from segprep.prep.inspection.depth_doubts import Reading, depth_doubts
from segprep.prep.inspection.doubts import Doubt
from segprep.prep.inspection.facts import measure_distances
from segprep.prep.inspection.seen_depth import range_text, seen_depth
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._depth_input import FILLED, MEASURED
from segprep.prep.modalities._member import ModalityMember, Scene
from segprep.prep.resizing.depth import DISPARITY_DEPTH, depth_from_disparity, refuse_implausible
from segprep.prep.step import Absent, Input, Step
from segprep.workflows.running.inputs import Loaded, SampleInputs
from segprep.workflows.stages.arguments import FileArguments
from segprep.workflows.stages.modality import declared_options

__all__ = ["FileCall", "run_on_files"]

_DEPTH: Final = "depth"
_PICTURES: Final = {"image": Kind.IMAGE, "nir": Kind.NIR}
_CAMERA: Final = Column("camera", Kind.CAMERA, None)


@dataclass(frozen=True, slots=True)
class FileCall:
    """A call.

    Attributes:
        stages: Name of each modality to what the command line says about it, what the others build on first.
        given: The files, and what is known of them.
        out: The file to write; of several modalities a folder.
        tell: Gets which depth was seen, and what looks wrong.
    """

    stages: Mapping[str, JsonDict]
    given: FileArguments
    out: Path | None
    tell: Callable[[str], None]


def run_on_files(call: FileCall) -> list[Path]:
    """Make the modalities of one picture and write them.

    One modality is written to `out`, several to the folder `out` as <name>.png. A mask, and whatever else a modality
    makes, lies beside: <name>_valid.png, and for depth_filled <name>_measured.png.

    Returns:
        The files.

    Raises:
        ConfigurationError: If something that is needed was not said, or a quantity cannot be as it is read.
        UnreadableFileError: If a file is damaged, or what it holds is of no use.
        WriteFailedError: If the results cannot be written.
    """
    out = _checked_out(call)
    inputs = SampleInputs(SampleKey("files"), _refuse)
    columns = {}
    for column, cell in (*_pictures(call), *_depth_and_camera(call)):
        inputs.keep(column, cell)
        if column.kind is not Kind.CAMERA:
            columns[column.name] = column
    results: list[tuple[Path, bytes]] = []
    for name, given in _from_what_was_filled(call).items():
        member: ModalityMember = MODALITIES.load(name)
        step = member.build(from_table(member.Arguments, given, COMMAND_LINE), Scene(columns=columns))
        cells = _made(name, step, inputs, call.given.paths.values())
        main = out if len(call.stages) == 1 else out / f"{name}.png"
        for number, column in enumerate(step.outputs):
            place = main if not number else main.with_name(f"{main.stem}_{column.name.rpartition('_')[2]}.png")
            stored = encode_cell(column, SampleKey(name), cells[column.name])
            paths = [place, place.with_name(f"{place.stem}_valid.png")]
            results += [(path, data) for path, (_, data) in zip(paths, stored.files, strict=False)]
            inputs.keep(column, stored.cell)
            columns[column.name] = column
    for path, data in results:
        remove_partials_of(path)
        atomic_write_bytes(path, data)
    return [path for path, _ in results]


def _from_what_was_filled(call: FileCall) -> Mapping[str, JsonDict]:
    """Return the stages, which work on the depth without holes where the one with holes is given beside it."""
    if call.given.raw_depth_file is None:
        return call.stages
    if FILLED in call.stages:
        raise ConfigurationError("--raw-depth-file says that --depth-file has no holes left to fill: omit --fill")
    takers = {name for name in call.stages if any(each.name == "depth" for each in declared_options(name))}
    return {name: {"depth": FILLED} | given if name in takers else given for name, given in call.stages.items()}


def _refuse(each: Input) -> Loaded | None:
    """Say how an input is given that was not; a step does without optional ones."""
    if each.optional:
        return None
    if each.name == _CAMERA.name:
        raise ConfigurationError("needs the camera: --camera FX,FY,CX,CY")
    may_be_named = each.name in (_DEPTH, *_PICTURES)
    remedy = f"--{each.name}-file FILE" if may_be_named else "make it by the same command, or omit --depth"
    raise ConfigurationError(f"needs {each.name}: {remedy}")


def _made(name: str, step: Step, inputs: SampleInputs, files: Iterable[Path]) -> Mapping[str, Cell]:
    """Do a step; what it complains about is said of the files."""
    try:
        sample = inputs.sample(step)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name} {error}") from error
    try:
        return step(sample)
    except Absent as nothing:
        raise ConfigurationError(f"{name}: {nothing}") from nothing
    except SegprepError as error:
        raise type(error)(f"{', '.join(map(str, files))}: {error}") from error


def _pictures(call: FileCall) -> Iterator[tuple[Column, Cell]]:
    for name, kind in _PICTURES.items():
        if name in call.given.paths:
            path = call.given.paths[name]
            picture = decode_image(_bytes(path), path, palette_colors=True)
            channels = ("red", "green", "blue") if kind is Kind.IMAGE else ()
            code = PlainCode(channels, 16 if picture.dtype == np.uint16 else 8)
            yield Column(name, kind, code), _decoded(path, kind, code.to_json())


def _depth_and_camera(call: FileCall) -> Iterator[tuple[Column, Cell]]:
    filled, raw = call.given.depth_file, call.given.raw_depth_file
    if filled is None:
        if raw is not None:
            raise ConfigurationError("--raw-depth-file goes with --depth-file, the same depth without holes")
        return
    column, depth_HW, valid_HW, camera = _depth(call, filled)
    if raw is None:
        yield column, Cell(depth_HW, valid_HW)
    else:
        _, raw_HW, measured_HW, _ = _depth(call, raw)
        if raw_HW.shape != depth_HW.shape:
            sizes = [f"{path} is {each.shape[1]}x{each.shape[0]}" for path, each in ((raw, raw_HW), (filled, depth_HW))]
            raise SizeMismatchError(f"{', '.join(sizes)}: they must be of one size")
        yield column, Cell(raw_HW, measured_HW)
        yield replace(column, name=FILLED), Cell(depth_HW, valid_HW)
        yield Column(MEASURED, Kind.MASK, IdCode(8)), Cell(measured_HW.astype(np.uint8))
    if camera is not None:
        _tell_doubts(call, "--camera", camera_doubts(camera, None))
        yield _CAMERA, Cell(camera.to_json())


def _depth(call: FileCall, path: Path) -> tuple[Column, Array, Mask, Camera | None]:
    if call.given.depth_unit is None:
        raise ConfigurationError(f"say what the numbers of {path} are: --depth-unit mm, for example")
    kind, code = depth_unit(call.given.depth_unit)
    source = SourceFile(path.name, kind, code.to_json())
    picture, depth_HW, valid = decode_file(source, _bytes(path), path)
    if valid is None:
        raise UnreadableFileError(f"{path} holds no depth")
    facts = measure_distances(depth_HW, valid, zero_is_far=kind is Kind.DISPARITY, picture=picture)
    height, width = depth_HW.shape
    camera = _camera(call.given.camera, width, height)
    kept_as = code if isinstance(code, DepthCode) else DISPARITY_DEPTH
    if isinstance(code, DepthFileCode):
        kept_as = code.kept_as
    metre_pixels = None
    if kind is Kind.DISPARITY:
        if camera is None or camera.baseline is None:
            raise ConfigurationError("disparity needs the camera and its baseline: --camera FX,FY,CX,CY,BASELINE")
        depth_HW, valid = depth_from_disparity(depth_HW, valid, camera)
        metre_pixels = float(camera.K[0, 0]) * camera.baseline
    refuse_implausible(depth_HW, valid, kept_as, f"{path} was read with --depth-unit {call.given.depth_unit}")
    seen = seen_depth(facts, metre_pixels)
    if seen is not None:
        call.tell(str(Notice(About.SEEN, _DEPTH, range_text([seen.range], source.code))))
        _tell_doubts(call, path, depth_doubts(Reading(_DEPTH, source.code, None, said=True), [seen]))
    return Column(_DEPTH, Kind.DEPTH, kept_as), depth_HW.astype(np.float32), valid, camera


def _tell_doubts(call: FileCall, where: Path | str, doubts: Iterable[Doubt]) -> None:
    """Tell what looks wrong.

    Raises:
        ConfigurationError: If it cannot be.
    """
    for doubt in doubts:
        if doubt.impossible:
            raise ConfigurationError(f"{where}: {doubt.subject}: {doubt.text}")
        call.tell(str(Notice(About.SUSPECT, doubt.subject, doubt.text)))


def _checked_out(call: FileCall) -> Path:
    if call.out is None:
        raise ConfigurationError("say where the result goes: --out FILE, or of several modalities --out FOLDER")
    if len(call.stages) == 1 and call.out.suffix.lower() != ".png":
        raise ConfigurationError(f"results are PNG files, {call.out} is none: --out FILE.png")
    if any(path.absolute() == call.out.absolute() for path in call.given.paths.values()):
        raise ConfigurationError(f"{call.out} is an input: name another file with --out")
    return call.out


def _camera(numbers: Sequence[float] | None, width: int, height: int) -> Camera | None:
    if numbers is None:
        return None
    fx, fy, cx, cy, *baseline = numbers
    return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), width, height, baseline[0] if baseline else None)


def _decoded(path: Path, kind: Kind, code: JsonDict) -> Cell:
    return decode_source(SourceFile(path.name, kind, code), _bytes(path), path)


def _bytes(path: Path) -> bytes:
    try:
        return read_file(path)
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} does not exist") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
