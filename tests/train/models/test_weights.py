"""Weights of other networks: what is loaded where, and what is said about the rest."""

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from segprep.datasets.errors import ConfigurationError, MissingInputError, UnreadableFileError
from segprep.train.models import MODELS, adapnet, fcn8s, frrn, segnet, smsnet, ssma
from segprep.train.network.backbones import backbone_of, backbone_shapes
from segprep.train.network.config import NetworkConfig
from segprep.train.network.frozen import check_frozen
from segprep.train.network.weights import load_backbone, load_expert, load_network, read_weights
from support.networks import make_column, make_segmenter, meta_network

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_UNITS = {1: 3, 2: 4, 3: 6, 4: 3}


def _norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**parts, f"{name}.num_batches_tracked": ()}


def _resnet50_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's resnet50."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), **_norm_shapes("bn1", 64)}
    inputs = 64
    for layer, units in _UNITS.items():
        width = 32 * 2**layer
        for unit in range(units):
            name = f"layer{layer}.{unit}"
            kernels = ((width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))
            for i, kernel in enumerate(kernels, start=1):
                shapes |= {f"{name}.conv{i}.weight": kernel, **_norm_shapes(f"{name}.bn{i}", kernel[0])}
            if unit == 0:
                shapes |= {f"{name}.downsample.0.weight": (4 * width, inputs, 1, 1)}
                shapes |= _norm_shapes(f"{name}.downsample.1", 4 * width)
            inputs = 4 * width
    return {**shapes, "fc.weight": (1000, 2048), "fc.bias": (1000,)}


def _vgg16_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's vgg16."""
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    for number, width in zip(numbers, (64, 64, 128, 128, *[256] * 3, *[512] * 6), strict=True):
        shapes |= {f"features.{number}.weight": (width, inputs, 3, 3), f"features.{number}.bias": (width,)}
        inputs = width
    for number, kernel in ((0, (4096, 25088)), (3, (4096, 4096)), (6, (1000, 4096))):
        shapes |= {f"classifier.{number}.weight": kernel, f"classifier.{number}.bias": (kernel[0],)}
    return shapes


def _save(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, float]:
    """Save a tensor of one number, another for each name, and return the numbers; the file is small."""
    numbers = {name: float(i) for i, name in enumerate(shapes, start=1)}
    torch.save({name: torch.tensor(numbers[name]).expand(shape) for name, shape in shapes.items()}, path)
    return numbers


@pytest.fixture(scope="module")
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A file in torchvision's naming, and the number that each of its tensors consists of."""
    path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    return path, _save(path, _resnet50_shapes())


def test_resnet50_fills_the_encoder_of_adapnet(resnet50: tuple[Path, dict[str, float]]) -> None:
    path, numbers = resnet50
    network = adapnet.build(adapnet.Config(), [make_column("image")], [3])
    report = load_backbone(network, adapnet, path)
    state = network.state_dict()
    for own, theirs in {
        "stem.0.weight": "conv1.weight",
        "stem.1.running_mean": "bn1.running_mean",
        "layer1.0.conv2.weight": "layer1.0.conv2.weight",
        "layer2.0.shortcut.weight": "layer2.0.downsample.0.weight",
        "layer2.3.conv2.weight": "layer2.3.conv2.weight",
        "layer4.2.bn2.bias": "layer4.2.bn2.bias",
        "layer4.2.conv3.weight": "layer4.2.conv3.weight",
    }.items():
        assert state[f"trunk.expert.{own}"].unique().tolist() == [numbers[theirs]], own
    # What such a file holds beside, norms behind third convolutions and classes of ImageNet, is nothing to tell.
    assert (report.unused, report.missing, report.mismatched) == ((), (), ())
    assert not any(name.startswith("heads.") for name in report.unfilled)
    assert {"trunk.expert.norm0.weight", "trunk.expert.layer1.0.shortcut.weight"} <= set(report.unfilled)
    assert set(report.loaded).isdisjoint(report.unfilled)
    fresh = len(report.unfilled)
    assert report.sentence == (
        f"{path}: {len(report.loaded)} tensors loaded; {fresh} of the network begin fresh, heads not counted"
    )


def test_names_that_nobody_expects_to_differ_are_told(resnet50: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    state = torch.load(resnet50[0], weights_only=True)
    state["layer3.6.conv1.weight"] = state.pop("layer3.5.conv1.weight")
    state["layer2.0.conv3.weights"] = state["layer2.0.conv3.weight"]
    state["bn1.weight"] = torch.ones(65)
    torch.save(state, tmp_path / "odd.pth")
    for module, part in ((adapnet, "trunk.expert"), (segnet, "trunk.encoder")):
        report = load_backbone(module.build(module.Config(), [make_column("image")], [3]), module, tmp_path / "odd.pth")
        assert sorted(report.unused) == ["layer2.0.conv3.weights", "layer3.6.conv1.weight"]
        assert f"{part}.layer3.5.conv1.weight" in report.missing
        for text in ("in the file but not in the network: layer", "not in the file, although they belong there: trunk"):
            assert text in report.sentence
        assert "left out for their shape: trunk." in report.sentence


def test_the_names_of_backbones_are_those_of_torchvision() -> None:
    assert backbone_shapes("resnet50") == _resnet50_shapes()
    assert backbone_shapes("vgg16") == _vgg16_shapes()
    assert backbone_shapes("a plug-in's") == {}
    mobile = backbone_shapes("mobilenet_v3_large")
    learned = [math.prod(shape) for name, shape in mobile.items() if not name.endswith(_STATISTICS)]
    assert sum(learned) == 5_483_032  # as torchvision counts
    assert mobile["features.4.block.2.fc1.weight"] == (24, 72, 1, 1)
    assert mobile["features.13.block.1.0.weight"] == (672, 1, 5, 5)
    assert mobile["features.16.0.weight"] == (960, 160, 1, 1)


@pytest.mark.parametrize(
    ("module", "name"), [(segnet, "trunk.encoder.conv1.weight"), (fcn8s, "trunk.features.0.weight")]
)
def test_an_input_of_one_channel_gets_the_mean_over_the_colours(module: Any, name: str, tmp_path: Path) -> None:
    shapes = backbone_shapes(module.BACKBONE)
    first = next(iter(shapes))
    kernels = torch.randn(shapes[first])
    torch.save({first: kernels}, tmp_path / "weights.pth")
    options = {"fc_channels": 64} if module is fcn8s else {}
    network = module.build(module.Config(**options), [make_column("nir", 1)], [3])
    report = load_backbone(network, module, tmp_path / "weights.pth")
    torch.testing.assert_close(network.state_dict()[name], kernels.mean(1, keepdim=True))
    assert report.averaged == (name,)
    assert f"mean over the colours, for one channel: {name}" in report.sentence


@pytest.mark.parametrize(
    ("name", "part", "needless", "fresh"),
    [
        ("smsnet", "trunk.image", ("fc.",), ["conv1.bias"]),
        ("segnet", "trunk.encoder", ("layer4.", "fc."), []),
    ],
)
def test_resnet50_fills_whole_encoders(
    name: str, part: str, needless: tuple[str, ...], fresh: list[str], resnet50: tuple[Path, dict[str, float]]
) -> None:
    module = {"smsnet": smsnet, "segnet": segnet}[name]
    columns = [make_column("image"), make_column("flow")][: 2 if name == "smsnet" else 1]
    network = module.build(module.Config(), columns, [3])
    path, numbers = resnet50
    report = load_backbone(network, module, path)
    state = network.state_dict()
    taken = [n for n in numbers if not n.startswith(needless)]
    assert all(state[f"{part}.{n}"].unique().tolist() == [numbers[n]] for n in taken)
    assert (report.unused, report.missing) == ((), ())
    assert [n.removeprefix(f"{part}.") for n in report.unfilled if n.startswith(part)] == fresh
    if name == "segnet":
        assert not state[f"{part}.layer3.5.conv3.bias"].any()


@pytest.mark.parametrize(("variant", "left"), [("caffe", ""), ("tensorflow", r"trunk\.image\.conv0 \(3\) of")])
def test_a_frozen_image_stream_must_be_filled(variant: str, left: str, resnet50: tuple[Path, dict[str, float]]) -> None:
    network = make_segmenter("smsnet", variant=variant, frozen_image=True).network
    config = NetworkConfig(name="smsnet", weights="imagenet")
    with pytest.raises(ConfigurationError, match=r"trunk\.image\.layer4 \(\d+\) of network 'smsnet' shall not learn"):
        check_frozen(network, (), config)
    filled = load_backbone(network, smsnet, resnet50[0]).loaded
    with pytest.raises(ConfigurationError, match=left) if left else nullcontext():
        check_frozen(network, filled, config)


def test_vgg16_fills_the_encoder_of_fcn8s(tmp_path: Path) -> None:
    numbers = _save(tmp_path / "vgg16.pth", _vgg16_shapes())
    report = load_backbone(meta_network("fcn8s", [make_column("image")], (3,)), fcn8s, tmp_path / "vgg16.pth")
    assert (report.unused, report.missing, report.unfilled, report.mismatched) == ((), (), (), ())
    assert len(report.loaded) == len(numbers) - 2


def test_mobilenet_fills_the_encoder_of_fcn8s(tmp_path: Path) -> None:
    path, options = tmp_path / "mobilenet.pth", {"encoder": "mobilenet_v3_large"}
    shapes = backbone_shapes("mobilenet_v3_large")
    _save(path, shapes)
    network = meta_network("fcn8s", [make_column("image")], (3,), options)
    report = load_backbone(network, fcn8s, path, backbone_of(fcn8s, options))
    assert (report.unused, report.missing, report.unfilled, report.mismatched) == ((), (), (), ())
    assert len(report.loaded) == len(shapes) - 4
    assert backbone_of(fcn8s, {"encoder": "vgg16"}) == "vgg16"
    with pytest.raises(ConfigurationError, match="layers that mobilenet_v3_large does not have"):
        fcn8s.Config(encoder="mobilenet_v3_large", fc_channels=64)


def test_a_fully_connected_layer_is_a_convolution_that_sees_the_whole_map() -> None:
    weight, maps_NCHW = torch.randn(5, 3 * 49), torch.randn(2, 3, 7, 7)
    kernel = fcn8s.from_imagenet({"classifier.0.weight": weight})["trunk.fc6.weight"]
    torch.testing.assert_close(F.conv2d(maps_NCHW, kernel).flatten(1), F.linear(maps_NCHW.flatten(1), weight))


def test_an_input_of_other_channels_keeps_its_fresh_weights(resnet50: tuple[Path, dict[str, float]]) -> None:
    network = segnet.build(segnet.Config(), [make_column("image"), make_column("nir", 1)], [3])
    before = network.state_dict()["trunk.encoder.conv1.weight"].clone()
    report = load_backbone(network, segnet, resnet50[0])
    assert report.mismatched == (("trunk.encoder.conv1.weight", (64, 3, 7, 7), (64, 4, 7, 7)),)
    assert "trunk.encoder.conv1.weight" in report.unfilled
    assert torch.equal(network.state_dict()["trunk.encoder.conv1.weight"], before)
    assert "trunk.encoder.conv1.weight (64, 3, 7, 7) instead of (64, 4, 7, 7)" in report.sentence


@pytest.mark.parametrize("name", MODELS.names())
def test_a_network_names_its_backbone_if_and_only_if_it_takes_its_weights(name: str) -> None:
    module = MODELS.load(name)
    assert hasattr(module, "BACKBONE") == hasattr(module, "from_imagenet")
    assert getattr(module, "BACKBONE", "resnet50") in ("resnet50", "vgg16")


def test_networks_without_use_for_weights_refuse_them(resnet50: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'frrn' has no ImageNet weights"):
        load_backbone(meta_network("frrn", [make_column("image")], (3,)), frrn, resnet50[0])
    with pytest.raises(ConfigurationError, match="'segnet' takes no experts"):
        load_expert(meta_network("segnet", [make_column("image")], (3,)), segnet, "image", resnet50[0])
    _save(tmp_path / "vgg16.pth", _vgg16_shapes())
    with pytest.raises(ConfigurationError, match=r"holds no weights of ImageNet's resnet50 .* features\.0\.weight"):
        load_backbone(meta_network("adapnet", [make_column("image")], (3,)), adapnet, tmp_path / "vgg16.pth")


def _tensors() -> dict[str, Tensor]:
    return {"conv1.weight": torch.arange(6.0).view(2, 3), "bn1.bias": torch.ones(2)}


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_files_of_tensors_are_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        safetensors.torch.save_file(_tensors(), path)
    else:
        torch.save(_tensors(), path)
    read = read_weights(path)
    assert read.keys() == _tensors().keys()
    assert all(torch.equal(read[k], v) for k, v in _tensors().items())


@pytest.mark.parametrize("wrap", [lambda t: {"state_dict": t, "epoch": 3}, lambda t: {"model": t}])
def test_wrappers_and_prefixes_are_taken_off(wrap: Callable[[Any], Any], tmp_path: Path) -> None:
    torch.save(wrap({f"module.{k}": v for k, v in _tensors().items()}), tmp_path / "weights.pth")
    assert read_weights(tmp_path / "weights.pth").keys() == _tensors().keys()


def test_names_of_timm_become_those_of_torchvision(tmp_path: Path) -> None:
    state = {
        "features.0.weight": torch.randn(4, 3, 3, 3),
        "pre_logits.fc1.weight": torch.randn(5, 2, 7, 7),
        "pre_logits.fc1.bias": torch.randn(5),
        "pre_logits.fc2.weight": torch.randn(5, 5, 1, 1),
        "head.fc.bias": torch.randn(3),
    }
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    read = read_weights(tmp_path / "model.safetensors")
    classifier = ("classifier.0.weight", "classifier.0.bias", "classifier.3.weight", "classifier.6.bias")
    assert set(read) == {"features.0.weight", *classifier}
    assert read["classifier.3.weight"].shape == (5, 5)
    kernel = fcn8s.from_imagenet(read)["trunk.fc6.weight"]
    assert torch.equal(kernel, state["pre_logits.fc1.weight"])


class _Stranger:
    """Something that only unpickling could make."""


def test_files_that_hold_anything_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": _Stranger()}, path)
    with pytest.raises(UnreadableFileError, match=r"weights\.pth cannot be read"):
        read_weights(path)
    for content in ([torch.ones(2)], {"lr": 0.1}, torch.ones(2)):
        torch.save(content, path)
        with pytest.raises(UnreadableFileError, match="does not hold named tensors"):
            read_weights(path)
    for damaged in (path, tmp_path / "weights.safetensors"):
        damaged.write_bytes(b"PK\x03\x04 cut short")
        with pytest.raises(UnreadableFileError, match=rf"{damaged.name} cannot be read"):
            read_weights(damaged)
    with pytest.raises(MissingInputError, match=r"absent\.pth do not exist"):
        read_weights(tmp_path / "absent.pth")
    with pytest.raises(ConfigurationError, match=r"not from .*weights\.h5"):
        read_weights(tmp_path / "weights.h5")


def test_an_expert_goes_to_the_column_that_is_named(tmp_path: Path) -> None:
    torch.manual_seed(1)
    expert = adapnet.build(adapnet.Config(), [make_column("anything")], [7])
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(expert.state_dict(), path)
    network = make_segmenter("ssma").network
    before = {k: v.clone() for k, v in network.state_dict().items()}
    report = load_expert(network, ssma, "flow", path)
    after = network.state_dict()
    own, theirs = "trunk.experts.flow.", "trunk.expert."
    for name, tensor in expert.state_dict().items():
        if name.startswith(theirs):
            assert torch.equal(after[name.replace(theirs, own)], tensor)
    assert all(torch.equal(after[k], before[k]) for k in before if not k.startswith(own))
    assert (report.unfilled, report.mismatched) == ((), ())
    assert (report.unused, report.missing) == ((), ())
    with pytest.raises(ConfigurationError, match="no weights of an expert for column 'depth'"):
        load_expert(network, ssma, "depth", path)


def test_another_run_of_the_network_may_have_had_other_classes(tmp_path: Path) -> None:
    earlier, network = make_segmenter("frrn", (3,)).network, make_segmenter("frrn", (4,), seed=1).network
    safetensors.torch.save_file(
        {k: v.contiguous() for k, v in earlier.state_dict().items()}, tmp_path / "w.safetensors"
    )
    report = load_network(network, tmp_path / "w.safetensors")
    assert {name for name, _, _ in report.mismatched} == {"heads.0.weight", "heads.0.bias"}
    state = network.state_dict()
    assert all(torch.equal(state[k], v) for k, v in earlier.trunk.state_dict(prefix="trunk.").items())
    wider = make_segmenter("segnet", (3,)).network
    with pytest.raises(ConfigurationError, match="cannot be loaded into this network"):
        load_network(wider, tmp_path / "w.safetensors")
