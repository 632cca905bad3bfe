"""Codes inside an exported network give the numbers that a store would hold."""

import io
from typing import Any

import numpy as np
import pytest
import torch

from segprep.datasets.codes import (
    Code,
    DepthCode,
    DisparityCode,
    JetCode,
    KittiFlowCode,
    LinearCode,
    PlainCode,
    SmsnetFlowCode,
    Vkitti2FlowCode,
)
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.kinds import Kind
from segprep.datasets.sample import Array
from segprep.datasets.shards.columns import ArraySpec
from segprep.train.export.coding import column_coding
from segprep.train.export.facts import taken_dtype
from segprep.train.export.tracing import script_warnings

_CODES: dict[str, Code] = {
    "picture": PlainCode(),
    "16 bits": PlainCode((), 16),
    "normals": LinearCode(1 / 127, -128 / 127, ("x", "y", "z")),
    "steps": LinearCode((0.1, 0.2, 0.3), (0.0, 1.0, 2.0), ("x", "y", "z")),
    "depth": DepthCode(),
    "depth without far": DepthCode(0.01, far_code=False),
    "disparity": DisparityCode(1 / 256, 1),
    "flow": KittiFlowCode(),
    "smsnet": SmsnetFlowCode(5.12),
    "jet": JetCode(2, 80),
}


def _values(code: Code) -> tuple[Array, Array]:
    """What codes decode to, moved by parts of a step, too far, to infinity and to nowhere; and where it is valid."""
    rng = np.random.default_rng(0)
    shape = (24, 32, *((len(code.channels),) if code.channels else ()))
    stored = rng.integers(0, np.iinfo(code.dtype).max, shape, code.dtype, endpoint=True)
    values, _ = code.decode(stored, None)
    if values.dtype.kind != "f":
        return values, np.ones(shape[:2], np.bool_)
    numbers = code.numbers
    assert numbers is not None
    moved = rng.choice([0.0, 0.5, 0.25, -0.5, 1.5, 9000, -9000], values.shape) * np.array(numbers.scale)[0]
    values = (values + moved).astype(np.float32)
    if isinstance(code, JetCode) or (isinstance(code, DepthCode) and code.far_code):
        values[:3] = np.inf
    values[rng.random(values.shape) < 0.05] = np.nan
    return values, ~np.isnan(values).reshape(*shape[:2], -1).any(-1)


@pytest.mark.parametrize("code", _CODES.values(), ids=_CODES)
def test_every_number_is_that_of_the_store(code: Code) -> None:
    import onnxruntime

    values, valid = _values(code)
    expected = code.encode(values, valid).stored.reshape(*values.shape[:2], -1)
    column = ArraySpec.of("any", Kind.IMAGE, expected.shape if code.channels else expected.shape[:2], code)
    module = column_coding(column).eval()
    given = torch.from_numpy(values[None].astype(taken_dtype(column)))
    np.testing.assert_array_equal(module(given)[0].permute(1, 2, 0), expected)
    file = io.BytesIO()
    target: Any = file  # more than its annotation says can be written to
    with script_warnings():
        script = torch.jit.trace(module, (given,), check_trace=False)  # type: ignore[no-untyped-call]
        torch.onnx.export(script, (given,), target, dynamo=False, input_names=["any"], opset_version=18)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"any": given.numpy()})
    np.testing.assert_array_equal(found[0].transpose(1, 2, 0), expected)


def test_infinitely_far_is_invalid_where_it_has_no_number() -> None:
    column = ArraySpec.of("depth", Kind.DEPTH, (1, 2), DepthCode(0.01, far_code=False))
    assert column_coding(column)(torch.tensor([[[np.inf, 1.0]]])).flatten().tolist() == [0, 100]


def test_a_code_that_depends_on_the_size_is_refused() -> None:
    column = ArraySpec.of("flow", Kind.FLOW, (8, 9, 2), Vkitti2FlowCode(9, 8))
    with pytest.raises(ConfigurationError, match="'flow' is coded as vkitti2-flow, which cannot"):
        column_coding(column)
