"""The kinds of files that a network is exported to."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from torch import Tensor

from segprep.train.export import onnx_file, pt2_file, torchscript_file
from segprep.train.export.runners import Runner, Save
from segprep.train.export.whole import WholeNetwork

__all__ = ["FORMATS", "FileFormat"]


class FileFormat(Protocol):
    """A module for a kind of file.

    Attributes:
        SUFFIX: Of its files.
        SMALLEST: Width and height below which sizes are not open.
    """

    @property
    def SUFFIX(self) -> str: ...  # noqa: N802, D102  (a constant of a module)
    @property
    def SMALLEST(self) -> int: ...  # noqa: N802, D102  (another one)

    def exported(
        self, network: WholeNetwork, names: Sequence[str], example: Sequence[Tensor], *, any_size: bool
    ) -> Save:
        """Return what makes files of a network.

        Args:
            network: With everything inside.
            names: Of the columns.
            example: Values of the columns, two samples. Batches of other sizes will do.
            any_size: Whether pictures of other widths and heights shall do.

        Raises:
            RuntimeError, ValueError: If torch cannot export it so.
        """

    def runner(self, file: bytes) -> Runner:
        """Return what runs the file on the CPU."""


FORMATS: Final[Mapping[str, FileFormat]] = MappingProxyType(
    {"onnx": onnx_file, "pt2": pt2_file, "torchscript": torchscript_file}
)
"""By the name that `--to` takes."""
