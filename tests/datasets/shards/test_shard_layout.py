import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.codes import PlainCode
from segprep.datasets.errors import ConfigurationError, DamagedStoreError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.shards.chunks import CODECS, decode_chunk, encode_chunk, join_shard, split_shard
from segprep.datasets.shards.columns import ArraySpec
from segprep.datasets.shards.layout import ROW_ARRAYS, StorePlan, samples_per_shard
from support.properties import examples


def image(height: int, width: int) -> ArraySpec:
    return ArraySpec.of("image", Kind.IMAGE, (height, width, 3), PlainCode())


@pytest.mark.parametrize(
    ("height", "width", "rows", "expected"),
    [(384, 768, 5000, 75), (1024, 2048, 5000, 32), (384, 768, 20, 20), (1, 1, 9, 9)],
)
def test_shards_hold_about_64_mib_but_at_least_32_samples_and_no_more_than_there_are(
    height: int, width: int, rows: int, expected: int
) -> None:
    small = dataclasses.replace(image(height, width), name="nir", shape=(height, width), channels=("nir",))
    assert samples_per_shard([small, image(height, width)], rows) == expected


def test_shards_cover_all_rows_once(plan: StorePlan) -> None:
    assert plan.shards == 3
    assert [row for i in range(3) for row in plan.shard_rows(i)] == list(range(7))


def test_dimensions_of_one_name_have_one_size_in_the_whole_store(plan: StorePlan) -> None:
    sizes: dict[str, int] = {}
    for layout in plan.arrays().values():
        assert len(layout.dims) == len(layout.shape)
        for name, size in zip(layout.dims, layout.shape, strict=True):
            assert sizes.setdefault(name, size) == size, name
    assert set(ROW_ARRAYS) <= plan.arrays().keys()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a/b"},
        {"name": "3d"},
        {"kind": Kind.CAMERA},
        {"shape": (4,)},
        {"shape": (0, 4)},
        {"shape": (4, 4, 2)},
        {"dtype": "float32"},
        {"dtype": "uint32"},
        {"classes": ("road",)},
        {"kind": Kind.LABEL, "shape": (4, 4)},
        {"kind": Kind.LABEL, "shape": (4, 4), "classes": ("road",), "dtype": "uint16"},
        {"kind": Kind.LABEL, "shape": (4, 4), "classes": ("road",), "masked": True},
        {"attributes": {"scale_factor": 2}},
        {"attributes": {"kind": "mine"}},
    ],
)
def test_columns_that_cannot_be_stored_are_refused_by_name(change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be stored"):
        dataclasses.replace(image(4, 4), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 0},
        {"specs": ()},
        {"samples_per_shard": 0},
        {"samples_per_shard": 8},
        {"codec": "gzip"},
        {"key_bytes": 0},
        {"source_bytes": 1},
    ],
)
def test_plans_that_make_no_sense_are_refused(plan: StorePlan, change: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        dataclasses.replace(plan, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["pose", "depth_valid", "label"])
def test_a_name_that_is_taken_is_refused(plan: StorePlan, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"twice.*{name}"):
        dataclasses.replace(plan, specs=(*plan.specs, dataclasses.replace(plan.specs[0], name=name)))


def test_columns_of_different_size_are_refused_with_their_sizes(plan: StorePlan) -> None:
    other = dataclasses.replace(plan.specs[0], name="previous", shape=(6, 10, 3))
    with pytest.raises(SizeMismatchError, match=r"image 20x12.*previous 10x6"):
        dataclasses.replace(plan, specs=(*plan.specs, other))


@examples(40)
@given(
    codec=st.sampled_from(sorted(CODECS)),
    dtype=st.sampled_from(["uint8", "int16", "uint16", "uint32", "float64"]),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    samples=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    high=st.sampled_from([1, 2, 120]),
)
def test_any_block_survives_a_shard_and_no_changed_byte_does(
    codec: str, dtype: str, sizes: list[int], samples: int, seed: int, high: int
) -> None:
    rng = np.random.default_rng(seed)
    block = rng.integers(0, high, (samples, *sizes)).astype(dtype)
    data = b"".join(join_shard([encode_chunk(sample, codec) for sample in block], 4))

    def read(content: bytes) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
        return [decode_chunk(chunk, tuple(sizes), dtype, codec) for chunk in split_shard(content, samples, 4)]

    np.testing.assert_array_equal(read(data), block)
    place, bit = rng.integers(len(data)), rng.integers(8)
    damaged = bytearray(data)
    damaged[place] ^= 1 << bit
    with pytest.raises(DamagedStoreError):
        read(bytes(damaged))
    with pytest.raises(DamagedStoreError):
        read(data[: rng.integers(len(data))])


@pytest.mark.parametrize("change", [lambda plan: split_shard(b"", 1, 4), lambda plan: split_shard(b"x" * 68, 1, 4)])
def test_files_without_an_index_are_refused(change: Callable[[None], object]) -> None:
    with pytest.raises(DamagedStoreError):
        change(None)


def test_an_index_without_an_entry_for_a_sample_is_refused() -> None:
    data = b"".join(join_shard([encode_chunk(np.zeros(3, np.uint8), "lz4")], 4))
    assert len(split_shard(data, 1, 4)) == 1
    with pytest.raises(DamagedStoreError, match="every sample"):
        split_shard(data, 2, 4)
    other = encode_chunk(np.zeros(2, np.uint8), "none")
    with pytest.raises(DamagedStoreError, match="does not decode"):
        decode_chunk(other, (3,), "uint8", "none")
