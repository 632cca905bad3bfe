"""What tests of augmentation on tensors share: a sample with every kind of column, and how two of them are compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
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


def _spec_of(column: Column, size: tuple[int, int] = SIZE) -> ArraySpec:
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


SPECS = tuple(_spec_of(each) for each in COLUMNS.values())
AUGMENTER = BatchAugmenter(SPECS)


def _whole(output: tuple[int, int] = SIZE, **parameters: Any) -> Augmentation:
    return Augmentation(**{"source": SIZE, "output": output, "crop": (0, 0, *SIZE)} | parameters)


def _smooth(rng: np.random.Generator, low: float, high: float, channels: int = 0) -> Array:
    x, y = np.meshgrid(np.linspace(0, 3, WIDTH), np.linspace(0, 2, HEIGHT))
    waves = [
        np.sin(x * rng.uniform(1, 3) + rng.uniform(0, 6)) * np.cos(y * rng.uniform(1, 3) + rng.uniform(0, 6))
        for _ in range(max(channels, 1))
    ]
    values = low + (high - low) * (np.stack(waves, 2) + 1) / 2
    return np.asarray(values if channels else values[..., 0])


def _values_of(rng: np.random.Generator) -> dict[str, Array]:
    """Quantities with seams and edges; flow that stays in the picture, and flow that does not."""
    depth = np.where(_smooth(rng, 0, 1) > 0.8, np.inf, _smooth(rng, 2, 90))
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    flow = _smooth(rng, -6, 6, 2)
    inside = np.stack([np.clip(flow[..., 0], -x, WIDTH - 1 - x), np.clip(flow[..., 1], -y, HEIGHT - 1 - y)], 2)
    normals = _smooth(rng, -1, 1, 3) - [0, 0, 1.5]
    return {
        "image": _smooth(rng, 40, 255, 3),
        "previous": _smooth(rng, 40, 255, 3),
        "deep": _smooth(rng, 1e4, 65535, 3),
        "nir": _smooth(rng, 0, 65535),
        "thermal": _smooth(rng, 0, 255),
        "label": np.choose(np.rint(_smooth(rng, 0, 2)).astype(int), [0, 2, IGNORE_ID]),
        "instance": np.choose(np.rint(_smooth(rng, 0, 2)).astype(int), [0, 40001, 5]),
        "mask": np.rint(_smooth(rng, 0, 1)).astype(int),
        "depth": depth,
        "sensor": _smooth(rng, 0.5, 60),
        "optical_flow": inside,
        "truth_flow": _smooth(rng, -30, 30, 2),
        "normals": normals / np.linalg.norm(normals, axis=2, keepdims=True),
        "hha": _smooth(rng, 0, 0.8, 3) * [1, 2, 200],
        "ndvi": _smooth(rng, -1, 1),
        "jet": depth,
        "near": np.where(np.isinf(depth), 1 / 80, 1 / np.maximum(depth, 2)),
        "motion": _smooth(rng, -15, 15, 2),
    }


def _a_sample(seed: int, share: float = 0.9) -> Sample:
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


def _batch_of(samples: Sequence[Sample], device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    def stacked(which: Sequence[Mapping[str, Array]]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(np.stack([each[name] for each in which])).to(device) for name in which[0]}

    return stacked([each.arrays for each in samples]), stacked([each.valid for each in samples])


def _augmented(
    samples: Sequence[Sample], augmentations: Sequence[Augmentation], specs: Sequence[ArraySpec] = SPECS
) -> list[Sample]:
    columns, valid = _batch_of(samples)
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


def _assert_identical(found: Sample, expected: Sample) -> None:
    assert found.arrays.keys() == expected.arrays.keys()
    assert found.valid.keys() == expected.valid.keys()
    for name, array in expected.arrays.items():
        assert found.arrays[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found.arrays[name], array, err_msg=name)
    for name, mask in expected.valid.items():
        np.testing.assert_array_equal(found.valid[name], mask, err_msg=name)


def _far_share(gap: Array, limit: float | Array) -> float:
    return float((np.abs(gap) > limit).mean())


def _assert_alike(
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
                assert _far_share(gap, 0) <= 0.02, name
            case Kind.IMAGE | Kind.NIR | Kind.THERMAL:
                assert _far_share(gap[both], levels * np.iinfo(array.dtype).max / 255) <= pictures, name
            case kind:
                values = [column.code.decode(each.arrays[name], each.valid[name])[0] for each in (found, expected)]
                a, b = (np.where(np.isinf(each), 1e3, each)[both] for each in values)
                steps = (column.code.step,) if isinstance(column.code, JetCode) else column.code.scale
                channels = 1 if b.ndim == 1 else b.shape[1]
                loose = 0.02 if kind is Kind.FLOW else 0.01 * (np.ptp(b, axis=0) if b.size else 0)
                limit = loose + 1.01 * np.array(steps[:channels])
                ties = 0.02 if kind in (Kind.DEPTH, Kind.CODED) else 0
                assert _far_share(a - b, limit) <= max(seams, ties), name


def _stored_first(sample: Sample, augmentation: Augmentation) -> Sample:
    return encoded(augment_sample(decoded(sample, COLUMNS), augmentation, COLUMNS), COLUMNS).sample


@pytest.fixture(scope="session")
def all_columns() -> Mapping[str, Column]:
    """The sample's columns by name: every kind but disparity, which cannot be turned."""
    return COLUMNS


@pytest.fixture(scope="session")
def all_specs() -> tuple[ArraySpec, ...]:
    """The same as arrays of a store."""
    return SPECS


@pytest.fixture(scope="session")
def augmenter() -> BatchAugmenter:
    """For all columns, on the CPU."""
    return AUGMENTER


@pytest.fixture(scope="session")
def spec_of() -> Callable[..., ArraySpec]:
    """The array of a store that holds a column: (column, size=(96, 72))."""
    return _spec_of


@pytest.fixture(scope="session")
def whole() -> Callable[..., Augmentation]:
    """An augmentation of the whole picture of 96x72: (output=(96, 72), **parameters)."""
    return _whole


@pytest.fixture(scope="session")
def smooth() -> Callable[..., Array]:
    """A wave of 96x72: (rng, low, high, channels=0)."""
    return _smooth


@pytest.fixture(scope="session")
def a_sample() -> Callable[..., Sample]:
    """A sample with all columns: (seed, share of valid pixels=0.9)."""
    return _a_sample


@pytest.fixture(scope="session")
def batch_of() -> Callable[..., tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Columns and masks of samples as tensors: (samples, device="cpu")."""
    return _batch_of


@pytest.fixture(scope="session")
def augmented() -> Callable[..., list[Sample]]:
    """Augment samples as one batch of tensors: (samples, augmentations, specs=all)."""
    return _augmented


@pytest.fixture(scope="session")
def stored_first() -> Callable[[Sample, Augmentation], Sample]:
    """What becomes of a sample that is augmented before it is stored."""
    return _stored_first


@pytest.fixture(scope="session")
def assert_identical() -> Callable[[Sample, Sample], None]:
    """Compare all pixels and masks: (found, expected)."""
    return _assert_identical


@pytest.fixture(scope="session")
def assert_alike() -> Callable[..., None]:
    """Compare within interpolation error: (found, expected, seams=0.005, pictures=0.001, levels=2)."""
    return _assert_alike


@pytest.fixture(scope="session")
def far_share() -> Callable[[Array, float], float]:
    """The share of a gap that is further from zero than a limit."""
    return _far_share
