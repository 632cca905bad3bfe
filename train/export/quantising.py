"""Networks in 8 bits: onnxruntime's static quantisation, and what it costs in accuracy."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.json_values import json_of
from segprep.datasets.program.extras import optional_packages
from segprep.datasets.program.progress import Progress
from segprep.datasets.sample import Array, JsonDict
from segprep.datasets.shards import ShardStore
from segprep.train.evaluation.metrics import ConfusionMatrix
from segprep.train.export import onnx_file
from segprep.train.export.exporting import Exported
from segprep.train.export.parity import answers, in_32_bits, measured_parity
from segprep.train.export.samples import Samples, original_indices, stored_values
from segprep.train.export.text_table import text_table
from segprep.train.export.whole import batch_of
from segprep.train.predict.model import Model
from segprep.train.reading.order import Row
from segprep.train.reading.reader import Reader

__all__ = ["Accuracy", "Comparison", "quantised"]

_OPERATORS: Final = (
    *("Conv", "ConvTranspose", "MatMul", "Gemm", "Relu", "Clip", "Sigmoid", "Add", "Mul"),
    *("Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize"),
)
"""What is computed in 8 bits: the network. Coding and scaling before it, and probabilities behind it, are not."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What a file is worth.

    Attributes:
        mean_iou: Over a store.
        pixel_accuracy: Over the same.
        size_bytes: Of the file.
    """

    mean_iou: float
    pixel_accuracy: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Before and after.

    Attributes:
        store: What accuracy was measured on.
        samples: How many samples it has.
        calibration: How many samples the ranges were measured on.
        before: In 32 bits.
        after: In 8 bits.
    """

    store: str
    samples: int
    calibration: int
    before: Accuracy
    after: Accuracy

    def to_json(self) -> JsonDict:
        """Return plain values."""
        return json_of(self)

    def text(self) -> str:
        """Return a table for the terminal."""
        rows = [("", "mean IoU", "pixel accuracy", "size")]
        for name, each in (("32 bits", self.before), ("8 bits", self.after)):
            size = f"{each.size_bytes / 1e6:.1f} MB"
            rows.append((name, f"{each.mean_iou:.4f}", f"{each.pixel_accuracy:.4f}", size))
        about = f"onnxruntime on the {self.samples} samples of {self.store}; ranges from {self.calibration} of train"
        return f"{text_table(rows)}\n{about}"


def quantised(
    model: Model,
    file: Exported,
    train: ShardStore,
    val: ShardStore,
    calibration: int,
    samples: Samples,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Exported, Comparison]:
    """Return an exported network in 8 bits and what both are worth.

    Weights have a scale per output channel and 7 bits, so that sums do not overflow on processors without instructions
    for them; what flows between layers has 8, over the range that it had on the calibration samples. Its parity says
    how often it agrees with the network; nothing is refused for it.

    Args:
        model: What was exported.
        file: ONNX, in 32 bits.
        train: Store that the calibration samples are of.
        val: Store that accuracy is measured on.
        calibration: How many samples of `train`, evenly over it.
        samples: What agreement is measured on.
        say: Gets sentences for the user.

    Raises:
        ConfigurationError: If onnxruntime cannot do it.
        MissingInputError: If a store lacks a column.
    """
    columns = file.facts.specs
    indices = original_indices(train, calibration)
    say(f"measuring ranges on {len(indices)} samples of {train.path}")
    names = [column.name for column in columns]
    batches = ({n: v[None] for n, v in zip(names, stored_values(train, columns, i), strict=True)} for i in indices)
    after = replace(file, save=onnx_file.saver(_static(file.content(), names, batches)))
    reader = Reader(val, names, file.facts.target)
    say(f"measuring the accuracy of both on {val.path}")
    measured = [_accuracy(each.content(), reader, file) for each in (file, after)]
    comparison = Comparison(str(val.path), len(original_indices(val)), len(indices), *measured)
    judge = in_32_bits(model)
    expected = [answers(judge, values, file.facts.dataset) for values in samples.values]
    parity = measured_parity(expected, onnx_file.runner(after.content()), samples)
    return replace(after, facts=replace(file.facts, precision="int8", parity=parity)), comparison


def _accuracy(content: bytes, reader: Reader, file: Exported) -> Accuracy:
    run = onnx_file.runner(content)
    matrix = ConfusionMatrix(len(reader.class_map.names))
    indices = original_indices(reader.store)
    with Progress("sample") as progress:
        progress.start(len(indices))
        for index in indices:
            ids_NHW, _ = run(batch_of(stored_values(reader.store, file.facts.specs, index)))
            matrix.update(ids_NHW.numpy(), reader.read([Row(index)]).labels_NHW.numpy())
            progress.advance()
    return Accuracy(matrix.mean_iou(), matrix.pixel_accuracy(), len(content))


def _static(content: bytes, names: Sequence[str], batches: Iterator[dict[str, Array]]) -> bytes:
    """Return a file of 8 bits."""
    with optional_packages("`train export --int8`"):
        import onnx
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

    class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def get_next(self) -> dict[str, Array] | None:
            return next(batches, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        try:
            # Folds batch norm into convolutions, so that both are one number with one range.
            quant_pre_process(onnx.load_from_string(content), prepared, skip_symbolic_shape=True)
            network = onnx.load(prepared)
            quantize_static(
                network,
                made,
                _Calibration(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_OPERATORS),
                nodes_to_exclude=_before_the_network(network),
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        except (RuntimeError, ValueError, KeyError) as error:
            raise ConfigurationError(f"onnxruntime cannot bring this network to 8 bits: {error}") from error
        return made.read_bytes()


def _before_the_network(network: Any) -> list[str]:  # noqa: ANN401  (onnx has no types)
    """Return the names of the nodes that code and scale, which lead to the first convolutions."""
    made_by = {name: node for node in network.graph.node for name in node.output}
    names: set[str] = set()
    behind: set[str] = set()
    for node in network.graph.node:  # each stands behind what it takes
        sources = [made_by[name].name for name in node.input if name in made_by]
        if node.op_type in ("Conv", "ConvTranspose", "MatMul", "Gemm") or any(name in behind for name in sources):
            behind.add(node.name)
        else:
            names.add(node.name)
    return sorted(names)
