"""The rendered drive of `segprep.datasets.synthetic`, on disk: every modality with known truth."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from segprep.datasets.catalog._common.broken_files import BrokenFiles
from segprep.datasets.catalog._common.files import numbered_files
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import DepthCode, IdCode, PlainCode, RawLabelCode
from segprep.datasets.documents import read_json
from segprep.datasets.errors import DatasetNotFoundError, UnreadableFileError
from segprep.datasets.json_values import is_number
from segprep.datasets.kinds import Kind
from segprep.datasets.notices import Notice
from segprep.datasets.record import Direction, SampleRecord, SourceFile, link_neighbours
from segprep.datasets.sample import Camera, JsonDict, Pose, make_key
from segprep.datasets.source_files import unreadable

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="segprep's rendered drive",
    layout="""\
ROOT/drive.json                                       classes, frame rate
ROOT/<split>/<sequence>/rgb/<frame>.png               and nir/, depth/, label/, instance/ beside it
ROOT/<split>/<sequence>/camera/<frame>.json           K, pose, time""",
    columns=("image", "label", "instance", "depth", "nir", "camera", "previous", "next"),
    licence="Apache-2.0, made by segprep",
    citation="",
    max_gap=0.2,
    depth_range=(2.0, 80.0),
)

_PARTS = (
    ("image", "rgb", Kind.IMAGE, PlainCode().to_json()),
    ("label", "label", Kind.LABEL, RawLabelCode().to_json()),
    ("instance", "instance", Kind.INSTANCE, IdCode(bits=16).to_json()),
    ("depth", "depth", Kind.DEPTH, DepthCode(scale_m=0.005).to_json()),
    ("nir", "nir", Kind.NIR, PlainCode(channels=()).to_json()),
)


def class_map(source: DatasetSource) -> ClassMap:
    """Return the classes that `drive.json` lists."""
    return ClassMap.from_json(_header(source.root).get("class_map", {}))


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield all frames of all sequences, with cameras and poses, linked to their neighbours."""
    root = source.root
    _header(root)
    broken = BrokenFiles()
    records = [
        record
        for split in sorted(p for p in root.iterdir() if p.is_dir())
        for sequence in sorted(p for p in split.iterdir() if p.is_dir())
        for record in _scan_sequence(root, sequence, source.notices, broken)
    ]
    if not records:
        raise DatasetNotFoundError(f"{root} has no rgb images; the expected layout is:\n{SPEC.layout}")
    broken.tell(source.notices)
    yield from link_neighbours(records, direction, SPEC.max_gap)


def write_miniature(root: Path, frames: int) -> None:
    """Render a drive at 512x256, a quarter of the frames (at least one) in a second sequence to validate on."""
    from segprep.datasets.synthetic import write_drive

    validation = max(1, frames // 4)
    write_drive(root, splits={"train": frames - validation, "val": validation}, width=512, height=256, seed=0)


def _header(root: Path) -> JsonDict:
    path = root / "drive.json"
    try:
        header: JsonDict = read_json(path)
        if not isinstance(header, dict):
            raise TypeError("it holds no JSON object")
    except (OSError, TypeError, ValueError) as error:
        raise DatasetNotFoundError(
            f"{root} is no rendered drive ({path.name}: {error}); the expected layout is:\n{SPEC.layout}\n"
            "Render one with `prep init synthetic --miniature DIR`"
        ) from error
    return header


def _scan_sequence(root: Path, sequence: Path, notices: list[Notice], broken: BrokenFiles) -> Iterator[SampleRecord]:
    split = sequence.parent.name
    for stem in sorted(numbered_files(sequence / "rgb", notices)):
        base = sequence.relative_to(root).as_posix()
        sources = {
            column: SourceFile(f"{base}/{folder}/{stem}.png", kind, code)
            for column, folder, kind, code in _PARTS
            if (sequence / folder).is_dir()
        }
        camera_file = sequence / "camera" / f"{stem}.json"
        known = broken.read("camera", partial(_camera, camera_file)) if camera_file.exists() else None
        time, camera, pose = known or (None, None, None)
        yield SampleRecord(
            key=make_key(f"{split}_{sequence.name}_{stem}"),
            split=split,
            sources=sources,
            sequence=f"{split}/{sequence.name}",
            frame=int(stem),
            time=time,
            camera=camera,
            pose=pose,
        )


def _camera(path: Path) -> tuple[float | None, Camera, Pose | None]:
    try:
        data = read_json(path)
        time = data.get("time")
        if time is not None and not is_number(time):
            raise TypeError(f"time is {time!r}")
        return time, Camera.from_json(data), Pose(data["pose"]) if "pose" in data else None
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableFileError(f"{path} is no camera of a rendered drive ({error!r}): render it again") from error
