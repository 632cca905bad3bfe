"""Sizes, strides and dilations of the published networks, on a device without memory."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.train.models import MODELS
from segprep.train.models._layers import SplitConv2d
from segprep.train.models._network import InputColumn
from support.networks import make_column, meta_network


def _columns(count: int) -> list[InputColumn]:
    return [make_column("image"), make_column("flow", kind=Kind.CODED)][:count]


def _counts(network: nn.Module) -> tuple[int, int]:
    """All variables as TensorFlow counts them (weights and moving statistics), and the trainable ones."""
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    weights = sum(p.numel() for p in network.parameters())
    moving = sum(b.numel() for name, b in network.named_buffers() if not name.endswith("num_batches_tracked"))
    return weights + moving, trainable


@pytest.mark.parametrize(
    ("name", "inputs", "classes", "options", "variables", "trainable"),
    [
        ("adapnet", 1, 12, {}, 30_204_492, 30_151_558),
        ("ssma", 2, 12, {"frozen_experts": True}, 56_285_688, 5_056_592),
        ("smsnet", 2, 3, {"variant": "tensorflow", "frozen_image": True}, 41_710_581, 18_106_444),
        ("segnet", 1, 12, {}, 14_867_788, 14_835_276),
        ("fcn8s", 1, 20, {}, 134_260_544 + 212_600, 134_260_544 + 212_600),
        ("fcn8s", 1, 20, {"encoder": "mobilenet_v3_large"}, 3_109_512 + 24_400, 3_109_512),
        ("erfnet", 1, 20, {}, 2_064_256 + 6_592, 2_064_256),
        ("fcn8s", 1, 2, {}, 134_260_544 + 10_892, 134_260_544 + 10_892),
    ],
)
def test_it_has_as_many_parameters_as_the_published_network(
    name: str, inputs: int, classes: int, options: dict[str, Any], variables: int, trainable: int
) -> None:
    network = meta_network(name, _columns(inputs), (classes,), options)
    assert _counts(network) == (variables, trainable)


def test_the_parts_of_adapnet_have_as_many_parameters_as_published() -> None:
    network = meta_network("adapnet", _columns(1), (12,))
    auxiliary = _counts(network.get_submodule("heads.0.auxiliary"))[1]
    assert _counts(network.get_submodule("trunk.expert"))[1] == 25_562_918
    assert auxiliary == 6_192
    assert _counts(network.get_submodule("trunk.decoder"))[1] + _counts(network.heads)[1] - auxiliary == 4_582_448


def _unit(inputs: int, outputs: int, *, projected: bool) -> int:
    """Weights, gammas and betas of 1x1, 3x3 and 1x1 with a quarter of the outputs inside."""
    inner = outputs // 4
    main = inputs * inner + 9 * inner * inner + inner * outputs + 2 * (inner + inner + outputs)
    return main + (inputs * outputs + 2 * outputs if projected else 0)


def test_smsnet_of_caffe_has_the_parameters_of_its_layers() -> None:
    # No total is published for this variant; this adds up the list of its layers.
    image = 49 * 3 * 64 + 64 + 2 * 64 + _unit(64, 256, projected=True) + 2 * _unit(256, 256, projected=False)
    image += _unit(256, 512, projected=True) + 3 * _unit(512, 512, projected=False)
    image += _unit(512, 1024, projected=True) + 5 * _unit(1024, 1024, projected=False)
    image += _unit(1024, 2048, projected=True) + 2 * _unit(2048, 2048, projected=False)
    motion = 49 * 3 * 128 + 128 + 2 * 128 + _unit(128, 256, projected=True) + 2 * _unit(256, 256, projected=False)
    motion += _unit(256, 512, projected=True) + _unit(512, 512, projected=False) + _unit(512, 512, projected=True)
    fusion = _unit(2560, 512, projected=True) + 2 * _unit(512, 512, projected=False)
    fusion += _unit(512, 1024, projected=True) + 2 * _unit(1024, 1024, projected=False)
    fusion += _unit(1024, 2048, projected=True) + _unit(2048, 2048, projected=False)
    head = 2048 * 4 + 2 * 4 + 32 * 32 * 4 * 4
    network = meta_network("smsnet", _columns(2), (4,), {"frozen_image": True})
    trunk = network.trunk
    assert [_counts(trunk.get_submodule(part))[1] for part in ("image", "motion", "fusion")] == [0, motion, fusion]
    assert sum(p.numel() for p in trunk.get_submodule("image").parameters()) == image
    assert _counts(network.heads)[1] == head


_EXPERT = {
    "stem": (64, 192, 384),
    "pool": (64, 96, 192),
    "layer1": (256, 96, 192),
    "layer2": (512, 48, 96),
    "layer3": (1024, 24, 48),
    "layer4": (2048, 24, 48),
    "easpp": (256, 24, 48),
    "skip8": (24, 48, 96),
    "skip4": (24, 96, 192),
}
_IMAGE_STREAM = {
    "trunk.image.conv1": (64, 192, 384),
    **{f"trunk.image.{k}": _EXPERT[k] for k in ("pool", "layer1", "layer2", "layer3", "layer4")},
}
_FUSION = {
    "trunk.motion.1": (64, 96, 192),
    "trunk.motion.2": (256, 96, 192),
    "trunk.motion.3": (512, 48, 96),
    "trunk.motion.4": (512, 24, 48),
    "trunk.fusion.0": (512, 24, 48),
    "trunk.fusion.1": (1024, 24, 48),
    "trunk.fusion.2": (2048, 24, 48),
    "heads.0.scores": (3, 24, 48),
    "heads.0.enlarge": (3, 384, 768),
}
_DECODER = {
    "trunk.decoder.to_8.refine": (256, 48, 96),
    "trunk.decoder.to_4.refine": (256, 96, 192),
    "heads.0.scores": (3, 96, 192),
}


@pytest.mark.parametrize(
    ("name", "options", "size", "shapes"),
    [
        ("adapnet", {}, (384, 768), {**{f"trunk.expert.{k}": v for k, v in _EXPERT.items()}, **_DECODER}),
        (
            "ssma",
            {},
            (384, 768),
            {
                **{f"trunk.experts.flow.{k}": v for k, v in _EXPERT.items()},
                "trunk.fuse_easpp": (256, 24, 48),
                "trunk.fuse_skip8": (24, 48, 96),
                "trunk.fuse_skip4": (24, 96, 192),
                **_DECODER,
            },
        ),
        (
            "smsnet",
            {"variant": "tensorflow"},
            (384, 768),
            {
                "trunk.image.conv0": (3, 384, 768),
                **_IMAGE_STREAM,
                **_FUSION,
            },
        ),
        (
            "smsnet",
            {},
            (384, 768),
            {
                **_IMAGE_STREAM,
                **_FUSION,
                "trunk.motion.1": (128, 96, 192),
            },
        ),
        (
            "segnet",
            {},
            (416, 608),
            {
                "trunk.encoder.conv1": (64, 208, 304),
                "trunk.encoder.pool": (64, 104, 152),
                "trunk.encoder.layer1": (256, 104, 152),
                "trunk.encoder.layer2": (512, 52, 76),
                "trunk.encoder.layer3": (1024, 26, 38),
                "trunk.decoder.0": (512, 26, 38),
                "trunk.decoder.1": (256, 52, 76),
                "trunk.decoder.2": (128, 104, 152),
                "trunk.decoder.3": (64, 208, 304),
                "heads.0.scores": (3, 208, 304),
            },
        ),
        (
            "fcn8s",
            {},
            (256, 512),
            {
                "trunk.features.16": (256, 32, 64),
                "trunk.features.23": (512, 16, 32),
                "trunk.features.30": (512, 8, 16),
                "trunk.fc6": (4096, 8, 16),
                "heads.0.enlarge.2": (3, 256, 512),
            },
        ),
        (
            "frrn",
            {},
            (256, 512),
            {
                "trunk.encoder.0": (48, 256, 512),
                "trunk.encoder.1": (96, 128, 256),
                "trunk.encoder.2": (192, 64, 128),
                "trunk.encoder.3": (384, 32, 64),
                "trunk.bottom": (384, 16, 32),
                "trunk.decoder.0": (192, 32, 64),
                "trunk.decoder.3": (48, 256, 512),
            },
        ),
    ],
)
def test_its_stages_have_the_published_sizes(
    name: str, options: dict[str, Any], size: tuple[int, int], shapes: dict[str, tuple[int, ...]]
) -> None:
    columns = _columns(2 if name in ("ssma", "smsnet") else 1)
    network = meta_network(name, columns, (3,), options).eval()
    found: dict[str, tuple[int, ...]] = {}

    def remember(stage: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: found.update({stage: tuple(output.shape[1:])})

    for stage in shapes:
        network.get_submodule(stage).register_forward_hook(remember(stage))
    network(torch.zeros(1, 3 * len(columns), *size, device="meta"))
    assert found == shapes


def _dilated(network: nn.Module) -> dict[str, tuple[int, int]]:
    return {
        name.removesuffix(".conv2"): module.rates
        for name, module in network.named_modules()
        if isinstance(module, SplitConv2d) and module.rates != (1, 1)
    }


def test_dilations_of_smsnet() -> None:
    fusion = dict(
        zip((f"fusion.{i}.{j}" for i in (0, 1) for j in range(3)), [(2, 2)] * 4 + [(2, 4), (2, 8)], strict=True)
    )
    fusion |= {"fusion.2.0": (4, 16), "fusion.2.1": (4, 16)}
    image = {"image.layer2.3": (1, 2), **{f"image.layer3.{i}": (1, r) for i, r in ((2, 2), (3, 4), (4, 8), (5, 16))}}
    image |= {f"image.layer4.{i}": (2, r) for i, r in enumerate((4, 8, 16))}
    columns = _columns(2)
    assert _dilated(meta_network("smsnet", columns, (3,)).trunk) == {**image, **fusion}
    image |= {f"image.layer3.{i}": (1, 2) for i in range(2, 6)} | {f"image.layer4.{i}": (2, 2) for i in range(3)}
    assert _dilated(meta_network("smsnet", columns, (3,), {"variant": "tensorflow"}).trunk) == {**image, **fusion}


def test_dilations_of_adapnet() -> None:
    expected = {"layer2.3": (1, 2), **{f"layer3.{i}": (1, 2) for i in range(2, 6)}}
    code = expected | {f"layer4.{i}": (2, 2) for i in range(3)}
    columns = _columns(1)
    expert = meta_network("adapnet", columns, (3,)).get_submodule("trunk.expert")
    assert _dilated(expert) == code
    convolutions = [m for m in expert.get_submodule("easpp").modules() if isinstance(m, nn.Conv2d)]
    assert [c.dilation[0] for c in convolutions if c.kernel_size == (3, 3)] == [3, 3, 6, 6, 12, 12]
    options = {"easpp_rates": (6, 12, 18), "block4_rates": (4, 8, 16)}
    expert = meta_network("adapnet", columns, (3,), options).get_submodule("trunk.expert")
    assert _dilated(expert) == expected | {f"layer4.{i}": (2, r) for i, r in enumerate((4, 8, 16))}


def test_strides_are_where_the_option_says() -> None:
    for name, stage in (("segnet", "trunk.encoder.layer2.0"), ("smsnet", "trunk.image.layer2.0")):
        columns = _columns(2 if name == "smsnet" else 1)
        for in_3x3, strides in ((False, [(2, 2), (1, 1)]), (True, [(1, 1), (2, 2)])):
            network = meta_network(name, columns, (3,), {"stride_in_3x3": in_3x3})
            convolutions = (network.get_submodule(f"{stage}.conv{i}") for i in (1, 2))
            assert [c.stride for c in convolutions if isinstance(c, nn.Conv2d)] == strides


@pytest.mark.parametrize("name", ["ssma", "smsnet"])
@pytest.mark.parametrize("count", [0, 1])
def test_networks_of_two_streams_say_what_to_give(name: str, count: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"two input columns, .*, not {count} .*for example image,"):
        meta_network(name, _columns(count), (3,))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("adapnet", {"easpp_rates": ()}, "easpp_rates must be dilation rates of at least 1"),
        ("adapnet", {"easpp_rates": (3, 0)}, "easpp_rates must be"),
        ("adapnet", {"block4_rates": (2, 4)}, "block4_rates must be 3 dilation rates"),
        ("adapnet", {"dropout": 1.0}, "dropout must be the share"),
        ("ssma", {"dropout": -0.1}, "dropout must be the share"),
        ("ssma", {"block4_rates": (1, 1, 1, 1)}, "block4_rates must be 3"),
        ("smsnet", {"variant": "torch"}, "variant must be 'caffe' or 'tensorflow', not 'torch'"),
        ("smsnet", {"image_dropout": float("nan")}, "image_dropout must be the share"),
        ("fcn8s", {"fc_channels": 0}, "fc_channels must be a whole number of at least 1"),
        ("fcn8s", {"dropout": 2.0}, "dropout must be the share"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        MODELS.load(name).Config(**options)
