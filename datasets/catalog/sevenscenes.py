"""Microsoft's 7-Scenes and recordings in its layout: a colour image, a depth image and a pose per frame."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from segprep.datasets.catalog._common.broken_files import BrokenFiles
from segprep.datasets.catalog._common.calibration_files import CAMERA_FILES, AssumedCamera, find_camera
from segprep.datasets.catalog._common.found_classes import UNLABELLED
from segprep.datasets.catalog._common.intrinsics import intrinsic_matrix
from segprep.datasets.catalog._common.recordings import assumed_rate
from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.catalog._common.trajectories import read_pose
from segprep.datasets.catalog._common.trajectory_files import TRAJECTORY_FILES, find_poses
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import DepthCode, PlainCode
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, SampleRecord, SourceFile, link_neighbours
from segprep.datasets.sample import Camera, JsonDict, Pose, make_key

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="7-Scenes (Microsoft Research), RGB-D",
    layout=f"""\
ROOT/<scene>/seq-<NN>/frame-<NNNNNN>.color.png, .depth.png, .pose.txt   (or ROOT/seq-<NN>/..., or the frames in ROOT)
ROOT/<scene>/TrainSplit.txt, TestSplit.txt      optional: "sequence1" per line; without them all is in train
{CAMERA_FILES}
                                                optional, beside the frames, the sequences or the scenes: 3x3, or
                                                "fx fy cx cy", JSON or YAML
where no frame has a pose.txt: beside the frames, a pose for each in their order, or by their names, in the first of
{TRAJECTORY_FILES}""",
    columns=("image", "depth", "camera", "previous", "next"),
    licence="Microsoft Research's, for non-commercial use; it lies beside the data",
    citation=(
        "Shotton, Glocker, Zach, Izadi, Criminisi, Fitzgibbon: Scene coordinate regression forests for camera "
        "relocalization in RGB-D images. CVPR 2013"
    ),
    max_gap=0.2,
    depth_range=(0.4, 5.0),
)

_FRAME_RATE: Final = 30.0
_FRAME: Final = re.compile(r"frame-(?P<digits>\d+)\.(?P<part>color|depth)\.(?:png|jpe?g)", re.IGNORECASE)
_SEQUENCE: Final = re.compile(r"seq-(?P<number>\d+)")
_SPLIT_LISTS: Final = (("train", "TrainSplit.txt"), ("test", "TestSplit.txt"))
_INTRINSICS: Final = "camera-intrinsics.txt"

# The depth camera's, as the data set's page gives them; those of the colour camera, a few pixels beside, are not known.
_CAMERA: Final = Camera(intrinsic_matrix(585, 585, 320, 240), 640, 480)

_ROOM: Final = 0.2
"""What is rendered is a street: made so small, it is of the size of a room."""

_ROOM_CODE: Final = DepthCode(0.001 / _ROOM, far_code=False)

_PARTS: Final[Mapping[str, tuple[str, Kind, JsonDict]]] = {
    "color": ("image", Kind.IMAGE, PlainCode().to_json()),
    "depth": ("depth", Kind.DEPTH, DepthCode(0.001, far_code=False).to_json()),
}


def class_map(source: DatasetSource) -> ClassMap:
    """Return a single class that nothing uses: there are no labels."""
    _sequences(source.root)
    return UNLABELLED


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the frames of all sequences; those whose pose is missing, NaN, infinite or broken have none."""
    root = source.root
    splits: dict[Path, dict[int, str]] = {}
    broken = BrokenFiles()
    for folder in _sequences(root):
        splits.setdefault(folder.parent, _splits(folder.parent))
        match = _SEQUENCE.fullmatch(folder.name) if folder != root else None
        split = "train" if match is None else splits[folder.parent].get(int(match["number"]), "train")
        yield from link_neighbours(_scan_sequence(source, folder, split, broken), direction, SPEC.max_gap)
    broken.tell(source.notices)


def write_miniature(root: Path, frames: int) -> None:
    """Write two rendered sequences of a scene, the second to test on."""
    from segprep.datasets.catalog._common.miniature import depth_picture, number_line, rendered_recordings, write_lines
    from segprep.datasets.imageio import write_image

    scene = root / "street"
    for number, recording in enumerate(rendered_recordings(("seq-01", "seq-02"), frames), 1):
        for index, frame in enumerate(recording.frames()):
            stem = f"{recording.name}/frame-{index:06d}"
            write_image(scene / f"{stem}.color.png", frame.rgb_HWC)
            write_image(scene / f"{stem}.depth.png", depth_picture(frame, _ROOM_CODE))
            pose = frame.pose.matrix.copy()
            pose[:3, 3] *= _ROOM
            write_lines(scene / f"{stem}.pose.txt", map(number_line, pose))
        write_lines(scene / _SPLIT_LISTS[number - 1][1], [f"sequence{number}"])
        write_lines(scene / _INTRINSICS, map(number_line, recording.camera.K))


def _sequences(root: Path) -> list[Path]:
    """Return the folders that hold frames."""
    if _frame_files(root):
        return [root]
    scenes = [root, *_folders(root)]
    found = [folder for scene in scenes for folder in _folders(scene) if _SEQUENCE.fullmatch(folder.name)]
    with_frames = [folder for folder in found if _frame_files(folder)]
    if not with_frames:
        raise DatasetNotFoundError(f"{root} has no frames of 7-Scenes; the expected layout is:\n{SPEC.layout}")
    return with_frames


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _frame_files(folder: Path) -> dict[str, dict[str, str]]:
    """Return the digits of each frame to the file names of its parts, in the order of time."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _FRAME.fullmatch(path.name)
        if match is not None:
            found.setdefault(match["digits"], {})[match["part"].lower()] = path.name
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _splits(scene: Path) -> dict[int, str]:
    found: dict[int, str] = {}
    for split, name in _SPLIT_LISTS:
        for line in read_lines(scene / name) or ():
            match = re.fullmatch(r"(?:sequence|seq-?)?\s*(\d+)", line.text)
            if match is None:
                raise line.unreadable(f'a sequence such as "sequence1" is expected, not {line.text[:40]!r}')
            if found.setdefault(int(match[1]), split) != split:
                raise line.unreadable(f"sequence {match[1]} is in split {found[int(match[1])]} already")
    return found


def _scan_sequence(source: DatasetSource, folder: Path, split: str, broken: BrokenFiles) -> Iterator[SampleRecord]:
    root = source.root
    files = _frame_files(folder)
    base = folder.relative_to(root).as_posix()
    prefix, name = ("", "frames") if folder == root else (f"{base}/", base)
    source.notices.append(assumed_rate(_FRAME_RATE, ""))
    camera = _camera(source, folder, [folder / parts["color"] for parts in files.values() if "color" in parts])
    promised = {"color"}.union(*files.values())
    poses = _poses(source, folder, list(files), broken)
    for digits, parts in files.items():
        sources = {}
        for part in sorted(promised):
            column, kind, code = _PARTS[part]
            file = parts.get(part, f"frame-{digits}.{part}.png")
            sources[column] = SourceFile(f"{prefix}{file}", kind, code)
        yield SampleRecord(
            key=make_key(f"{prefix}frame-{digits}".replace("/", "_")),
            split=split,
            sources=sources,
            sequence=name,
            frame=int(digits),
            time=int(digits) / _FRAME_RATE,
            camera=camera,
            pose=poses.get(digits),
        )


def _poses(source: DatasetSource, folder: Path, frames: list[str], broken: BrokenFiles) -> dict[str, Pose | None]:
    """Return the poses of frames, each from a file of its own; if there is none, those of one file for all."""
    files = {digits: folder / f"frame-{digits}.pose.txt" for digits in frames}
    if any(path.exists() for path in files.values()):
        return {digits: broken.read("pose", partial(read_pose, path)) for digits, path in files.items()}
    names = {f"frame-{digits}.color": digits for digits in frames}
    found = find_poses(folder, list(names), None, source.notices)
    return {names[name]: pose for name, pose in found.items()}


def _camera(source: DatasetSource, folder: Path, images: list[Path]) -> Camera | None:
    places = [place for place in (folder, *folder.parents) if place == source.root or source.root in place.parents]
    assumed = AssumedCamera(_CAMERA, "that of the depth camera of 7-Scenes")
    return find_camera(places, images, source.notices, assumed)
