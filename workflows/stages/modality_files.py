"""`prep modality` on single files, without a workspace."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.atomic import atomic_write_bytes
from segprep.datasets.codes import DepthCode, DepthFileCode, PlainCode
from segprep.datasets.codes.depth_units import depth_unit
from segprep.datasets.errors import ConfigurationError, MissingInputError, SegprepError, UnreadableFileError
from segprep.datasets.imageio import decode_image
from segprep.datasets.kinds import Kind
from segprep.datasets.program.layers import COMMAND_LINE
from segprep.datasets.program.tables import from_table
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import Camera, JsonDict, SampleKey
from segprep.datasets.source_files import read_file
from segprep.datasets.workspace.cells import Cell, Column, decode_source, encode_cell
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import ModalityMember, Scene
from segprep.prep.resizing.depth import DISPARITY_DEPTH, depth_from_disparity, refuse_implausible
from segprep.prep.step import Absent, Input, Step
from segprep.workflows.running.inputs import Loaded, SampleInputs
from segprep.workflows.stages.arguments import FileArguments

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
    """

    stages: Mapping[str, JsonDict]
    given: FileArguments
    out: Path | None


def run_on_files(call: FileCall) -> list[Path]:
    """Make the modalities of one picture and write them.

    One modality is written to `out`, several to the folder `out` as <name>.png. A mask, and whatever else a modality
    makes, lies beside: <name>_valid.png, and for depth_filled <name>_measured.png.

    Returns:
        The files.

    Raises:
        ConfigurationError: If something that is needed was not said.
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
    for name, given in call.stages.items():
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
        atomic_write_bytes(path, data)
    return [path for path, _ in results]


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
    if _DEPTH not in call.given.paths:
        return
    path = call.given.paths[_DEPTH]
    if call.given.depth_unit is None:
        raise ConfigurationError(f"say what the numbers of {path} are: --depth-unit mm, for example")
    kind, code = depth_unit(call.given.depth_unit)
    cell = _decoded(path, kind, code.to_json())
    depth_HW, valid = cell.values, cell.valid
    if isinstance(depth_HW, dict) or valid is None:
        raise UnreadableFileError(f"{path} holds no depth")
    height, width = depth_HW.shape
    camera = _camera(call.given.camera, width, height)
    kept_as = code if isinstance(code, DepthCode) else DISPARITY_DEPTH
    if isinstance(code, DepthFileCode):
        kept_as = code.kept_as
    if kind is Kind.DISPARITY:
        if camera is None or camera.baseline is None:
            raise ConfigurationError("disparity needs the camera and its baseline: --camera FX,FY,CX,CY,BASELINE")
        depth_HW, valid = depth_from_disparity(depth_HW, valid, camera)
    refuse_implausible(depth_HW, valid, kept_as, f"{path} was read with --depth-unit {call.given.depth_unit}")
    yield Column(_DEPTH, Kind.DEPTH, kept_as), Cell(depth_HW.astype(np.float32), valid)
    if camera is not None:
        yield _CAMERA, Cell(camera.to_json())


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
