"""The rule of how values follow a map gives tensors what it gives arrays."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.augmentation.follow import Follow, Turn, settle
from segprep.datasets.augmentation.operations import NUMPY
from segprep.datasets.sample import Array
from segprep.train.augment.operations import TensorOperations
from support.properties import examples

PLANES = {Follow.UNCHANGED: 2, Follow.BY_WIDTH: 1, Follow.BY_PIXELS: 2, Follow.BY_AXES: 3}
SHAPE = (17, 23)
TENSORS = TensorOperations(torch.device("cpu"))


def tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(array.copy())


def numbers(matrix_22: Array) -> list[list[torch.Tensor]]:
    return [list(row.unbind()) for row in tensor(matrix_22.astype(np.float32)).unbind()]


@pytest.mark.parametrize("follow", Follow)
@given(seed=st.integers(0, 9999), with_far=st.booleans(), framed=st.booleans())
@examples(20)
def test_tensors_and_arrays_agree_to_rounding(follow: Follow, seed: int, with_far: bool, framed: bool) -> None:
    rng = np.random.default_rng(seed)
    near = rng.random(SHAPE).astype(np.float32)
    planes = [near * rng.normal(0, 9, SHAPE).astype(np.float32) for _ in range(PLANES[follow])]
    far = rng.choice(np.array([0, 0.25, 0.5], np.float32), SHAPE) if with_far else None
    covered = rng.random(SHAPE) < 0.9
    linear, axes = rng.normal(size=(2, 2, 2))
    infinity = np.inf if with_far and follow is Follow.UNCHANGED else None
    framed = framed and follow is Follow.BY_PIXELS
    expected, valid = settle(
        NUMPY,
        [plane.copy() for plane in planes],
        near.copy(),
        far,
        covered,
        follow,
        Turn(linear.tolist(), axes.tolist()),
        infinity=infinity,
        framed=framed,
        tolerance=1e-4,
        tie=1e-4,
    )
    found, known = settle(
        TENSORS,
        [tensor(plane) for plane in planes],
        tensor(near),
        None if far is None else tensor(far),
        tensor(covered),
        follow,
        Turn(numbers(linear), numbers(axes)),
        infinity=infinity,
        framed=torch.tensor(True) if framed else False,
        tolerance=1e-4,
        tie=1e-4,
    )
    np.testing.assert_array_equal(known.numpy(), valid)
    for values, plane in zip(found, expected, strict=True):
        np.testing.assert_allclose(values.numpy()[valid], plane[valid], rtol=1e-4, atol=1e-4)
