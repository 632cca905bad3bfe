"""`prep check`: decode every file of a dataset, several at a time, and say what is wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from segprep.datasets.catalog import CATALOG
from segprep.datasets.kinds import Kind
from segprep.datasets.program.progress import Progress
from segprep.datasets.record import SourceFile
from segprep.datasets.sample import JsonDict, SampleKey
from segprep.datasets.workspace import WorkspaceConfig
from segprep.prep.inspection.depth_doubts import Reading
from segprep.prep.inspection.seen_depth import range_text
from segprep.workflows.checks.distances import (
    SeenFile,
    depth_without_range,
    implausible_depth,
    missing_calibration,
    missing_neighbours,
    seen_files,
)
from segprep.workflows.checks.facts import FileFacts, Problem, Trouble, inspect_files
from segprep.workflows.checks.files import formats, image_sizes, lacking_parts, sizes_within_samples, unusable_files
from segprep.workflows.checks.findings import Calibration, Category, CheckedSample, Finding, Severity, calibration_of
from segprep.workflows.checks.geometry import strange_records
from segprep.workflows.checks.images import alike_images, same_images
from segprep.workflows.checks.label_files import label_forms
from segprep.workflows.checks.labels import mostly_ignored, unknown_ids, unlabelled
from segprep.workflows.checks.orientation import edges_fit, turned_cameras, turned_otherwise
from segprep.workflows.checks.shares import class_shares, count_classes, single_class
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.batches import run_in_batches
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.running.outcomes import WorkerDied
from segprep.workflows.running.sharing import Shared, shared_with

__all__ = ["CheckResult", "check_dataset"]

_FileId = tuple[str, Kind]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    Attributes:
        samples: Number of samples that were checked.
        files: Number of files that were read, or should have been.
        findings: Everything, by category, and within one in the dataset's order.
        summary: What the dataset is like: sizes, shares of the classes and ranges of depth, JSON values.
    """

    samples: int
    files: int
    findings: tuple[Finding, ...]
    summary: JsonDict

    @property
    def errors(self) -> int:
        """Number of findings that are errors."""
        return sum(f.severity is Severity.ERROR for f in self.findings)

    @property
    def not_checked(self) -> int:
        """Number of files of which nothing is known, because of the machine."""
        return sum(f.category is Category.NOT_CHECKED for f in self.findings)

    @property
    def bad_keys(self) -> frozenset[SampleKey]:
        """The samples that a list of good ones leaves out."""
        return frozenset(key for f in self.findings for key in f.unfit)

    def to_json(self) -> JsonDict:
        """Return all of it for `--json`."""
        return {
            "samples": self.samples,
            "files": self.files,
            **{f"{s.value}s": sum(f.severity is s for f in self.findings) for s in Severity},
            **self.summary,
            "bad_keys": sorted(self.bad_keys),
            "findings": [f.to_json() for f in self.findings],
        }


def check_dataset(table: Table, selection: Selection, cluster: ClusterOptions, progress: Progress) -> CheckResult:
    """Read and decode every file of a selection once and say what is wrong. Nothing is written.

    The facts that are kept take about 1 kB per file.

    Raises:
        Interrupted: After Ctrl-C.
    """
    config = table.workspace.config
    known = _Known.of(table, selection)
    shared = shared_with(table, [key for key, *_ in known.samples], writes=False)
    facts = _inspect_all(config, known.files, cluster, shared, progress)
    samples = [
        CheckedSample(key, split, {name: facts[file] for name, file in files.items()}, camera)
        for key, split, files, camera in known.samples
    ]
    spec, class_map = CATALOG.load(config.dataset).SPEC, config.class_map
    counts = count_classes(samples, class_map)
    said = config.depth_unit is not None
    depths = [
        (Reading(name, known.codes[name], spec.depth_range, said), files) for name, files in seen_files(samples).items()
    ]
    medians = [file.depth.range.median for _, files in depths for file in files]
    records = (sample.record for sample in table.ledger.samples(selection))
    found = [
        *unusable_files(samples),
        *lacking_parts(samples),
        *sizes_within_samples(samples),
        *image_sizes(samples),
        *turned_otherwise(samples, partial(edges_fit, config.dataset_root)),
        *turned_cameras(samples),
        *formats(samples),
        *label_forms(samples, class_map),
        *unknown_ids(samples),
        *unlabelled(samples),
        *mostly_ignored(samples, class_map),
        *single_class(counts, class_map),
        *class_shares(counts, spec.class_shares, class_map),
        *same_images(samples),
        *alike_images(samples),
        *depth_without_range(samples),
        *(finding for reading, files in depths for finding in implausible_depth(reading, files)),
        *strange_records(records, float(np.median(medians)) if medians else None),
        *missing_calibration(samples),
        *missing_neighbours(samples),
    ]
    order = list(Category)
    found.sort(key=lambda finding: order.index(finding.category))
    summary = _sizes_summary(samples) | {
        "class_shares": {
            split: dict(zip(class_map.names, c.shares().round(6).tolist(), strict=True)) for split, c in counts.items()
        },
        "known_class_shares": dict(spec.class_shares),
        "depth_m": {reading.column: _depth_summary(reading, files) for reading, files in depths},
    }
    return CheckResult(len(samples), len(facts), tuple(found), summary)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows, with each file once however many samples and columns use it."""

    samples: list[tuple[SampleKey, str, dict[str, _FileId], Calibration | None]]
    files: dict[_FileId, SourceFile]
    codes: dict[str, JsonDict]

    @classmethod
    def of(cls, table: Table, selection: Selection) -> "_Known":
        known = cls([], {}, {})
        codes: dict[str, JsonDict] = {}
        for sample in table.ledger.samples(selection):
            record = sample.record
            files = {}
            for name, source in record.sources.items():
                files[name] = source.path, source.kind
                code = codes.setdefault(repr(source.code), source.code)  # few, for very many files
                known.codes.setdefault(name, code)
                known.files.setdefault(files[name], SourceFile(source.path, source.kind, code))
            known.samples.append((record.key, record.split, files, calibration_of(record)))
        return known


def _inspect_all(
    config: WorkspaceConfig,
    files: Mapping[_FileId, SourceFile],
    cluster: ClusterOptions,
    shared: Shared,
    progress: Progress,
) -> dict[_FileId, FileFacts]:
    found: dict[_FileId, FileFacts] = {}
    bad = 0

    def settle(sources: Sequence[SourceFile], results: list[FileFacts] | WorkerDied) -> None:
        nonlocal bad
        if isinstance(results, WorkerDied):
            reason = f"{sources[0].path} killed its worker process twice (memory, or a crash in a decoder)"
            results = [FileFacts(sources[0].path, sources[0].kind, Problem(Trouble.UNREADABLE, reason))]
        for source, facts in zip(sources, results, strict=True):
            found[source.path, source.kind] = facts
            bad += facts.problem is not None
        progress.advance(len(sources), f"{bad} unusable" if bad else "")

    progress.start(len(files))
    inspect = partial(inspect_files, config.dataset_root, config.class_map)
    run_in_batches(inspect, files.values(), cluster, settle, shared=shared)
    return found


def _sizes_summary(samples: Sequence[CheckedSample]) -> JsonDict:
    sizes = Counter(size for s in samples if (size := s.size_of("image")) is not None)
    return {"image_sizes": {f"{width}x{height}": n for (width, height), n in sizes.most_common()}}


def _depth_summary(reading: Reading, files: list[SeenFile]) -> JsonDict:
    ranges = [file.depth.range for file in files]
    return {
        "files": len(ranges),
        "lowest_1st_percentile": min(r.low for r in ranges),
        "medians": [min(r.median for r in ranges), max(r.median for r in ranges)],
        "highest_99th_percentile": max(r.high for r in ranges),
        "text": range_text(ranges, reading.code),
    }
