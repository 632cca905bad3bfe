"""Vegetation indices: worked numbers, guarded denominators, whatever bits and channels the bands stand in."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segprep.datasets.codes import IdCode, LinearCode, PlainCode
from segprep.datasets.errors import CodeRangeError, ConfigurationError, SizeMismatchError
from segprep.datasets.imageio import decode_image, read_image
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask, Sample, SampleKey
from segprep.datasets.workspace.cells import Cell, Column, StoredCell, encode_cell
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import Scene
from segprep.prep.spectral.bands import DEFAULT_BANDS
from segprep.prep.spectral.vegetation import INDICES, IndexImage, vegetation_index
from segprep.prep.step import Input, Origin, Step
from support.members import built
from support.properties import examples

KEY = SampleKey("a")
NAMES = sorted(INDICES)
CWFID = "nir=image.green,red=image.red"
every_index = pytest.mark.parametrize("name", NAMES)

Reflectance = npt.NDArray[np.float64]


def index(name: str, nir: Any, red: Any, blue: Any = 0.0) -> IndexImage:
    bands = {"nir": nir, "red": red, "blue": blue}
    return vegetation_index(name, {k: np.atleast_2d(np.asarray(v, np.float64)) for k, v in bands.items()})


def step(name: str, scene: Scene | None = None, **arguments: Any) -> Step:
    member = MODALITIES.load(name)
    made: Step = built(member, scene or Scene(), **arguments)
    return made


def sample_of(**arrays: Array) -> Sample:
    return Sample(KEY, arrays, {})


def stored(made: Step, sample: Sample) -> tuple[StoredCell, Array, Mask]:
    """The cell's files, the codes in its picture, and its mask."""
    (column,) = made.outputs
    cell = encode_cell(column, KEY, made(sample)[column.name])
    assert cell.cell.valid is not None
    return cell, decode_image(cell.files[0][1], Path("a.png")), cell.cell.valid


def pictures(seed: int, shape: tuple[int, int] = (24, 31)) -> dict[str, Array]:
    """Near infrared and an image as 8-bit noise."""
    rng = np.random.default_rng(seed)
    return {
        "nir": rng.integers(0, 256, shape, dtype=np.uint8),
        "image": rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
    }


def values_of(cell: Cell) -> Array:
    assert isinstance(cell.values, np.ndarray)
    return cell.values


def reflectances() -> st.SearchStrategy[Reflectance]:
    return hnp.arrays(np.float64, (5, 7), elements=st.floats(0, 1))


# -- formulas ----------------------------------------------------------------------------------------------------------


def test_worked_numbers() -> None:
    assert index("ndvi", 0.5, 0.1).values_HW[0, 0] == pytest.approx(2 / 3)
    assert index("evi", 0.5, 0.1, 0.05).values_HW[0, 0] == pytest.approx(1 / 1.725)
    assert index("evi2", 0.5, 0.1).values_HW[0, 0] == pytest.approx(1 / 1.74)
    assert index("evi", 0.3, 0.2, 0.1).values_HW[0, 0] == pytest.approx(0.25 / (0.3 + 1.2 - 0.75 + 1))
    assert index("evi2", 0.0, 0.0).values_HW[0, 0] == 0


@every_index
@given(nir=reflectances(), red=reflectances(), blue=reflectances())
@examples(30)
def test_values_are_numbers_between_minus_one_and_one_or_marked_invalid(
    name: str, nir: Reflectance, red: Reflectance, blue: Reflectance
) -> None:
    nir[0, 0], red[0, 0], blue[0, 0] = 0.5, 0.1, 0.05
    image = index(name, nir, red, blue)
    assert image.values_HW.dtype == np.float32
    assert np.isfinite(image.values_HW).all()
    assert np.abs(image.values_HW).max() <= 1
    assert not image.values_HW[~image.valid_HW].any()
    facts = image.facts
    assert facts["guarded"] == pytest.approx((~image.valid_HW).mean(), abs=1e-6)
    assert facts["smallest"] <= facts["largest"]
    assert (facts["out_of_range"] > 0) == (max(-facts["smallest"], facts["largest"]) > 1)
    more = nir > red
    valid = image.valid_HW
    assert (image.values_HW[valid & more] >= 0).all()
    assert (image.values_HW[valid & ~more] <= 0).all()


@given(nir=reflectances(), red=reflectances(), factor=st.floats(0.1, 1))
@examples(30)
def test_ndvi_changes_its_sign_with_the_bands_and_not_with_the_light(
    nir: Reflectance, red: Reflectance, factor: float
) -> None:
    nir[0, 0] = 1
    image = index("ndvi", nir, red)
    np.testing.assert_array_equal(index("ndvi", red, nir).values_HW, -image.values_HW)
    darker = index("ndvi", factor * nir, factor * red)
    both = image.valid_HW & darker.valid_HW
    assert both[0, 0]
    np.testing.assert_allclose(darker.values_HW[both], image.values_HW[both], atol=1e-6)


@given(nir=reflectances(), red=reflectances())
@examples(20)
def test_the_index_without_blue_needs_no_guard_and_the_one_with_blue_only_where_blue_is_bright(
    nir: Reflectance, red: Reflectance
) -> None:
    assert index("evi2", nir, red).valid_HW.all()
    assert index("evi", nir, red, np.full(nir.shape, 0.129)).valid_HW.all()  # 1 - 7.5 * 0.129 = 0.0325


def test_denominators_of_nothing_are_guarded_before_anything_is_divided() -> None:
    black = index("ndvi", [[0.0, 0.4, 0.0009]], [[0.0, 0.1, 0.001]])
    np.testing.assert_array_equal(black.valid_HW, [[False, True, False]])
    assert black.facts["guarded"] == pytest.approx(2 / 3, abs=1e-6)
    # Sky: 0.6 + 6 * 0.5 - 7.5 b + 1 is 0 at b = 0.61333 and negative beyond.
    sky = index("evi", np.full(5, 0.6), np.full(5, 0.5), [0.6, 4.6 / 7.5, 0.6134, 0.61, 1.0])
    np.testing.assert_array_equal(sky.valid_HW, [[True, False, False, False, False]])
    assert sky.facts["largest"] == pytest.approx(0.25 / 0.1)
    assert sky.facts["out_of_range"] == 1
    assert sky.values_HW[0, 0] == 1


def test_a_step_of_8_bits_is_no_black() -> None:
    image = index("ndvi", [[1 / 255, 0.0, 0.0]], [[0.0, 1 / 255, 0.0]])
    np.testing.assert_array_equal(image.valid_HW, [[True, True, False]])
    np.testing.assert_array_equal(image.values_HW, [[1, -1, 0]])


def test_images_without_any_value_are_refused() -> None:
    with pytest.raises(CodeRangeError, match=r"ndvi.*everywhere below 0\.002"):
        index("ndvi", np.zeros((3, 3)), np.zeros((3, 3)))
    with pytest.raises(CodeRangeError, match=r"evi.*everywhere below 0\.03"):
        index("evi", np.zeros((3, 3)), np.zeros((3, 3)), np.ones((3, 3)))


# -- bands -------------------------------------------------------------------------------------------------------------


@every_index
def test_a_band_that_an_index_needs_must_be_named_and_one_that_it_does_not_need_is_left_aside(name: str) -> None:
    needed = INDICES[name].bands
    for lacking in needed:
        others = ",".join(
            f"{n}=image.{c}" for n, c in zip(("nir", "red", "blue"), range(3), strict=True) if n != lacking
        )
        with pytest.raises(ConfigurationError, match=f"{name} needs {lacking}"):
            step(name, bands=others)
    columns = {"nir": "a", "red": "b", "blue": "c"}
    made = step(name, bands="nir=a,red=b,blue=c")
    assert [i.name for i in made.inputs] == [columns[band] for band in needed]
    with pytest.raises(ConfigurationError, match="green is unknown"):
        step(name, bands="nir=a,red=b,blue=c,green=d")


def test_without_blue_the_message_names_the_indices_that_need_none() -> None:
    with pytest.raises(ConfigurationError, match="Without blue there are evi2 and ndvi"):
        step("evi", bands=CWFID)


@every_index
def test_the_inputs_are_the_columns_of_the_bands_each_once(name: str) -> None:
    assert step(name).inputs == (Input("nir", Origin.COLUMN), Input("image", Origin.COLUMN))
    if name != "evi":
        assert step(name, bands=CWFID).inputs == (Input("image", Origin.COLUMN),)


def test_columns_that_hold_no_such_band_are_refused_before_anything_runs() -> None:
    columns = {
        "image": Column("image", Kind.IMAGE, PlainCode()),
        "nir": Column("nir", Kind.NIR, PlainCode(channels=())),
        "label": Column("label", Kind.LABEL, IdCode()),
        "camera": Column("camera", Kind.CAMERA, None),
    }
    scene = Scene(columns=columns)
    step("ndvi", scene)
    for bands, message in (
        ("nir=nir,red=image", "image has three channels, name one"),
        ("nir=nir.red,red=image.red", "nir has one channel, name none"),
        ("nir=label,red=image.red", "label is a column of label"),
        ("nir=camera,red=image.red", "camera is a column of camera"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            step("ndvi", scene, bands=bands)
    step("ndvi", scene, bands="nir=not_yet_there,red=image.red")


@pytest.mark.parametrize("bits", [0, 7, 32, "nine", None, [8]])
def test_bits_are_8_or_16(bits: object) -> None:
    with pytest.raises(ConfigurationError, match="--bits must be 8 or 16"):
        step("evi", bits=bits)


@every_index
@given(seed=st.integers(0, 999))
@examples(10)
def test_8_bits_and_the_same_light_in_16_give_the_same(name: str, seed: int) -> None:
    byte = pictures(seed)
    word = {k: v.astype(np.uint16) * np.uint16(257) for k, v in byte.items()}
    mixed = byte | {"nir": word["nir"]}
    twelve = byte | {"nir": byte["nir"].astype(np.uint16) * np.uint16(16)}
    of_8 = step(name)(sample_of(**byte))[name]
    for arrays, bands in (
        (word, DEFAULT_BANDS),
        (mixed, DEFAULT_BANDS),
        (twelve, "nir=nir/4080,red=image.red,blue=image.blue"),
    ):
        of_16 = step(name, bands=bands)(sample_of(**arrays))[name]
        np.testing.assert_array_equal(of_16.valid, of_8.valid)
        np.testing.assert_allclose(values_of(of_16), values_of(of_8), atol=1e-6)


# -- the columns -------------------------------------------------------------------------------------------------------


@every_index
def test_columns_of_8_and_16_bits_keep_the_index_to_half_a_step_with_zero_exact(name: str) -> None:
    sample = sample_of(**pictures(1))
    sample.arrays["nir"][0, 0] = sample.arrays["image"][0, 0, 0] = 90
    sample.arrays["image"][0, 0, 2] = 0
    exact = step(name)(sample)[name]
    for bits, zero in ((8, 128), (16, 32768)):
        cell, codes, valid = stored(step(name, bits=bits), sample)
        assert codes.dtype == (np.uint8 if bits == 8 else np.uint16)
        np.testing.assert_array_equal(valid, exact.valid)
        error = np.abs(values_of(cell.cell) - values_of(exact))
        assert error.max() <= 0.5 / (zero - 1) + 1e-7
        assert codes[0, 0] == zero
        assert (codes[~valid] == 0).all()
        assert codes[valid].min() >= 1
        assert "clipped" not in cell.cell.facts  # the code loses nothing that was not clipped before
        again = stored(step(name, bits=bits), sample)[0]
        assert again.files == cell.files


def test_the_column_says_how_it_was_made() -> None:
    (column,) = step("evi", bits=16).outputs
    assert (column.name, column.kind) == ("evi", Kind.INDEX)
    assert column.code == LinearCode(1 / 32767, -32768 / 32767, bits=16)
    about = dict(column.attributes)
    assert about["bands"] == DEFAULT_BANDS
    assert "7.5 B" in about["formula"]
    assert about["smallest_denominator"] == "0.03"
    assert Column.from_json(json.loads(json.dumps(column.to_json()))) == column
    assert dict(step("ndvi").outputs[0].attributes)["bands"] == "nir=nir,red=image.red"


def test_facts_tell_what_was_guarded_and_clipped_and_how_bright_the_bands_are() -> None:
    arrays = pictures(2)
    made = step("evi")(sample_of(**arrays))["evi"]
    n, r, b = (a.astype(float) / 255 for a in (arrays["nir"], arrays["image"][..., 0], arrays["image"][..., 2]))
    below = n + 6 * r - 7.5 * b + 1
    assert made.facts["guarded"] == pytest.approx((below < 0.03).mean(), abs=1e-6)
    raw = (2.5 * (n - r) / np.where(below < 0.03, 1, below))[below >= 0.03]
    assert made.facts["out_of_range"] == pytest.approx((np.abs(raw) > 1).mean(), abs=1e-6)
    assert (made.facts["smallest"], made.facts["largest"]) == pytest.approx((raw.min(), raw.max()), abs=1e-5)
    assert made.facts["brightest"] == pytest.approx({"nir": n.max(), "red": r.max(), "blue": b.max()}, abs=1e-6)
    assert json.loads(json.dumps(made.facts)) == made.facts


@every_index
def test_near_infrared_of_another_size_is_refused(name: str) -> None:
    arrays = pictures(3)
    with pytest.raises(SizeMismatchError, match="nir is 30x24, image is 31x24"):
        step(name)(sample_of(**arrays | {"nir": arrays["nir"][:, 1:]}))


@every_index
def test_parameters_tell_steps_apart_and_steps_travel(name: str) -> None:
    made = [step(name), step(name, bits=16), step(name, bands="nir=nir/4095,red=image.red,blue=image.blue")]
    assert len({json.dumps(each.parameters, sort_keys=True) for each in made}) == 3
    assert made[0].name == name
    for each in made:
        assert pickle.loads(pickle.dumps(each)) == each
    spaced = step(name, bands="red=image.0, blue=image.2, nir=nir")
    assert spaced == made[0]  # only what is meant counts, not how it is written


@every_index
def test_the_input_is_left_as_it_was(name: str) -> None:
    sample = sample_of(**pictures(4))
    before = {k: v.copy() for k, v in sample.arrays.items()}
    step(name)(sample)
    for k, v in before.items():
        np.testing.assert_array_equal(sample.arrays[k], v)


# -- real pictures -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def epfl(shared_data: Path) -> Sample:
    folder = shared_data / "nir/epfl_pair"
    return sample_of(nir=read_image(folder / "nir.png"), image=read_image(folder / "rgb.png"))


def test_the_sky_of_a_real_pair_is_guarded(epfl: Sample) -> None:
    expected = {"ndvi": (0.0, 0.0), "evi": (0.2131, 0.0589), "evi2": (0.0, 0.0)}
    for name, (guarded, out_of_range) in expected.items():
        for bits in (8, 16):
            cell, _, valid = stored(step(name, bits=bits), epfl)
            assert np.isfinite(values_of(cell.cell)).all()
            assert cell.cell.facts["guarded"] == pytest.approx(guarded, abs=1e-4)
            assert cell.cell.facts["out_of_range"] == pytest.approx(out_of_range, abs=1e-4)
            assert 1 - valid.mean() == pytest.approx(guarded, abs=1e-4)
    n, r, b = (v.astype(float) / 255 for v in (epfl.arrays["nir"], *np.moveaxis(epfl.arrays["image"], 2, 0)[[0, 2]]))
    assert (np.abs(n + 6 * r - 7.5 * b + 1) < 1e-12).any()  # the division by zero that there would be


def test_ndvi_of_a_real_pair_has_the_known_median(epfl: Sample) -> None:
    cell, _, valid = stored(step("ndvi", bits=16), epfl)
    assert np.median(values_of(cell.cell)[valid]) == pytest.approx(0.374, abs=0.001)


@pytest.mark.parametrize(("number", "expected"), [(1, 0.834), (2, 0.809), (3, 0.843), (4, 0.818)])
def test_ndvi_finds_the_plants_of_a_real_field(shared_data: Path, number: int, expected: float) -> None:
    folder = shared_data / "nir/cwfid"
    plants = read_image(folder / f"masks/{number:03d}_mask.png") == 0
    sample = sample_of(image=read_image(folder / f"images/{number:03d}_image.png"))
    cell, _, valid = stored(step("ndvi", bands=CWFID, bits=16), sample)
    found = valid & (values_of(cell.cell) > 0.3)
    iou = (found & plants).sum() / (found | plants).sum()
    assert iou == pytest.approx(expected, abs=0.0005)
