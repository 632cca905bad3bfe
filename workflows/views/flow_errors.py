"""`prep flow-eval`: how wrong flow is where its truth is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segprep.datasets.errors import ConfigurationError, ConflictError, MissingInputError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.workspace.cells import decode_cell
from segprep.flow.evaluation import FlowEvaluation, evaluate_pairs
from segprep.flow.field import FlowField
from segprep.flow.flow_files import check_pattern, read_flow
from segprep.prep.step import Input, Origin
from segprep.workflows.ledger.database import Selection
from segprep.workflows.ledger.freshness import file_source
from segprep.workflows.ledger.table import Table

__all__ = ["EvaluatedColumn", "evaluate_column", "evaluate_file"]


@dataclass(frozen=True, slots=True)
class EvaluatedColumn:
    """Errors of a column.

    Attributes:
        evaluation: Of the samples that have both.
        without_flow: Number of samples whose column is not done.
        without_truth: Number of samples that have no file of truth.
    """

    evaluation: FlowEvaluation
    without_flow: int
    without_truth: int


def evaluate_file(estimate: Path, truth: Path, file_format: str) -> FlowEvaluation:
    """Compare one file of flow with another, each in a format that `read_flow` knows.

    Raises:
        MissingInputError, UnreadableFileError: If one cannot be read.
        SizeMismatchError: If they differ in size.
    """
    pair = (estimate.name, read_flow(estimate, file_format), read_flow(truth, file_format))
    return evaluate_pairs([pair])


def evaluate_column(table: Table, selection: Selection, column: str, pattern: str, file_format: str) -> EvaluatedColumn:
    """Compare a column of flow with files of truth, whose vectors are brought to the workspace's size.

    Args:
        table: The open table.
        selection: Which samples.
        column: Name of a column of vectors.
        pattern: Where the truth is, see `fill_pattern`; relative to the dataset's root. For a single sample it may be
            the file itself.
        file_format: See `FlowFormat`.

    Raises:
        ConfigurationError: If there is no such column of vectors, or the pattern makes no sense.
        ConflictError: If no sample has both.
        UnreadableFileError: If a file of truth cannot be read.
    """
    workspace, columns = table.workspace, table.columns()
    vectors = columns.get(column)
    if vectors is None or vectors.kind is not Kind.FLOW:
        known = ", ".join(name for name, each in columns.items() if each.kind is Kind.FLOW)
        raise ConfigurationError(f"there is no column {column!r} of vectors. There are: {known or 'none yet'}")
    if table.ledger.count(selection) > 1:
        check_pattern(pattern)
    truth_input = Input("truth", Origin.FILE, pattern=pattern)
    lacking = {"flow": 0, "truth": 0}

    def pairs() -> Iterator[tuple[str, FlowField, FlowField]]:
        for sample in table.ledger.samples(selection):
            if sample.done(column) is None:
                lacking["flow"] += 1
                continue
            try:
                path = workspace.config.dataset_root / file_source(truth_input, sample.record).path
                truth = read_flow(path, file_format)
            except MissingInputError:
                lacking["truth"] += 1
                continue
            cell = decode_cell(workspace, sample.record.split, vectors, sample.record.key, sample.digests(column))
            if isinstance(cell.values, dict) or cell.valid is None:
                raise SizeMismatchError(f"column {column} holds no vectors")
            estimate = FlowField(cell.values, cell.valid)
            yield sample.record.key, estimate, truth.resized(*estimate.size)

    evaluation = evaluate_pairs(pairs())
    if not evaluation.fields:
        raise ConflictError(
            f"nothing to compare: {lacking['flow']} samples have no {column}, {lacking['truth']} have no file "
            f"{pattern!r} below {workspace.config.dataset_root}"
        )
    return EvaluatedColumn(evaluation, lacking["flow"], lacking["truth"])
