"""Where strided layers are padded: on both sides alike, or as TensorFlow's SAME does, more at the end."""

from typing import Final, Literal

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["PADDING_HELP", "Padding", "pad_as_tensorflow"]

Padding = Literal["symmetric", "tensorflow"]

_LOWEST: Final = float("-inf")


PADDING_HELP: Final = (
    "symmetric pads strided layers on both sides alike, tensorflow more at the end, as TensorFlow's SAME. Published "
    "weights, if given, make it tensorflow."
)
"""Of the option of networks whose published weights were trained with TensorFlow's padding."""


def pad_as_tensorflow(module: nn.Module) -> None:
    """Let the strided layers of a network pad as TensorFlow's SAME; sizes are rounded up as before.

    Of a kernel k and a stride s <= k, k - 1 - (n - 1) mod s values are added to n in all, the smaller half in front:
    for a 7x7 kernel of stride 2 that is 2 and 3 around an even number, 3 and 3 around an odd one.
    """
    for layer in module.modules():
        if isinstance(layer, nn.MaxPool2d):
            layer.padding, layer.ceil_mode = 0, False
            layer.register_forward_pre_hook(_pad_pool)
        elif isinstance(layer, nn.Conv2d) and max(layer.stride) > 1 and max(layer.kernel_size) > 1:
            layer.padding = (0, 0)
            layer.register_forward_pre_hook(_pad_convolution)


def _pad_pool(layer: nn.MaxPool2d, arguments: tuple[Tensor]) -> tuple[Tensor]:
    kernel, stride = layer.kernel_size, layer.stride
    assert isinstance(kernel, int)
    assert isinstance(stride, int)
    return (_padded(arguments[0], kernel, stride, _LOWEST),)


def _pad_convolution(layer: nn.Conv2d, arguments: tuple[Tensor]) -> tuple[Tensor]:
    return (_padded(arguments[0], layer.kernel_size[0], layer.stride[0], 0.0),)


def _padded(x_NCHW: Tensor, kernel: int, stride: int, value: float) -> Tensor:
    height, width = (kernel - 1 - (size - 1) % stride for size in x_NCHW.shape[2:])
    return F.pad(x_NCHW, (width // 2, width - width // 2, height // 2, height - height // 2), value=value)
