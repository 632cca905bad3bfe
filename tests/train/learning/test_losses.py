"""Losses against plain formulas, and parts against the whole."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.shards.statistics import LabelStatistics
from segprep.train.learning.losses import Loss, class_weights
from segprep.train.learning.sections import ClassWeights, LossConfig
from support.properties import examples

_CLASSES = 4
_WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 3.0])
_EXACT_CONFIGS = (
    LossConfig(),
    LossConfig(mean="all"),
    LossConfig(kind="focal"),
    LossConfig(kind="focal", gamma=0.5, mean="all"),
    LossConfig(kind="bootstrapped", bootstrap_per_image=True),
    LossConfig(kind="dice"),
    LossConfig(kind="lovasz"),
    LossConfig(kind="lovasz", cross_entropy=0.5),
)
_STATISTICS = LabelStatistics(
    pixels=(500, 250, 250, 0), present=(5, 5, 2, 0), labelled_where_present=(1000, 1000, 400, 0), ignored=77
)


def _mean(loss: Loss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return loss.total(logits, labels) / loss.count(labels).clamp(min=1e-12).float()


def _batch(seed: int, images: int = 3, ignored: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    logits_NCHW = rng.normal(0, 2, (images, _CLASSES, 5, 6))
    labels_NHW = rng.integers(0, _CLASSES, (images, 5, 6)).astype(np.uint8)
    labels_NHW[rng.random(labels_NHW.shape) < ignored] = 255
    return torch.from_numpy(logits_NCHW).float(), torch.from_numpy(labels_NHW)


def _plain_losses(logits_NCHW: torch.Tensor, labels_NHW: torch.Tensor) -> list[list[tuple[float, int]]]:
    """(-ln p, id) of the labelled pixels of each image, by loops."""
    images = []
    for logits_CHW, label_HW in zip(logits_NCHW.double().numpy(), labels_NHW.numpy(), strict=True):
        pixels = []
        for (y, x), i in np.ndenumerate(label_HW):
            if i != 255:
                e = np.exp(logits_CHW[:, y, x])
                pixels.append((float(-np.log(e[i] / e.sum())), int(i)))
        images.append(pixels)
    return images


def _value(
    config: LossConfig, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None
) -> float:
    loss = Loss(config, weights)
    return _mean(loss, logits, labels).item()


@pytest.mark.parametrize("weights", [None, _WEIGHTS])
@pytest.mark.parametrize("gamma", [None, 0.0, 0.5, 2.0])
@pytest.mark.parametrize("mean", ["valid", "all"])
def test_means_equal_the_plain_formula(mean: Any, gamma: float | None, weights: torch.Tensor | None) -> None:
    logits, labels = _batch(1)
    config = LossConfig(mean=mean) if gamma is None else LossConfig(kind="focal", gamma=gamma, mean=mean)
    pixels = [pixel for image in _plain_losses(logits, labels) for pixel in image]
    w = np.ones(_CLASSES) if weights is None else weights.double().numpy()
    total = sum(w[i] * (1 - np.exp(-ce)) ** (gamma or 0.0) * ce for ce, i in pixels)
    count = labels.numel() if mean == "all" else sum(w[i] for _, i in pixels)
    assert _value(config, logits, labels, weights) == pytest.approx(total / count, rel=1e-5)


def test_a_weighted_mean_is_that_of_torch() -> None:
    logits, labels = _batch(2)
    expected = F.cross_entropy(logits, labels.long(), _WEIGHTS, ignore_index=255)
    assert _value(LossConfig(), logits, labels, _WEIGHTS) == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("ignored", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("share", [0.25, 0.29, 1.0])
def test_bootstrapping_takes_the_worst_pixels_of_the_batch_or_of_each_image(share: float, ignored: float) -> None:
    logits, labels = _batch(3, ignored=ignored)
    images = [sorted((ce for ce, _ in image), reverse=True) for image in _plain_losses(logits, labels)]
    every = sorted((ce for image in images for ce in image), reverse=True)
    k = round(share * 90 - 0.499)
    joint = LossConfig(kind="bootstrapped", bootstrap_share=share)
    assert _value(joint, logits, labels) == pytest.approx(np.mean(every[:k]), rel=1e-5)
    assert Loss(joint).count(labels).item() == min(k, len(every))

    k = round(share * 30 - 0.499)
    worst = [ce for image in images for ce in image[:k]]
    single = LossConfig(kind="bootstrapped", bootstrap_share=share, bootstrap_per_image=True)
    assert _value(single, logits, labels) == pytest.approx(np.mean(worst), rel=1e-5)


def _plain_region_loss(kind: str, p: list[float], labelled: list[bool]) -> float:
    """Of one class of one image, by counting pixels."""
    if kind == "dice":
        shared = sum(each for each, own in zip(p, labelled, strict=True) if own)
        return 1 - 2 * shared / (sum(p) + sum(labelled))
    errors = [1 - each if own else each for each, own in zip(p, labelled, strict=True)]
    total = former = 0.0
    wrong: list[bool] = []
    for pixel in sorted(range(len(p)), key=lambda i: -errors[i]):
        wrong.append(labelled[pixel])
        lost = 1 - (sum(labelled) - sum(wrong)) / (sum(labelled) + wrong.count(False))
        total, former = total + errors[pixel] * (lost - former), lost
    return total


@pytest.mark.parametrize("weights", [None, _WEIGHTS])
@pytest.mark.parametrize("cross_entropy", [0.0, 0.7])
@pytest.mark.parametrize("kind", ["dice", "lovasz"])
def test_regions_are_measured_in_each_image(kind: Any, cross_entropy: float, weights: torch.Tensor | None) -> None:
    logits, labels = _batch(7)
    labels[0][labels[0] == 2] = 3  # class 2 is not labelled in the first image, so it has no part in its mean
    labels[1] = 255
    w = [1.0] * _CLASSES if weights is None else weights.tolist()
    means = []
    for image in (0, 2):
        ids = labels[image][labels[image] != 255]
        p = logits[image].double().softmax(0)[:, labels[image] != 255]
        own = {c: _plain_region_loss(kind, p[c].tolist(), (ids == c).tolist()) for c in set(ids.tolist())}
        region = sum(w[c] * loss for c, loss in own.items()) / sum(w[c] for c in own)
        pixels = [(w[c], -np.log(p[c, i].item())) for i, c in enumerate(ids.tolist())]
        mean = sum(weight * ce for weight, ce in pixels) / sum(weight for weight, _ in pixels)
        means.append(region + cross_entropy * mean)
    config = LossConfig(kind=kind, cross_entropy=cross_entropy)
    assert Loss(config, weights).count(labels).item() == 2
    assert _value(config, logits, labels, weights) == pytest.approx(np.mean(means), rel=1e-5)


@pytest.mark.parametrize("kind", ["dice", "lovasz"])
def test_sure_answers_lose_what_does_not_overlap(kind: Any) -> None:
    answered, labels = torch.tensor([[[0, 0, 0, 1]]]), torch.tensor([[[0, 0, 1, 1]]], dtype=torch.uint8)
    logits = 1000 * F.one_hot(answered, 2).permute(0, 3, 1, 2).float()
    lost = {"lovasz": (1 / 3 + 1 / 2) / 2, "dice": (1 / 5 + 1 / 3) / 2}[kind]
    assert _value(LossConfig(kind=kind), logits, labels) == pytest.approx(lost)
    assert _value(LossConfig(kind=kind), logits, answered.to(torch.uint8)) == 0


def test_pixels_of_a_class_without_weight_are_left_out() -> None:
    logits, labels = _batch(8)
    without = labels.clone()
    without[labels == 1] = 255
    weights = torch.tensor([1.0, 0.0, 2.0, 3.0])
    for kind in ("dice", "lovasz"):
        config = LossConfig(kind=kind, cross_entropy=1.0)
        assert _value(config, logits, labels, weights) == _value(config, logits, without, weights)


def test_a_share_that_floats_cannot_hold_takes_the_whole_number() -> None:
    labels = torch.zeros(1, 10, 10, dtype=torch.uint8)
    assert 0.29 * 100 < 29  # as computers count
    assert Loss(LossConfig(kind="bootstrapped", bootstrap_share=0.29)).count(labels).item() == 29


def test_bootstrapping_ranks_weighted_losses() -> None:
    logits, labels = torch.zeros(1, 2, 1, 4), torch.tensor([[[0, 0, 1, 1]]], dtype=torch.uint8)
    config = LossConfig(kind="bootstrapped", bootstrap_share=0.5)
    assert _value(config, logits, labels, torch.tensor([1.0, 3.0])) == pytest.approx(3 * np.log(2))


@examples(30)
@given(st.sampled_from(_EXACT_CONFIGS), st.integers(0, 99), st.sampled_from([0.0, 0.5, 1.0]), st.booleans())
def test_the_parts_of_a_batch_add_up_to_the_whole(
    config: LossConfig, seed: int, ignored: float, weighted: bool
) -> None:
    logits, labels = _batch(seed, images=4, ignored=ignored)
    loss = Loss(config, _WEIGHTS if weighted else None)
    parts = [(logits[:1], labels[:1]), (logits[1:], labels[1:])]
    counts, totals = (loss.count(part[1]).item() for part in parts), (loss.total(*part).item() for part in parts)
    assert sum(counts) == pytest.approx(loss.count(labels).item())
    assert sum(totals) == pytest.approx(loss.total(logits, labels).item(), rel=1e-5)


@pytest.mark.parametrize("config", [*_EXACT_CONFIGS, LossConfig(kind="bootstrapped")])
@pytest.mark.parametrize("weights", [None, _WEIGHTS])
def test_without_a_label_there_is_no_loss_and_no_gradient(config: LossConfig, weights: torch.Tensor | None) -> None:
    logits, labels = _batch(4, ignored=1.0)
    logits.requires_grad_()
    loss = Loss(config, weights)
    value = _mean(loss, logits, labels)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("config", [*_EXACT_CONFIGS, LossConfig(kind="bootstrapped")])
def test_gradients_are_the_slopes_of_the_loss_and_ignored_pixels_have_none(config: LossConfig) -> None:
    logits, labels = _batch(5, images=1)
    logits.requires_grad_()
    Loss(config, _WEIGHTS).total(logits, labels).backward()  # type: ignore[no-untyped-call]
    grad = logits.grad
    assert grad is not None
    assert not grad.permute(0, 2, 3, 1)[labels == 255].any()
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for _ in range(5):
            direction = torch.from_numpy(rng.normal(0, 1, logits.shape)).float()
            up, down = (Loss(config, _WEIGHTS).total(logits + s * 1e-2 * direction, labels) for s in (1, -1))
            slope = (up - down).item() / 2e-2
            assert slope == pytest.approx((grad * direction).sum().item(), rel=0.02, abs=0.05)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_pixel_that_is_perfectly_right_has_a_finite_focal_gradient(gamma: float) -> None:
    logits = torch.tensor([200.0, -200.0]).view(1, 2, 1, 1).requires_grad_()
    labels = torch.zeros(1, 1, 1, dtype=torch.uint8)
    Loss(LossConfig(kind="focal", gamma=gamma)).total(logits, labels).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("config", [*_EXACT_CONFIGS, LossConfig(kind="bootstrapped")])
def test_a_number_that_is_none_is_not_hidden(config: LossConfig) -> None:
    logits, labels = _batch(6, ignored=0.0)
    logits[0, 0, 2, 2] = torch.nan
    assert not Loss(config).total(logits, labels).isfinite()


def test_16_bit_logits_are_summed_in_32_bits() -> None:
    logits, labels = torch.zeros(1, 2, 300, 300, dtype=torch.bfloat16), torch.zeros(1, 300, 300, dtype=torch.uint8)
    assert _value(LossConfig(), logits, labels) == pytest.approx(np.log(2), rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("median_frequency", (1, 2, 0.8, 0)),  # frequencies .5, .25, .625: the median is .5
        ("enet", (1 / np.log(1.52), 1 / np.log(1.27), 1 / np.log(1.27), 0)),
        ("inverse", (2 / 3, 4 / 3, 4 / 3, 0)),
    ],
)
def test_class_weights_follow_the_counts_and_absent_classes_weigh_nothing(
    kind: ClassWeights, expected: tuple[float, ...]
) -> None:
    weights = class_weights(kind, _STATISTICS)
    assert weights is not None
    np.testing.assert_allclose(weights.numpy(), expected, rtol=1e-6)


def test_no_class_weights_are_none_and_weights_need_labels() -> None:
    assert class_weights("none", _STATISTICS) is None
    with pytest.raises(ConfigurationError, match="need labelled pixels"):
        class_weights("inverse", LabelStatistics((0, 0), (0, 0), (0, 0), 9))


@pytest.mark.parametrize("wrong", [{"bootstrap_share": 0.0}, {"bootstrap_share": 1.5}, {"gamma": -1.0}])
def test_a_loss_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} must be a number"):
        LossConfig(**wrong)


def test_the_mean_over_all_pixels_is_refused_for_a_choice_of_pixels() -> None:
    for kind in ("bootstrapped", "dice", "lovasz"):
        with pytest.raises(ConfigurationError, match="leave mean at 'valid'"):
            LossConfig(kind=kind, mean="all")
