"""Every error that segprep raises on purpose, one class each, with the exit code that the command lines give it.

A message says what is wrong, where, and what to do. Each class also is the builtin that people would catch, in
brackets here:

    SegprepError
    |- ConfigurationError (ValueError)              exit code 2
    |  `- UnknownNameError (LookupError)            2
    |- WorkspaceNotFoundError (FileNotFoundError)   2
    |- DatasetNotFoundError (FileNotFoundError)     3
    |- MissingInputError (FileNotFoundError)        3
    |- UnreadableFileError (OSError)                3
    |- LabelIdError (ValueError)                    3
    |- SizeMismatchError (ValueError)               3
    |- CodeRangeError (ValueError)                  3
    |- MotionError (ValueError)                     3
    |- DivergedError (ArithmeticError)              3
    |- MachineError (OSError)                       3
    |  `- WriteFailedError (OSError)                3
    |- ClusterLostError (ConnectionError)           3
    |- TooManyBadSamplesError (RuntimeError)        4
    |- ConflictError (FileExistsError)              5
    |  `- WorkspaceLockedError (BlockingIOError)    5
    |- DamagedCellError (ValueError)                6
    |- DamagedLedgerError (ValueError)              6
    `- DamagedStoreError (ValueError)               6
       |- StoreNotFoundError (FileNotFoundError)    3
       `- StoreChangedError (FileExistsError)       5
"""

from enum import IntEnum

__all__ = [
    "ClusterLostError",
    "CodeRangeError",
    "ConfigurationError",
    "ConflictError",
    "DamagedCellError",
    "DamagedLedgerError",
    "DamagedStoreError",
    "DatasetNotFoundError",
    "DivergedError",
    "ExitCode",
    "LabelIdError",
    "MachineError",
    "MissingInputError",
    "MotionError",
    "SegprepError",
    "SizeMismatchError",
    "StoreChangedError",
    "StoreNotFoundError",
    "TooManyBadSamplesError",
    "UnknownNameError",
    "UnreadableFileError",
    "WorkspaceLockedError",
    "WorkspaceNotFoundError",
    "WriteFailedError",
]


class ExitCode(IntEnum):
    """What `prep` and `train` exit with. These numbers are promised to scripts."""

    DONE = 0
    BUG = 1
    USAGE = 2
    BAD_INPUT = 3
    TOO_MANY_BAD = 4
    CONFLICT = 5
    DAMAGED_STORE = 6
    INTERRUPTED = 130


class SegprepError(Exception):
    """Base of all errors that a user can do something about."""

    exit_code = ExitCode.BUG


class ConfigurationError(SegprepError, ValueError):
    """An option, a table of `prep.toml` or a training configuration makes no sense."""

    exit_code = ExitCode.USAGE


class UnknownNameError(ConfigurationError, LookupError):
    """No dataset, modality, estimator or network has this name; the message lists those that exist."""


class WorkspaceNotFoundError(SegprepError, FileNotFoundError):
    """No `prep.toml` in this folder or above it."""

    exit_code = ExitCode.USAGE


class DatasetNotFoundError(SegprepError, FileNotFoundError):
    """The folder is not the dataset that it was said to be."""

    exit_code = ExitCode.BAD_INPUT


class UnreadableFileError(SegprepError, OSError):
    """A file is truncated, empty, of a foreign format, or holds other content than it should."""

    exit_code = ExitCode.BAD_INPUT


class MissingInputError(SegprepError, FileNotFoundError):
    """A file that the dataset promises does not exist."""

    exit_code = ExitCode.BAD_INPUT


class LabelIdError(SegprepError, ValueError):
    """A label image holds ids that the class map does not know."""

    exit_code = ExitCode.BAD_INPUT


class SizeMismatchError(SegprepError, ValueError):
    """Two arrays that belong together differ in size."""

    exit_code = ExitCode.BAD_INPUT


class CodeRangeError(SegprepError, ValueError):
    """Values cannot be expressed in the code that was asked for, or a code's parameters make no sense."""

    exit_code = ExitCode.BAD_INPUT


class MotionError(SegprepError, ValueError):
    """A motion between two frames is impossible or cannot be found: bad pose or intrinsics, too little to go by."""

    exit_code = ExitCode.BAD_INPUT


class DivergedError(SegprepError, ArithmeticError):
    """The loss or a weight of a network is no longer a number."""

    exit_code = ExitCode.BAD_INPUT


class TooManyBadSamplesError(SegprepError, RuntimeError):
    """More samples failed than `--max-bad` allows. What succeeded is kept."""

    exit_code = ExitCode.TOO_MANY_BAD


class ConflictError(SegprepError, FileExistsError):
    """What exists disagrees with what was asked for: stale or mixed columns, mixed sizes, another dataset."""

    exit_code = ExitCode.CONFLICT


class WorkspaceLockedError(ConflictError, BlockingIOError):
    """Another process writes to this workspace or run."""


class DamagedCellError(SegprepError, ValueError):
    """A cell's file is not the one that was written; the stage that made the cell makes it again."""

    exit_code = ExitCode.DAMAGED_STORE


class DamagedLedgerError(SegprepError, ValueError):
    """The ledger of a workspace is missing, unfinished, or not what was written; `prep rebuild` makes it again."""

    exit_code = ExitCode.DAMAGED_STORE


class DamagedStoreError(SegprepError, ValueError):
    """A Zarr store is unfinished, incomplete or its bytes are not those that were written."""

    exit_code = ExitCode.DAMAGED_STORE


class StoreNotFoundError(DamagedStoreError, FileNotFoundError):
    """There is no Zarr store in this place."""

    exit_code = ExitCode.BAD_INPUT


class StoreChangedError(DamagedStoreError, FileExistsError):
    """A Zarr store was written anew while it was read: what comes now belongs to other samples."""

    exit_code = ExitCode.CONFLICT


class MachineError(SegprepError, OSError):
    """The machine cannot do it now: no memory, too many open files, a failing disk, no permission.

    No sample or file is at fault. Whatever was not done for it is tried again by the next run.
    """

    exit_code = ExitCode.BAD_INPUT


class WriteFailedError(MachineError, OSError):
    """The output cannot be written: disk full, read-only folder, no permission."""


class ClusterLostError(SegprepError, ConnectionError):
    """A process that others need is gone: Dask's scheduler, all its workers, or one of a training's processes.

    What was finished is kept.
    """

    exit_code = ExitCode.BAD_INPUT
