"""Depth that cannot be right, and what is missing to use it: calibration and neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segprep.datasets.kinds import Kind
from segprep.prep.inspection.code_evidence import code_evidence
from segprep.prep.inspection.depth_doubts import Reading, depth_doubts
from segprep.prep.inspection.facts import DistanceFacts
from segprep.prep.inspection.seen_depth import SeenDepth, medians_text, seen_depth, usual_text
from segprep.workflows.checks.findings import NEIGHBOURS, Category, CheckedSample, Finding, Severity, columns_of

__all__ = [
    "SeenFile",
    "depth_without_range",
    "implausible_depth",
    "missing_calibration",
    "missing_neighbours",
    "seen_files",
]


@dataclass(frozen=True, slots=True)
class SeenFile:
    """One file of depth or disparity.

    Attributes:
        sample: Whose it is.
        path: Of the file.
        depth: What it shows.
    """

    sample: CheckedSample
    path: str
    depth: SeenDepth


def seen_files(samples: Sequence[CheckedSample]) -> dict[str, list[SeenFile]]:
    """Return all depth and disparity files that show any depth, by column."""
    found: dict[str, list[SeenFile]] = {}
    for sample in samples:
        for name, facts in sample.files.items():
            if facts.distances is None or facts.picture is None:
                continue
            metre_pixels = None
            if facts.kind is Kind.DISPARITY:
                camera = sample.camera
                if camera is None or camera.baseline is None:
                    continue
                # Depth = focal length * baseline / disparity, with the focal length of a picture of this width.
                metre_pixels = camera.focal_length * camera.baseline * facts.picture.width / camera.size[0]
            depth = seen_depth(facts.distances, metre_pixels)
            if depth is not None:
                found.setdefault(name, []).append(SeenFile(sample, facts.path, depth))
    return found


def depth_without_range(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield an error for each file of depth or disparity without any range."""
    for name in columns_of(samples):
        for sample in samples:
            facts = sample.files.get(name)
            if facts is not None and facts.distances is not None and (text := _flat(facts.distances)):
                message = f"{name} {facts.path} {text}"
                yield Finding(
                    Severity.ERROR, Category.DISTANCE, message, (sample.key,), (facts.path,), unfit=(sample.key,)
                )


def implausible_depth(reading: Reading, files: Sequence[SeenFile]) -> Iterator[Finding]:
    """Yield what is wrong with a column of depth or disparity: ranges that no camera sees, signs of another unit.

    If more than half of a column is implausible, that is one finding about the column: its unit is wrong.
    """
    bad = [file for file in files if not file.depth.range.is_plausible()]
    seen = [file.depth for file in files]
    name = reading.column
    if 2 * len(bad) > len(files):
        message = f"{name} is implausible in {len(bad)} of {len(files)} files: {_tell(bad)}"
        evidence = code_evidence(reading.code, seen)
        if evidence is not None:
            message = f"{message}; {evidence[0]}"
        keys = tuple(file.sample.key for file in bad)
        yield Finding(Severity.ERROR, Category.DISTANCE, message, keys, tuple(file.path for file in bad))
        return
    for file in bad:
        message = f"{name} {file.path} is implausible: {_tell([file])}"
        keys = (file.sample.key,)
        yield Finding(Severity.ERROR, Category.DISTANCE, message, keys, (file.path,), unfit=keys)
    for doubt in depth_doubts(reading, seen):
        severity = Severity.ERROR if doubt.impossible else Severity.WARNING
        yield Finding(severity, Category.DISTANCE, f"{doubt.subject}: {doubt.text}")


def _flat(distances: DistanceFacts) -> str | None:
    if distances.percentiles is None:
        return "is infinitely far wherever it is valid" if distances.far else "has no valid pixel"
    if distances.constant:
        return "has the same value in every valid pixel"
    return None


def _tell(files: Sequence[SeenFile]) -> str:
    ranges = [file.depth.range for file in files]
    lowest, highest = min(r.low for r in ranges), max(r.high for r in ranges)
    return (
        f"{medians_text(ranges)}, nearly all from {lowest:.3g} to {highest:.3g} m, where {usual_text(ranges)}. Check "
        "the unit (`prep init ... --depth-unit`), and focal length and baseline of disparities"
    )


def missing_calibration(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield an error for disparities and points that cannot become depth, a warning for depth without a camera."""
    for name in columns_of(samples):
        having = [s for s in samples if name in s.files]
        for kind, severity, why in (
            (Kind.DISPARITY, Severity.ERROR, "no camera with a baseline, without which it is no depth"),
            (Kind.POINTS, Severity.ERROR, "no camera, without which they are no depth"),
            (Kind.DEPTH, Severity.WARNING, "no camera, which motion and surfaces need"),
        ):
            of_kind = [s for s in having if s.files[name].kind is kind]
            lacking = [s for s in of_kind if not _is_calibrated(s, kind)]
            if lacking:
                message = f"{len(lacking)} of {len(of_kind)} samples with {name} have {why}"
                keys = tuple(s.key for s in lacking)
                some = severity is Severity.ERROR and len(lacking) < len(of_kind)
                paths = tuple(s.files[name].path for s in lacking)
                yield Finding(severity, Category.CALIBRATION, message, keys, paths, unfit=keys if some else ())


def _is_calibrated(sample: CheckedSample, kind: Kind) -> bool:
    return sample.camera is not None and (kind is not Kind.DISPARITY or sample.camera.baseline is not None)


def missing_neighbours(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield a note if some samples have a neighbour and others do not."""
    alone = [s for s in samples if not any(name in s.files for name in NEIGHBOURS)]
    if alone and len(alone) < len(samples):
        message = f"{len(alone)} of {len(samples)} samples have no neighbour close in time: there is no flow of them"
        yield Finding(Severity.NOTE, Category.NEIGHBOUR, message, tuple(s.key for s in alone))
