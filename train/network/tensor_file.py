"""Files of named tensors, written part by part: the format of safetensors without a copy of all tensors in memory.

The file: 8 bytes with the length of the header, the header as JSON, then the values of one tensor after the other. The
order and every byte are those of the package `safetensors`, which reads these files everywhere else.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

import torch
from torch import Tensor

__all__ = ["tensor_file", "values_of"]

# By the package's order: wide types first, so that every tensor is aligned.
_TYPES: Final = {
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
    torch.complex64: "C64",
    torch.float32: "F32",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ORDER: Final = {dtype: place for place, dtype in enumerate(_TYPES)}
_ALIGNMENT: Final = 8
_PART: Final = 1 << 24  # bytes


def tensor_file(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """Yield the parts of a file of tensors.

    Args:
        tensors: By name, on any device, in any layout.
        metadata: Texts by name, for the header.
    """
    names = sorted(tensors, key=lambda name: (_ORDER[tensors[name].dtype], name))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        start, end = end, end + tensors[name].nbytes
        header[name] = {
            "dtype": _TYPES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    yield len(text).to_bytes(8, "little")
    yield text
    for name in names:
        yield from values_of(tensors[name])


def values_of(tensor: Tensor) -> Iterator[memoryview]:
    """Yield the bytes of a tensor's values in row-major order, some megabytes at a time."""
    rows = tensor.detach() if tensor.ndim else tensor.detach()[None]
    if not rows.numel():
        return
    for part in torch.split(rows, max(1, _PART * len(rows) // rows.nbytes)):
        yield part.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
