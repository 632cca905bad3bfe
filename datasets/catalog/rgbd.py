"""One's own RGB-D recordings: folders of images and depth with equal names, intrinsics and poses in text files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from segprep.datasets.catalog._common.calibration_files import CAMERA_FILES
from segprep.datasets.catalog._common.files import files_by_stem, what_lies_in
from segprep.datasets.catalog._common.found_classes import UNLABELLED, found_class_map
from segprep.datasets.catalog._common.recordings import SPLIT_LISTS, find_recordings, listed_splits
from segprep.datasets.catalog._common.trajectory_files import TRAJECTORY_FILES
from segprep.datasets.catalog._member import DatasetSource, DatasetSpec
from segprep.datasets.catalog._rgbd.scan import IMAGE_FOLDERS, LABEL_FOLDERS, first_folder, scan_recording
from segprep.datasets.classes import ClassMap
from segprep.datasets.codes import DepthCode
from segprep.datasets.errors import DatasetNotFoundError
from segprep.datasets.record import Direction, SampleRecord, link_neighbours

__all__ = ["SPEC", "class_map", "scan", "write_miniature"]

SPEC = DatasetSpec(
    title="RGB-D recordings of one's own",
    layout=f"""\
ROOT/<recording>/images/<name>.png|jpg   or color/ or rgb/           (or all of it in ROOT: one recording)
ROOT/<recording>/depth/<name>.png        optional: millimetres in 16 bits, 0 and 65535 invalid; or .npy, .pfm, .h5,
                                         .mat ... and --depth-unit
ROOT/<recording>/label/<name>.png        optional, or labels/: ids in one channel, or colours
ROOT/<recording>/                        optional: intrinsics in one of {CAMERA_FILES}:
                                         3x3 or "fx fy cx cy", pixels counted from 0 at the centre of the first; or
                                         Open3D's JSON; or in ROOT for all recordings
ROOT/<recording>/poses.txt               optional: camera to world in metres, a row of 16 or 12 numbers per image; or
                                         the first of {TRAJECTORY_FILES}:
                                         4x4, 3x4, blocks of "i j k" and 4x4, "time tx ty tz qx qy qz qw", COLMAP's
                                         images, NeRF tools' JSON; told by what the file holds
ROOT/<recording>/timestamps.txt          optional: seconds, a row per image; or the names of the images are times;
                                         without both the images are 1/30 s apart
ROOT/<recording>/frames.txt              optional: a name per row, of the images that the rows and blocks are about;
                                         without it all images in order, 2 before 10
{SPLIT_LISTS}""",
    columns=("image", "label", "depth", "camera", "previous", "next"),
    licence="the user's own",
    citation="",
    max_gap=0.2,
    finds_classes=True,
)

_DEPTH: Final = DepthCode(0.001, far_code=False)


def class_map(source: DatasetSource) -> ClassMap:
    """Return one class per id, or per colour, that the labels hold; see `found_class_map` for what is none.

    Every label is read once. Without labels there is a single class that nothing uses.

    Raises:
        DatasetNotFoundError: If there are no recordings, or there are labels and none can be read.
        ConfigurationError: If the labels' values are no classes.
    """
    folders = [first_folder(folder, LABEL_FOLDERS) for folder in _recordings(source.root).values()]
    labels = [folder / name for folder in folders if folder for name in files_by_stem(folder).values()]
    return found_class_map(labels, source) or UNLABELLED


def scan(source: DatasetSource, direction: Direction) -> Iterator[SampleRecord]:
    """Yield the images of all recordings."""
    recordings, splits = _recordings(source.root), listed_splits(source.root)
    for name, folder in recordings.items():
        records = scan_recording(source, name, folder, splits.get(name, "train"), _DEPTH)
        yield from link_neighbours(records, direction, SPEC.max_gap)


def write_miniature(root: Path, frames: int) -> None:
    """Write two rendered recordings with labels, the second, in the other variant of the files, to validate on."""
    from segprep.datasets.catalog._common.miniature import (
        depth_picture,
        number_line,
        rendered_recordings,
        write_lines,
        write_pinhole_json,
    )
    from segprep.datasets.imageio import write_image

    first, second = rendered_recordings(("street", "yard"), frames)
    for recording, pictures in ((first, "images"), (second, "color")):
        folder, rows, blocks = root / recording.name, [], []
        for index, frame in enumerate(recording.frames()):
            write_image(folder / pictures / f"{index}.png", frame.rgb_HWC)
            write_image(folder / "depth" / f"{index}.png", depth_picture(frame, _DEPTH))
            write_image(folder / "label" / f"{index}.png", frame.label_HW)
            rows.append(number_line(frame.pose.matrix.ravel()))
            blocks += [f"{index} {index} {index + 1}", *map(number_line, frame.pose.matrix)]
        if recording is first:
            write_lines(folder / "K.txt", map(number_line, recording.camera.K))
            write_lines(folder / "poses.txt", rows)
        else:
            write_pinhole_json(folder / "camera.json", recording.camera)
            write_lines(folder / "trajectory.log", blocks)
    write_lines(root / "val.txt", [second.name])


def _recordings(root: Path) -> dict[str, Path]:
    found = find_recordings(root, lambda folder: first_folder(folder, IMAGE_FOLDERS) is not None)
    if not found:
        named = (place / name for place in (root, *sorted(root.glob("*"))) for name in IMAGE_FOLDERS)
        folder = next((folder for folder in named if folder.is_dir()), root / IMAGE_FOLDERS[0])
        raise DatasetNotFoundError(
            f"{root} has no folder {', '.join(IMAGE_FOLDERS)} with images: {what_lies_in(folder)}. The expected layout "
            f"is:\n{SPEC.layout}"
        )
    return found
