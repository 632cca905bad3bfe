"""Columns that are kept as integers: decoded, augmented, encoded again."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.codes import DepthCode, IdCode, JetCode, KittiFlowCode, LinearCode, PlainCode, SmsnetFlowCode
from segprep.datasets.errors import CodeRangeError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask, Sample, SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.coding import decoded, encoded
from segprep.prep.augment.samples import augment_sample
from support.properties import examples

SIZE = WIDTH, HEIGHT = 80, 60
JET = JetCode(2.0, 80.0)
INVERSE = JetCode(1 / 80, 1 / 2)
SMSNET = SmsnetFlowCode()
COLUMNS = {
    each.name: each
    for each in (
        Column("image", Kind.IMAGE, PlainCode()),
        Column("label", Kind.LABEL, IdCode()),
        Column("depth", Kind.DEPTH, DepthCode()),
        Column("optical_flow", Kind.FLOW, KittiFlowCode()),
        Column(
            "hha", Kind.INDEX, LinearCode((1 / 310, 0.01, 1.0), (0.0, 0.0, -38.0), ("disparity", "height", "angle"))
        ),
        Column("normals", Kind.NORMALS, LinearCode(1 / 127, -128 / 127, ("x", "y", "z"))),
        Column("jet", Kind.CODED, JET, (("quantity", "depth"),)),
        Column("near", Kind.CODED, INVERSE, (("quantity", "disparity"),)),
        Column("flow", Kind.CODED, SMSNET),
    )
}
augmentations = st.builds(
    lambda flip, scale, rotation, skew: whole(flip=flip, scale=scale, rotation=rotation, skew=skew),
    st.booleans(),
    st.floats(0.5, 2),
    st.floats(-20, 20),
    st.floats(-0.1, 0.1),
)


def whole(**parameters: Any) -> Augmentation:
    return Augmentation(source=SIZE, output=SIZE, crop=(0, 0, *SIZE), **parameters)


def smooth(seed: int, low: float, high: float) -> Array:
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 3, WIDTH), np.linspace(0, 2, HEIGHT))
    waves = np.sin(x * rng.uniform(1, 3) + rng.uniform(0, 6)) * np.cos(y * rng.uniform(1, 3) + rng.uniform(0, 6))
    return np.asarray(low + (high - low) * (waves + 1) / 2)


def a_sample(**arrays: Array) -> Sample:
    """Values, with a hole."""
    valid: dict[str, Mask] = {name: np.ones((HEIGHT, WIDTH), np.bool_) for name in arrays}
    for mask in valid.values():
        mask[10:20, 30:50] = False
    return Sample(SampleKey("k"), arrays, {name: COLUMNS[name].kind for name in arrays}, valid)


def stored_variant(sample: Sample, augmentation: Augmentation) -> tuple[Sample, Any]:
    result = encoded(augment_sample(decoded(sample, COLUMNS), augmentation, COLUMNS), COLUMNS)
    return result.sample, result.clipped


@given(augmentation=augmentations, seed=st.integers(0, 50))
@examples(25)
def test_a_jet_picture_is_the_colour_of_the_warped_scalar(augmentation: Augmentation, seed: int) -> None:
    depth = smooth(seed, 1, 60)
    depth[:5] = np.inf
    before = encoded(a_sample(jet=depth), COLUMNS).sample
    found, _ = stored_variant(before, augmentation)
    scalar, valid = JET.decode(before.arrays["jet"], before.valid["jet"])
    scalar = np.where(scalar == np.float32(80), np.inf, scalar)
    as_depth = Sample(SampleKey("k"), {"d": scalar}, {"d": Kind.DEPTH}, {} if valid is None else {"d": valid})
    expected = augment_sample(as_depth, augmentation)
    colors = JET.encode(expected.arrays["d"], expected.valid["d"])
    np.testing.assert_array_equal(found.arrays["jet"], colors.stored)
    np.testing.assert_array_equal(found.valid["jet"], expected.valid["d"])
    assert not found.arrays["jet"][~found.valid["jet"]].any()  # black


@given(augmentation=augmentations, seed=st.integers(0, 50))
@examples(25)
def test_a_motion_image_is_the_code_of_the_turned_vectors(augmentation: Augmentation, seed: int) -> None:
    uv = np.stack([smooth(seed, -8, 8), smooth(seed + 1, -8, 8)], axis=2)
    before = encoded(a_sample(flow=uv), COLUMNS).sample
    found, clipped = stored_variant(before, augmentation)
    vectors, valid = SMSNET.decode(before.arrays["flow"], before.valid["flow"])
    assert valid is not None
    # Each component is a quantity like any other until it is turned.
    as_index = {"i": np.concatenate([vectors, vectors[..., :1]], axis=2)}
    plain = augment_sample(Sample(SampleKey("k"), as_index, {"i": Kind.INDEX}, {"i": valid}), augmentation)
    turned = plain.arrays["i"][..., :2] @ augmentation.affine()[:2, :2].T.astype(np.float32)
    expected = SMSNET.encode(turned, plain.valid["i"])
    gap = np.abs(found.arrays["flow"].astype(int) - expected.stored)
    assert gap.max() <= 1  # ties of rounding
    assert (gap > 0).mean() < 0.01
    np.testing.assert_array_equal(found.valid["flow"], plain.valid["i"])
    assert (found.arrays["flow"][~found.valid["flow"]] == [128, 128, 0]).all()
    assert clipped.get("flow", 0) == pytest.approx(expected.clipped, abs=5)


def test_a_mirrored_motion_image_has_mirrored_codes_and_says_what_it_clips() -> None:
    codes = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    codes[..., 0] = np.arange(WIDTH)
    codes[..., 1] = 90
    valid = np.ones((HEIGHT, WIDTH), np.bool_)
    sample = Sample(SampleKey("k"), {"flow": codes}, {"flow": Kind.CODED}, {"flow": valid})
    found, clipped = stored_variant(sample, whole(flip=True))
    expected = 256 - codes[:, ::-1, 0].astype(int)
    np.testing.assert_array_equal(found.arrays["flow"][..., 0], np.minimum(expected, 255))
    np.testing.assert_array_equal(found.arrays["flow"][..., 1], 90)
    # Code 0 has no mirror image; and where u is 9 or less, the length of the vector was beyond the code all along.
    length = np.hypot(np.arange(WIDTH) - 128, 90 - 128) / SMSNET.scale_per_px * SMSNET.magnitude_per_px
    assert clipped == {"flow": HEIGHT * np.count_nonzero((np.arange(WIDTH) == 0) | (np.rint(length) > 255))}


def test_colours_of_the_far_end_never_mix_with_near_ones() -> None:
    depth = np.full((HEIGHT, WIDTH), 10.0)
    depth[:, 40:] = np.inf
    inverse = np.where(np.isinf(depth), 1 / 80, 1 / 10)
    before = encoded(a_sample(jet=depth, near=inverse), COLUMNS).sample
    found = decoded(stored_variant(before, whole(scale=1.7, rotation=15.0))[0], COLUMNS)
    for name, code, ends in (("jet", JET, (10, 80)), ("near", INVERSE, (1 / 10, 1 / 80))):
        seen = found.arrays[name][found.valid[name]]
        gap = np.abs(seen[:, None] - np.array(ends)).min(axis=1)
        assert gap.max() <= 0.51 * code.step
        assert 0.3 < np.mean(np.abs(seen - ends[1]) < code.step) < 0.7


def test_what_was_encoded_is_a_sample_of_stored_integers() -> None:
    rng = np.random.default_rng(0)
    values = {
        "image": rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
        "label": rng.integers(0, 19, (HEIGHT, WIDTH), np.uint8),
        "depth": np.where(smooth(1, 0, 1) > 0.9, np.inf, smooth(0, 2, 300)),
        "optical_flow": np.stack([smooth(2, -4, 4), smooth(3, -4, 4)], axis=2),
        "hha": np.stack([smooth(4, 0.1, 0.8), smooth(5, 0, 2), smooth(6, 0, 180)], axis=2),
        "normals": np.broadcast_to(np.array([0, -0.6, -0.8]), (HEIGHT, WIDTH, 3)),
    }
    sample = a_sample(**values)
    sample = Sample(
        sample.key, values, sample.kinds, {n: m for n, m in sample.valid.items() if n not in ("image", "label")}
    )
    stored = encoded(sample, COLUMNS)
    assert stored.clipped.keys() == {"depth"}
    found, _ = stored_variant(stored.sample, whole(flip=True, rotation=5.0, scale=0.8))
    for name, array in found.arrays.items():
        column = COLUMNS[name]
        assert column.code is not None
        assert array.dtype == column.code.dtype
        again, _ = stored_variant(stored.sample, whole(flip=True, rotation=5.0, scale=0.8))
        np.testing.assert_array_equal(array, again.arrays[name])
    for name, invalid in (("depth", 0), ("optical_flow", 2**15), ("hha", 0), ("normals", 0)):
        assert (found.arrays[name][~found.valid[name]] == invalid).all()
        assert 0.1 < (~found.valid[name]).mean() < 0.9
    untouched, clipped = stored_variant(stored.sample, whole())
    for name, array in stored.sample.arrays.items():
        np.testing.assert_array_equal(untouched.arrays[name], array)
    assert clipped == {}


def test_arrays_that_no_column_explains_are_named() -> None:
    with pytest.raises(CodeRangeError, match="column jet: nothing says how"):
        encoded(a_sample(jet=smooth(0, 2, 80)), {})
    wrong = Sample(SampleKey("k"), {"jet": np.zeros((HEIGHT, WIDTH), np.uint8)}, {"jet": Kind.CODED})
    with pytest.raises(CodeRangeError, match="column jet: a picture in jet is kept as uint8 with 3"):
        decoded(wrong, COLUMNS)
