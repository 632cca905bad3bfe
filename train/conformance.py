"""What every network promises, for authors of plug-ins.

`check_network(NetworkCase(member))` runs all checks; a test for each is

    CASE = NetworkCase(my_network, {"width": 8})  # options that make it small

    @pytest.mark.parametrize("check", NETWORK_CHECKS, ids=lambda check: check.__name__)
    def test_my_network(check):
        check(CASE)
"""

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import safetensors.torch
import torch
from torch import Tensor, nn

from segprep.datasets.conformance import refusal
from segprep.datasets.kinds import Kind
from segprep.train.models._network import InputColumn, InputScaling, Logits, Network
from segprep.train.network.segmenter import Segmenter

__all__ = ["NETWORK_CHECKS", "NetworkCase", "NetworkMember", "check_network", "unmeasured_column"]


class NetworkMember(Protocol):
    """A module of the networks.

    Attributes:
        Config: A frozen, slotted dataclass of keywords with defaults.
    """

    Config: type[Any]

    def input_scaling(self, column: InputColumn) -> InputScaling:
        """Return what the network wants of a column's values."""

    def build(self, config: Any, columns: Sequence[InputColumn], classes: Sequence[int]) -> Network:  # noqa: ANN401
        """Return the network with fresh weights, with a head for each number of classes."""


def unmeasured_column(name: str, channels: int = 3, kind: Kind = Kind.IMAGE, dtype: str = "uint8") -> InputColumn:
    """Return a column whose values nobody measured."""
    return InputColumn(name, kind, dtype, channels, (math.nan,) * channels, (math.nan,) * channels)


_CLASSES: Final = (2, 5)
_COLUMNS: Final = (unmeasured_column("image"), unmeasured_column("flow", kind=Kind.CODED))


@dataclass(frozen=True)
class NetworkCase:
    """A network to be checked.

    Attributes:
        member: A module, or an object that looks like one; `MODELS.load(name)` gives an installed one.
        options: Of its `Config`, to make it small; the checks of sizes and of the config use the defaults.
        columns: Its inputs: an image and a motion image, or fewer.
    """

    member: NetworkMember
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[InputColumn, ...] = _COLUMNS
    _drawn: dict[int, Segmenter] = field(default_factory=dict, repr=False, compare=False)

    def segmenter(self) -> Segmenter:
        """Return the network behind its scaling, to be trained: a copy, which is quicker than fresh weights."""
        return copy.deepcopy(self.judged()).train()

    def judged(self, seed: int = 0) -> Segmenter:
        """Return the same for evaluation, drawn once: checks leave its weights as they are."""
        if seed not in self._drawn:
            self._drawn[seed] = self.fresh(seed).eval()
        return self._drawn[seed]

    def fresh(self, seed: int = 0) -> Segmenter:
        """Return the same, certainly drawn anew, with a head for each of `_CLASSES`."""
        torch.manual_seed(seed)
        network = self.member.build(self.member.Config(**self.options), self.columns, _CLASSES)
        scalings = {column.name: self.member.input_scaling(column) for column in self.columns}
        segmenter = Segmenter(network, scalings, "fp32")
        segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
        return segmenter

    def inputs(self, samples: int, height: int = 32, width: int = 32) -> Tensor:
        """Return (N, H, W, C) uint8 noise."""
        shape = (samples, height, width, sum(column.channels for column in self.columns))
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def check_network(case: NetworkCase) -> None:
    """Run all checks.

    Raises:
        AssertionError: If it does not keep what networks promise.
    """
    for check in NETWORK_CHECKS:
        check(case)


def check_config(case: NetworkCase) -> None:
    """Its config is a frozen, slotted dataclass of keywords with defaults."""
    kind = case.member.Config
    config = kind()
    fields = dataclasses.fields(config)
    assert all(each.kw_only for each in fields), f"{kind.__name__} needs kw_only=True"
    assert hasattr(kind, "__slots__"), f"{kind.__name__} needs slots=True"
    if fields:
        setting = partial(setattr, config, fields[0].name, 1)
        refusal(dataclasses.FrozenInstanceError, setting, f"changing {fields[0].name} of a config")


def check_logits(case: NetworkCase) -> None:
    """Logits have the size of the input, and are 32-bit numbers; auxiliary ones come in training only."""
    segmenter = case.segmenter()
    for size in ((32, 32), (29, 45)):
        inputs_NHWC = case.inputs(2, *size)
        with torch.inference_mode():
            (_, trained), (_, judged) = segmenter(inputs_NHWC, [0, 2]), case.judged()(inputs_NHWC, [0, 2])
        for logits in (*_all_logits((trained,)), judged.main):
            assert logits.shape == (2, 5, *size), f"images of {size} have logits of {tuple(logits.shape)}"
        assert judged.main.dtype == torch.float32, f"logits are {judged.main.dtype}"
        assert judged.auxiliary == (), "an evaluated network has auxiliary logits"


def check_sizes(case: NetworkCase) -> None:
    """Any size and any number of channels will do."""
    kinds = (("image", Kind.IMAGE, "uint8"), ("depth", Kind.DEPTH, "uint16"))[: len(case.columns)]
    for channels, sizes in (((1, 2), [(1, 1), (13, 21)]), ((4, 3), [(375, 1242)])):
        columns = [unmeasured_column(n, c, k, t) for (n, k, t), c in zip(kinds, channels, strict=False)]
        with torch.device("meta"):
            network = case.member.build(case.member.Config(), columns, (7,)).eval()
        total = sum(column.channels for column in columns)
        for size in sizes:
            (output,) = network(torch.zeros(1, total, *size, device="meta"))
            found = tuple(output.main.shape)
            assert found == (1, 7, *size), f"{total} channels of {size} have logits of {found}"


def check_gradients(case: NetworkCase) -> None:
    """Every weight gets a gradient from several heads, and no convolution only zeros."""
    segmenter = case.segmenter()
    outputs = segmenter(case.inputs(3), [1, 2])
    shapes = [tuple(output.main.shape[:2]) for output in outputs]
    assert shapes == [(1, 2), (2, 5)], f"1 sample of 2 classes and 2 of 5 have logits of {shapes}"
    total = torch.stack([each.square().mean() for each in _all_logits(outputs)]).sum()
    total.backward()  # type: ignore[no-untyped-call]
    missing = [n for n, p in segmenter.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert missing == [], f"weights without a finite gradient: {missing}"
    idle = [
        name
        for name, module in segmenter.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        and module.weight.grad is not None
        and not module.weight.grad.any()
    ]
    assert idle == [], f"convolutions whose gradient is zero: {idle}"


def check_empty(case: NetworkCase) -> None:
    """A data set without samples has no logits."""
    with torch.inference_mode():
        first, second = case.judged()(case.inputs(1), [0, 1])
    assert first is None, "a data set without samples has logits"
    assert second.main.shape == (1, 5, 32, 32), f"a sample of 5 classes has logits of {tuple(second.main.shape)}"


def check_evaluation(case: NetworkCase) -> None:
    """A sample is judged alone when evaluated."""
    segmenter, inputs_NHWC = case.judged(), case.inputs(3)
    inputs_NHWC[0] //= 4  # a dark picture, so that statistics of the batch are others than those of the sample
    with torch.inference_mode():
        together, alone = segmenter.logits(inputs_NHWC)[1:2], segmenter.logits(inputs_NHWC[1:2])
    # Kernels differ with the batch size; batch statistics would differ by the size of the logits.
    gap, size = float((together - alone).abs().max()), float(together.abs().max())
    assert gap < 0.01 * size, f"logits up to {size} change by {gap} with the other samples of the batch"


def check_single(case: NetworkCase) -> None:
    """A single sample can be trained on."""
    outputs = case.segmenter()(case.inputs(1), [0, 1])
    assert all(each.isfinite().all() for each in _all_logits(outputs)), "logits of a single sample are not finite"


def check_seeds(case: NetworkCase) -> None:
    """Equal seeds give equal weights, others give others."""
    first, second, third = (made.state_dict() for made in (case.judged(), case.fresh(), case.judged(seed=1)))
    changed = [name for name in first if not torch.equal(first[name], second[name])]
    assert changed == [], f"weights that torch's seed does not decide: {changed}"
    assert not all(torch.equal(first[name], third[name]) for name in first), "weights do not depend on torch's seed"


def check_saving(case: NetworkCase) -> None:
    """Saved weights make the same network."""
    network = case.judged().network
    saved = safetensors.torch.save({k: v.contiguous() for k, v in network.state_dict().items()})
    other = copy.deepcopy(case.judged(seed=1)).network
    other.load_state_dict(safetensors.torch.load(saved))
    channels = sum(column.channels for column in case.columns)
    x_NCHW = torch.randn(2, channels, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        pairs = zip(network(x_NCHW, [1, 1]), other(x_NCHW, [1, 1]), strict=True)
    same = all(torch.equal(expected.main, found.main) for expected, found in pairs)
    assert same, "a network with the saved weights gives other logits"


def check_normalisation(case: NetworkCase) -> None:
    """Its scaling is applied to each column."""
    column = case.columns[-1]
    scaling = case.member.input_scaling(column)
    seen: list[Tensor] = []
    segmenter, inputs_NHWC = case.judged(), case.inputs(1)
    with (
        torch.inference_mode(),
        segmenter.network.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0])),
    ):
        segmenter(inputs_NHWC, [0, 1])
    own_HWC = inputs_NHWC[0, :, :, -column.channels :]
    expected_HWC = (own_HWC - torch.tensor(scaling.centre)) / torch.tensor(scaling.spread)
    torch.testing.assert_close(seen[0][0, -column.channels :].permute(1, 2, 0), expected_HWC)


def check_scaling(case: NetworkCase) -> None:
    """Every kind of column has a finite scaling."""
    for kind, dtype in ((Kind.DEPTH, "uint16"), (Kind.INDEX, "uint8"), (Kind.NIR, "float32")):
        scaling = case.member.input_scaling(unmeasured_column("any", 2, kind, dtype))
        what = f"the scaling of {kind}, {dtype}: {scaling}"
        assert len(scaling.centre) == len(scaling.spread) == 2, f"{what} is not one of two channels"
        assert torch.tensor([*scaling.centre, *scaling.spread]).isfinite().all(), f"{what} is not finite"
        assert min(scaling.spread) > 0, f"{what} is not above 0"


NETWORK_CHECKS: Final[tuple[Callable[[NetworkCase], None], ...]] = (
    check_config,
    check_logits,
    check_sizes,
    check_gradients,
    check_empty,
    check_evaluation,
    check_single,
    check_seeds,
    check_saving,
    check_normalisation,
    check_scaling,
)
"""Each is given a case."""


def _all_logits(outputs: Sequence[Logits | None]) -> list[Tensor]:
    known = [output for output in outputs if output is not None]
    return [each for output in known for each in (output.main, *(logits for _, logits in output.auxiliary))]
