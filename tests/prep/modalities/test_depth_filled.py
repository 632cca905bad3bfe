"""The columns `depth_filled` and `depth_measured`: no hole, the depth's own code, and what was measured before."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segprep.datasets.codes import DepthCode, IdCode, PlainCode, code_from_json
from segprep.datasets.errors import CodeRangeError, ConfigurationError, SizeMismatchError
from segprep.datasets.imageio import decode_image
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import default_table
from segprep.datasets.sample import Array, Mask, Sample, SampleKey
from segprep.datasets.synthetic import World, render
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from segprep.prep.depth.completion import Fill
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Step
from support.members import built

KEY = SampleKey("a")
CODE = DepthCode(scale_m=0.005)
COLUMNS = {
    "depth": Column("depth", Kind.DEPTH, CODE),
    "lidar": Column("lidar", Kind.DEPTH, DepthCode(1 / 256)),
    "image": Column("image", Kind.IMAGE, PlainCode()),
}


def _step(**arguments: Any) -> Step:
    return built(MODALITIES.load("depth_filled"), Scene(columns=COLUMNS), **arguments)


def _run(step: Step, depth: Array, valid: Mask | None, rgb: Array | None = None) -> tuple[Cell, Cell]:
    arrays = {"depth": depth} | ({} if rgb is None else {"image": rgb})
    cells = step(Sample(KEY, arrays, {}, {} if valid is None else {"depth": valid}))
    assert list(cells) == [column.name for column in step.outputs]
    return cells["depth_filled"], cells["depth_measured"]


@pytest.fixture(scope="module")
def stored() -> tuple[Array, Array]:
    """Depth as a workspace stores it, with holes and sky, and its image."""
    frame = render(World(seed=2), 4, 192, 96)
    valid = np.random.default_rng(0).random(frame.depth_HW.shape) > 0.25
    return CODE.encode(frame.depth_HW, valid).stored, frame.rgb_HWC


@pytest.mark.parametrize("fill", Fill)
def test_files_keep_what_was_measured_bit_by_bit_and_have_no_hole(stored: tuple[Array, Array], fill: Fill) -> None:
    codes, rgb = stored
    depth, valid = CODE.decode(codes, None)
    step = _step(fill=fill.value)
    filled, measured = _run(step, depth, valid, rgb)
    pictures = []
    for column, cell in zip(step.outputs, (filled, measured), strict=True):
        (file,) = encode_cell(column, KEY, cell).files
        pictures.append(decode_image(file[1], Path(file[0])))
    np.testing.assert_array_equal(pictures[1], codes > 0)
    np.testing.assert_array_equal(pictures[0][codes > 0], codes[codes > 0])
    assert (pictures[0] > 0).all()
    assert (pictures[0] == 65535).any()
    share = (codes > 0).mean()
    assert filled.facts == {"measured": pytest.approx(share, abs=1e-6), "filled": pytest.approx(1 - share, abs=1e-6)}
    assert json.loads(json.dumps(filled.facts)) == filled.facts


def test_the_columns_tell_code_method_and_source() -> None:
    step = _step(depth="lidar", fill="nearest")
    filled, measured = step.outputs
    assert (filled.name, filled.kind, filled.code) == ("depth_filled", Kind.DEPTH, DepthCode(1 / 256))
    assert dict(filled.attributes) == {"fill": "nearest", "source": "lidar"}
    assert (measured.name, measured.kind) == ("depth_measured", Kind.MASK)
    assert measured.code == IdCode(8)
    for column in step.outputs:
        assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column


def test_whatever_changes_the_output_is_a_parameter() -> None:
    steps = [_step(), _step(fill="nearest"), _step(fill="guided"), _step(depth="lidar")]
    parameters = [json.dumps(step.parameters, sort_keys=True) for step in steps]
    assert len(set(parameters)) == len(steps)
    assert code_from_json(steps[0].parameters["code"]) == CODE


def test_only_guided_reads_the_image() -> None:
    assert [each.name for each in _step().inputs] == ["depth"]
    assert [each.name for each in _step(fill="nearest", depth="lidar").inputs] == ["lidar"]
    assert [each.name for each in _step(fill="guided").inputs] == ["depth", "image"]


def test_it_is_found_by_its_name_and_fills_as_ip_basic_does_by_default() -> None:
    member = MODALITIES.load("depth_filled")
    assert default_table(member.Arguments) == {"depth": "depth", "fill": "ip-basic"}
    assert member.build(member.Arguments(), Scene(columns=COLUMNS)) == _step(fill="ip-basic")


@pytest.mark.parametrize(("odd", "message"), [(np.nan, "no numbers"), (0, "not above 0 m"), (-1, "not above 0 m")])
def test_valid_pixels_that_are_no_depth_are_refused_instead_of_filled(odd: float, message: str) -> None:
    depth = np.array([[2, odd, 4], [2, 3, 4]], np.float32)
    with pytest.raises(CodeRangeError, match=message):
        _run(_step(fill="nearest"), depth, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fill": "magic"}, "--fill must be one of ip-basic, nearest, guided, not 'magic'"),
        ({"fill": None}, "--fill must be"),
        ({"depth": "image"}, "--depth names a column of depth; image is one of image"),
        ({"depth": "distance"}, "there is no column 'distance'"),
        ({"depth": "depth_filled"}, "--depth names the column whose holes are filled"),
        ({"depth": 3}, "--depth must be a text, not 3"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _step(**arguments)


@pytest.mark.parametrize("fill", Fill)
def test_bad_depth_is_refused_with_its_own_message(fill: Fill) -> None:
    depth, valid, rgb = np.ones((4, 6), np.float32), np.zeros((4, 6), np.bool_), np.zeros((4, 6, 3), np.uint8)
    step = _step(fill=fill.value)
    with pytest.raises(CodeRangeError, match="no pixel has a depth of 6x4"):
        _run(step, depth, valid, rgb)
    valid[1, 1] = True
    with pytest.raises(CodeRangeError, match="only one pixel has a depth of 6x4"):
        _run(step, depth, valid, rgb)


def test_guided_refuses_an_image_of_another_size() -> None:
    depth = np.ones((4, 6), np.float32)
    with pytest.raises(SizeMismatchError, match="depth is 6x4, the image 5x4"):
        _run(_step(fill="guided"), depth, depth > 0, np.zeros((4, 5, 3), np.uint8))
