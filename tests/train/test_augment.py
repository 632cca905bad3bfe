"""Augmentation on tensors: the same as what is done to samples before they are stored, for every kind of column."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from segprep.datasets.augmentation import Augmentation, draw
from segprep.datasets.augmentation_camera import warped_camera
from segprep.datasets.augmentation_config import PRESETS, AugmentationConfig, Span
from segprep.datasets.codes import (
    Code,
    DepthCode,
    DisparityCode,
    IdCode,
    JetCode,
    KittiFlowCode,
    LinearCode,
    MaskPlace,
    PlainCode,
    SmsnetFlowCode,
)
from segprep.datasets.columns import Column
from segprep.datasets.errors import CodeRangeError, ConfigurationError, SizeMismatchError
from segprep.datasets.kinds import IGNORE_ID, RULES, Kind
from segprep.datasets.sample import Array, Camera, Mask, Sample, SampleKey
from segprep.datasets.shard_columns import ArraySpec
from segprep.prep.augment import augment_sample
from segprep.prep.augment_codes import decoded, encoded
from segprep.train.augment import BatchAugmenter

SIZE = WIDTH, HEIGHT = 96, 72
CAMERA = Camera(np.array([[90.0, 0, 44], [0, 80.0, 30], [0, 0, 1]]), *SIZE)
SMSNET, JET, INVERSE = SmsnetFlowCode(), JetCode(2.0, 80.0), JetCode(1 / 80, 1 / 2)
COLUMNS = {
    each.name: each
    for each in (
        Column("image", Kind.IMAGE, PlainCode()),
        Column("previous", Kind.IMAGE, PlainCode(masked=True)),
        Column("deep", Kind.IMAGE, PlainCode(bits=16)),
        Column("nir", Kind.NIR, PlainCode((), 16)),
        Column("thermal", Kind.THERMAL, PlainCode(())),
        Column("label", Kind.LABEL, IdCode()),
        Column("instance", Kind.INSTANCE, IdCode(16)),
        Column("mask", Kind.MASK, IdCode()),
        Column("depth", Kind.DEPTH, DepthCode()),
        Column("sensor", Kind.DEPTH, DepthCode(0.001, far_code=False)),
        Column("optical_flow", Kind.FLOW, KittiFlowCode()),
        Column("truth_flow", Kind.FLOW, KittiFlowCode()),
        Column("normals", Kind.NORMALS, LinearCode(1 / 127, -128 / 127, ("x", "y", "z"))),
        Column(
            "hha", Kind.INDEX, LinearCode((1 / 310, 0.01, 1.0), (0.0, 0.0, -38.0), ("disparity", "height", "angle"))
        ),
        Column("ndvi", Kind.INDEX, LinearCode(1 / 30000, -1.0, (), 16)),
        Column("jet", Kind.CODED, JET, (("quantity", "depth"),)),
        Column("near", Kind.CODED, INVERSE, (("quantity", "disparity"),)),
        Column("motion", Kind.CODED, SMSNET),
    )
}
DISPARITY = Column("disparity", Kind.DISPARITY, DisparityCode(zero_code=1))
OUTPUTS = (SIZE, (48, 36), (40, 30), (150, 90))  # means over 2, 3 and 4 pixels, which divide the sides


def spec_of(column: Column, size: tuple[int, int] = SIZE) -> ArraySpec:
    code: Code | None = column.code
    assert code is not None
    channels = code.channels
    return ArraySpec(
        column.name,
        column.kind,
        (size[1], size[0], len(channels)) if channels else (size[1], size[0]),
        str(code.dtype),
        channels or ("value",),
        code.to_json(),
        code.scale,
        code.offset,
        code.mask is not MaskPlace.NONE,
        ("a", "b", "c") if column.kind is Kind.LABEL else (),
        dict(column.attributes),
    )


SPECS = tuple(spec_of(each) for each in COLUMNS.values())
AUGMENTER = BatchAugmenter(SPECS)


def whole(output: tuple[int, int] = SIZE, **parameters: Any) -> Augmentation:
    return Augmentation(**{"source": SIZE, "output": output, "crop": (0, 0, *SIZE)} | parameters)


def smooth(rng: np.random.Generator, low: float, high: float, channels: int = 0) -> Array:
    x, y = np.meshgrid(np.linspace(0, 3, WIDTH), np.linspace(0, 2, HEIGHT))
    waves = [
        np.sin(x * rng.uniform(1, 3) + rng.uniform(0, 6)) * np.cos(y * rng.uniform(1, 3) + rng.uniform(0, 6))
        for _ in range(max(channels, 1))
    ]
    values = low + (high - low) * (np.stack(waves, 2) + 1) / 2
    return np.asarray(values if channels else values[..., 0])


def values_of(rng: np.random.Generator) -> dict[str, Array]:
    """Quantities with seams and edges; flow that stays in the picture, and flow that does not."""
    depth = np.where(smooth(rng, 0, 1) > 0.8, np.inf, smooth(rng, 2, 90))
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    flow = smooth(rng, -6, 6, 2)
    inside = np.stack([np.clip(flow[..., 0], -x, WIDTH - 1 - x), np.clip(flow[..., 1], -y, HEIGHT - 1 - y)], 2)
    normals = smooth(rng, -1, 1, 3) - [0, 0, 1.5]
    return {
        "image": smooth(rng, 40, 255, 3),
        "previous": smooth(rng, 40, 255, 3),
        "deep": smooth(rng, 1e4, 65535, 3),
        "nir": smooth(rng, 0, 65535),
        "thermal": smooth(rng, 0, 255),
        "label": np.choose(np.rint(smooth(rng, 0, 2)).astype(int), [0, 2, IGNORE_ID]),
        "instance": np.choose(np.rint(smooth(rng, 0, 2)).astype(int), [0, 40001, 5]),
        "mask": np.rint(smooth(rng, 0, 1)).astype(int),
        "depth": depth,
        "sensor": smooth(rng, 0.5, 60),
        "optical_flow": inside,
        "truth_flow": smooth(rng, -30, 30, 2),
        "normals": normals / np.linalg.norm(normals, axis=2, keepdims=True),
        "hha": smooth(rng, 0, 0.8, 3) * [1, 2, 200],
        "ndvi": smooth(rng, -1, 1),
        "jet": depth,
        "near": np.where(np.isinf(depth), 1 / 80, 1 / np.maximum(depth, 2)),
        "motion": smooth(rng, -15, 15, 2),
    }


def a_sample(seed: int, share: float = 0.9) -> Sample:
    """Stored integers of every column; where they have a mask, with holes of some pixels."""
    rng = np.random.default_rng(seed)
    arrays = values_of(rng)
    valid: dict[str, Mask] = {}
    for name, column in COLUMNS.items():
        if column.code is not None and column.code.mask is not MaskPlace.NONE:
            holes = rng.random((HEIGHT // 8, WIDTH // 8)) < share
            valid[name] = holes.repeat(8, 0).repeat(8, 1)
    kinds = {name: column.kind for name, column in COLUMNS.items()}
    once = encoded(Sample(SampleKey("k"), arrays, kinds, valid, CAMERA), COLUMNS).sample
    return encoded(decoded(once, COLUMNS), COLUMNS).sample  # SMSnet's lengths are those of the rounded vectors


def batch_of(samples: Sequence[Sample], device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    def stacked(which: Sequence[Mapping[str, Array]]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(np.stack([each[name] for each in which])).to(device) for name in which[0]}

    return stacked([each.arrays for each in samples]), stacked([each.valid for each in samples])


def augmented(
    samples: Sequence[Sample], augmentations: Sequence[Augmentation], specs: Sequence[ArraySpec] = SPECS
) -> list[Sample]:
    columns, valid = batch_of(samples)
    cameras = [None if each.camera is None else each.camera.K for each in samples]
    augmenter = AUGMENTER if specs is SPECS else BatchAugmenter(specs)
    found = augmenter.augmented(columns, valid, augmentations, cameras)
    return [
        replace(
            sample,
            arrays={name: each[row].numpy() for name, each in found.columns.items()},
            valid={name: each[row].numpy() for name, each in found.valid.items()},
            camera=None if K is None else Camera(K, *augmentations[row].output),
        )
        for row, (sample, K) in enumerate(zip(samples, found.cameras, strict=True))
    ]


def assert_identical(found: Sample, expected: Sample) -> None:
    assert found.arrays.keys() == expected.arrays.keys()
    assert found.valid.keys() == expected.valid.keys()
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    for name, mask in expected.valid.items():
        np.testing.assert_array_equal(found.valid[name], mask, err_msg=name)


def far_share(gap: Array, limit: float | Array) -> float:
    return float((np.abs(gap) > limit).mean())


def assert_alike(
    found: Sample, expected: Sample, seams: float = 0.005, pictures: float = 0.001, levels: int = 2
) -> None:
    """Within interpolation error.

    Ids: all but 2 % of the pixels, at borders of classes: sizes like 6:5 put every fifth place halfway between two
    pixels, and rounding decides. Masks: all but 0.5 %. Pictures, which are not dark, where gamma makes several levels
    of one: 99.9 % within two grey levels of 255. Flow: 0.02 pixels and a step of its code. Other quantities: 1 % of
    their range and a step. All of it but for 0.5 % (or another share) of the pixels that both hold for valid, at seams;
    2 % where near meets infinitely far, with ties either way.
    """
    assert found.arrays.keys() == expected.arrays.keys()
    assert found.valid.keys() == expected.valid.keys()
    for name, mask in expected.valid.items():
        assert (found.valid[name] != mask).mean() <= seams, name
    for name, array in expected.arrays.items():
        assert found.arrays[name].shape == array.shape, name
        assert found.arrays[name].dtype == array.dtype, name
        column = COLUMNS[name]
        assert column.code is not None
        both = np.ones(array.shape[:2], np.bool_)
        if name in expected.valid:
            both = found.valid[name] & expected.valid[name]
            neither = ~found.valid[name] & ~expected.valid[name]
            np.testing.assert_array_equal(found.arrays[name][neither], array[neither], err_msg=name)
        gap = found.arrays[name].astype(float) - array
        match column.kind:
            case Kind.LABEL | Kind.INSTANCE | Kind.MASK:
                assert far_share(gap, 0) <= 0.02, name
            case Kind.IMAGE | Kind.NIR | Kind.THERMAL:
                assert far_share(gap[both], levels * np.iinfo(array.dtype).max / 255) <= pictures, name
            case kind:
                values = [column.code.decode(each.arrays[name], each.valid[name])[0] for each in (found, expected)]
                a, b = (np.where(np.isinf(each), 1e3, each)[both] for each in values)
                steps = (column.code.step,) if isinstance(column.code, JetCode) else column.code.scale
                channels = 1 if b.ndim == 1 else b.shape[1]
                loose = 0.02 if kind is Kind.FLOW else 0.01 * (np.ptp(b, axis=0) if b.size else 0)
                limit = loose + 1.01 * np.array(steps[:channels])
                ties = 0.02 if kind in (Kind.DEPTH, Kind.CODED) else 0
                assert far_share(a - b, limit) <= max(seams, ties), name


configurations = st.sampled_from(
    [
        PRESETS["ssma"],
        PRESETS["fcn"],
        AugmentationConfig(flip=0.5, gamma_z=Span(-0.1, 0.1), crop_size=(48, 32)),
        AugmentationConfig(
            flip=0.5,
            scale=Span(0.5, 2),
            rotation=Span(-40, 40),
            skew=Span(0, 0.3),
            crop=Span(0.6, 1),
            vignette=Span(200, 300),
            brightness=Span(-30, 30),
            contrast=Span(0.6, 1.2),
            saturation=Span(0.5, 1.2),
            hue=Span(-30, 30),
        ),
    ]
)


def test_all_kinds_are_in_the_sample() -> None:
    assert {column.kind for column in (*COLUMNS.values(), DISPARITY)} == set(RULES)


@given(config=configurations, seed=st.integers(0, 9999), output=st.sampled_from(OUTPUTS))
@settings(max_examples=20, deadline=None)
def test_every_column_is_what_it_would_be_if_it_were_augmented_before_it_is_stored(
    config: AugmentationConfig, seed: int, output: tuple[int, int]
) -> None:
    samples = [a_sample(seed), a_sample(seed + 1, 0.5)]
    drawn = [draw(config, seed, "k", variant, SIZE, output) for variant in range(2)]
    for found, sample, each in zip(augmented(samples, drawn), samples, drawn, strict=True):
        expected = encoded(augment_sample(decoded(sample, COLUMNS), each, COLUMNS), COLUMNS).sample
        # Vignette, tones and colours are rounded one after the other, and each may make more of a level.
        assert_alike(found, expected, levels=4)
        assert found.camera is not None
        assert expected.camera is not None
        np.testing.assert_allclose(found.camera.K, expected.camera.K, atol=1e-9)


@pytest.mark.parametrize(
    "parameters",
    [
        {"flip": True},
        {"scale": 1.7},
        {"rotation": 20.0},
        {"skew": 0.2},
        {"crop": (10.3, 5.1, 70.0, 40.0)},
        {"crop": (-20.0, -10.0, 140.0, 90.0)},
        {"output": (30, 24)},
        {"contrast": 0.7, "brightness": 20.0, "gamma": 0.8, "vignette": 250.0, "saturation": 0.5, "hue": 40.0},
    ],
    ids=str,
)
def test_each_change_alone_is_what_it_would_be(parameters: dict[str, Any]) -> None:
    sample = a_sample(5)
    expected = encoded(augment_sample(decoded(sample, COLUMNS), whole(**parameters), COLUMNS), COLUMNS).sample
    assert_alike(augmented([sample], [whole(**parameters)])[0], expected)


def test_sides_that_are_no_multiples_of_the_means_differ_at_seams_and_the_last_edge_only() -> None:
    sample = a_sample(7)
    small = whole((38, 29), scale=0.5, rotation=5.0)  # means over 5x4 and 4x4 pixels
    expected = encoded(augment_sample(decoded(sample, COLUMNS), small, COLUMNS), COLUMNS).sample
    assert_alike(augmented([sample], [small])[0], expected, seams=0.1, pictures=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_flipped_twice_is_the_same_to_the_bit(seed: int) -> None:
    sample = a_sample(seed)
    (once,) = augmented([sample], [whole(flip=True)])
    for name in ("image", "nir", "label", "instance", "depth", "ndvi", "jet"):
        np.testing.assert_array_equal(once.arrays[name], sample.arrays[name][:, ::-1], err_msg=name)
    for name in ("optical_flow", "motion"):
        valid = sample.valid[name][:, ::-1]
        twice_zero = 2**16 if name == "optical_flow" else 256
        mirrored = twice_zero - sample.arrays[name][:, ::-1, 0].astype(int)
        np.testing.assert_array_equal(once.arrays[name][..., 0][valid], mirrored[valid], err_msg=name)
        np.testing.assert_array_equal(once.arrays[name][..., 1], sample.arrays[name][:, ::-1, 1], err_msg=name)
    (twice,) = augmented([once], [whole(flip=True)])
    # Normals of 8 bits are no unit vectors before they are normalised, and their codes are after once.
    assert np.abs(twice.arrays["normals"].astype(int) - sample.arrays["normals"]).max() <= 1
    arrays = {**twice.arrays, "normals": sample.arrays["normals"]}
    assert_identical(replace(twice, arrays=arrays), sample)


def test_crops_at_whole_pixels_only_cut() -> None:
    sample = a_sample(1)
    (found,) = augmented([sample], [whole((40, 30), crop=(7, 9, 40, 30))])
    for name, array in sample.arrays.items():
        if name in ("optical_flow", "normals"):  # vectors that leave the crop; vectors normalised anew
            continue
        np.testing.assert_array_equal(found.arrays[name], array[9:39, 7:47], err_msg=name)
        if name in sample.valid:
            np.testing.assert_array_equal(found.valid[name], sample.valid[name][9:39, 7:47], err_msg=name)


def test_nothing_drawn_changes_no_bit() -> None:
    sample = a_sample(2)
    assert_identical(augmented([sample], [draw(PRESETS["none"], 0, "k", 0, SIZE)])[0], sample)


def test_a_batch_is_its_samples_one_by_one_and_leaves_its_input_alone() -> None:
    drawn = [
        whole(),
        whole(rotation=7.0, contrast=1.3),
        whole(flip=True),
        whole(scale=0.4, gamma=0.8),
        whole(),
        whole(scale=1.3, vignette=240.0),
    ]
    samples = [a_sample(seed) for seed in range(len(drawn))]
    columns, valid = batch_of(samples)
    kept = {name: each.clone() for name, each in columns.items()}
    first, second = (AUGMENTER.augmented(columns, valid, drawn) for _ in range(2))
    for name, each in columns.items():
        np.testing.assert_array_equal(each.numpy(), kept[name].numpy())
        np.testing.assert_array_equal(first.columns[name].numpy(), second.columns[name].numpy())
        assert not first.columns[name].requires_grad
    for found, sample, one in zip(augmented(samples, drawn), samples, drawn, strict=True):
        assert_identical(found, augmented([sample], [one])[0])
    assert first.cameras == (None,) * len(drawn)


def test_columns_may_come_with_an_axis_for_one_channel_and_masks_as_numbers() -> None:
    sample = a_sample(3)
    columns, valid = batch_of([sample])
    drawn = [whole(rotation=9.0)]
    wanted = AUGMENTER.augmented(columns, valid, drawn)
    wide = {name: each if each.ndim == 4 else each[..., None] for name, each in columns.items()}
    found = AUGMENTER.augmented(wide, {n: each.byte() for n, each in valid.items()}, drawn)
    for name, each in wanted.columns.items():
        assert found.columns[name].ndim == 4
        np.testing.assert_array_equal(found.columns[name].reshape(each.shape).numpy(), each.numpy())
    for name, mask in wanted.valid.items():
        np.testing.assert_array_equal(found.valid[name].numpy(), mask.numpy())


def test_nothing_beyond_the_edge_is_valid() -> None:
    (found,) = augmented([a_sample(4, 1.0)], [whole(scale=0.5)])
    beyond = np.ones((HEIGHT, WIDTH), np.bool_)
    beyond[17:55, 23:73] = False
    for name, mask in found.valid.items():
        assert not mask[beyond].any(), name
        assert mask[~beyond].mean() > 0.5, name
    fills = {"label": IGNORE_ID, "optical_flow": 2**15, "truth_flow": 2**15, "motion": (128, 128, 0)}
    for name, array in found.arrays.items():
        assert (array[beyond] == fills.get(name, 0)).all(), name


def test_every_colour_of_jet_stands_for_its_value_and_others_for_a_near_one() -> None:
    spec = spec_of(COLUMNS["jet"], (257, 2))
    colours = JET.encode(np.linspace(2, 80, 256)[None], None).stored
    row = np.concatenate([colours, np.zeros((1, 1, 3), np.uint8)], 1)
    spoilt = np.clip(row.astype(int) + np.random.default_rng(0).integers(-3, 4, row.shape), 0, 255).astype(np.uint8)
    stored = torch.from_numpy(np.concatenate([row, spoilt])[None])
    each = Augmentation(source=(257, 2), output=(257, 2), crop=(0, 0, 257, 2), flip=True)
    found = BatchAugmenter([spec]).augmented({"jet": stored}, {}, [each])
    np.testing.assert_array_equal(found.columns["jet"][0, 0].numpy(), row[0, ::-1])
    np.testing.assert_array_equal(found.valid["jet"][0, 0].numpy(), np.arange(257) > 0)
    near, known = JET.decode(found.columns["jet"][0].numpy(), found.valid["jet"][0].numpy())
    exact, _ = JET.decode(spoilt[:, ::-1], None)
    assert known is not None
    assert np.abs(near[1] - exact[0])[known[1]].max() <= 2 * JET.step


def test_disparity_follows_the_width_and_refuses_to_be_turned() -> None:
    columns = {"disparity": DISPARITY}
    rng = np.random.default_rng(0)
    values = np.where(smooth(rng, 0, 1) > 0.7, 0, smooth(rng, 3, 60))
    plain = Sample(SampleKey("k"), {"disparity": values}, {"disparity": Kind.DISPARITY})
    sample = encoded(plain, columns).sample
    each = whole((150, 90), crop=(3.5, 2.0, 60.0, 50.0))
    (found,) = augmented([sample], [each], [spec_of(DISPARITY)])
    expected = encoded(augment_sample(decoded(sample, columns), each, columns), columns).sample
    np.testing.assert_array_equal(found.valid["disparity"], expected.valid["disparity"])
    gap = found.arrays["disparity"].astype(int) - expected.arrays["disparity"]
    assert far_share(gap, 3) <= 0.005
    assert found.arrays["disparity"].max() > 1.5 * sample.arrays["disparity"].max()
    with pytest.raises(ConfigurationError, match=r"column 'disparity' \(disparity\) cannot follow a flip"):
        augmented([sample], [whole(flip=True)], [spec_of(DISPARITY)])
    with pytest.raises(ConfigurationError, match=r"'disparity'.* cannot follow flip and rotation and skew"):
        BatchAugmenter([spec_of(DISPARITY)], config=PRESETS["ssma"])
    BatchAugmenter([spec_of(DISPARITY)], config=PRESETS["fcn"])


def test_the_camera_turns_normals_and_is_returned() -> None:
    each = whole(skew=0.3, rotation=10.0)
    sample = a_sample(6)
    (found,) = augmented([sample], [each])
    assert found.camera is not None
    np.testing.assert_allclose(found.camera.K, warped_camera(CAMERA, each.affine(), SIZE).K)
    (without,) = augmented([replace(sample, camera=None)], [each])
    assert without.camera is None
    assert (without.arrays["normals"] != found.arrays["normals"]).mean() > 0.05


def test_what_cannot_be_augmented_is_named() -> None:
    sample = a_sample(0)
    columns, valid = batch_of([sample])
    with pytest.raises(ConfigurationError, match="column 'image' is missing"):
        AUGMENTER.augmented({n: each for n, each in columns.items() if n != "image"}, valid, [whole()])
    with pytest.raises(SizeMismatchError, match="drawn for 1 samples of 90x72"):
        AUGMENTER.augmented(columns, valid, [whole(source=(90, 72))])
    with pytest.raises(SizeMismatchError, match="drawn for 2 samples"):
        AUGMENTER.augmented(columns, valid, [whole(), whole()])
    with pytest.raises(SizeMismatchError, match="the mask of depth is"):
        AUGMENTER.augmented(columns, {**valid, "depth": valid["depth"][:, 1:]}, [whole()])
    with pytest.raises(SizeMismatchError, match="one size before and one after"):
        AUGMENTER.augmented(columns, valid, [whole(), whole((48, 32))])
    with pytest.raises(SizeMismatchError, match="1 samples cannot have 2 cameras"):
        AUGMENTER.augmented(columns, valid, [whole()], [None, None])
    with pytest.raises(ConfigurationError, match="'colours' holds pictures for the eye"):
        BatchAugmenter([spec_of(Column("colours", Kind.CODED, PlainCode(masked=True)))])
    with pytest.raises(CodeRangeError, match="column depth: there is no code called 'old'"):
        BatchAugmenter([replace(spec_of(COLUMNS["depth"]), code={"name": "old"})])
    with pytest.raises(CodeRangeError, match="column nir: pictures of 8 or 16 bits"):
        BatchAugmenter([replace(spec_of(COLUMNS["nir"]), dtype="int16")])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_the_same_without_waiting_for_it() -> None:
    drawn = [whole(), whole(rotation=7.0, contrast=1.3, hue=20.0), whole(flip=True), whole(scale=0.4, gamma=0.8)]
    samples = [a_sample(seed) for seed in range(len(drawn))]
    columns, valid = batch_of(samples, "cuda")
    augmenter = BatchAugmenter(SPECS, "cuda")
    augmenter.augmented(columns, valid, drawn)
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = augmenter.augmented(columns, valid, drawn)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    for row, expected in enumerate(augmented([replace(each, camera=None) for each in samples], drawn)):
        arrays = {name: each[row].cpu().numpy() for name, each in found.columns.items()}
        masks = {name: each[row].cpu().numpy() for name, each in found.valid.items()}
        assert_alike(replace(expected, arrays=arrays, valid=masks), expected)
