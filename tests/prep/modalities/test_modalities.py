"""What every modality must fulfil, shown on a rendered street whose depth has holes."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest

from segprep.datasets.codes import DepthCode, JetCode, PlainCode
from segprep.datasets.errors import ConfigurationError, SegprepError, UnknownNameError
from segprep.datasets.imageio import decode_image
from segprep.datasets.kinds import Flip, Kind, rule
from segprep.datasets.program.tables import Place, default_table, from_table, options_of
from segprep.datasets.sample import Array, Camera, Mask, Sample, SampleKey, flip_x_map
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.synthetic import World, render
from segprep.datasets.workspace.cells import Cell, Column, StoredCell, encode_cell
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import Scene
from segprep.prep.step import Absent, Origin, Step
from support.members import built

KEY = SampleKey("a")
WIDTH, HEIGHT = 256, 128
COLUMNS = {
    "image": Column("image", Kind.IMAGE, PlainCode()),
    "nir": Column("nir", Kind.NIR, PlainCode(channels=())),
    "depth": Column("depth", Kind.DEPTH, DepthCode(1 / 200)),
    "camera": Column("camera", Kind.CAMERA, None),
}
SCENE = Scene((2.0, 80.0), COLUMNS)
NAMES = MODALITIES.names()

every_member = pytest.mark.parametrize("name", NAMES)


@cache
def street() -> Sample:
    """A frame as the workspace holds it: depth as decoded from its files, with sky, holes and lone pixels."""
    frame = render(World(seed=3, pitch_wobble=0.02), 4, WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    valid = rng.random((HEIGHT, WIDTH)) > 0.02
    valid[70:90, 30:60] = False
    valid[100:, 200:] = False
    depth = encode_cell(COLUMNS["depth"], KEY, Cell(frame.depth_HW.astype(np.float32), valid)).cell
    assert isinstance(depth.values, np.ndarray)
    assert depth.valid is not None
    arrays = {"image": frame.rgb_HWC, "nir": frame.nir_HW, "depth": depth.values}
    kinds = {name: COLUMNS[name].kind for name in arrays}
    return Sample(KEY, arrays, kinds, {"depth": depth.valid}, frame.camera, frame.pose)


def with_depth(sample: Sample, depth: Array, valid: Mask) -> Sample:
    return replace(sample, arrays={**sample.arrays, "depth": depth}, valid={**sample.valid, "depth": valid})


def member(name: str) -> ModuleType:
    return MODALITIES.load(name)


def build(name: str, **arguments: object) -> Step:
    return built(member(name), SCENE, **arguments)


def columns_read(step: Step) -> set[str]:
    return {each.name for each in step.inputs}


@cache
def cells(name: str) -> Mapping[str, Cell]:
    return build(name)(street())


@cache
def encoded(name: str) -> Mapping[str, StoredCell]:
    made = build(name)
    return {column.name: encode_cell(column, KEY, cells(name)[column.name]) for column in made.outputs}


def values_of(cell: Cell) -> Array:
    assert isinstance(cell.values, np.ndarray)
    return cell.values


def everywhere(cell: Cell) -> Mask:
    return np.ones(values_of(cell).shape[:2], np.bool_) if cell.valid is None else cell.valid


def step_of(column: Column) -> Array:
    """The difference of values whose codes are neighbours, per channel."""
    assert column.code is not None
    if isinstance(column.code, JetCode):
        return np.array(column.code.step)
    return np.array(column.code.scale if column.code.channels else column.code.scale[0])


def steps_apart(column: Column, values: Array, others: Array, where: Mask) -> npt.NDArray[np.float64]:
    """By how many steps of the code pixels differ, (N,); infinity equals itself and what stands for it."""
    assert column.code is not None
    largest = column.code.high if isinstance(column.code, JetCode) else np.finfo(np.float32).max
    first, second = (np.minimum(v.astype(np.float64), largest)[where] for v in (values, others))
    apart: npt.NDArray[np.float64] = (np.abs(first - second) / step_of(column)).reshape(len(first), -1).max(axis=1)
    return apart


# -- the description ---------------------------------------------------------------------------------------------------


def test_the_modalities_that_networks_are_trained_on_are_there() -> None:
    assert {"depth_filled", "hha", "jet", "normals", "evi", "evi2", "ndvi"} <= set(NAMES)
    with pytest.raises(UnknownNameError, match=r"modality called 'jets'.*hha, jet"):
        MODALITIES.load("jets")


@every_member
def test_a_member_names_its_column_and_its_options(name: str) -> None:
    made = build(name)
    names = [column.name for column in made.outputs]
    assert name in names
    assert len(set(names)) == len(names)
    assert not set(names) & {"depth", "image", "nir", "camera"}
    assert member(name).__doc__
    table = default_table(member(name).Arguments)
    assert json.loads(json.dumps(table)) == table
    assert from_table(member(name).Arguments, table, Place("ledger")) == member(name).Arguments()
    assert all(each.help for each in options_of(member(name).Arguments))
    assert made.name
    assert made.version >= 1
    assert all(each.origin is Origin.COLUMN for each in made.inputs)
    assert columns_read(made) <= {"depth", "image", "nir", "camera"}


@every_member
def test_the_parameters_are_json_and_equal_steps_have_equal_ones(name: str) -> None:
    made, again = build(name), build(name)
    text = json.dumps(made.parameters, sort_keys=True, allow_nan=False)
    assert json.loads(text) == made.parameters
    assert json.dumps(again.parameters, sort_keys=True) == text
    assert made == again
    assert hash(made) == hash(again)
    assert pickle.loads(pickle.dumps(made)) == made


@every_member
def test_columns_survive_json_and_can_be_stored_in_shards(name: str) -> None:
    for column in build(name).outputs:
        assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column
        assert column.code is not None
        shape = tuple(encoded(name)[column.name].cell.facts["shape"])
        ArraySpec.of(column.name, column.kind, shape, column.code, attributes=dict(column.attributes))


@every_member
def test_values_of_options_that_make_no_sense_are_refused(name: str) -> None:
    for option in default_table(member(name).Arguments):
        for nonsense in ({"a": 1}, -3, "" if option == "depth" else "nonsense"):
            with pytest.raises(ConfigurationError):
                build(name, **{option: nonsense})


# -- what comes out ----------------------------------------------------------------------------------------------------


@every_member
def test_all_outputs_are_made_on_the_samples_grid_with_the_masks_that_their_kinds_have(name: str) -> None:
    made = build(name)
    assert set(cells(name)) == {column.name for column in made.outputs}
    for column in made.outputs:
        cell = cells(name)[column.name]
        assert values_of(cell).shape[:2] == (HEIGHT, WIDTH)
        assert rule(column.kind).masked == (cell.valid is not None)
        if cell.valid is not None:
            assert cell.valid.dtype == np.bool_
            assert cell.valid.shape == (HEIGHT, WIDTH)
            assert cell.valid.mean() > 0.25
        known = values_of(cell)[everywhere(cell)]
        assert not np.isnan(known).any()
        assert np.ptp(known[np.isfinite(known)]) > 0
        facts = cell.facts
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts


@every_member
def test_files_hold_the_codes_and_the_mask(name: str) -> None:
    for column in build(name).outputs:
        cell, code = encoded(name)[column.name], column.code
        assert code is not None
        stored, valid = code.from_file(decode_image(cell.files[0][1], Path("cell.png")))
        assert stored.dtype == code.dtype
        assert list(stored.shape) == cell.cell.facts["shape"]
        assert stored.shape[2:] == ((len(code.channels),) if code.channels else ())
        assert [file for file, _ in cell.files] == [f"{column.name}_data/a{column.extension}"] + (
            [f"{column.name}_valid/a.png"] if column.has_mask_files else []
        )
        if column.has_mask_files:
            valid = decode_image(cell.files[1][1], Path("mask.png")) > 0
        if valid is not None:
            np.testing.assert_array_equal(valid, everywhere(cells(name)[column.name]))
        values, known = code.decode(stored, valid)
        np.testing.assert_array_equal(values, values_of(cell.cell))
        if known is not None:
            np.testing.assert_array_equal(known, everywhere(cell.cell))


@every_member
def test_a_reader_gets_the_values_within_half_a_step_and_encoding_them_again_changes_nothing(name: str) -> None:
    for column in build(name).outputs:
        cell = cells(name)[column.name]
        error = steps_apart(column, values_of(encoded(name)[column.name].cell), values_of(cell), everywhere(cell))
        outside = encoded(name)[column.name].cell.facts.get("clipped", 0)
        assert (error > 0.5001).sum() <= outside < 0.6 * error.size
        again = encode_cell(column, KEY, encoded(name)[column.name].cell)
        assert again.files == encoded(name)[column.name].files


@every_member
def test_equal_samples_give_equal_bytes_and_are_left_as_they_were(name: str) -> None:
    sample = street()
    copy = replace(
        sample,
        arrays={k: v.copy() for k, v in sample.arrays.items()},
        valid={k: v.copy() for k, v in sample.valid.items()},
    )
    made = build(name)
    result = made(copy)
    for column in made.outputs:
        assert encode_cell(column, KEY, result[column.name]).files == encoded(name)[column.name].files
    for k, array in sample.arrays.items():
        np.testing.assert_array_equal(copy.arrays[k], array)
    np.testing.assert_array_equal(copy.valid["depth"], sample.valid["depth"])


@every_member
def test_what_invalid_pixels_hold_does_not_matter(name: str) -> None:
    sample = street()
    valid = sample.valid["depth"]
    for junk in (np.nan, -7.0, np.inf, 3e38):
        depth = np.where(valid, sample.arrays["depth"], np.float32(junk)).astype(np.float32)
        result = build(name)(with_depth(sample, depth, valid))
        for column in build(name).outputs:
            assert encode_cell(column, KEY, result[column.name]).files == encoded(name)[column.name].files


def mirrored(sample: Sample) -> Sample:
    """The sample of the mirrored street: its camera looks at it through a mirror, with a focal length above zero."""
    camera = sample.camera
    assert camera is not None
    assert camera.mount is not None
    mirror = np.diag([-1.0, 1.0, 1.0])
    left_right = np.diag([1.0, -1.0, 1.0, 1.0])  # of the vehicle, whose y is left
    flipped = Camera(
        flip_x_map(WIDTH) @ camera.K @ mirror,
        WIDTH,
        HEIGHT,
        camera.baseline,
        left_right @ camera.mount @ np.diag([-1.0, 1.0, 1.0, 1.0]),
    )
    assert flipped.K[0, 0] > 0
    return Sample(
        sample.key,
        {k: np.ascontiguousarray(v[:, ::-1]) for k, v in sample.arrays.items()},
        sample.kinds,
        {k: np.ascontiguousarray(v[:, ::-1]) for k, v in sample.valid.items()},
        flipped,
    )


@every_member
def test_the_mirrored_street_gives_the_mirrored_column_by_the_rule_of_its_kind(name: str) -> None:
    made = build(name)
    result = made(mirrored(street()))
    for column in made.outputs:
        there = encoded(name)[column.name].cell
        back = encode_cell(column, KEY, result[column.name]).cell
        expected = values_of(there)[:, ::-1].copy()
        # What is coded for the eye is mirrored as the scalar that it stands for.
        if rule(column.kind).flip is Flip.NEGATE_FIRST:
            expected[..., 0] *= -1
        np.testing.assert_array_equal(everywhere(back), everywhere(there)[:, ::-1])
        error = steps_apart(column, values_of(back), expected, everywhere(back))
        assert error.max() < 1.01
        assert (error > 0.01).mean() < 0.001


# -- bad input ---------------------------------------------------------------------------------------------------------


def members_of(column: str) -> list[str]:
    return [name for name in NAMES if column in columns_read(build(name))]


def refusal(name: str, sample: Sample) -> str:
    with pytest.raises(SegprepError) as caught:
        build(name)(sample)
    assert len(str(caught.value)) > 10
    return str(caught.value)


@pytest.mark.parametrize("name", members_of("depth"))
def test_bad_depth_is_refused_with_a_message_of_its_own(name: str) -> None:
    sample = street()
    depth, valid = sample.arrays["depth"], sample.valid["depth"]
    nothing = refusal(name, with_depth(sample, np.zeros_like(depth), np.zeros_like(valid)))
    messages = {nothing}
    for bad in (np.nan, -1.0):
        wrong = depth.copy()
        wrong[np.unravel_index(np.flatnonzero(valid)[1000], valid.shape)] = bad
        messages.add(refusal(name, with_depth(sample, wrong, valid)))
    assert len(messages) == 3


@pytest.mark.parametrize("name", members_of("depth"))
@pytest.mark.parametrize("value", [5.0, np.inf])
def test_one_valid_pixel_gives_columns_or_an_error_that_people_understand(name: str, value: float) -> None:
    valid = np.zeros((HEIGHT, WIDTH), np.bool_)
    valid[60, 100] = True
    made = build(name)
    sample = with_depth(street(), np.where(valid, np.float32(value), np.float32(0)), valid)
    try:
        result = made(sample)
    except SegprepError:
        refusal(name, sample)
    else:
        for column in made.outputs:
            encode_cell(column, KEY, result[column.name])


@pytest.mark.parametrize("name", members_of("camera"))
def test_without_intrinsics_there_is_nothing_to_make_and_foreign_ones_are_refused(name: str) -> None:
    with pytest.raises((Absent, SegprepError), match=r"camera|intrinsics"):
        build(name)(replace(street(), camera=None))
    camera = street().camera
    assert camera is not None
    assert f"{WIDTH}x{HEIGHT}" in refusal(name, replace(street(), camera=replace(camera, width=WIDTH + 1)))


@pytest.mark.parametrize("name", members_of("nir"))
def test_near_infrared_of_another_size_and_of_other_bits_than_it_says_is_refused(name: str) -> None:
    sample = street()
    nir = sample.arrays["nir"]
    assert "nir is 255x128" in refusal(name, replace(sample, arrays={**sample.arrays, "nir": nir[:, 1:]}))
    assert "16 bits" in refusal(name, replace(sample, arrays={**sample.arrays, "nir": nir.astype(np.uint16)}))
