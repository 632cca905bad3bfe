"""Against exact truth: motion, depth, normals and cameras of the rendered drive under random augmentations."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array, Mask, Matrix, Sample, SampleKey
from segprep.datasets.synthetic import Hits, World, follow, motion, render, trace, trace_grid
from segprep.flow.camera.ego import ego_flow
from segprep.prep.augment.samples import PreparedSample, prepare
from segprep.prep.depth.surface_normals import surface_normals
from support.properties import examples

WORLD = World(seed=11, yaw_rate=0.1, pitch_wobble=0.01)
FRAME, OTHER = 30, 29
SIZE = WIDTH, HEIGHT = 256, 128
TOLERANCE_PX = 0.05

augmentations = st.builds(
    lambda flip, scale, rotation, skew, window, left, top, output: Augmentation(
        source=SIZE,
        output=output,
        crop=(left * WIDTH, top * HEIGHT, window * WIDTH, window * HEIGHT),
        flip=flip,
        scale=scale,
        rotation=rotation,
        skew=skew,
    ),
    st.booleans(),
    st.floats(0.7, 2),
    st.floats(-13, 13),
    st.floats(-0.1, 0.1),
    st.floats(0.8, 0.9),
    st.floats(-0.1, 0.3),
    st.floats(-0.1, 0.3),
    st.sampled_from([SIZE, (300, 110), (200, 200)]),
)


@dataclass(frozen=True, eq=False)
class Truth:
    prepared: PreparedSample
    surfaces_HW: Array  # which face of which solid is seen


def surfaces(hits: Hits) -> Array:
    return np.asarray(hits.solid.astype(np.int64) * 1000 + hits.face)


@pytest.fixture(scope="module")
def truth() -> Truth:
    now, then = render(WORLD, FRAME, WIDTH, HEIGHT), render(WORLD, OTHER, WIDTH, HEIGHT)
    exact = motion(WORLD, FRAME, OTHER, WIDTH, HEIGHT)
    M = now.pose.motion_to(then.pose)
    depth_HW = now.depth_HW.astype(np.float32)
    ego = ego_flow(depth_HW, np.ones((HEIGHT, WIDTH), np.bool_), now.camera, M)
    normals_3HW, found = surface_normals(depth_HW, np.isfinite(depth_HW), now.camera, 1)
    arrays: dict[str, Array] = {
        "image": now.rgb_HWC,
        "previous": then.rgb_HWC,
        "label": now.label_HW,
        "depth": depth_HW,
        "flow": exact.flow_HW2.astype(np.float32),
        "ego_flow": ego.uv,
        "normals": np.moveaxis(normals_3HW, 0, 2).astype(np.float32),
    }
    kinds = {"image": Kind.IMAGE, "previous": Kind.IMAGE, "label": Kind.LABEL, "depth": Kind.DEPTH}
    kinds |= {"flow": Kind.FLOW, "ego_flow": Kind.FLOW, "normals": Kind.NORMALS}
    valid = {"flow": exact.valid_HW & ~exact.occluded_HW, "ego_flow": ego.valid, "normals": found}
    meta = {"neighbour": {"motion": M.tolist()}}
    sample = Sample(SampleKey("k"), arrays, kinds, valid, now.camera, now.pose, meta)
    return Truth(prepare(sample), surfaces(trace_grid(WORLD, FRAME, now.camera)))


def source_places(augmentation: Augmentation) -> tuple[Matrix, Matrix]:
    """x and y of the source under each pixel of the result."""
    width, height = augmentation.output
    xy = np.stack([*np.meshgrid(np.arange(float(width)), np.arange(float(height))), np.ones((height, width))])
    x, y, _ = np.tensordot(np.linalg.inv(augmentation.affine()), xy, 1)
    return x, y


def undivided(truth: Truth, column: str, x: Matrix, y: Matrix) -> tuple[Mask, Array]:
    """Where all four pixels around a place are valid and show one surface, so that nothing jumps there; and which."""
    surfaces_HW = np.where(truth.prepared.sample.valid[column], truth.surfaces_HW, -1)
    left, top = (np.floor(v).astype(int) for v in (x, y))
    four = [
        surfaces_HW[np.clip(top + i, 0, HEIGHT - 1), np.clip(left + j, 0, WIDTH - 1)] for i in (0, 1) for j in (0, 1)
    ]
    within = (x >= 0) & (x <= WIDTH - 1) & (y >= 0) & (y <= HEIGHT - 1)
    return within & np.asarray(np.ptp(four, axis=0) == 0), four[0]


def lengths(uv: Array) -> Array:
    return np.hypot(uv[..., 0], uv[..., 1])


@given(augmentation=augmentations)
@examples(12)
def test_augmented_flow_is_the_exact_flow_of_the_augmented_scene(truth: Truth, augmentation: Augmentation) -> None:
    sample = truth.prepared.sample
    found = truth.prepared.augmented(augmentation)
    assert sample.camera is not None
    x, y = source_places(augmentation)
    hits = trace(WORLD, FRAME, sample.camera, x, y)
    exact = follow(hits, OTHER)
    linear = augmentation.affine()[:2, :2]
    whole, surface = undivided(truth, "flow", x, y)
    counted = found.valid["flow"] & whole & (surface == surfaces(hits))
    assert counted.mean() > 0.2
    error = lengths(found.arrays["flow"] - exact.flow_HW2 @ linear.T)[counted]
    assert error.max() < TOLERANCE_PX
    assert np.median(error) < 0.001


@given(augmentation=augmentations)
@examples(12)
def test_augmented_flow_warps_the_augmented_neighbour_onto_the_augmented_image(
    truth: Truth, augmentation: Augmentation
) -> None:
    def gap(sample: Sample, uv_HW2: Array) -> Array:
        height, width = uv_HW2.shape[:2]
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        there = cv2.remap(sample.arrays["previous"], x + uv_HW2[..., 0], y + uv_HW2[..., 1], cv2.INTER_LINEAR)
        return np.asarray(np.abs(there.astype(np.float32) - sample.arrays["image"]).mean(axis=2))

    before, found = truth.prepared.sample, truth.prepared.augmented(augmentation)
    flow, valid = found.arrays["flow"], found.valid["flow"]
    gap_before = Sample(SampleKey("k"), {"gap": gap(before, before.arrays["flow"])}, {"gap": Kind.INDEX})
    expected = prepare(gap_before).augmented(augmentation).arrays["gap"][valid].mean()
    assert gap(found, flow)[valid].mean() < 1.3 * expected
    assert gap(found, -flow)[valid].mean() > 2 * expected
    assert gap(found, 0 * flow)[valid].mean() > 1.3 * expected


@given(augmentation=augmentations)
@examples(20)
def test_ego_flow_computed_anew_is_the_augmented_ego_flow(truth: Truth, augmentation: Augmentation) -> None:
    found = truth.prepared.augmented(augmentation)
    assert found.camera is not None
    assert min(found.camera.K[0, 0], found.camera.K[1, 1]) > 0
    M = np.array(found.meta["neighbour"]["motion"])
    again = ego_flow(found.arrays["depth"], found.valid["depth"], found.camera, M)
    counted = again.valid & found.valid["ego_flow"] & undivided(truth, "ego_flow", *source_places(augmentation))[0]
    assert counted.mean() > 0.2
    assert lengths(again.uv - found.arrays["ego_flow"])[counted].max() < TOLERANCE_PX
    # What is valid in one and not in the other has lost its target or its half of the pixels at an edge.
    assert (found.valid["ego_flow"] & ~again.valid).mean() < 0.01


@given(augmentation=augmentations)
@examples(10)
def test_normals_computed_anew_are_the_augmented_normals(truth: Truth, augmentation: Augmentation) -> None:
    augmentation = replace(augmentation, scale=max(augmentation.scale, 1.0))
    found = truth.prepared.augmented(augmentation)
    assert found.camera is not None
    depth_HW = found.arrays["depth"]
    known = found.valid["depth"] & np.isfinite(depth_HW)
    again_3HW, is_known = surface_normals(depth_HW, known, found.camera, 1)
    cosine = np.sum(np.moveaxis(again_3HW, 0, 2) * found.arrays["normals"], axis=2)
    counted = is_known & found.valid["normals"] & undivided(truth, "normals", *source_places(augmentation))[0]
    assert counted.mean() > 0.1
    assert np.median(np.degrees(np.arccos(np.clip(cosine[counted], -1, 1)))) < 0.5


def drawn_square(**parameters: Any) -> tuple[Sample, Matrix]:
    """A square in every column, and its four corners (x, y)."""
    x0, y0, side = 101, 43, 41
    shape = (HEIGHT, WIDTH)
    inside = np.zeros(shape, np.bool_)
    inside[y0 : y0 + side, x0 : x0 + side] = True
    plane = inside.astype(np.float32)
    arrays: dict[str, Array] = {
        "image": np.repeat((inside * 200).astype(np.uint8)[..., None], 3, axis=2),
        "nir": (inside * 40000).astype(np.uint16),
        "label": np.where(inside, 7, 3).astype(np.uint8),
        "instance": (inside * 9).astype(np.uint16),
        "mask": inside.astype(np.uint8),
        "depth": np.where(inside, 4, 9).astype(np.float32),
        "flow": np.stack([plane * 3, plane * -2], axis=2),
        "normals": np.stack([0 * plane, -plane, plane - 1], axis=2),
        "hha": np.stack([plane, plane * 2, plane * 90], axis=2),
    }
    kinds = {"image": Kind.IMAGE, "nir": Kind.NIR, "label": Kind.LABEL, "instance": Kind.INSTANCE, "mask": Kind.MASK}
    kinds |= {"depth": Kind.DEPTH, "flow": Kind.FLOW, "normals": Kind.NORMALS, "hha": Kind.INDEX}
    edges = np.array([[x0, y0], [x0 + side, y0], [x0, y0 + side], [x0 + side, y0 + side]]) - 0.5
    return Sample(SampleKey("square"), arrays, kinds), edges


@given(
    flip=st.booleans(),
    scale=st.floats(0.7, 1.8),
    # Edges along the pixel grid would have whole rows of centres on them.
    rotation=st.floats(4, 13) | st.floats(-13, -4),
    skew=st.floats(-0.05, 0.05),
    output=st.sampled_from([SIZE, (300, 150), (400, 180)]),
)
@examples(25)
def test_the_centroid_of_a_square_agrees_across_all_columns(
    flip: bool, scale: float, rotation: float, skew: float, output: tuple[int, int]
) -> None:
    sample, edges = drawn_square()
    augmentation = Augmentation(
        source=SIZE, output=output, crop=(0, 0, *SIZE), flip=flip, scale=scale, rotation=rotation, skew=skew
    )
    found = prepare(sample).augmented(augmentation)
    expected = (augmentation.affine() @ [*edges.mean(axis=0), 1])[:2]
    a = found.arrays
    shares = {
        "image": a["image"][..., 0] / 200,
        "nir": a["nir"] / 40000,
        "label": a["label"] == 7,
        "instance": a["instance"] / 9,
        "mask": a["mask"],
        "depth": (9 - a["depth"]) / 5 * found.valid["depth"],
        "flow": lengths(a["flow"]),
        "hha": a["hha"][..., 2] / 90,
        "normals": a["normals"][..., 2] > -np.sqrt(0.5),
    }
    y, x = np.indices(shares["mask"].shape)

    def centroid(share: Array) -> list[float]:
        return [float((v * share).sum() / share.sum()) for v in (x, y)]

    # Whole pixels cannot have their centroid at the square's: an edge of slope t rounds the same way for 1 / 2t rows,
    # which moves it by up to 1 / (8 t n) of n rows, 0.14 px here. Theirs is the one of the centres within the square.
    (left, top), (right, bottom) = edges[0], edges[3]
    source_x, source_y = source_places(augmentation)
    depth_within = np.minimum.reduce([source_x - left, right - source_x, source_y - top, bottom - source_y])
    centres = depth_within > 0
    for name in ("label", "instance", "mask"):
        np.testing.assert_array_equal(shares[name][abs(depth_within) > 1e-3], centres[abs(depth_within) > 1e-3], name)
    for name, share in shares.items():
        inside = np.where(found.valid[name], share, 0) if name in found.valid else share
        whole = name in ("label", "instance", "mask", "normals")
        np.testing.assert_allclose(centroid(inside), centroid(centres) if whole else expected, atol=0.1, err_msg=name)


@given(scale=st.floats(0.6, 2), left=st.floats(-30, 30), flip=st.booleans())
@examples(25)
def test_ids_and_interpolated_values_have_their_edges_at_the_same_places(scale: float, left: float, flip: bool) -> None:
    sample, edges = drawn_square()
    augmentation = Augmentation(source=SIZE, output=SIZE, crop=(left, 5.3, *SIZE), flip=flip, scale=scale)
    found = prepare(sample).augmented(augmentation).arrays
    x, y = np.rint((augmentation.affine() @ [*edges.mean(axis=0), 1])[:2]).astype(int)
    for line in (np.s_[y, :], np.s_[:, x]):
        grey = found["nir"][line] / 40000
        clear = np.abs(grey - 0.5) > 0.01
        assert 0.05 < np.mean(grey > 0.5) < 0.95
        np.testing.assert_array_equal((found["label"][line] == 7)[clear], (grey > 0.5)[clear])
        np.testing.assert_array_equal((found["instance"][line] == 9)[clear], (grey > 0.5)[clear])


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_below_one_half_takes_means_of_all_pixels(factor: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 240), np.uint8)
    depth = np.random.default_rng(1).uniform(3, 9, (120, 240)).astype(np.float32)
    sample = Sample(SampleKey("k"), {"nir": noise, "depth": depth}, {"nir": Kind.NIR, "depth": Kind.DEPTH})
    small = (240 // factor, 120 // factor)
    found = prepare(sample).augmented(Augmentation(source=(240, 120), output=small, crop=(0, 0, 240, 120))).arrays

    def means(array: Array) -> Array:
        blocks = array.reshape(small[1], factor, small[0], factor).astype(np.float64)
        return np.asarray(blocks.mean(axis=(1, 3)))

    np.testing.assert_allclose(found["nir"], means(noise), atol=0.51)
    np.testing.assert_allclose(found["depth"], means(depth), rtol=1e-5)
