"""Flow of other programs: every format gives the same field, and what is wrong with a file is said."""

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from segprep.datasets.codes import KittiFlowCode, Vkitti2FlowCode
from segprep.datasets.errors import ConfigurationError, MissingInputError, UnreadableFileError
from segprep.datasets.imageio import read_image, write_image
from segprep.datasets.sample import Array
from segprep.flow.field import FlowField
from segprep.flow.flow_files import PATTERN_FIELDS, FlowFormat, check_pattern, fill_pattern, read_flow
from support.pictures import chunk
from support.properties import examples

FORMATS = ("flo", "kitti", "vkitti", "npy", "npz", "pfm")


def write(path: Path, field: FlowField, form: str) -> tuple[Path, str, npt.NDArray[np.float64]]:
    """Write a field; return its file, the format to ask for, and the largest error in u and v."""
    width, height = field.size
    exact, none = np.zeros(2), np.float32(1.7e9)
    uv = np.where(field.valid[..., None], field.uv, none)
    path = path.with_suffix({"kitti": ".png", "vkitti": ".png"}.get(form, f".{form}"))
    if form == "flo":
        write_image(path, uv)
    elif form == "npy":
        write_image(path, np.where(field.valid[..., None], field.uv, np.nan).astype(np.float64))
    elif form == "npz":
        np.savez_compressed(path, flow=np.where(field.valid[..., None], field.uv, np.inf), other=np.zeros(3))
    elif form == "pfm":
        write_image(path, np.dstack([uv, np.full((height, width), 7, np.float32)]))
    else:
        code = KittiFlowCode() if form == "kitti" else Vkitti2FlowCode(width, height)
        encoded = code.encode(field.uv, field.valid)
        assert encoded.clipped == 0
        write_image(path, code.to_file(encoded.stored, encoded.valid))
        exact = np.array(code.scale) / 2
    return path, "npy" if form == "npz" else form, exact


def example(width: int, height: int, seed: int) -> FlowField:
    rng = np.random.default_rng(seed)
    uv = rng.uniform(-1, 1, (height, width, 2)) * [width - 1, height - 1]
    valid = rng.random((height, width)) < 0.8
    valid[seed % height, seed % width] = True
    return FlowField(uv.astype(np.float32), valid)


@pytest.mark.parametrize("form", FORMATS)
@examples(15, suppress=(HealthCheck.function_scoped_fixture,))
@given(width=st.integers(2, 20), height=st.integers(2, 20), seed=st.integers(0, 999))
def test_every_format_gives_the_field_back_within_half_a_step(
    tmp_path: Path, form: str, width: int, height: int, seed: int
) -> None:
    field = example(width, height, seed)
    path, asked, half_step = write(tmp_path / "a", field, form)
    back = read_flow(path, asked)
    assert back.size == (width, height)
    np.testing.assert_array_equal(back.valid, field.valid)
    assert (np.abs(back.uv - field.uv) <= half_step * 1.001).all(axis=2)[field.valid].all()
    assert not back.uv[~field.valid].any()


def test_a_real_field_reads_alike_from_all_formats(shared_data: Path, tmp_path: Path) -> None:
    whale = read_flow(shared_data / "flow" / "middlebury_RubberWhale" / "flow10.flo")
    assert whale.size == (584, 388)
    assert 0.01 < 1 - whale.valid.mean() < 0.02
    for form in FORMATS:
        path, asked, half_step = write(tmp_path / form, whale, form)
        back = read_flow(path, asked)
        np.testing.assert_array_equal(back.valid, whale.valid)
        assert (np.abs(back.uv - whale.uv) <= half_step * 1.001).all(), form
        small = back.resized(292, 194)
        np.testing.assert_allclose(small.uv, whale.resized(292, 194).uv, atol=half_step.max() + 1e-6)


def test_real_files_of_other_data_sets_are_read(shared_data: Path) -> None:
    chairs = read_flow(shared_data / "flow" / "flyingchairs" / "0000000-gt.flo")
    tartan = read_flow(shared_data / "flow" / "tartanair" / "000010_000009_flow.npy")
    assert chairs.size == (512, 384)
    assert tartan.size == (640, 480)
    assert chairs.valid.all()
    assert tartan.valid.all()
    np.testing.assert_array_equal(tartan.uv, read_image(shared_data / "flow" / "tartanair" / "000010_000009_flow.npy"))


@pytest.mark.parametrize("form", ["flo", "kitti", "npy", "npz", "pfm"])
def test_the_suffix_tells_the_format_where_nobody_does(tmp_path: Path, form: str) -> None:
    field = example(9, 7, 3)
    path, asked, _ = write(tmp_path / "a", field, form)
    shouted = path.rename(path.with_suffix(path.suffix.upper()))
    np.testing.assert_array_equal(read_flow(shouted).uv, read_flow(shouted, asked).uv)


def test_a_png_is_of_kitti_unless_said_otherwise(tmp_path: Path) -> None:
    picture = np.full((5, 9, 3), 1, np.uint16)
    picture[..., :2] = [32768 + 64, 32768 - 128]
    write_image(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.png").uv, np.broadcast_to([1, -2], (5, 9, 2)))
    other = read_flow(tmp_path / "a.png", FlowFormat.VKITTI).uv
    np.testing.assert_allclose(other, np.broadcast_to([8 * 129 / 65535, -4 * 255 / 65535], (5, 9, 2)), rtol=1e-4)


def test_vectors_that_are_no_numbers_or_huge_are_invalid(tmp_path: Path) -> None:
    uv = np.zeros((1, 6, 2), np.float64)
    uv[0, :, 0] = [1, np.nan, np.inf, -np.inf, 1.1e9, -1e300]
    for place in ([0, 1], [1, 0]):
        np.save(tmp_path / "a.npy", uv[..., place])
        back = read_flow(tmp_path / "a.npy")
        np.testing.assert_array_equal(back.valid, [[True, False, False, False, False, False]])
        np.testing.assert_array_equal(back.uv[0, 1:], 0)
    write_image(tmp_path / "a.flo", uv.clip(-1e30, 1e30).astype(np.float32))
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo").valid, back.valid)


def test_rows_of_a_pfm_run_upwards_and_its_third_channel_means_nothing(tmp_path: Path) -> None:
    rows = struct.pack("<6f", 3, 4, np.nan, 1, 2, 9)
    (tmp_path / "a.pfm").write_bytes(b"PF\n1 2\n-1.0\n" + rows)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.pfm").uv, [[[1, 2]], [[3, 4]]])


def save(path: Path, array: Array) -> Path:
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        write_image(path, array)
    return path


@pytest.mark.parametrize(
    ("name", "array", "asked", "says"),
    [
        ("a.npy", np.zeros((2, 4, 5), np.float32), "auto", r"\(2, 4, 5\), not \(H, W, 2\)"),
        ("a.npy", np.zeros((4, 5), np.float32), "auto", r"\(4, 5\), not"),
        ("a.npy", np.zeros(7, np.float32), "npy", r"\(7,\), not"),
        ("a.npy", np.zeros(7, np.float32), "vkitti", r"not uint16"),
        ("a.npy", np.zeros((4, 5, 3), np.float32), "auto", r"\(4, 5, 3\), not"),
        ("a.npy", np.zeros((4, 5, 2), np.int16), "auto", "int16, not floats"),
        ("a.pfm", np.zeros((4, 5), np.float32), "auto", r"not \(H, W, 3\)"),
        ("a.png", np.zeros((4, 5, 3), np.uint8), "auto", "vectors cannot be had"),
        ("a.png", np.zeros((4, 5), np.uint16), "kitti", "not uint16 of"),
        ("a.png", np.zeros((4, 5), np.uint16), "vkitti", "not uint16 of"),
        ("a.png", np.ones((4, 1, 3), np.uint16), "vkitti", "range"),
        ("a.flo", np.zeros((4, 5, 2), np.float32), "kitti", "of the format kitti"),
        ("a.flo", np.zeros((4, 5, 2), np.float32), "pfm", "of the format pfm"),
        ("a.flo", np.full((4, 5, 2), 2e9, np.float32), "auto", "no valid vector among 20"),
        ("a.npy", np.full((4, 5, 2), np.nan, np.float32), "auto", "no valid vector"),
        ("a.png", np.zeros((4, 5, 3), np.uint16), "auto", "no valid vector"),
    ],
)
def test_files_that_hold_no_flow_are_named(tmp_path: Path, name: str, array: Array, asked: str, says: str) -> None:
    path = save(tmp_path / name, array)
    with pytest.raises(UnreadableFileError, match=says) as caught:
        read_flow(path, asked)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
def test_truncated_and_missing_files_are_named(tmp_path: Path, form: str) -> None:
    path, asked, _ = write(tmp_path / "a", example(9, 7, 1), form)
    data = path.read_bytes()
    for length in (0, 1, 5, 40, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(UnreadableFileError, match="a") as caught:
            read_flow(path, asked)
        assert str(path) in str(caught.value)
    path.unlink()
    with pytest.raises(MissingInputError, match="does not exist"):
        read_flow(path, asked)


def test_formats_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"flo5.*auto, flo, kitti, vkitti, npy, pfm"):
        read_flow(tmp_path / "a.flo", "flo5")
    with pytest.raises(ConfigurationError, match=r"a\.bin does not tell.*flo, kitti, vkitti, npy, pfm"):
        read_flow(tmp_path / "a.bin")


# -- patterns ----------------------------------------------------------------------------------------------------------

SAMPLE: dict[str, str | int | None] = {
    "key": "0001TP%2F090",
    "stem": "0001TP_090",
    "split": "val",
    "sequence": "0001TP",
    "frame": 90,
}


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("flow/{split}/{stem}.flo", "flow/val/0001TP_090.flo"),
        ("flow/{key}_flow.png", "flow/0001TP%2F090_flow.png"),
        ("{sequence}/{frame:06d}.npy", "0001TP/000090.npy"),
        ("/abs/{{x}}/{frame}.npz", "/abs/{x}/90.npz"),
        ("{stem}-{stem}.pfm", "0001TP_090-0001TP_090.pfm"),
    ],
)
def test_patterns_are_filled_with_what_is_known_of_a_sample(pattern: str, path: str) -> None:
    check_pattern(pattern)
    assert fill_pattern(pattern, SAMPLE) == Path(path)
    assert set(SAMPLE) == set(PATTERN_FIELDS)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{name}.flo", "unknown fields: name.*Known: key, stem, split, sequence, frame"),
        ("{key.__class__}.flo", "unknown fields"),
        ("{key[0]}.flo", "unknown fields"),
        ("{}.flo", "one without a name"),
        ("{0}.flo", "unknown fields: 0"),
        ("{key.flo", "makes no sense"),
        ("key}.flo", "makes no sense"),
        ("{key:06d}.flo", "makes no sense"),
        ("{frame:{width}d}.flo", "makes no sense"),
        ("{frame!z}.flo", "makes no sense"),
    ],
)
def test_patterns_that_make_no_sense_are_refused(pattern: str, says: str) -> None:
    for use in (check_pattern, lambda p: fill_pattern(p, SAMPLE)):
        with pytest.raises(ConfigurationError, match=says):
            use(pattern)


@pytest.mark.parametrize("pattern", ["flow.flo", "", "{split}/{sequence}.flo"])
def test_patterns_that_name_one_file_for_many_samples_are_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="one file for many samples"):
        check_pattern(pattern)


def test_a_sample_without_what_the_pattern_needs_has_no_file() -> None:
    with pytest.raises(MissingInputError, match="needs frame, sequence"):
        fill_pattern("{sequence}/{frame}.flo", SAMPLE | {"sequence": None, "frame": None})
    assert fill_pattern("{key}.flo", {"key": "a"}) == Path("a.flo")
    assert fill_pattern("{key}_{frame}.flo", {"key": "a", "frame": 0}) == Path("a_0.flo")


def test_vectors_whose_pixels_an_orientation_would_turn_are_refused(tmp_path: Path) -> None:
    path, asked, _ = write(tmp_path / "a", example(6, 4, 1), "kitti")
    data = path.read_bytes()
    exif = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 3, 0, 0)
    path.write_bytes(data[:33] + chunk(b"eXIf", exif) + data[33:])
    with pytest.raises(UnreadableFileError, match="but not the vectors in them"):
        read_flow(path, asked)
