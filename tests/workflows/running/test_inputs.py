"""The one loader: inputs of a sample from a workspace, from memory, and what shards hold in place of values."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import IdCode, PlainCode
from segprep.datasets.errors import MissingInputError
from segprep.datasets.imageio import write_image
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction, Neighbour, SampleRecord, SourceFile
from segprep.datasets.sample import Camera, Pose, SampleKey
from segprep.datasets.workspace import Workspace, WorkspaceConfig
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from segprep.prep.step import Input, Origin
from segprep.workflows.ledger.database import CellRow, CellState, KnownSample
from segprep.workflows.running.inputs import Loaded, Reading, SampleInputs, StoredInputs

KEY = SampleKey("a")
IMAGE = Input("image", Origin.SOURCE)
IMAGE_SIZE = Input("image", Origin.SOURCE_SIZE)
RAW_LABEL = Column("label", Kind.LABEL, IdCode(), (("ids", "raw"),))
CAMERA = Camera(np.array([[50.0, 0, 2.5], [0, 50, 1.5], [0, 0, 1]]), 6, 4, baseline=0.25)
MOTION = np.eye(4) + 0.125


@pytest.fixture
def stored(tmp_path: Path) -> StoredInputs:
    """A sample with an image, a camera, and a label of raw ids 7 and 9, which are train ids 1 and 0."""
    write_image(tmp_path / "data/a.png", np.full((4, 6, 3), 5, np.uint8))
    classes = ClassMap((SemanticClass("road", (0, 0, 0), (9,)), SemanticClass("car", (9, 0, 0), (7,))), ())
    workspace = Workspace(tmp_path, WorkspaceConfig("folder", tmp_path / "data", Direction.PREVIOUS, classes, {}))
    for name, data in encode_cell(RAW_LABEL, KEY, Cell(np.array([[7, 9]], np.uint8))).files:
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "train" / name).write_bytes(data)
    record = SampleRecord(
        KEY,
        "train",
        {"image": SourceFile("a.png", Kind.IMAGE, PlainCode().to_json())},
        camera=CAMERA,
        pose=Pose(np.eye(4)),
        neighbour=Neighbour(Direction.PREVIOUS, 1, -0.1, MOTION),
    )
    row = CellRow(KEY, "label", CellState.DONE, "", {}, {})
    failed = CellRow(KEY, "nir", CellState.FAILED, "", {}, {})
    return StoredInputs(workspace, KnownSample(record, {"label": row, "nir": failed}, {}), {"label": RAW_LABEL})


def test_a_file_is_read_once_whoever_needs_it(stored: StoredInputs) -> None:
    inputs = SampleInputs(KEY, stored.read)
    first = inputs.sample(Reading((IMAGE,)))
    (stored.workspace.config.dataset_root / "a.png").unlink()
    second = inputs.sample(Reading((IMAGE, IMAGE_SIZE)))
    assert second.arrays["image"] is first.arrays["image"]
    assert second.meta["image_size"] == (6, 4)
    assert second.kinds == {"image": Kind.IMAGE}
    with pytest.raises(MissingInputError, match=r"a\.png does not exist"):
        SampleInputs(KEY, stored.read).sample(Reading((IMAGE,)))


def test_contents_that_were_hashed_are_those_that_are_decoded(stored: StoredInputs) -> None:
    path = stored.workspace.config.dataset_root / "a.png"
    stored.contents["a.png"] = path.read_bytes()
    write_image(path, np.zeros((4, 6, 3), np.uint8))
    assert (SampleInputs(KEY, stored.read).sample(Reading((IMAGE,))).arrays["image"] == 5).all()
    assert stored.contents == {}


def test_the_camera_of_the_catalog_comes_with_pose_and_neighbour(stored: StoredInputs) -> None:
    sample = SampleInputs(KEY, stored.read).sample(Reading((Input("camera", Origin.RECORD),)))
    assert sample.camera is not None
    assert sample.camera.to_json() == CAMERA.to_json()
    assert sample.pose is not None
    assert (sample.pose.matrix == np.eye(4)).all()
    assert sample.meta["neighbour"]["motion"] == MOTION.tolist()


def test_labels_are_as_their_file_or_as_shards_hold_them(stored: StoredInputs) -> None:
    label = Input("label", Origin.COLUMN)
    assert SampleInputs(KEY, stored.read).sample(Reading((label,))).arrays["label"].tolist() == [[7, 9]]
    in_shards = StoredInputs(stored.workspace, stored.known, stored.columns, integers=True)
    assert SampleInputs(KEY, in_shards.read).sample(Reading((label,))).arrays["label"].tolist() == [[1, 0]]


@pytest.mark.parametrize("origin", [Origin.SOURCE, Origin.SOURCE_SIZE, Origin.COLUMN])
def test_optional_inputs_that_a_sample_does_not_have_are_left_out(stored: StoredInputs, origin: Origin) -> None:
    sample = SampleInputs(KEY, stored.read).sample(Reading((Input("nir", origin, optional=True),)))
    assert (sample.arrays, sample.meta) == ({}, {})


def test_what_a_step_made_is_seen_by_later_ones_and_what_it_did_not_make_is_gone() -> None:
    def read(each: Input) -> Loaded | None:
        return Loaded(Cell(np.zeros((2, 2), np.uint8)), Kind.NIR)

    inputs, column = SampleInputs(KEY, read), Column("nir", Kind.NIR, PlainCode(()))
    wanted = Reading((Input("nir", Origin.COLUMN, optional=True),))
    assert inputs.sample(wanted).arrays["nir"].sum() == 0
    mask = np.eye(2, dtype=np.bool_)
    inputs.keep(column, Cell(np.ones((2, 2), np.uint8), mask))
    assert inputs.sample(wanted).arrays["nir"].sum() == 4
    assert inputs.sample(wanted).valid["nir"] is mask
    inputs.keep(column, None)
    assert inputs.sample(wanted).arrays == {}
