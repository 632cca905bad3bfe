"""Depth that cannot be right, and what is missing to use it: calibration and neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segprep.datasets.kinds import Kind
from segprep.prep.inspection.facts import DistanceFacts
from segprep.workflows.checks.findings import NEIGHBOURS, Category, CheckedSample, Finding, Severity, columns_of

__all__ = ["DepthRange", "depth_ranges", "implausible_depth", "missing_calibration", "missing_neighbours"]

_MEDIAN_M = (0.3, 300.0)
_FAR_M = (0.5, 1000.0)  # where the 99th percentile may lie
_FACTORS = (10, 100, 1000, 0.1, 0.01, 0.001)


@dataclass(frozen=True, slots=True)
class DepthRange:
    """Where the depth of one file lies, in metres.

    Attributes:
        sample: Whose it is.
        path: Of the file.
        low: 1st percentile.
        median: 50th percentile.
        high: 99th percentile; infinite for disparities of zero.
        trusts_high: Whether `high` says anything: where disparities are small, a thousandth of a pixel is a kilometre.
    """

    sample: CheckedSample
    path: str
    low: float
    median: float
    high: float
    trusts_high: bool

    def is_plausible(self, factor: float = 1.0) -> bool:
        """Whether it is, multiplied by a factor."""
        within = _MEDIAN_M[0] <= self.median * factor <= _MEDIAN_M[1]
        return within and (not self.trusts_high or _FAR_M[0] <= self.high * factor <= _FAR_M[1])


def depth_ranges(samples: Sequence[CheckedSample]) -> dict[str, list[DepthRange]]:
    """Return the ranges of all depth and disparity files that have one, by column."""
    found: dict[str, list[DepthRange]] = {}
    for sample in samples:
        for name, facts in sample.files.items():
            if facts.distances is None or facts.distances.percentiles is None or facts.picture is None:
                continue
            low, median, high = facts.distances.percentiles
            if facts.kind is Kind.DISPARITY:
                camera = sample.camera
                if camera is None or camera.baseline is None:
                    continue
                # Depth = focal length * baseline / disparity, with the focal length of a picture of this width.
                metre_pixels = camera.focal_length * camera.baseline * facts.picture.width / camera.size[0]
                low, median, high = metre_pixels / high, metre_pixels / median, metre_pixels / low
            each = DepthRange(sample, facts.path, low, median, high, trusts_high=facts.kind is Kind.DEPTH)
            found.setdefault(name, []).append(each)
    return found


def implausible_depth(samples: Sequence[CheckedSample]) -> Iterator[Finding]:
    """Yield an error for each file without any range, and for ranges that no camera sees.

    If more than half of a column is implausible, that is one finding about the column: its unit is wrong.
    """
    ranges = depth_ranges(samples)
    for name in columns_of(samples):
        for sample in samples:
            facts = sample.files.get(name)
            if facts is not None and facts.distances is not None and (text := _flat(facts.distances)):
                message = f"{name} {facts.path} {text}"
                yield Finding(
                    Severity.ERROR, Category.DISTANCE, message, (sample.key,), (facts.path,), unfit=(sample.key,)
                )
        each = ranges.get(name, [])
        bad = [r for r in each if not r.is_plausible()]
        if 2 * len(bad) > len(each):
            message = f"{name} is implausible in {len(bad)} of {len(each)} files: {_tell(bad)}"
            keys = tuple(r.sample.key for r in bad)
            yield Finding(Severity.ERROR, Category.DISTANCE, message, keys, tuple(r.path for r in bad))
        else:
            for r in bad:
                message = f"{name} {r.path} is implausible: {_tell([r])}"
                keys = (r.sample.key,)
                yield Finding(Severity.ERROR, Category.DISTANCE, message, keys, (r.path,), unfit=keys)


def _flat(distances: DistanceFacts) -> str | None:
    if distances.percentiles is None:
        return "is infinitely far wherever it is valid" if distances.far else "has no valid pixel"
    if distances.constant:
        return "has the same value in every valid pixel"
    return None


def _tell(ranges: Sequence[DepthRange]) -> str:
    lowest, highest = min(r.low for r in ranges), max(r.high for r in ranges)
    medians = sorted(r.median for r in ranges)
    middle = f"{medians[0]:.3g}" if medians[0] == medians[-1] else f"{medians[0]:.3g} to {medians[-1]:.3g}"
    fitting = [f"{factor:g}" for factor in _FACTORS if all(r.is_plausible(factor) for r in ranges)]
    hint = f"times {' or '.join(fitting)} it would be plausible" if fitting else "no power of ten makes it plausible"
    return (
        f"median {middle} m, nearly all from {lowest:.3g} to {highest:.3g} m, where medians of {_MEDIAN_M[0]:g} to "
        f"{_MEDIAN_M[1]:g} m are usual; {hint}. Check the unit (`prep init ... --depth-unit`), and focal length and "
        "baseline of disparities"
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
