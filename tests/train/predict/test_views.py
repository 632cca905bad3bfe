"""Windows, scales and flips give what a plain loop gives, and each column follows by its kind."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segprep.datasets.codes import DisparityCode, IdCode, KittiFlowCode, LinearCode, PlainCode, SmsnetFlowCode
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.models._network import Features, InputScaling, Logits, Network
from segprep.train.network.segmenter import Segmenter
from segprep.train.predict.views import Views, scored
from support.networks import make_segmenter

_HEIGHT, _WIDTH, _CLASSES = 36, 52, 5
_IMAGE = ArraySpec.of("image", Kind.IMAGE, (_HEIGHT, _WIDTH, 3), PlainCode())
_FLOW = ArraySpec.of("optical_flow", Kind.FLOW, (_HEIGHT, _WIDTH, 2), KittiFlowCode())
_MOTION = ArraySpec.of("flow", Kind.CODED, (_HEIGHT, _WIDTH, 3), SmsnetFlowCode())


class _Trunk(nn.Module):
    """Sees its neighbourhood, so that it answers otherwise at the border of a window; keeps what it was given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 8, 5, padding=2), nn.ReLU(), nn.Conv2d(8, _CLASSES, 5, padding=2)
        )
        self.given: list[Tensor] = []

    def forward(self, x_NCHW: Tensor) -> Features:
        self.given.append(x_NCHW)
        return (3 * self.layers(x_NCHW),)


class _Head(nn.Module):
    def forward(self, features: Features, size: tuple[int, int]) -> Logits:
        return Logits(features[0])


def _segmenter(*columns: ArraySpec, spread: float = 64.0) -> tuple[Segmenter, _Trunk]:
    torch.manual_seed(0)
    channels = {column.name: (*column.shape, 1)[2] for column in columns}
    trunk = _Trunk(sum(channels.values()))
    scalings = {name: InputScaling((0.0,) * count, (spread,) * count) for name, count in channels.items()}
    return Segmenter(Network(trunk, [_Head()]), scalings, "fp32").eval(), trunk


def _pictures(count: int = 1) -> Tensor:
    """Means of four of these values, by halves, thirds and quarters, are whole: no rounding can go either way."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 8, (count, _HEIGHT // 4, _WIDTH // 4, 3)).repeat(4, 1).repeat(4, 2)
    return torch.from_numpy((36 * blocks).astype(np.uint8))


def _starts(side: int, window: int, stride: int) -> list[int]:
    starts = [0]
    while starts[-1] + window < side:
        starts.append(min(starts[-1] + stride, side - window))
    return starts


def _loop(
    segmenter: Segmenter,
    scaled: Callable[[float, bool], Tensor],
    scales: tuple[float, ...],
    flips: tuple[bool, ...],
    window: tuple[int, int] | None,
    stride: tuple[int, int],
) -> Tensor:
    """The plain loop: of each scale and flip the mean over its windows; then the mean of all of them."""
    views = []
    for scale in scales:
        for flip in flips:
            seen_HWC = scaled(scale, flip)
            height, width = seen_HWC.shape[:2]
            w, h = window or (width, height)
            w, h = min(w, width), min(h, height)
            total, count = torch.zeros(_CLASSES, height, width), torch.zeros(height, width)
            for top in _starts(height, h, stride[1]):
                for left in _starts(width, w, stride[0]):
                    part_HWC = seen_HWC[top : top + h, left : left + w]
                    with torch.no_grad():
                        scores_CHW = segmenter.logits(part_HWC[None]).softmax(1)[0]
                    total[:, top : top + h, left : left + w] += scores_CHW
                    count[top : top + h, left : left + w] += 1
            mean = total / count
            mean = torch.flip(mean, [2]) if flip else mean
            views.append(F.interpolate(mean[None], size=(_HEIGHT, _WIDTH), mode="bilinear", align_corners=False)[0])
    return torch.stack(views).mean(0)


def _resized(picture_HWC: Tensor, scale: float) -> Tensor:
    """Means of blocks at a half or less, else the linear interpolation between the centres of pixels."""
    if scale == 1:
        return picture_HWC
    size = round(_HEIGHT * scale), round(_WIDTH * scale)
    planes = picture_HWC.permute(2, 0, 1)[None].float()
    return F.interpolate(planes, size=size, mode="bilinear", align_corners=False)[0].permute(1, 2, 0)


def _flipped(values_HWC: Tensor, flip: bool) -> Tensor:
    return torch.flip(values_HWC, [1]) if flip else values_HWC


@pytest.mark.parametrize(
    ("views", "stride"),
    [
        (Views(), (1, 1)),
        (Views(window=(20, 16), stride=(13, 16)), (13, 16)),
        (Views(window=(20, 16)), (14, 11)),
        (Views(window=(80, 16), flip=True), (54, 11)),
        (Views(scales=(0.5, 0.75, 1.5)), (1, 1)),
        (Views(window=(24, 20), stride=(9, 20), scales=(0.75, 1.0, 1.5), flip=True), (9, 20)),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 5])
def test_the_probabilities_are_those_of_a_plain_loop(views: Views, stride: tuple[int, int], batch_size: int) -> None:
    segmenter, trunk = _segmenter(_IMAGE)
    pictures = _pictures(2)
    found = scored(segmenter, [_IMAGE], pictures, views, batch_size=batch_size)
    for given in trunk.given:
        assert len(given) <= batch_size
        if views.window is not None:
            assert all(side <= limit for side, limit in zip(given.shape[2:], views.window[::-1], strict=True))
    assert found.shape == (2, _CLASSES, _HEIGHT, _WIDTH)
    assert found.dtype == torch.float32
    flips = (False, True) if views.flip else (False,)
    for picture, probabilities in zip(pictures, found, strict=True):

        def seen(scale: float, flip: bool, picture: Tensor = picture) -> Tensor:
            return _flipped(_resized(picture, scale).round(), flip)

        expected = _loop(segmenter, seen, views.scales, flips, views.window, stride)
        torch.testing.assert_close(probabilities, expected, atol=1e-4, rtol=0)
        if not views.single:
            plain = _loop(segmenter, seen, (1.0,), (False,), None, (1, 1))
            assert (expected - plain).abs().max() > 0.01  # so that the views are seen in the result


def _vectors() -> Array:
    """Pixels of motion of which means by halves, and half of those, are steps of the code."""
    rng = np.random.default_rng(1)
    return (rng.integers(-4, 5, (_HEIGHT // 4, _WIDTH // 4, 2)).repeat(4, 0).repeat(4, 1) * 0.5).astype(np.float32)


def test_scaled_and_mirrored_motion_is_that_of_the_scaled_and_mirrored_picture() -> None:
    """Scaling a picture by s scales its motion by s; mirroring it turns u round."""
    segmenter, _ = _segmenter(_FLOW, spread=200.0)
    segmenter.scale_by({"optical_flow": InputScaling((32768.0, 32768.0), (64.0, 64.0))})
    uv_HW2 = _vectors()
    stored = torch.from_numpy(KittiFlowCode().encode(uv_HW2, None).stored)
    views = Views(scales=(0.5, 1.0), flip=True)
    found = scored(segmenter, [_FLOW], stored[None], views)[0]

    def seen(scale: float, flip: bool) -> Tensor:
        vectors = _flipped(_resized(torch.from_numpy(uv_HW2), scale), flip) * scale
        vectors = vectors * torch.tensor([-1.0, 1.0]) if flip else vectors
        return torch.from_numpy(KittiFlowCode().encode(vectors.numpy(), None).stored)

    expected = _loop(segmenter, seen, views.scales, (False, True), None, (1, 1))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["smsnet", "frrn"])
def test_the_flip_of_a_motion_network_is_the_prediction_of_mirrored_data(name: str) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (_HEIGHT, _WIDTH, 3)).astype(np.uint8)
    uv_HW2 = rng.normal(0, 5, (_HEIGHT, _WIDTH, 2)).astype(np.float32)
    uv_HW2[:8] = 0
    code = SmsnetFlowCode()
    stored = np.concatenate([image, code.encode(uv_HW2, None).stored], -1)
    decoded_HW2, _ = code.decode(stored[..., 3:], None)
    mirrored_HW2 = decoded_HW2[:, ::-1] * np.array([-1, 1], np.float32)
    mirrored = np.concatenate([image[:, ::-1], code.encode(mirrored_HW2, None).stored], -1)
    segmenter = make_segmenter(name).eval()
    columns = (_IMAGE, _MOTION)
    plain, other = (scored(segmenter, columns, torch.from_numpy(each)[None], Views()) for each in (stored, mirrored))
    both = scored(segmenter, columns, torch.from_numpy(stored)[None], Views(flip=True))
    torch.testing.assert_close(both, (plain + torch.flip(other, [3])) / 2, atol=1e-4, rtol=0)
    assert (plain - torch.flip(other, [3])).abs().max() > 1e-4


def test_zeros_invalid_pixels_and_masks_stay_what_they_are() -> None:
    hha = ArraySpec.of(
        "hha", Kind.INDEX, (_HEIGHT, _WIDTH, 3), LinearCode((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), ("d", "h", "a"))
    )
    moving = ArraySpec.of("moving", Kind.MASK, (_HEIGHT, _WIDTH), IdCode())
    columns = (_MOTION, _FLOW, hha, moving)
    rng = np.random.default_rng(3)
    shape = (_HEIGHT, _WIDTH)
    left = np.zeros(shape, np.bool_)
    left[:, :26] = True
    still = SmsnetFlowCode().encode(np.zeros((*shape, 2), np.float32), None).stored
    flow = KittiFlowCode().encode(np.ones((*shape, 2), np.float32), left).stored
    stored = np.concatenate(
        [still, flow, np.where(left[..., None], [200] * 3, 0), rng.integers(0, 2, (*shape, 1))], -1
    ).astype(np.float32)
    segmenter, trunk = _segmenter(*columns, spread=1.0)
    valid = {name: torch.from_numpy(left)[None] for name in ("hha", "optical_flow")}
    scored(
        segmenter, columns, torch.from_numpy(stored)[None], Views(scales=(0.5, 1.25, 1.0), flip=True), valid_NHW=valid
    )
    assert len(trunk.given) == 6
    for number, given in enumerate(trunk.given):
        motion, (u, v), hha_C, mask = torch.split(given[0], [3, 2, 3, 1])
        assert all((plane == zero).all() for plane, zero in zip(motion, (128, 128, 0), strict=True))
        known = torch.flip(u, [1]) != 2**15 if number % 2 else u != 2**15
        half = known.shape[1] // 2
        assert known[:, :half].all()
        assert not known[:, -half:].any()
        for plane in (u, v):
            assert torch.unique(plane).numel() == 2  # no vector is a mixture with what is invalid
        assert set(torch.unique(hha_C).tolist()) == {0.0, 200.0}
        assert torch.equal(hha_C[0] > 0, u != 2**15)
        assert set(torch.unique(mask).tolist()) == {0.0, 1.0}


def test_views_that_make_no_sense_are_refused() -> None:
    for wrong, match in {
        "a stride is from window to window": {"stride": (8, 8)},
        "window's sides must be at least 1 pixel": {"window": (0, 8)},
        "leave gaps": {"window": (8, 8), "stride": (8, 9)},
        "scales are one or more numbers above 0": {"scales": (1.0, -1.0)},
        "each scale can be named once only": {"scales": (1.0, 1.0)},
    }.items():
        with pytest.raises(ConfigurationError, match=wrong):
            Views(**match)  # type: ignore[arg-type]
    disparity = ArraySpec.of("disparity", Kind.DISPARITY, (_HEIGHT, _WIDTH), DisparityCode())
    stored = torch.zeros((1, _HEIGHT, _WIDTH, 1), dtype=torch.uint16)
    segmenter, _ = _segmenter(disparity)
    with pytest.raises(ConfigurationError, match=r"'disparity'.*cannot follow the flip.* without the flip"):
        scored(segmenter, [disparity], stored, Views(flip=True))
    scored(segmenter, [disparity], stored, Views(scales=(0.5,)))
    with pytest.raises(ConfigurationError, match="pictures for the eye"):
        scored(segmenter, [replace(_MOTION, code=PlainCode().to_json())], _pictures(), Views(flip=True))
    assert Views(window=(50, 31)).to_json() == {
        "window": [50, 31],
        "stride": [34, 21],
        "scales": [1.0],
        "flip": False,
    }
