"""The workspace: a folder with `prep.toml`, one file per cell, a ledger, shards and training runs."""

from segprep.datasets.workspace.folder import (
    CONFIG_NAME,
    LEDGER_NAME,
    Workspace,
    WorkspaceConfig,
    find_workspace,
    load_workspace,
    write_config,
)

__all__ = [
    "CONFIG_NAME",
    "LEDGER_NAME",
    "Workspace",
    "WorkspaceConfig",
    "find_workspace",
    "load_workspace",
    "write_config",
]
