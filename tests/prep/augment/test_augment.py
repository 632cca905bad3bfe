"""Every kind under one augmentation: places, edges, ids, masks, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.augmentation import Augmentation, draw
from segprep.datasets.augmentation.config import PRESETS, AugmentationConfig, Span
from segprep.datasets.codes import DisparityCode, IdCode, JetCode, PlainCode, SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError, SizeMismatchError
from segprep.datasets.kinds import IGNORE_ID, RULES, Kind
from segprep.datasets.sample import Array, Camera, Mask, Pose, Sample, SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.flow.consistency import lands_inside
from segprep.prep.augment.columns import check_columns
from segprep.prep.augment.samples import augment_sample, prepare
from support.properties import examples

WIDTH, HEIGHT = 96, 64
SIZE = (WIDTH, HEIGHT)
CAMERA = Camera(np.array([[90.0, 0, 44], [0, 85.0, 30], [0, 0, 1]]), *SIZE, 0.3)
JET, SMSNET = Column("jet", Kind.CODED, JetCode(2.0, 80.0)), Column("motion", Kind.CODED, SmsnetFlowCode())
COLUMNS = {"jet": JET, "motion": SMSNET}
KINDS = {
    "image": Kind.IMAGE,
    "previous": Kind.IMAGE,
    "nir": Kind.NIR,
    "thermal": Kind.THERMAL,
    "label": Kind.LABEL,
    "instance": Kind.INSTANCE,
    "mask": Kind.MASK,
    "depth": Kind.DEPTH,
    "optical_flow": Kind.FLOW,
    "normals": Kind.NORMALS,
    "hha": Kind.INDEX,
    "ndvi": Kind.INDEX,
    "jet": Kind.CODED,
    "motion": Kind.CODED,
}
UNMASKED = ("image", "previous", "nir", "thermal", "label", "instance", "mask")


def whole(output: tuple[int, int] = SIZE, **parameters: Any) -> Augmentation:
    return Augmentation(**{"source": SIZE, "output": output, "crop": (0, 0, *SIZE)} | parameters)


augmentations = st.builds(
    lambda flip, scale, rotation, skew, window, left, top, output: Augmentation(
        source=SIZE,
        output=output,
        crop=(left, top, WIDTH * window, HEIGHT * window),
        flip=flip,
        scale=scale,
        rotation=rotation,
        skew=skew,
    ),
    st.booleans(),
    st.floats(0.5, 2),
    st.floats(-25, 25),
    st.floats(-0.1, 0.1),
    st.floats(0.5, 1.2),
    st.floats(-20, 40),
    st.floats(-20, 40),
    st.tuples(st.integers(20, 150), st.integers(20, 150)),
)


def a_sample(seed: int, share: float = 0.8) -> Sample:
    """Noise of every kind."""
    rng = np.random.default_rng(seed)
    shape = (HEIGHT, WIDTH)
    normals = rng.normal(size=(*shape, 3))
    depth = rng.uniform(2, 80, shape).astype(np.float32)
    depth[rng.random(shape) < 0.2] = np.inf
    arrays: dict[str, Array] = {
        "image": rng.integers(0, 256, (*shape, 3), np.uint8),
        "previous": rng.integers(0, 256, (*shape, 3), np.uint8),
        "nir": rng.integers(0, 2**16, shape, np.uint16),
        "thermal": rng.uniform(0, 400, shape).astype(np.float32),
        "label": rng.choice(np.array([0, 3, 7, 18, IGNORE_ID], np.uint8), shape),
        "instance": rng.choice(np.array([0, 40001, 5], np.uint16), shape),
        "mask": (rng.random(shape) < 0.5).astype(np.uint8),
        "depth": depth,
        "optical_flow": rng.normal(size=(*shape, 2)).astype(np.float32) * 4,
        "normals": (normals / np.linalg.norm(normals, axis=2, keepdims=True)).astype(np.float32),
        "hha": rng.uniform(0, 3, (*shape, 3)).astype(np.float32),
        "ndvi": rng.uniform(-1, 1, shape).astype(np.float32),
        "jet": rng.uniform(2, 70, shape).astype(np.float32),
        "motion": rng.normal(size=(*shape, 2)).astype(np.float32) * 4,
    }
    valid = {name: rng.random(shape) < share for name in arrays if name not in UNMASKED}
    for name, mask in valid.items():
        arrays[name][~mask] = 0
    pose = np.eye(4)
    pose[:3, 3] = 3, 4, 5
    motion = np.eye(4)
    motion[:3, 3] = 0.1, 0.02, 0.9
    near = {"direction": "previous", "frame": 1, "time_difference": -0.1, "motion": motion.tolist()}
    meta = {"neighbour": near, "image_size": SIZE}
    return Sample(SampleKey("noise"), arrays, KINDS, valid, CAMERA, Pose(pose), meta)


def assert_equal(found: Array, expected: Array, name: str) -> None:
    """To the bit, but for unit vectors, which are normalised anew."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7 if name == "normals" else 0, err_msg=name)


def assert_same(found: Sample, expected: Sample) -> None:
    assert found.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype, name
        assert_equal(found.arrays[name], array, name)
    assert found.valid.keys() == expected.valid.keys()
    for name, mask in expected.valid.items():
        np.testing.assert_array_equal(found.valid[name], mask, err_msg=name)
    assert found.camera is not None
    assert expected.camera is not None
    np.testing.assert_allclose(found.camera.K, expected.camera.K, atol=1e-12)
    assert found.pose is not None
    assert expected.pose is not None
    np.testing.assert_allclose(found.pose.matrix, expected.pose.matrix, atol=1e-12)
    np.testing.assert_allclose(found.meta["neighbour"]["motion"], expected.meta["neighbour"]["motion"], atol=1e-12)


def test_all_kinds_are_in_the_sample() -> None:
    assert set(KINDS.values()) == set(RULES) - {Kind.DISPARITY}


@given(seed=st.integers(0, 99), share=st.sampled_from([0.3, 0.8, 1.0]))
@examples(15)
def test_flipped_twice_is_the_same_for_every_kind(seed: int, share: float) -> None:
    sample = a_sample(seed, share)
    flipped = augment_sample(sample, whole(flip=True), COLUMNS)
    assert_same(augment_sample(flipped, whole(flip=True), COLUMNS), sample)
    assert flipped.pose is not None
    np.testing.assert_array_equal(flipped.pose.matrix[:3, 3], [-3, 4, 5])
    np.testing.assert_array_equal(np.array(flipped.meta["neighbour"]["motion"])[:3, 3], [-0.1, 0.02, 0.9])
    for name, array in sample.arrays.items():
        mirrored = array[:, ::-1].copy()
        if name in ("optical_flow", "motion", "normals"):
            mirrored[..., 0] *= -1
        assert_equal(flipped.arrays[name], mirrored, name)
        if name in sample.valid:
            np.testing.assert_array_equal(flipped.valid[name], sample.valid[name][:, ::-1], err_msg=name)


def test_crops_at_whole_pixels_only_cut() -> None:
    sample = a_sample(1, 1.0)
    found = augment_sample(sample, whole((40, 30), crop=(7, 9, 40, 30)), COLUMNS)
    for name, array in sample.arrays.items():
        assert_equal(found.arrays[name], array[9:39, 7:47], name)
    assert found.meta["image_size"] == (40, 30)


def test_nothing_drawn_changes_no_bit() -> None:
    sample = a_sample(2)
    assert_same(augment_sample(sample, draw(PRESETS["none"], 0, "k", 0, SIZE), COLUMNS), sample)


@given(augmentation=augmentations, seed=st.integers(0, 9))
@examples(30)
def test_no_id_is_new_and_nothing_beyond_the_edge_is_valid(augmentation: Augmentation, seed: int) -> None:
    sample = a_sample(seed, 1.0)
    sample = replace(sample, arrays={**sample.arrays, "label": sample.arrays["label"] % 19})
    found = augment_sample(sample, augmentation, COLUMNS)
    for name in ("label", "instance", "mask"):
        fill = {IGNORE_ID} if name == "label" else {0}
        assert set(np.unique(found.arrays[name]).tolist()) <= set(np.unique(sample.arrays[name]).tolist()) | fill
    width, height = augmentation.output
    xy = np.stack([*np.meshgrid(np.arange(width), np.arange(height)), np.ones((height, width))])
    x, y, _ = np.tensordot(np.linalg.inv(augmentation.affine()), xy, 1)
    beyond = np.maximum(np.abs(x - (WIDTH - 1) / 2) - WIDTH / 2, np.abs(y - (HEIGHT - 1) / 2) - HEIGHT / 2)
    outside, inside = beyond > 0.01, beyond < -0.01  # pixels; between them rounding decides
    for name, kind in KINDS.items():
        array = found.arrays[name]
        assert array.shape[:2] == (height, width)
        if name in UNMASKED:
            np.testing.assert_array_equal(array[outside], RULES[kind].fill, err_msg=name)
        else:
            assert not found.valid[name][outside].any(), name
            assert not array[~found.valid[name]].any(), name
    assert (found.arrays["label"][inside] != IGNORE_ID).all()
    assert found.valid["hha"][inside].all()
    assert found.valid["depth"][inside].all()


def test_invalid_values_never_matter() -> None:
    sample = a_sample(3)
    poisoned = {name: array.copy() for name, array in sample.arrays.items()}
    for name, mask in sample.valid.items():
        poisoned[name][~mask] = np.nan
    augmentation = whole((120, 70), scale=1.3, rotation=9.0, skew=0.06, flip=True)
    expected = augment_sample(sample, augmentation, COLUMNS)
    assert_same(augment_sample(replace(sample, arrays=poisoned), augmentation, COLUMNS), expected)
    unmarked = replace(sample, arrays=poisoned, valid={})
    assert_same(augment_sample(unmarked, augmentation, COLUMNS), expected)


@given(augmentation=augmentations)
@examples(20)
def test_depth_lies_between_its_neighbours_or_at_infinity(augmentation: Augmentation) -> None:
    depth = np.full((HEIGHT, WIDTH), 5, np.float32)
    depth[:, WIDTH // 2 :] = 7
    depth[: HEIGHT // 2] = np.inf
    sample = Sample(SampleKey("k"), {"depth": depth}, {"depth": Kind.DEPTH})
    found = augment_sample(sample, augmentation)
    known = found.arrays["depth"][found.valid["depth"]]
    assert ((known == np.inf) | ((known >= 5 - 1e-5) & (known <= 7 + 1e-5))).all()
    # The larger share decides.
    sky = Sample(SampleKey("k"), {"sky": np.isinf(depth).astype(np.float32)}, {"sky": Kind.THERMAL})
    share = augment_sample(sky, augmentation).arrays["sky"]
    clear = found.valid["depth"] & (np.abs(share - 0.5) > 1e-3)
    np.testing.assert_array_equal((found.arrays["depth"] == np.inf)[clear], (share > 0.5)[clear])


@pytest.mark.parametrize("kind", [Kind.LABEL, Kind.INSTANCE])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "uint32"])
def test_ids_of_every_size_are_copied(kind: Kind, dtype: str) -> None:
    ids = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH), dtype, endpoint=True)
    sample = Sample(SampleKey("k"), {"ids": ids}, {"ids": kind})
    found = augment_sample(sample, whole(flip=True, crop=(-1, 0, *SIZE))).arrays["ids"]
    assert found.dtype == ids.dtype
    np.testing.assert_array_equal(found[:, 1:], ids[:, :0:-1])
    np.testing.assert_array_equal(found[:, 0], RULES[kind].fill)


def test_flow_keeps_to_its_own_definition_of_the_frame() -> None:
    uv = np.full((HEIGHT, WIDTH, 2), [5.0, 0], np.float32)
    inside = lands_inside(uv)
    assert 0 < inside.mean() < 1
    crop = whole((40, 40), crop=(10, 10, 40, 40))

    def cropped(valid: Mask) -> Mask:
        sample = Sample(SampleKey("k"), {"flow": uv}, {"flow": Kind.FLOW}, {"flow": valid})
        return augment_sample(sample, crop).valid["flow"]

    np.testing.assert_array_equal(cropped(inside), lands_inside(uv[:40, :40]))
    assert cropped(np.ones_like(inside)).all()  # of a truth that knows what happens outside
    # What the ego flow leaves of a vector points nowhere.
    motion = Sample(SampleKey("k"), {"motion": uv}, {"motion": Kind.CODED}, {"motion": inside})
    assert augment_sample(motion, crop, COLUMNS).valid["motion"].all()


def test_neighbours_and_images_change_colours_alike_and_nothing_else_does() -> None:
    sample = a_sample(4)
    same = replace(sample, arrays={**sample.arrays, "previous": sample.arrays["image"]})
    tones = whole(vignette=30.0, brightness=20.0, contrast=0.8, gamma=1.4, saturation=0.5, hue=20.0)
    found = augment_sample(same, tones, COLUMNS)
    assert (found.arrays["image"] != sample.arrays["image"]).mean() > 0.9
    np.testing.assert_array_equal(found.arrays["image"], found.arrays["previous"])
    for name, array in sample.arrays.items():
        if KINDS[name] is not Kind.IMAGE:
            np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    # Brightness lights nothing up beyond the edge.
    away = augment_sample(same, replace(tones, crop=(WIDTH, 0, *SIZE)), COLUMNS)
    assert not away.arrays["image"].any()


def test_a_masked_picture_is_interpolated_where_it_is_valid() -> None:
    sample = a_sample(5)
    nir = np.full((HEIGHT, WIDTH), 200, np.uint8)
    valid = sample.valid["depth"]
    nir[~valid] = 0
    masked = Sample(SampleKey("k"), {"nir": nir}, {"nir": Kind.NIR}, {"nir": valid})
    found = augment_sample(masked, whole(rotation=10.0))
    assert found.arrays["nir"].dtype == np.uint8
    assert (found.arrays["nir"][found.valid["nir"]] == 200).all()
    assert (found.arrays["nir"][~found.valid["nir"]] == 0).all()


def test_disparity_follows_scales_and_refuses_the_rest_by_name() -> None:
    disparity = np.full((HEIGHT, WIDTH), 8, np.float32)
    disparity[:10] = 0  # infinitely far
    kinds = {"stereo": Kind.DISPARITY}
    sample = Sample(SampleKey("k"), {"stereo": disparity}, kinds, camera=CAMERA)
    found = augment_sample(sample, whole((48, 64)))
    assert set(np.unique(found.arrays["stereo"])) == {0, 4}
    enlarged = augment_sample(sample, whole(scale=1.5, crop=(3.3, -6.2, *SIZE)))
    np.testing.assert_allclose(np.unique(np.round(enlarged.arrays["stereo"], 4)), [0, 12])
    assert found.camera is not None
    assert found.camera.baseline == 0.3
    for turned in (whole(flip=True), whole(rotation=1.0), whole(skew=0.05), whole(rotation=180.0)):
        with pytest.raises(ConfigurationError, match=r"column 'stereo' .disparity. cannot follow"):
            augment_sample(sample, turned)
    column = Column("stereo", Kind.DISPARITY, DisparityCode())
    for config, turn in (
        (PRESETS["ssma"], "flip and rotation and skew"),
        (PRESETS["paris"], "flip:"),
        (AugmentationConfig(rotation=Span(-1, 1)), "rotation:"),
    ):
        with pytest.raises(ConfigurationError, match=f"column 'stereo' .disparity. cannot follow {turn}"):
            check_columns(config, [column])
    still = AugmentationConfig(scale=Span(0.5, 2), crop=Span(0.5, 1), rotation=Span(0, 0), skew=Span(0.1, 0.1, 0.0))
    check_columns(still, [column])


def test_colours_without_a_meaning_are_refused_by_name() -> None:
    picture = Column("pretty", Kind.CODED, PlainCode(masked=True))
    sample = Sample(SampleKey("k"), {"pretty": np.zeros((HEIGHT, WIDTH, 3), np.uint8)}, {"pretty": Kind.CODED})
    with pytest.raises(ConfigurationError, match=r"column 'pretty' holds pictures for the eye .the code 'plain'."):
        prepare(sample, {"pretty": picture})
    with pytest.raises(ConfigurationError, match=r"column 'pretty' holds pictures for the eye .no code."):
        prepare(sample)
    with pytest.raises(ConfigurationError, match="'pretty'"):
        check_columns(PRESETS["none"], [picture])
    label, camera = Column("label", Kind.LABEL, IdCode()), Column("camera", Kind.CAMERA, None)
    check_columns(PRESETS["ssma"], [JET, SMSNET, label, camera])


def test_sizes_that_differ_are_named() -> None:
    sample = a_sample(6)
    small = replace(sample, arrays={**sample.arrays, "ndvi": np.zeros((8, 9), np.float32)})
    with pytest.raises(SizeMismatchError, match=r"one size, but sample noise has .*image 96x64.*ndvi 9x8"):
        prepare(small, COLUMNS)
    with pytest.raises(SizeMismatchError, match="mask of hha is 5x4, not 96x64"):
        prepare(replace(sample, valid={"hha": np.ones((4, 5), np.bool_)}), COLUMNS)
    with pytest.raises(SizeMismatchError, match="calibrated for 10x10"):
        prepare(replace(sample, camera=Camera(np.eye(3), 10, 10)), COLUMNS)
    with pytest.raises(SizeMismatchError, match="drawn for 10x10, but sample noise is 96x64"):
        augment_sample(sample, Augmentation(source=(10, 10), output=(5, 5), crop=(0, 0, 10, 10)), COLUMNS)
    with pytest.raises(SizeMismatchError, match="no arrays"):
        prepare(replace(sample, arrays={}), COLUMNS)
