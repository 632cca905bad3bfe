"""Answers at the size of pictures, made band by band."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segprep.datasets.errors import ConfigurationError
from segprep.train.predict.enlarging import answer_at, enlarged_rows
from segprep.train.predict.network_size import NetworkSize


@pytest.mark.parametrize("size", [(9, 7), (31, 40), (18, 7), (9, 23), (5, 4)])
def test_bands_are_those_of_the_whole(size: tuple[int, int]) -> None:
    scores_CHW = torch.rand(4, 7, 9, generator=torch.Generator().manual_seed(0)).softmax(0)
    whole = F.interpolate(scores_CHW[None], size=size[::-1], mode="bilinear", align_corners=False)[0]
    for at_once in (1, 4 * size[0] * 3, 2**20):
        bands = list(enlarged_rows(scores_CHW, size, at_once))
        assert [row for rows, _ in bands for row in range(rows.start, rows.stop)] == list(range(size[1]))
        torch.testing.assert_close(torch.cat([band for _, band in bands], 1), whole, atol=1e-6, rtol=0)


def test_an_answer_holds_what_is_asked_for() -> None:
    scores_CHW = torch.tensor([0.25, 0.5, 0.25]).view(3, 1, 1).repeat(1, 2, 2)
    answer = answer_at(scores_CHW, (4, 3), scores=True, entropy=True)
    assert answer.scores_CHW is not None
    assert answer.entropy_HW is not None
    np.testing.assert_array_equal(answer.ids_HW, np.ones((3, 4), np.uint8))
    np.testing.assert_array_equal(answer.scores_CHW[:, 0, 0], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(answer.entropy_HW, 1.5 * np.log(2), atol=1e-3)
    assert answer_at(scores_CHW, (2, 2)).scores_CHW is None


def test_the_network_sees_as_many_pixels_as_in_training() -> None:
    usual = NetworkSize((512, 256))
    assert usual.of((2048, 1024)) == (512, 256)
    assert usual.of((256, 128)) == (512, 256)
    assert usual.of((1024, 2048)) == (256, 512)
    width, height = usual.of((1242, 375))
    assert abs(width * height - 512 * 256) < width
    assert abs(width / height - 1242 / 375) < 0.02
    assert NetworkSize((512, 256), factor=0.5).of((101, 3)) == (50, 2)
    assert NetworkSize((512, 256), factor=0.001).of((101, 3)) == (1, 1)
    assert NetworkSize((512, 256), size=(64, 64)).of((101, 3)) == (64, 64)
    with pytest.raises(ConfigurationError, match="--rescale takes a factor above 0"):
        NetworkSize((512, 256), factor=0.0)
