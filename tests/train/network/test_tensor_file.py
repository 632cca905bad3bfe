"""Files of tensors written part by part are those that safetensors writes at once."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from segprep.train.network import tensor_file as module
from segprep.train.network.recorded import write_recorded
from segprep.train.network.tensor_file import tensor_file, values_of

_TENSORS = {
    **{f"of {dtype}": torch.arange(12).view(3, 4).to(dtype) for dtype in module._TYPES},
    "channels last": torch.rand(5, 3, 4, 4).to(memory_format=torch.channels_last),
    "turned": torch.rand(7, 3).T,
    "scalar": torch.tensor(3.5),
    "nothing": torch.zeros(0, 4),
    'ä "\\\n': torch.rand(1, 1),
}


@pytest.mark.parametrize("part", [1, 7, 1 << 24])
def test_every_byte_is_that_of_the_package(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART", part)
    said = {"segprep": 'who says "ä\\\n" so'}
    expected = safetensors.torch.save({name: tensor.contiguous() for name, tensor in _TENSORS.items()}, said)
    file = tmp_path / "new" / "file"
    record = write_recorded(file, lambda stream: stream.writelines(tensor_file(_TENSORS, said)))
    assert file.read_bytes() == expected
    assert record.size == len(expected)
    assert {len(found) for found in _parts(_TENSORS["of torch.uint8"])} == {4 if part < 12 else 12}


def _parts(tensor: Tensor) -> list[memoryview]:
    return list(values_of(tensor))
