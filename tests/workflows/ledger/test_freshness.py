"""A cell is done exactly as long as step, parameters and contents are the same; verdicts say why it is not."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import IdCode, PlainCode
from segprep.datasets.imageio import write_image
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, Neighbour, SampleRecord, SourceFile
from segprep.datasets.sample import Camera, JsonDict, Pose, Sample, SampleKey
from segprep.datasets.workspace import Workspace, WorkspaceConfig
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.step import Input, Origin
from segprep.workflows.ledger.database import CellState, KnownSample, Ledger, Selection
from segprep.workflows.ledger.freshness import Digests, State, Verdict, examine
from segprep.workflows.ledger.making import make_ledger
from segprep.workflows.running.worker import Job, process_batch

KEY = SampleKey("a")
IMAGE = SourceFile("train/a.png", Kind.IMAGE, PlainCode().to_json())
LABEL = SourceFile("train/a_label.png", Kind.LABEL, IdCode().to_json())


@dataclass(frozen=True)
class Copy:
    """Copies its first input into a column."""

    output: str = "copy"
    inputs: tuple[Input, ...] = (Input("image", Origin.SOURCE),)
    name: str = "copy"
    version: int = 1
    parameters: JsonDict = field(default_factory=lambda: {"factor": 2})

    @property
    def outputs(self) -> tuple[Column, ...]:
        return (Column(self.output, Kind.IMAGE, PlainCode()),)

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        return {self.output: Cell(sample.arrays[self.inputs[0].name])}


COPY = Copy()
SECOND = Copy("second", (Input("copy", Origin.COLUMN),), "second")
WITH_CAMERA = Copy(inputs=(Input("image", Origin.SOURCE), Input("camera", Origin.RECORD)))


@dataclass
class Place:
    """A workspace with one sample, and what commands do with it."""

    workspace: Workspace
    ledger: Ledger

    @property
    def data(self) -> Path:
        return self.workspace.config.dataset_root

    def known(self) -> KnownSample:
        (sample,) = self.ledger.samples(Selection())
        return sample

    def verdict(self, step: Copy, *, may_hash: bool = True, retry_failed: bool = False) -> Verdict:
        digests = Digests(self.workspace, may_hash=may_hash)
        return examine(step, self.known(), digests, retry_failed=retry_failed)

    def make(self, *steps: Copy) -> None:
        columns = {c.name: c for s in steps for c in s.outputs}
        result = process_batch(Job(self.workspace, steps, columns), (self.known(),))
        self.ledger.record(result.cells, result.sources)

    def change_record(self, record: SampleRecord) -> None:
        self.ledger.replace_samples([record])


def _workspace(root: Path, data: Path) -> Workspace:
    classes = ClassMap((SemanticClass("road", (0, 0, 0), (0,)),), ())
    root.mkdir(exist_ok=True)
    return Workspace(root, WorkspaceConfig("folder", data, Direction.PREVIOUS, classes, {}))


def _picture(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


@pytest.fixture
def record() -> SampleRecord:
    return SampleRecord(KEY, "train", {"image": IMAGE, "label": LABEL})


@pytest.fixture
def place(tmp_path: Path, record: SampleRecord) -> Iterator[Place]:
    write_image(tmp_path / "data" / IMAGE.path, _picture(1))
    write_image(tmp_path / "data" / LABEL.path, np.zeros((4, 6), np.uint8))
    workspace = _workspace(tmp_path / "ws", tmp_path / "data")
    make_ledger(workspace.ledger_path)
    with Ledger(workspace.ledger_path, writes=True) as ledger:
        ledger.replace_samples([record])
        yield Place(workspace, ledger)


def test_a_cell_is_missing_then_done(place: Place) -> None:
    assert place.verdict(COPY) == replace(place.verdict(COPY), state=State.MISSING, reason="never made")
    place.make(COPY)
    done = place.verdict(COPY)
    assert (done.state, done.reason) == (State.DONE, "")
    assert re.fullmatch(r"[0-9a-f]{64}", done.fingerprint)
    assert place.verdict(COPY, may_hash=False).state is State.DONE, "without reading any file"


# -- what a fingerprint depends on ---------------------------------------------------------------------------------


def test_the_opencv_that_made_all_before_steps_stated_it_goes_without_saying(place: Place) -> None:
    place.make(COPY)
    stated = {number: replace(COPY, parameters={"factor": 2, "opencv": number}) for number in (4, 5)}
    assert place.verdict(stated[5]) == place.verdict(COPY)
    assert place.verdict(COPY).state is State.DONE
    assert place.verdict(stated[4]).reason == "parameters changed: opencv 5 -> 4"
    place.make(stated[4])
    assert place.verdict(stated[4]).state is State.DONE
    for back in (stated[5], COPY):
        assert place.verdict(back).reason == "parameters changed: opencv 4 -> 5"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (replace(COPY, version=2), "made by another version of the step"),
        (replace(COPY, name="other"), "made by another version of the step"),
        (replace(COPY, parameters={"factor": 4}), "parameters changed: factor 2 -> 4"),
        (replace(COPY, parameters={}), "parameters changed: factor 2 -> null"),
        (replace(COPY, parameters={"factor": 2, "labels": "vote"}), 'parameters changed: labels null -> "vote"'),
        (replace(COPY, parameters={"factor": 2, "map": list(range(40))}), "parameters changed: map"),
        (
            replace(COPY, inputs=(*COPY.inputs, Input("label", Origin.SOURCE))),
            "inputs changed: source label",
        ),
        (
            replace(COPY, inputs=(*COPY.inputs, Input("label", Origin.SOURCE_SIZE))),
            "inputs changed: source-size label",
        ),
    ],
)
def test_step_parameters_and_inputs_decide(place: Place, changed: Copy, reason: str) -> None:
    place.make(COPY)
    verdict = place.verdict(changed)
    assert (verdict.state, verdict.reason) == (State.STALE, reason)
    assert verdict.fingerprint != place.verdict(COPY).fingerprint


def test_the_order_of_parameters_decides_nothing(place: Place) -> None:
    place.make(replace(COPY, parameters={"a": 1, "b": [1, 2]}))
    assert place.verdict(replace(COPY, parameters={"b": [1, 2], "a": 1})).state is State.DONE


def test_contents_decide_and_not_sizes_and_times(place: Place) -> None:
    place.make(COPY)
    source = place.data / IMAGE.path
    os.utime(source, ns=(1, 1))
    assert place.verdict(COPY).state is State.DONE
    unsure = place.verdict(COPY, may_hash=False)
    assert (unsure.state, unsure.reason) == (State.UNSURE, "source image has another size or time")
    write_image(source, _picture(2))
    verdict = place.verdict(COPY)
    assert (verdict.state, verdict.reason) == (State.STALE, "inputs changed: source image")


def test_another_place_of_dataset_and_workspace_gives_the_same_fingerprint(
    place: Place, tmp_path: Path, record: SampleRecord
) -> None:
    place.make(COPY, SECOND)
    shutil.copytree(place.data, tmp_path / "moved/data", copy_function=shutil.copyfile)
    elsewhere = replace(IMAGE, path="train/renamed.png")
    (tmp_path / "moved/data" / IMAGE.path).rename(tmp_path / "moved/data" / elsewhere.path)
    workspace = _workspace(tmp_path / "other", tmp_path / "moved/data")
    make_ledger(workspace.ledger_path)
    with Ledger(workspace.ledger_path, writes=True) as ledger:
        other = replace(record, key=SampleKey("b"), split="val", sources={"image": elsewhere})
        ledger.replace_samples([other])
        moved = Place(workspace, ledger)
        moved.make(COPY, SECOND)
        for step in (COPY, SECOND):
            assert moved.verdict(step).fingerprint == place.verdict(step).fingerprint
            assert moved.known().cells[step.output].fingerprint == place.verdict(step).fingerprint


def test_a_column_follows_the_column_that_it_was_made_from(place: Place) -> None:
    place.make(COPY, SECOND)
    assert place.verdict(SECOND).state is State.DONE
    place.make(replace(COPY, parameters={"factor": 3}))
    verdict = place.verdict(SECOND)
    assert (verdict.state, verdict.reason) == (State.STALE, "inputs changed: column copy")


def test_camera_pose_and_motion_decide_where_they_are_an_input(place: Place, record: SampleRecord) -> None:
    camera = Camera(np.diag([500.0, 500, 1]), 6, 4)
    record = replace(record, camera=camera, pose=Pose(np.eye(4)), time=0.5)
    record = replace(record, neighbour=Neighbour(Direction.PREVIOUS, 1, -0.1, np.eye(4)))
    place.change_record(record)
    place.make(WITH_CAMERA)
    done = place.verdict(WITH_CAMERA)
    assert done.state is State.DONE
    moved = np.eye(4)
    moved[0, 3] = 1e-9
    for changed in (
        replace(record, camera=camera.transformed(np.eye(3), 6, 5)),
        replace(record, pose=Pose(moved)),
        replace(record, pose=None),
        replace(record, neighbour=Neighbour(Direction.PREVIOUS, 1, -0.1, moved)),
        replace(record, neighbour=None),
    ):
        place.change_record(changed)
        verdict = place.verdict(WITH_CAMERA)
        assert (verdict.state, verdict.reason) == (State.STALE, "inputs changed: record camera")
        assert verdict.fingerprint != done.fingerprint
    place.change_record(replace(record, sequence="another name", split="val"))
    assert place.verdict(WITH_CAMERA).fingerprint == done.fingerprint


# -- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("may_hash", [False, True])
def test_a_cell_whose_source_vanished_stays_done(place: Place, may_hash: bool) -> None:
    place.make(COPY, SECOND)
    shutil.rmtree(place.data)
    assert place.verdict(COPY, may_hash=may_hash).state is State.DONE
    assert place.verdict(SECOND, may_hash=may_hash).state is State.DONE


def test_a_cell_whose_own_file_vanished_or_changed_is_stale(place: Place) -> None:
    place.make(COPY)
    path = place.workspace.cell_path("train", "copy", KEY, ".png")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    assert place.verdict(COPY).reason == "its file is gone or was changed"
    path.write_bytes(content)
    assert place.verdict(COPY).state is State.DONE, "the same bytes with another time"
    assert place.verdict(COPY, may_hash=False).state is State.UNSURE
    path.unlink()
    verdict = place.verdict(COPY)
    assert (verdict.state, verdict.reason) == (State.STALE, "its file is gone or was changed")
    assert place.verdict(COPY, may_hash=False).state is State.STALE


def test_new_times_of_equal_files_are_noted_so_that_they_are_hashed_once(place: Place) -> None:
    place.make(COPY)
    for path in (place.data / IMAGE.path, place.workspace.cell_path("train", "copy", KEY, ".png")):
        os.utime(path, ns=(5, 5))
    assert place.verdict(COPY, may_hash=False).state is State.UNSURE
    place.make(COPY)
    assert place.verdict(COPY, may_hash=False).state is State.DONE


# -- failed, absent, blocked ---------------------------------------------------------------------------------------


def test_a_failed_cell_stays_failed_with_its_reason_until_its_source_changes(place: Place) -> None:
    source = place.data / IMAGE.path
    source.write_bytes(b"no picture")
    place.make(COPY)
    verdict = place.verdict(COPY)
    assert verdict.state is State.FAILED
    assert str(source) in verdict.reason
    assert place.verdict(COPY, retry_failed=True).state is State.STALE
    write_image(source, _picture(3))
    assert place.verdict(COPY).state is State.STALE
    place.make(COPY)
    assert place.verdict(COPY).state is State.DONE


def test_a_missing_source_fails_and_is_made_when_it_is_there(place: Place) -> None:
    source = place.data / IMAGE.path
    source.rename(source.with_suffix(".away"))
    place.make(COPY)
    verdict = place.verdict(COPY)
    assert verdict.state is State.FAILED
    assert f"{source} does not exist" in verdict.reason
    source.with_suffix(".away").rename(source)
    place.make(COPY)
    assert place.verdict(COPY).state is State.DONE


def test_a_source_that_was_away_for_a_while_is_used_again_when_it_is_back(place: Place) -> None:
    place.make(COPY)
    source = place.data / IMAGE.path
    source.rename(source.with_suffix(".away"))
    changed = replace(COPY, parameters={"factor": 4})
    place.make(changed)
    assert place.known().cells["copy"].state is CellState.FAILED
    assert place.verdict(changed).state is State.FAILED, "not tried again while it is away"
    source.with_suffix(".away").rename(source)
    verdict = place.verdict(changed)
    assert (verdict.state, verdict.reason) == (State.STALE, "a source that was missing is back")
    place.make(changed)
    assert place.verdict(changed).state is State.DONE


def test_a_failed_cell_stays_failed_when_the_whole_dataset_is_taken_away(place: Place) -> None:
    (place.data / IMAGE.path).write_bytes(b"no picture")
    place.make(COPY)
    before = place.verdict(COPY)
    shutil.rmtree(place.data)
    after = place.verdict(COPY)
    assert (after.state, after.reason) == (State.FAILED, before.reason)


def test_what_the_dataset_does_not_offer_is_absent_and_says_so(place: Place, record: SampleRecord) -> None:
    depth = Copy("from_depth", (Input("depth", Origin.SOURCE),))
    below = Copy("below", (Input("from_depth", Origin.COLUMN),))
    verdict = place.verdict(depth)
    assert (verdict.state, verdict.reason) == (State.ABSENT, "the dataset has no depth for it")
    assert place.verdict(WITH_CAMERA).reason == "the dataset has no camera for it"
    place.make(depth, below)
    assert place.known().cells["from_depth"].state is CellState.ABSENT
    assert place.known().cells["below"].state is CellState.ABSENT
    assert place.verdict(below).reason == "it has no from_depth"
    place.change_record(replace(record, sources={**record.sources, "depth": IMAGE}))
    verdict = place.verdict(depth)
    assert (verdict.state, verdict.reason) == (State.STALE, "it was absent and is there now")
    place.make(depth, below)
    assert place.verdict(below).state is State.DONE


def test_what_the_dataset_offers_no_more_becomes_absent(place: Place, record: SampleRecord) -> None:
    place.make(COPY)
    place.change_record(replace(record, sources={"label": LABEL}))
    assert place.verdict(COPY).state is State.ABSENT
    place.make(COPY)
    assert place.known().cells["copy"].state is CellState.ABSENT


def test_a_cell_whose_input_failed_or_was_never_made_is_blocked_and_not_tried(place: Place) -> None:
    verdict = place.verdict(SECOND)
    assert (verdict.state, verdict.reason) == (State.BLOCKED, "column copy was not made for it")
    (place.data / IMAGE.path).write_bytes(b"no picture")
    place.make(COPY, SECOND)
    verdict = place.verdict(SECOND)
    assert (verdict.state, verdict.reason) == (State.BLOCKED, "its copy failed")
    assert set(place.known().cells) == {"copy"}
    write_image(place.data / IMAGE.path, _picture(3))
    place.make(COPY, SECOND)
    assert place.verdict(SECOND).state is State.DONE
