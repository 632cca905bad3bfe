"""Pictures that look the same: copies are found, other frames of the drive are not, and the search is exact."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.imageio import decode_image, encode_image, read_image
from segprep.datasets.sample import Array
from segprep.datasets.synthetic import World, render
from segprep.prep.inspection.likeness import MOST_DIFFERENT_BITS, AlikePair, alike_across, likeness_hash
from support.properties import examples


def hash_of(picture: Array) -> int:
    found = likeness_hash(picture)
    assert found is not None
    return found


def distance(one: Array, other: Array) -> int:
    return (hash_of(one) ^ hash_of(other)).bit_count()


def as_jpeg(rgb_HWC: Array) -> Array:
    return decode_image(encode_image(".jpg", rgb_HWC), Path("copy.jpg"))


COPIES: dict[str, Callable[[Array], Array]] = {
    "jpeg": as_jpeg,
    "halved": lambda p: cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "enlarged": lambda p: cv2.resize(p, None, fx=1.7, fy=1.7, interpolation=cv2.INTER_CUBIC),
    "brighter": lambda p: np.clip(p + 20.0, 0, 255).astype(np.uint8),
    "darker": lambda p: (p * 0.8).astype(np.uint8),
    "16 bits": lambda p: p.astype(np.uint16) * 257,
    "with alpha": lambda p: np.concatenate([p, np.full_like(p[..., :1], 255)], axis=2),
    "all of it": lambda p: as_jpeg(np.clip(cv2.resize(p, None, fx=0.5, fy=0.5) * 1.1 + 10, 0, 255).astype(np.uint8)),
}


@pytest.fixture(scope="module")
def frames() -> list[Array]:
    return [render(World(seed=seed), index, width=256, height=128).rgb_HWC for seed in (1, 2) for index in (0, 30, 60)]


@pytest.mark.parametrize("change", COPIES)
def test_copies_look_the_same(frames: list[Array], change: str) -> None:
    assert max(distance(frame, COPIES[change](frame)) for frame in frames) <= MOST_DIFFERENT_BITS


def test_other_frames_and_mirrored_ones_do_not(frames: list[Array]) -> None:
    others = [distance(one, other) for i, one in enumerate(frames) for other in frames[:i]]
    assert min(others) > MOST_DIFFERENT_BITS
    assert min(distance(frame, frame[:, ::-1]) for frame in frames) > MOST_DIFFERENT_BITS


def test_bits_say_where_it_gets_brighter() -> None:
    ramp = np.tile(np.arange(0, 180, 10, dtype=np.uint8), (18, 1))  # brighter to the right only
    assert hash_of(ramp).bit_count() == 32
    assert hash_of(ramp.T.copy()).bit_count() == 32
    assert hash_of(ramp) ^ hash_of(ramp.T.copy()) == 2**64 - 1
    assert hash_of(ramp[:, ::-1].copy()) == 0


def test_pictures_without_contrast_look_like_nothing() -> None:
    assert likeness_hash(np.full((20, 30, 3), 90, np.uint8)) is None
    noise = np.random.default_rng(0).integers(85, 95, (180, 180), np.uint8)
    assert likeness_hash(noise) is None


def test_real_copies_are_found_and_frames_a_second_apart_only_while_the_car_stands(shared_data: Path) -> None:
    paths = sorted((shared_data / "camvid/train").iterdir())
    frames = [read_image(path) for path in paths]
    for change in ("jpeg", "halved", "brighter", "all of it"):
        found = [distance(frame, COPIES[change](frame)) <= MOST_DIFFERENT_BITS for frame in frames[::4]]
        assert np.mean(found) > 0.97, change
    alike = [i for i in range(len(frames) - 1) if distance(frames[i], frames[i + 1]) <= MOST_DIFFERENT_BITS]
    assert len(alike) < 0.06 * len(frames)
    still = [np.abs(frames[i].astype(np.int16) - frames[i + 1]).mean() for i in alike]
    apart = [np.abs(frames[i].astype(np.int16) - frames[i + 1]).mean() for i in range(len(frames) - 1)]
    assert max(still) < 0.5 * float(np.median(apart))


# -- search --------------------------------------------------------------------------------------------------------


def nearest(hashes: list[int], groups: list[int]) -> set[tuple[int, int, int]]:
    """Each picture of the smaller of two groups with its nearest of the other, the first of several, by comparing."""
    found = set()
    for a in sorted(set(groups)):
        for b in sorted(set(groups)):
            ones, others = ([i for i, g in enumerate(groups) if g == group] for group in (a, b))
            if a >= b:
                continue
            few, many = (ones, others) if len(ones) <= len(others) else (others, ones)
            for i in few:
                d, j = min(((hashes[i] ^ hashes[j]).bit_count(), j) for j in many)
                if d <= MOST_DIFFERENT_BITS:
                    found.add((i, j, d) if few is ones else (j, i, d))
    return found


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 2**9 - 1), st.integers(0, 2)), max_size=25))
def test_the_search_finds_just_the_nearest_ones_of_other_groups(rows: list[tuple[int, int]]) -> None:
    hashes, groups = [h * (2**55 + 1) for h, _ in rows], [g for _, g in rows]
    found = list(alike_across(np.array(hashes, np.uint64), np.array(groups, np.intp)))
    assert {(p.first, p.second, p.distance) for p in found} == nearest(hashes, groups)
    assert len(found) == len(set(found))


def test_the_search_goes_on_beyond_one_chunk() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 6000, dtype=np.uint64)
    groups = np.repeat([0, 1], 3000)
    hashes[5999] = hashes[1] ^ np.uint64(0b111)
    hashes[3000] = hashes[2999]
    assert set(alike_across(hashes, groups)) == {AlikePair(1, 5999, 3), AlikePair(2999, 3000, 0)}
