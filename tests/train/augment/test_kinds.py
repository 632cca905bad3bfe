"""What only some columns have: fills, colour codes, widths, directions."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from segprep.datasets.augmentation import Augmentation
from segprep.datasets.augmentation.camera import warped_camera
from segprep.datasets.augmentation.config import PRESETS
from segprep.datasets.codes import DisparityCode, JetCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import IGNORE_ID, Kind
from segprep.datasets.sample import Sample, SampleKey
from segprep.datasets.workspace.cells import Column
from segprep.prep.augment.coding import decoded, encoded
from segprep.prep.augment.samples import augment_sample
from segprep.train.augment.augmenter import BatchAugmenter
from support.augmented import a_sample, augmented, far_share, smooth, spec_of, whole

Columns = Mapping[str, Column]

SIZE = WIDTH, HEIGHT = 96, 72
DISPARITY = Column("disparity", Kind.DISPARITY, DisparityCode(zero_code=1))
JET = JetCode(2.0, 80.0)


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


def test_every_colour_of_jet_stands_for_its_value_and_others_for_a_near_one(all_columns: Columns) -> None:
    spec = spec_of(all_columns["jet"], (257, 2))
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
    assert sample.camera is not None
    np.testing.assert_allclose(found.camera.K, warped_camera(sample.camera, each.affine(), SIZE).K)
    (without,) = augmented([replace(sample, camera=None)], [each])
    assert without.camera is None
    assert (without.arrays["normals"] != found.arrays["normals"]).mean() > 0.05
