"""What a step hands over, what its files hold and what a reader gets are the same, for every code."""

from pathlib import Path

import numpy as np
import pytest

from segprep.datasets.classes import ClassMap, SemanticClass
from segprep.datasets.codes import (
    DepthCode,
    DisparityCode,
    IdCode,
    KittiFlowCode,
    LinearCode,
    PlainCode,
    SmsnetFlowCode,
)
from segprep.datasets.errors import CodeRangeError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import write_image
from segprep.datasets.kinds import Kind
from segprep.datasets.record import Direction
from segprep.datasets.sample import Array, SampleKey
from segprep.datasets.workspace import Workspace, WorkspaceConfig
from segprep.datasets.workspace.cells import (
    Cell,
    Column,
    StoredCell,
    decode_cell,
    encode_cell,
    read_cell,
    read_record_cell,
)

KEY = SampleKey("aachen%2F1")
HEIGHT, WIDTH = 6, 9


def _random(*shape: int) -> Array:
    values: Array = np.random.default_rng(5).uniform(-1, 1, shape).astype(np.float32)
    return values


def _integers(dtype: type, *shape: int) -> Array:
    return np.random.default_rng(6).integers(0, np.iinfo(dtype).max, shape, dtype)


RGB = ("red", "green", "blue")
AREA = (HEIGHT, WIDTH)
CASES = {
    "image": (Column("image", Kind.IMAGE, PlainCode()), _integers(np.uint8, *AREA, 3)),
    "nir 16 bit": (Column("nir", Kind.NIR, PlainCode((), bits=16)), _integers(np.uint16, *AREA)),
    "hha with mask": (Column("hha", Kind.INDEX, PlainCode(masked=True)), _integers(np.uint8, *AREA, 3)),
    "jet": (Column("jet", Kind.CODED, PlainCode(masked=True, keep_invalid=True)), _integers(np.uint8, *AREA, 3)),
    "label": (Column("label", Kind.LABEL, IdCode()), _integers(np.uint8, *AREA)),
    "instance": (Column("instance", Kind.INSTANCE, IdCode(bits=16)), _integers(np.uint16, *AREA)),
    "evi": (Column("evi", Kind.INDEX, LinearCode(1 / 127, -128 / 127)), _random(*AREA)),
    "normals": (Column("normals", Kind.NORMALS, LinearCode(1 / 127, -128 / 127, tuple("xyz"))), _random(*AREA, 3)),
    "depth": (Column("depth", Kind.DEPTH, DepthCode()), 20 + 10 * _random(*AREA)),
    "depth without far": (Column("depth", Kind.DEPTH, DepthCode(0.001, far_code=False)), 9 + 3 * _random(*AREA)),
    "disparity": (Column("disparity", Kind.DISPARITY, DisparityCode(zero_code=1)), 20 + 10 * _random(*AREA)),
    "optical flow": (Column("optical_flow", Kind.FLOW, KittiFlowCode()), 30 * _random(*AREA, 2)),
    "flow": (Column("flow", Kind.CODED, SmsnetFlowCode(3.2), (("source", "optical_flow"),)), 25 * _random(*AREA, 2)),
}
cases = pytest.mark.parametrize(("column", "values"), CASES.values(), ids=CASES.keys())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    classes = ClassMap((SemanticClass("road", (0, 0, 0), (0,)),), ())
    return Workspace(tmp_path, WorkspaceConfig("folder", tmp_path / "data", Direction.PREVIOUS, classes, {}))


def _store(workspace: Workspace, column: Column, cell: Cell) -> StoredCell:
    stored = encode_cell(column, KEY, cell)
    for name, data in stored.files:
        path = workspace.root / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return stored


def _assert_equal(found: Cell, expected: Cell) -> None:
    assert isinstance(found.values, np.ndarray)
    assert isinstance(expected.values, np.ndarray)
    assert found.values.dtype == expected.values.dtype
    np.testing.assert_array_equal(found.values, expected.values)
    assert (found.valid is None) == (expected.valid is None)
    if found.valid is not None and expected.valid is not None:
        np.testing.assert_array_equal(found.valid, expected.valid)


@cases
@pytest.mark.parametrize("masked", [False, True], ids=["all valid", "partly valid"])
def test_a_cell_reads_back_as_later_steps_of_the_same_run_see_it(
    workspace: Workspace, column: Column, values: Array, masked: bool
) -> None:
    valid = None
    if masked:
        valid = np.random.default_rng(7).random(AREA) < 0.7
    stored = _store(workspace, column, Cell(values, valid, {"found": 3}))
    _assert_equal(decode_cell(workspace, "val", column, KEY), stored.cell)
    assert stored.cell.facts["found"] == 3
    integers, mask = read_cell(workspace, "val", column, KEY)
    assert integers.dtype == column.code.dtype if column.code else False
    assert stored.cell.facts["shape"] == list(integers.shape)
    if masked and mask is not None:
        np.testing.assert_array_equal(mask, valid)


@cases
def test_values_of_a_cell_that_was_read_are_stored_as_the_same_bytes(
    workspace: Workspace, column: Column, values: Array
) -> None:
    valid = np.random.default_rng(7).random(AREA) < 0.7
    first = _store(workspace, column, Cell(values, valid))
    second = encode_cell(column, KEY, decode_cell(workspace, "val", column, KEY))
    if not isinstance(column.code, SmsnetFlowCode):  # its magnitude is that of the vectors before they were rounded
        assert second.files == first.files


@cases
def test_files_lie_where_the_workspace_looks_for_them(workspace: Workspace, column: Column, values: Array) -> None:
    stored = _store(workspace, column, Cell(values))
    expected = [workspace.cell_path("val", column.name, KEY, ".png")]
    if column.has_mask_files:
        expected.append(workspace.mask_path("val", column.name, KEY))
    assert [workspace.root / "val" / name for name, _ in stored.files] == expected


@cases
def test_columns_survive_json(column: Column, values: Array) -> None:
    assert Column.from_json(column.to_json()) == column


def test_a_camera_is_stored_as_json(workspace: Workspace) -> None:
    column = Column("camera", Kind.CAMERA, None)
    data = {"K": [[0.1 + 0.2, 0, 1 / 3]], "pose": None, "neighbour": {"motion": [[1.0]]}}
    stored = _store(workspace, column, Cell(data))
    assert stored.cell.values == data
    assert decode_cell(workspace, "val", column, KEY).values == data
    assert workspace.cell_path("val", "camera", KEY, ".json").is_file()
    assert Column.from_json(column.to_json()) == column
    assert not column.has_mask_files
    with pytest.raises(CodeRangeError, match="camera holds JSON"):
        read_cell(workspace, "val", column, KEY)
    with pytest.raises(CodeRangeError, match="camera holds JSON"):
        encode_cell(column, KEY, Cell(np.zeros((2, 2))))


def test_pixels_that_the_code_cannot_express_are_counted(workspace: Workspace) -> None:
    uv = np.zeros((*AREA, 2), np.float32)
    uv[0, :4] = 100
    stored = _store(workspace, CASES["flow"][0], Cell(uv))
    assert stored.cell.facts["clipped"] == 4
    assert "clipped" not in encode_cell(CASES["flow"][0], KEY, Cell(uv * 0)).cell.facts


def test_a_mask_of_another_size_is_refused_with_both_sizes(workspace: Workspace) -> None:
    column, values = CASES["flow"]
    _store(workspace, column, Cell(values))
    write_image(workspace.mask_path("val", "flow", KEY), np.full((HEIGHT, WIDTH - 1), 255, np.uint8))
    with pytest.raises(UnreadableFileError, match="8x6, its image is 9x6"):
        read_cell(workspace, "val", column, KEY)
    write_image(workspace.mask_path("val", "flow", KEY), np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    with pytest.raises(UnreadableFileError, match="flow_valid"):
        read_cell(workspace, "val", column, KEY)


def test_missing_files_are_named(workspace: Workspace) -> None:
    column, values = CASES["flow"]
    with pytest.raises(MissingInputError, match="flow_data"):
        read_cell(workspace, "val", column, KEY)
    _store(workspace, column, Cell(values))
    workspace.mask_path("val", "flow", KEY).unlink()
    with pytest.raises(MissingInputError, match="flow_valid"):
        read_cell(workspace, "val", column, KEY)
    with pytest.raises(MissingInputError, match="camera_data"):
        decode_cell(workspace, "val", Column("camera", Kind.CAMERA, None), KEY)


def test_files_of_another_sort_are_named(workspace: Workspace) -> None:
    column, _ = CASES["optical flow"]
    path = workspace.cell_path("val", column.name, KEY, ".png")
    write_image(path, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(UnreadableFileError, match=rf"{path}: flow is kept as uint16"):
        read_cell(workspace, "val", column, KEY)


@pytest.mark.parametrize(("text", "message"), [("{", "not valid JSON"), ("[]", "holds list"), ("\xff", "not valid")])
def test_camera_files_that_are_no_json_object_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UnreadableFileError, match=message):
        read_record_cell(path)
