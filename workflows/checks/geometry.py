"""Cameras, times and poses that cannot be right."""

from collections.abc import Iterable, Iterator

from segprep.datasets.record import SampleRecord
from segprep.workflows.checks.findings import Category, Finding, Severity
from segprep.workflows.samples.quantities import record_doubts

__all__ = ["strange_records"]


def strange_records(records: Iterable[SampleRecord], depth_m: float | None) -> Iterator[Finding]:
    """Yield an error for what cannot be and a warning for what is unlikely.

    Args:
        records: Of the samples.
        depth_m: Median of what depth files show; None if nothing is known.
    """
    for doubt in dict.fromkeys(record_doubts(records, None, depth_m)):
        severity = Severity.ERROR if doubt.impossible else Severity.WARNING
        category = Category.CALIBRATION if doubt.subject == "camera" else Category.MOTION
        yield Finding(severity, category, f"{doubt.subject}: {doubt.text}")
