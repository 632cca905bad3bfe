"""Which file of a recording says where its camera was, and which pose each image has by it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.colmap import is_image_line
from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.catalog._common.timed_poses import UNIT_NAMES, TimedPoses, TimedRow, time_resolution, time_unit
from segprep.datasets.catalog._common.trajectories import nearest_pairs
from segprep.datasets.catalog._common.trajectory_forms import read_trajectory
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.notices import About, Notice
from segprep.datasets.sample import Pose

__all__ = ["TRAJECTORY_FILES", "check_count", "find_poses"]

_FILES: Final = (
    "poses.txt",
    "trajectory.log",
    "groundtruth.txt",
    "CameraTrajectory.txt",
    "trajectory.txt",
    "traj.txt",
    "camera_poses.txt",
    "odometry.txt",
    "odometry.log",
    "images.txt",
    "sparse/0/images.txt",
    "sparse/images.txt",
    "transforms.json",
    "KeyFrameTrajectory.txt",
)

TRAJECTORY_FILES: Final = ", ".join(_FILES)
"""What `find_poses` looks for, the first that is there, as a text to show."""

_COLMAP: Final = "images.txt"
_COARSE_S: Final = 1.5e-3
_MATCHED: Final = 0.9  # of the rows or images, so that rounded times are taken for those of the images
_ROWS_PER_IMAGE: Final = 1.5


def find_poses(
    folder: Path,
    images: Sequence[str],
    times: Mapping[str, float] | None,
    notices: list[Notice],
    usual: str | None = None,
) -> dict[str, Pose | None]:
    """Read the trajectory that lies in a recording's folder, and tell what was taken for what.

    Args:
        folder: Of the recording.
        images: Names without suffix, in the order that the rows of files are about.
        times: Seconds of the images by name, of the clock that a timed trajectory has; None if no file says them.
        notices: Gets what had to be guessed, was put right, or is missing.
        usual: The file that the member's own layout has; it comes before all others.

    Returns:
        Name of an image to its pose; those of which nothing is said are left out.

    Raises:
        UnreadableFileError: If the file is broken, or has another number of rows than there are images.
    """
    names = _FILES if usual is None else (usual, *_FILES)
    found = [name for name in dict.fromkeys(names) if (folder / name).is_file()]
    found = [name for name in found if Path(name).name != _COLMAP or _is_colmap(folder / name)]
    if not found:
        return {}
    trajectory = read_trajectory(folder / found[0])
    if found[1:]:
        text = f"{folder / found[0]} counts, and {', '.join(found[1:])} beside it was not read"
        notices.append(Notice(About.SEEN, "poses", text))
    if trajectory.arbitrary_scale:
        text = f"{trajectory.path} is of a form that knows no metres: its unit is taken for that of depth"
        notices.append(Notice(About.GUESSED, "poses", text))
    if trajectory.rows is not None:
        check_count(trajectory.path, len(trajectory.rows), images)
        return dict(zip(images, trajectory.rows, strict=True))
    if trajectory.numbered is not None:
        if trajectory.numbered and max(trajectory.numbered) >= len(images):
            check_count(trajectory.path, max(trajectory.numbered) + 1, images)
        return {images[index]: pose for index, pose in trajectory.numbered.items()}
    if trajectory.named is not None:
        return _by_name(trajectory.path, trajectory.named, images, notices)
    return _by_time(trajectory.path, trajectory.timed or [], images, times, notices)


def _is_colmap(path: Path) -> bool:
    """Say whether a file of this common name is COLMAP's: others list pictures."""
    return any(map(is_image_line, read_lines(path) or ()))


def check_count(path: Path, rows: int, images: Sequence[str]) -> None:
    """Refuse a file that has not one row for each image.

    Raises:
        UnreadableFileError: If it has another number.
    """
    if rows != len(images):
        raise UnreadableFileError(
            f"{path} is about {rows} images, but there are {len(images)}: name those that it is about in "
            "frames.txt, one per row"
        )


def _by_name(
    path: Path, named: Mapping[str, Pose | None], images: Sequence[str], notices: list[Notice]
) -> dict[str, Pose | None]:
    last = {name: name.replace("\\", "/").rpartition("/")[2] for name in named}
    by_stem = {stem: pose for name, pose in named.items() for stem in (last[name], Path(last[name]).stem)}
    found = {image: by_stem[image] for image in images if image in by_stem}
    if len(found) < len(images):
        first = next(image for image in images if image not in found)
        text = f"{len(found)} of {len(images)} images stand in {path}; the first without: {first}"
        notices.append(Notice(About.SUSPECT if not found else About.SEEN, "poses", text))
    return found


def _by_time(
    path: Path,
    rows: Sequence[TimedRow],
    images: Sequence[str],
    times: Mapping[str, float] | None,
    notices: list[Notice],
) -> dict[str, Pose | None]:
    known = {image: times[image] for image in images if image in times} if times else {}
    if not known:
        return _by_row(path, rows, images, notices)
    unit = time_unit([time for time, _ in rows], list(known.values()))
    timed = TimedPoses.from_rows(rows, unit)
    _tell_repairs(path, timed, unit, notices)
    rounded = _rounded(timed, known)
    if rounded is not None:
        step = time_resolution(timed.times)
        text = f"the times of {path} are those of the images, rounded to {step:g} s: each image has its own row"
        notices.append(Notice(About.SEEN, "times", text))
        return rounded
    answers = {image: timed.at(time) for image, time in known.items()}
    found: dict[str, Pose | None] = {image: pose for image, pose in answers.items() if isinstance(pose, Pose)}
    lacking = Counter(why for why in answers.values() if isinstance(why, str))
    if lacking:
        reasons = ", ".join(f"{count} {why}" for why, count in lacking.items())
        text = f"{len(found)} of {len(images)} images have a pose by {path} ({timed.rate:.3g} rows/s): {reasons}"
        if not found:
            text += ". Are the times of both of the same clock?"
        notices.append(Notice(About.SEEN if 2 * len(found) >= len(images) else About.SUSPECT, "poses", text))
    return found


def _by_row(
    path: Path, rows: Sequence[TimedRow], images: Sequence[str], notices: list[Notice]
) -> dict[str, Pose | None]:
    """Give rows to images whose times nobody says: by numbers that stand for times, or one after another."""
    times = [time for time, _ in rows]
    numbers = {float(image): image for image in images if image.isdecimal()}
    if len(numbers) == len(images) and all(time in numbers for time in times):
        text = f"the first number of each row of {path} is taken for the number that an image is named by"
        notices.append(Notice(About.GUESSED, "poses", text))
        return {numbers[time]: pose for time, pose in rows}
    if len(rows) == len(images):
        text = f"no file says the times of the images: the rows of {path} are taken for theirs, in the order of time"
        notices.append(Notice(About.GUESSED, "poses", text))
        return dict(zip(images, (pose for _, pose in sorted(rows, key=lambda row: row[0])), strict=True))
    text = (
        f"{path} has {len(rows)} rows with times, there are {len(images)} images, and no file says their times: "
        "none has a pose. Write the times into timestamps.txt, a row per image"
    )
    notices.append(Notice(About.SUSPECT, "poses", text))
    return {}


def _tell_repairs(path: Path, timed: TimedPoses, unit: float, notices: list[Notice]) -> None:
    if unit != 1.0:
        notices.append(Notice(About.GUESSED, "times", f"those of {path} are taken for {UNIT_NAMES[unit]}"))
    repairs = []
    if timed.unsorted:
        repairs.append(f"{timed.unsorted} rows stand behind a later one: they are sorted")
    if timed.duplicates:
        repairs.append(f"{timed.duplicates} rows have the time of another: the first of each counts")
    if repairs:
        notices.append(Notice(About.SUSPECT, "times", f"{path}: {'; '.join(repairs)}"))


def _rounded(timed: TimedPoses, times: Mapping[str, float]) -> dict[str, Pose | None] | None:
    """Return image to pose if the rows are the images' own, with times of few digits; None if they are not."""
    step = time_resolution(timed.times)
    if step < _COARSE_S or len(timed.times) > _ROWS_PER_IMAGE * len(times):
        return None
    values = list(times.values())
    shifts = np.array([values[i] - timed.times[j] for i, j in nearest_pairs(values, timed.times, step).items()])
    cut = len(shifts) > 0 and bool(shifts.min() > -1e-6)  # digits are left out: rows are early
    within = nearest_pairs(values, timed.times, (step if cut else step / 2) + 1e-6)
    if len(within) < _MATCHED * max(len(timed.times), min(len(times), len(timed.times))):
        return None
    images = list(times)
    return {images[i]: timed.poses[j] for i, j in within.items()}
