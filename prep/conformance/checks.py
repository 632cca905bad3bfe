"""What every modality says of itself, and makes of a good sample."""

import json
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from segprep.datasets.codes import JetCode
from segprep.datasets.conformance import refusal
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.imageio import decode_image
from segprep.datasets.kinds import Flip, rule
from segprep.datasets.program.tables import Place, from_table, options_of
from segprep.datasets.sample import Array, Camera, JsonDict, Mask, Sample, flip_x_map
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.workspace.cells import Cell, Column, encode_cell
from segprep.prep.conformance.case import (
    COLUMNS,
    HEIGHT,
    KEY,
    WIDTH,
    ModalityCase,
    everywhere,
    street,
    values_of,
    with_depth,
)
from segprep.prep.step import Origin

__all__ = ["CHECKS"]


def check_description(case: ModalityCase) -> None:
    """It has a docstring, JSON options, a column of its name, and reads what there is."""
    names = [column.name for column in case.columns]
    assert case.name in names, f"there is no column {case.name} among {names}"
    assert len(set(names)) == len(names), f"two columns have one name: {names}"
    assert not set(names) & set(COLUMNS), f"it makes columns that exist already: {names}"
    assert case.member.__doc__, "it has no docstring"
    assert json.loads(_json(case.defaults, "the defaults")) == case.defaults, "the defaults do not survive JSON"
    arguments = case.member.Arguments
    again = from_table(arguments, case.defaults, Place("the defaults"))
    assert again == arguments(), f"the defaults come back from JSON as {again}"
    helpless = [each.name for each in options_of(arguments) if not each.help]
    assert not helpless, f"options without a help text: {helpless}"
    step = case.step()
    assert step.name, "its step has no name"
    assert step.version >= 1, f"the version of its step is {step.version}"
    origins = {each.name: each.origin for each in step.inputs if each.origin is not Origin.COLUMN}
    assert not origins, f"inputs that are no columns: {origins}"
    assert case.reads <= set(COLUMNS), f"it reads columns that not every workspace can have: {case.reads}"


def check_parameters(case: ModalityCase) -> None:
    """Parameters are JSON, and equal steps are equal, have equal ones and can be sent to workers."""
    made, again = case.step(), case.step()
    text = _json(made.parameters, "the parameters")
    assert json.loads(text) == made.parameters, f"the parameters do not survive JSON: {made.parameters}"
    assert _json(again.parameters, "the parameters") == text, "a second step has other parameters"
    assert made == again, "two steps of the same options are not equal: make the class a frozen dataclass"
    assert hash(made) == hash(again), "equal steps have other hashes"
    assert pickle.loads(pickle.dumps(made)) == made, "the step does not come back from pickle as it was"


def check_columns(case: ModalityCase) -> None:
    """Columns survive JSON and can be stored in shards."""
    for column in case.columns:
        assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column, f"{column} does not survive JSON"
        assert column.code is not None, f"column {column.name} has no code"
        shape = tuple(case.stored()[column.name].cell.facts["shape"])
        ArraySpec.of(column.name, column.kind, shape, column.code, attributes=dict(column.attributes))


def check_options(case: ModalityCase) -> None:
    """Values of options that make no sense are refused."""
    for option in case.defaults:
        for nonsense in ({"a": 1}, -3, "" if option == "depth" else "nonsense"):
            refusal(ConfigurationError, partial(case.step, **{option: nonsense}), f"{option} = {nonsense!r}")


# -- what comes out ----------------------------------------------------------------------------------------------------


def check_grid(case: ModalityCase) -> None:
    """All outputs are made, on the sample's grid, with the masks that their kinds have, and JSON facts."""
    names = {column.name for column in case.columns}
    assert set(case.cells()) == names, f"it promises {sorted(names)} and makes {sorted(case.cells())}"
    for column in case.columns:
        cell, name = case.cells()[column.name], column.name
        values = values_of(cell)
        assert values.shape[:2] == (HEIGHT, WIDTH), f"{name} is {values.shape}, the sample {HEIGHT}x{WIDTH}"
        masked = rule(column.kind).masked
        assert masked == (cell.valid is not None), f"{name}, {column.kind}: a mask is due: {masked}"
        if cell.valid is not None:
            assert cell.valid.dtype == np.bool_, f"the mask of {name} is {cell.valid.dtype}"
            assert cell.valid.shape == (HEIGHT, WIDTH), f"the mask of {name} is {cell.valid.shape}"
            assert cell.valid.mean() > 0.25, f"only {cell.valid.mean():.0%} of {name} are valid on a street"
        known = values[everywhere(cell)]
        assert not np.isnan(known).any(), f"valid pixels of {name} are no numbers"
        assert np.ptp(known[np.isfinite(known)]) > 0, f"{name} is the same everywhere"
        facts = json.loads(_json(cell.facts, f"the facts of {name}"))
        assert facts == cell.facts, f"the facts of {name} do not survive JSON: {cell.facts}"


def check_files(case: ModalityCase) -> None:
    """Files hold the codes and the mask, and a reader gets what the step knows as stored."""
    for column in case.columns:
        cell, code, name = case.stored()[column.name], column.code, column.name
        assert code is not None, f"column {name} has no code"
        stored, valid = code.from_file(decode_image(cell.files[0][1], Path("cell.png")))
        assert stored.dtype == code.dtype, f"{name} is stored as {stored.dtype}, its code says {code.dtype}"
        assert list(stored.shape) == cell.cell.facts["shape"], f"{name} is stored with the shape {stored.shape}"
        channels = (len(code.channels),) if code.channels else ()
        assert stored.shape[2:] == channels, f"{name} has the channels {stored.shape[2:]}, its code {channels}"
        mask = [f"{name}_valid/a.png"] if column.has_mask_files else []
        files = [file for file, _ in cell.files]
        assert files == [f"{name}_data/a{column.extension}", *mask], f"{name} has the files {files}"
        if column.has_mask_files:
            valid = decode_image(cell.files[1][1], Path("mask.png")) > 0
        if valid is not None:
            same = np.array_equal(valid, everywhere(case.cells()[name]))
            assert same, f"the mask in the files of {name} is not the one that was made"
        values, known = code.decode(stored, valid)
        assert np.array_equal(values, values_of(cell.cell)), f"the files of {name} hold other values"
        assert known is None or np.array_equal(known, everywhere(cell.cell)), f"the files of {name}: another mask"


def check_accuracy(case: ModalityCase) -> None:
    """A reader gets the values within half a step of the code, and encoding them again changes nothing."""
    for column in case.columns:
        name, cell = column.name, case.cells()[column.name]
        stored = case.stored()[name].cell
        error = _steps_apart(column, values_of(stored), values_of(cell), everywhere(cell))
        outside = stored.facts.get("clipped", 0)
        far = int((error > 0.5001).sum())
        assert far <= outside, f"{far} pixels of {name} are more than half a step off, {outside} of them clipped"
        assert outside < 0.6 * error.size, f"{outside} of {error.size} pixels of {name} are beyond its code's range"
        again = encode_cell(column, KEY, stored)
        assert again.files == case.stored()[name].files, f"encoding the stored values of {name} changes the files"


def check_purity(case: ModalityCase) -> None:
    """Equal samples give equal bytes, and are left as they were."""
    sample, twin = street(), street()
    _same_files(case, case.step()(twin), "a second run on an equal sample")
    for name, array in sample.arrays.items():
        assert np.array_equal(twin.arrays[name], array, equal_nan=True), f"the input {name} was changed"
    assert np.array_equal(twin.valid["depth"], sample.valid["depth"]), "the mask of depth was changed"


def check_invalid(case: ModalityCase) -> None:
    """What invalid pixels of depth hold does not matter."""
    valid = street().valid["depth"]
    for junk in (np.nan, -7.0, np.inf, 3e38):
        depth = np.where(valid, street().arrays["depth"], np.float32(junk)).astype(np.float32)
        _same_files(case, case.step()(with_depth(depth, valid)), f"{junk} where depth is invalid")


def check_mirror(case: ModalityCase) -> None:
    """The mirrored street gives the mirrored column, by the rule of its kind."""
    result = case.step()(_mirrored(street()))
    for column in case.columns:
        name, there = column.name, case.stored()[column.name].cell
        back = encode_cell(column, KEY, result[name]).cell
        expected = values_of(there)[:, ::-1].copy()
        # What is coded for the eye is mirrored as the scalar that it stands for.
        if rule(column.kind).flip is Flip.NEGATE_FIRST:
            expected[..., 0] *= -1
        same = np.array_equal(everywhere(back), everywhere(there)[:, ::-1])
        assert same, f"{name} of the mirrored street has another mask than the mirrored {name}"
        error = _steps_apart(column, values_of(back), expected, everywhere(back))
        assert error.max() < 1.01, f"{name} of the mirrored street is up to {error.max()} steps off the mirrored {name}"
        share = (error > 0.01).mean()
        assert share < 0.001, f"{share:.2%} of {name} of the mirrored street differ from the mirrored {name}"


CHECKS: Final[tuple[Callable[[ModalityCase], None], ...]] = (
    check_description,
    check_parameters,
    check_columns,
    check_options,
    check_grid,
    check_files,
    check_accuracy,
    check_purity,
    check_invalid,
    check_mirror,
)


def _json(value: JsonDict, what: str) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{what} are no JSON: {error}: {value}") from error


def _steps_apart(column: Column, values: Array, others: Array, where: Mask) -> npt.NDArray[np.float64]:
    """Return by how many steps of the code pixels differ, (N,); infinity equals itself and what stands for it."""
    code = column.code
    assert code is not None, f"column {column.name} has no code"
    largest = code.high if isinstance(code, JetCode) else np.finfo(np.float32).max
    step = code.step if isinstance(code, JetCode) else code.scale if code.channels else code.scale[0]
    first, second = (np.minimum(v.astype(np.float64), largest)[where] for v in (values, others))
    apart: npt.NDArray[np.float64] = (np.abs(first - second) / np.array(step)).reshape(len(first), -1).max(axis=1)
    return apart


def _same_files(case: ModalityCase, result: Mapping[str, Cell], what: str) -> None:
    for column in case.columns:
        files = encode_cell(column, KEY, result[column.name]).files
        assert files == case.stored()[column.name].files, f"{what} gives other files of {column.name}"


def _mirrored(sample: Sample) -> Sample:
    """Return the sample of the mirrored street: its camera looks through a mirror, with a focal length above zero."""
    camera = sample.camera
    assert camera is not None
    assert camera.mount is not None
    left_right = np.diag([1.0, -1.0, 1.0, 1.0])  # of the vehicle, whose y is left
    flipped = Camera(
        flip_x_map(WIDTH) @ camera.K @ np.diag([-1.0, 1.0, 1.0]),
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
