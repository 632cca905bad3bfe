"""What tests of augmentation on tensors share: a sample with every kind of column, and how two of them are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.codes import (
    Code,
    DepthCode,
    IdCode,
    JetCode,
    KittiFlowCode,
    LinearCode,
    MaskPlace,
    PlainCode,
    SmsnetFlowCode,
)
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.sample import Array, Camera, Mask, Sample, SampleKey
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.coding import decoded, encoded
from segprep.prep.augment.samples import augment_sample
from segprep.train.augment.augmenter import BatchAugmenter

__all__ = [
    "AUGMENTER",
    "CAMERA",
    "COLUMNS",
    "HEIGHT",
    "INVERSE",
    "JET",
    "SIZE",
    "SMSNET",
    "SPECS",
    "WIDTH",
    "a_sample",
    "assert_alike",
    "assert_identical",
    "augmented",
    "batch_of",
    "far_share",
    "smooth",
    "spec_of",
    "stored_first",
    "whole",
]

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


def spec_of(column: Column, size: tuple[int, int] = SIZE) -> ArraySpec:
    code: Code | None = column.code
    assert code is not None
    return ArraySpec.of(
        column.name,
        column.kind,
        (size[1], size[0], len(code.channels)) if code.channels else (size[1], size[0]),
        code,
        classes=("a", "b", "c") if column.kind is Kind.LABEL else (),
        attributes=dict(column.attributes),
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


def _values_of(rng: np.random.Generator) -> dict[str, Array]:
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
    arrays = _values_of(rng)
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


def stored_first(sample: Sample, augmentation: Augmentation) -> Sample:
    return encoded(augment_sample(decoded(sample, COLUMNS), augmentation, COLUMNS), COLUMNS).sample
