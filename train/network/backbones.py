"""What the files of ImageNet's weights hold: torchvision's names, and their shapes."""

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

__all__ = ["backbone_of", "backbone_shapes"]

_Named = tuple[str, tuple[int, ...]]

_UNITS = {1: 3, 2: 4, 3: 6, 4: 3}
_VGG16 = {
    0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 17: 512, 19: 512, 21: 512, 24: 512, 26: 512, 28: 512
}  # fmt: skip
# (kernel, widened to, narrowed to, width of the gate or 0)
_MOBILE_BLOCKS = (
    (3, 16, 16, 0), (3, 64, 24, 0), (3, 72, 24, 0), (5, 72, 40, 24), (5, 120, 40, 32), (5, 120, 40, 32),
    (3, 240, 80, 0), (3, 200, 80, 0), (3, 184, 80, 0), (3, 184, 80, 0), (3, 480, 112, 120), (3, 672, 112, 168),
    (5, 672, 160, 168), (5, 960, 160, 240), (5, 960, 160, 240),
)  # fmt: skip
_CLASSES = 1000


def backbone_of(module: ModuleType, options: Mapping[str, Any]) -> str:
    """Return the name of the encoder whose ImageNet weights a network takes.

    Args:
        module: Of the network, with `BACKBONE`; `BACKBONE_OPTION`, where it has one, names the option that chooses.
        options: Of the network.
    """
    name: str = options.get(getattr(module, "BACKBONE_OPTION", ""), module.BACKBONE)
    return name


def backbone_shapes(backbone: str) -> Mapping[str, tuple[int, ...]]:
    """Return name and shape of every tensor of a published file; nothing for a backbone that is not known.

    Args:
        backbone: `resnet50`, `vgg16` or `mobilenet_v3_large`.
    """
    match backbone:
        case "resnet50":
            return dict(_resnet50())
        case "vgg16":
            return dict(_vgg16())
        case "mobilenet_v3_large":
            return dict(_mobilenet_v3_large())
        case _:
            return {}


def _resnet50() -> Iterator[_Named]:
    yield "conv1.weight", (64, 3, 7, 7)
    yield from _norm("bn1", 64)
    inputs = 64
    for layer, units in _UNITS.items():
        width = 32 * 2**layer
        for unit in range(units):
            name = f"layer{layer}.{unit}"
            kernels = ((width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1))
            for i, kernel in enumerate(kernels, start=1):
                yield f"{name}.conv{i}.weight", kernel
                yield from _norm(f"{name}.bn{i}", kernel[0])
            if unit == 0:
                yield f"{name}.downsample.0.weight", (4 * width, inputs, 1, 1)
                yield from _norm(f"{name}.downsample.1", 4 * width)
            inputs = 4 * width
    yield "fc.weight", (_CLASSES, inputs)
    yield "fc.bias", (_CLASSES,)


def _norm(name: str, channels: int) -> Iterator[_Named]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def _vgg16() -> Iterator[_Named]:
    inputs = 3
    for number, width in _VGG16.items():
        yield f"features.{number}.weight", (width, inputs, 3, 3)
        yield f"features.{number}.bias", (width,)
        inputs = width
    for number, kernel in ((0, (4096, inputs * 49)), (3, (4096, 4096)), (6, (_CLASSES, 4096))):
        yield f"classifier.{number}.weight", kernel
        yield f"classifier.{number}.bias", kernel[:1]


def _mobilenet_v3_large() -> Iterator[_Named]:
    yield from _conv("features.0", (16, 3, 3, 3))
    inputs = 16
    for number, (kernel, wide, narrow, gate) in enumerate(_MOBILE_BLOCKS, 1):
        layers: list[tuple[int, ...]] = [(wide, inputs, 1, 1)] if wide != inputs else []
        layers.append((wide, 1, kernel, kernel))
        block = f"features.{number}.block"
        for place, shape in enumerate(layers):
            yield from _conv(f"{block}.{place}", shape)
        if gate:
            for layer, shape in (("fc1", (gate, wide, 1, 1)), ("fc2", (wide, gate, 1, 1))):
                yield f"{block}.{len(layers)}.{layer}.weight", shape
                yield f"{block}.{len(layers)}.{layer}.bias", shape[:1]
        yield from _conv(f"{block}.{len(layers) + bool(gate)}", (narrow, wide, 1, 1))
        inputs = narrow
    yield from _conv(f"features.{len(_MOBILE_BLOCKS) + 1}", (960, inputs, 1, 1))
    for number, shape in ((0, (1280, 960)), (3, (_CLASSES, 1280))):
        yield f"classifier.{number}.weight", shape
        yield f"classifier.{number}.bias", shape[:1]


def _conv(name: str, kernel: tuple[int, ...]) -> Iterator[_Named]:
    yield f"{name}.0.weight", kernel
    yield from _norm(f"{name}.1", kernel[0])
