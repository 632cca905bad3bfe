"""`prep check` on depth, cameras and neighbours: records made by hand, files that are written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.catalog import CATALOG
from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import DepthCode, DisparityCode, PlainCode, RawLabelCode
from segprep.datasets.imageio import write_image
from segprep.datasets.kinds import Kind
from segprep.datasets.program.progress import Progress
from segprep.datasets.record import Direction, SampleRecord, SourceFile
from segprep.datasets.sample import Array, Camera, SampleKey
from segprep.datasets.workspace import Workspace, WorkspaceConfig
from segprep.workflows.checks.checking import CheckResult, check_dataset
from segprep.workflows.checks.findings import Category, Finding, Severity
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.table import Table
from segprep.workflows.running.cluster import ClusterOptions
from segprep.workflows.samples.initialise import InitRequest, initialise
from support.ledgers import listed

Check = Callable[[list[SampleRecord]], CheckResult]

WIDTH, HEIGHT = 40, 20
K = [[100.0, 0, 20], [0, 100, 10], [0, 0, 1]]
CAMERA = Camera(np.array(K), WIDTH, HEIGHT, baseline=0.2)
DEPTH = DepthCode(scale_m=0.001, far_code=False)
DISPARITY = DisparityCode(zero_code=1)


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check records whose files lie in `data`."""

    def run(records: list[SampleRecord]) -> CheckResult:
        classes = ClassMap((SemanticClass("road", (0, 0, 0), (0,)),), ())
        config = WorkspaceConfig("folder", tmp_path / "data", Direction.PREVIOUS, classes, {})
        workspace = Workspace(tmp_path, config)
        with listed(workspace, records) as table, Progress("test", quiet=True) as progress:
            return check_dataset(table, Selection(), ClusterOptions(workers=0), progress)

    return run


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., SampleRecord]:
    """Write a sample's files: `record("a", depth=metres, camera=CAMERA)`; `neighbour` is the key of another one."""

    def make(
        key: str,
        *,
        depth: Array | None = None,
        disparity: Array | None = None,
        camera: Camera | None = CAMERA,
        neighbour: str | None = None,
        label: bool = False,
        split: str = "train",
    ) -> SampleRecord:
        sources = {"image": SourceFile(f"image/{key}.png", Kind.IMAGE, PlainCode().to_json())}
        rng = np.random.default_rng(list(key.encode()))
        write_image(tmp_path / "data/image" / f"{key}.png", rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
        if neighbour is not None:
            sources["previous"] = SourceFile(f"image/{neighbour}.png", Kind.IMAGE, PlainCode().to_json())
        if label:
            sources["label"] = SourceFile("label.png", Kind.LABEL, RawLabelCode().to_json())
            write_image(tmp_path / "data/label.png", np.zeros((HEIGHT, WIDTH), np.uint8))
        for name, kind, code, values in (
            ("depth", Kind.DEPTH, DEPTH, depth),
            ("disparity", Kind.DISPARITY, DISPARITY, disparity),
        ):
            if values is not None:
                sources[name] = SourceFile(f"{name}/{key}.png", kind, code.to_json())
                stored = code.encode(values, values > 0).stored
                write_image(tmp_path / "data" / name / f"{key}.png", stored)
        return SampleRecord(SampleKey(key), split, sources, camera=camera)

    return make


def slope(low: float, high: float) -> Array:
    """Distances that grow from left to right."""
    return np.tile(np.linspace(low, high, WIDTH, dtype=np.float32), (HEIGHT, 1))


def findings(result: CheckResult, *categories: Category) -> list[Finding]:
    return [f for f in result.findings if f.category in categories]


def test_depth_of_a_street_is_plausible_and_summarised(check: Check, record: Callable[..., SampleRecord]) -> None:
    result = check([record("a", depth=slope(2, 60)), record("b", depth=slope(1, 30))])
    assert not findings(result, Category.DISTANCE, Category.CALIBRATION, Category.SIZE)
    summary = result.summary["depth_m"]["depth"]
    assert summary["files"] == 2
    assert summary["medians"] == pytest.approx([15.5, 31], abs=0.01)
    assert (summary["lowest_1st_percentile"], summary["highest_99th_percentile"]) == pytest.approx((1, 60), abs=0.01)


def test_one_implausible_file_among_good_ones_is_an_error_of_that_file(
    check: Check, record: Callable[..., SampleRecord]
) -> None:
    result = check(
        [record("a", depth=slope(2, 60)), record("b", depth=slope(2, 60)), record("c", depth=slope(0.02, 0.04))]
    )
    (finding,) = findings(result, Category.DISTANCE)
    assert (finding.severity, finding.keys, finding.paths) == (Severity.ERROR, ("c",), ("depth/c.png",))
    assert "median 0.03 m, nearly all from 0.02 to 0.04 m" in finding.message
    assert "times 100 or 1000 it would be plausible" in finding.message
    assert result.bad_keys == {"c"}


def test_a_wrong_unit_is_one_finding_about_the_whole_column(check: Check, record: Callable[..., SampleRecord]) -> None:
    result = check([record(key, depth=slope(0.002, 0.05)) for key in "abc"])
    (finding,) = findings(result, Category.DISTANCE)
    assert finding.keys == ("a", "b", "c")
    assert finding.message.startswith("depth is implausible in 3 of 3 files: median 0.026 m")
    assert "times 100 or 1000 it would be plausible" in finding.message
    assert result.bad_keys == frozenset(), "no sample is worse than the others"


@pytest.mark.parametrize(
    ("metres", "text"),
    [
        (np.zeros((HEIGHT, WIDTH), np.float32), "depth depth/a.png has no valid pixel"),
        (np.full((HEIGHT, WIDTH), 5, np.float32), "depth depth/a.png has the same value in every valid pixel"),
    ],
)
def test_depth_without_a_range_is_an_error(
    check: Check, record: Callable[..., SampleRecord], metres: Array, text: str
) -> None:
    result = check([record("a", depth=metres), record("b", depth=slope(2, 60))])
    (finding,) = findings(result, Category.DISTANCE)
    assert (finding.message, finding.keys) == (text, ("a",))
    assert result.bad_keys == {"a"}


def test_disparities_are_judged_as_the_depth_that_they_mean(check: Check, record: Callable[..., SampleRecord]) -> None:
    # Focal length 100 px and baseline 0.2 m: 20 metre pixels, 1 px is 20 m.
    result = check([record("a", disparity=slope(0, 10)), record("b", disparity=slope(0.01, 4))])
    assert not findings(result, Category.DISTANCE, Category.CALIBRATION)
    summary = result.summary["depth_m"]["disparity"]
    assert summary["medians"] == pytest.approx([20 / 5.13, 20 / 2.005], rel=0.02)

    result = check(
        [
            record("a", disparity=slope(100, 240)),
            record("b", disparity=slope(1, 10)),
            record("c", disparity=slope(1, 9)),
        ]
    )
    (finding,) = findings(result, Category.DISTANCE)
    assert finding.keys == ("a",)
    assert "times 10 or 100 or 1000 it would be plausible" in finding.message


def test_disparity_needs_a_camera_with_a_baseline_and_depth_wants_a_camera(
    check: Check, record: Callable[..., SampleRecord]
) -> None:
    single = Camera(np.array(K), WIDTH, HEIGHT)
    result = check(
        [
            record("a", disparity=slope(1, 10), depth=slope(2, 20)),
            record("b", disparity=slope(1, 10), camera=single),
            record("c", disparity=slope(1, 10), depth=slope(2, 20), camera=None),
        ]
    )
    error, warning = sorted(findings(result, Category.CALIBRATION), key=lambda f: f.severity)
    assert (error.severity, error.keys) == (Severity.ERROR, ("b", "c"))
    assert "2 of 3 samples with disparity have no camera with a baseline" in error.message
    assert (warning.severity, warning.keys) == (Severity.WARNING, ("c",))
    assert result.bad_keys == {"b", "c"}
    result = check([record("a", disparity=slope(1, 10), camera=None)])
    assert result.errors == 1
    assert result.bad_keys == frozenset(), "no sample of the dataset has one"


def test_a_camera_of_another_size_is_an_error(check: Check, record: Callable[..., SampleRecord]) -> None:
    result = check([record("a"), record("b", camera=Camera(np.array(K), 2 * WIDTH, 2 * HEIGHT))])
    (finding,) = findings(result, Category.SIZE)
    assert finding.message == "the camera of image/b.png is calibrated for 80x40, the image is 40x20"
    assert result.bad_keys == {"b"}


def test_samples_without_a_neighbour_are_noted_only_if_others_have_one(
    check: Check, record: Callable[..., SampleRecord]
) -> None:
    assert not findings(check([record("a"), record("b")]), Category.NEIGHBOUR)
    (finding,) = findings(check([record("a"), record("b", neighbour="a")]), Category.NEIGHBOUR)
    assert (finding.severity, finding.keys) == (Severity.NOTE, ("a",))
    assert "1 of 2 samples have no neighbour" in finding.message


def test_a_sample_without_a_label_of_which_others_of_its_split_have_one_is_unpaired(
    check: Check, record: Callable[..., SampleRecord]
) -> None:
    result = check([record("a", label=True), record("b"), record("c", split="test")])
    (finding,) = findings(result, Category.UNPAIRED)
    assert finding.message == "image image/b.png has no label, as others of split train do"
    assert result.bad_keys == {"b"}


@pytest.mark.parametrize("dataset", ["synthetic", "camvid", "cityscapes"])
def test_rendered_datasets_are_clean_whatever_the_shares_of_the_real_ones(
    dataset: str, tmp_path: Path, cityscapes_miniature: Path
) -> None:
    root = cityscapes_miniature if dataset == "cityscapes" else tmp_path / "drive"
    if root != cityscapes_miniature:
        CATALOG.load(dataset).write_miniature(root, 4)
    workspace = initialise(tmp_path / "ws", InitRequest(dataset, (root,))).workspace
    with Table(workspace) as table, Progress("test", quiet=True) as progress:
        result = check_dataset(table, Selection(), ClusterOptions(workers=0), progress)
    assert [f.message for f in result.findings if f.severity is not Severity.NOTE] == []
    assert result.samples >= 4
