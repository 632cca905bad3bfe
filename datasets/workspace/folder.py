"""The workspace: a folder with `prep.toml`, one file per cell, a ledger, shards and training runs.

This module knows the layout and the configuration. It makes no cells and opens no ledger.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from segprep.datasets.atomic import PARTIAL_SUFFIX, StagedFile, atomic_write_bytes, discard
from segprep.datasets.classes import ClassMap
from segprep.datasets.documents import read_text, read_toml
from segprep.datasets.errors import ConfigurationError, UnreadableFileError, WorkspaceNotFoundError
from segprep.datasets.program.tables import Place, refuse_unknown
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict, SampleKey

__all__ = [
    "CONFIG_NAME",
    "LEDGER_NAME",
    "Workspace",
    "WorkspaceConfig",
    "find_workspace",
    "load_workspace",
    "write_config",
]

CONFIG_NAME = "prep.toml"
LEDGER_NAME = "ledger.sqlite"
_KEYS = ("dataset", "root", "splits", "neighbour", "depth_unit", "class_map", "defaults")
_HEADER = "Written by `prep init`, yours to edit. Class order is the order of train ids; 255 is always `ignore`."


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """The contents of `prep.toml`.

    Attributes:
        dataset: Name in the catalog.
        dataset_root: Absolute path of the dataset.
        neighbour: Which neighbour makes a motion pair.
        class_map: Classes of the label columns.
        defaults: Command name to parameter values, used where the command line says nothing.
        splits: The splits that commands are about; empty for all of the dataset.
        depth_unit: In which unit the dataset's depth files are read; None for what the dataset says.
    """

    dataset: str
    dataset_root: Path
    neighbour: Direction
    class_map: ClassMap
    defaults: Mapping[str, JsonDict]
    splits: tuple[str, ...] = ()
    depth_unit: str | None = None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace on disk.

    Attributes:
        root: The folder that holds `prep.toml`.
        config: What `prep.toml` says.
    """

    root: Path
    config: WorkspaceConfig

    @property
    def ledger_path(self) -> Path:
        """The SQLite file that knows the state of every cell."""
        return self.root / LEDGER_NAME

    @property
    def shards_dir(self) -> Path:
        """The folder of `<split>.zarr`."""
        return self.root / "shards"

    @property
    def runs_dir(self) -> Path:
        """The folder of training runs."""
        return self.root / "runs"

    def column_dir(self, split: str, column: str) -> Path:
        """The folder of a column's cells, named as SMSnet names them: `train/image_data`."""
        return self.root / split / f"{column}_data"

    def mask_dir(self, split: str, column: str) -> Path:
        """The folder of the masks that a column's own files have no room for."""
        return self.root / split / f"{column}_valid"

    def cell_path(self, split: str, column: str, key: SampleKey, extension: str) -> Path:
        """The file of one cell."""
        return self.column_dir(split, column) / f"{key}{extension}"

    def mask_path(self, split: str, column: str, key: SampleKey) -> Path:
        """The mask beside one cell."""
        return self.mask_dir(split, column) / f"{key}.png"

    def store_path(self, split: str) -> Path:
        """The Zarr store of one split."""
        return self.shards_dir / f"{split}.zarr"


def find_workspace(start: Path) -> Workspace:
    """Find the workspace that `start` lies in.

    Raises:
        WorkspaceNotFoundError: If neither `start` nor a folder above it has a `prep.toml`.
        ConfigurationError: If `prep.toml` cannot be understood.
    """
    here = start.absolute()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return load_workspace(folder)
    raise WorkspaceNotFoundError(
        f"no workspace here: neither {here} nor a folder above it has a {CONFIG_NAME}. Make one with "
        "`prep init DATASET ROOT`, or name one with -C DIR"
    )


def load_workspace(root: Path) -> Workspace:
    """Read the `prep.toml` of a folder.

    Raises:
        WorkspaceNotFoundError: If there is none.
        UnreadableFileError: If it cannot be read.
        ConfigurationError: If it cannot be understood.
    """
    path = root / CONFIG_NAME
    try:
        data = read_toml(path)
    except FileNotFoundError as error:
        raise WorkspaceNotFoundError(f"{path} does not exist: make a workspace with `prep init`") from error
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    refuse_unknown(data, _KEYS, Place(str(path)))
    try:
        config = _parse(data, root)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return Workspace(root.absolute(), config)


def _parse(data: Mapping[str, Any], root: Path) -> WorkspaceConfig:
    direction = data.get("neighbour", Direction.PREVIOUS)
    if direction not in list(Direction):
        raise ConfigurationError(f"neighbour must be {' or '.join(Direction)}, not {direction!r}")
    defaults = data.get("defaults", {})
    if not (isinstance(defaults, dict) and all(isinstance(values, dict) for values in defaults.values())):
        raise ConfigurationError("defaults must be tables such as [defaults.resize]")
    try:
        dataset_root = Path(_text(data, "root")).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"root: {error}") from error
    splits = data.get("splits", [])
    if not (isinstance(splits, list) and all(isinstance(split, str) for split in splits)):
        raise ConfigurationError(f'splits must be a list of names such as ["train", "val"], not {splits!r}')
    return WorkspaceConfig(
        dataset=_text(data, "dataset"),
        dataset_root=Path(os.path.normpath(root.absolute() / dataset_root)),
        neighbour=Direction(direction),
        class_map=ClassMap.from_json(data.get("class_map", {})),
        defaults={name: dict(values) for name, values in defaults.items()},
        splits=tuple(splits),
        depth_unit=_text(data, "depth_unit") if "depth_unit" in data else None,
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is missing" if value is None else f"{name} must be a text, not {value!r}")
    return value


def write_config(root: Path, config: WorkspaceConfig, *, replace_classes: bool = False) -> Workspace:
    """Write `prep.toml`, keeping what people added to an existing one.

    Dataset, root, neighbour and, if there is one, the unit of depth are set; existing splits, class map, defaults and
    comments stay as they are.

    Args:
        root: The workspace's folder.
        config: What to write.
        replace_classes: Whether an existing class map gives way to the one of `config`.

    Returns:
        The workspace as it now is.

    Raises:
        WriteFailedError: If the folder cannot be written.
    """
    path = root / CONFIG_NAME
    if path.is_file():
        document = tomlkit.parse(read_text(path))
    else:
        document = tomlkit.document()
        document.add(tomlkit.comment(_HEADER))
    document["dataset"] = config.dataset
    document["root"] = str(config.dataset_root)
    if config.splits and "splits" not in document:
        document["splits"] = list(config.splits)
    document["neighbour"] = config.neighbour.value
    if config.depth_unit is not None:
        document["depth_unit"] = config.depth_unit
    if "class_map" not in document or replace_classes:
        data = config.class_map.to_json()
        del data["ignore_id"]
        classes = tomlkit.aot()
        for entry in data["classes"]:
            classes.append(tomlkit.item(entry))
        table = tomlkit.table()
        for name, value in data.items():
            if name != "classes":
                table[name] = value
        table["classes"] = classes
        document["class_map"] = table
    killed = [StagedFile(left, path) for left in root.glob(f"{CONFIG_NAME}.*{PARTIAL_SUFFIX}")]
    discard(killed)  # of processes that were killed while they wrote it
    atomic_write_bytes(path, tomlkit.dumps(document).encode())
    return load_workspace(root)
