"""What the files of ImageNet's weights hold: torchvision's names, and their shapes."""

from collections.abc import Iterator, Mapping

__all__ = ["backbone_shapes"]

_Named = tuple[str, tuple[int, ...]]

_UNITS = {1: 3, 2: 4, 3: 6, 4: 3}
_VGG16 = {
    0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 17: 512, 19: 512, 21: 512, 24: 512, 26: 512, 28: 512
}  # fmt: skip
_CLASSES = 1000


def backbone_shapes(backbone: str) -> Mapping[str, tuple[int, ...]]:
    """Return name and shape of every tensor of `resnet50` or `vgg16`; nothing for a backbone that is not known."""
    match backbone:
        case "resnet50":
            return dict(_resnet50())
        case "vgg16":
            return dict(_vgg16())
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
