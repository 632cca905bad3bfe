"""What shell completion offers: names of members, and what stands in the workspace that a command is about.

A shell asks at every TAB, so each function imports only what it needs, and offers nothing where something is wrong.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from segprep.datasets.errors import SegprepError
from segprep.datasets.program.parameters import LookUp

if TYPE_CHECKING:
    from segprep.workflows.ledger.table import Table

__all__ = [
    "LOOK_UP",
    "augmentation_presets",
    "classes",
    "columns",
    "datasets",
    "estimators",
    "flow_presets",
    "importers",
    "modalities",
    "splits",
]


def datasets(_: typer.Context) -> list[str]:
    """Return the names of the catalog."""
    from segprep.datasets.catalog import CATALOG

    return CATALOG.names()


def importers(_: typer.Context) -> list[str]:
    """Return the names of the importers, as people write them."""
    from segprep.datasets.importers import IMPORTERS

    return [name.replace("_", "-") for name in IMPORTERS.names()]


def modalities(_: typer.Context) -> list[str]:
    """Return the names of the modalities, plug-ins' too."""
    from segprep.prep.modalities import MODALITIES

    return MODALITIES.names()


def estimators(_: typer.Context) -> list[str]:
    """Return the names of the flow estimators, and that of flow from files."""
    from segprep.flow.estimators import ESTIMATORS

    return [*ESTIMATORS.names(), "precomputed"]


def flow_presets(ctx: typer.Context) -> Iterable[str]:
    """Return the presets of the estimator that was typed before."""
    from segprep.flow.estimators import ESTIMATORS

    try:
        found: Iterable[str] = ESTIMATORS.load(ctx.params.get("estimator") or "dis").PRESETS
    except SegprepError:
        return ()
    return found


def augmentation_presets(_: typer.Context) -> Iterable[str]:
    """Return what variants can be drawn from."""
    from segprep.datasets.augmentation.config import PRESETS

    return PRESETS


def columns(ctx: typer.Context) -> Iterable[str]:
    """Return the columns of the workspace."""
    return _of_workspace(ctx, lambda table: table.ledger.columns())


def splits(ctx: typer.Context) -> Iterable[str]:
    """Return the splits of the workspace."""
    return _of_workspace(ctx, lambda table: table.ledger.splits())


def classes(ctx: typer.Context) -> Iterable[str]:
    """Return the classes of the workspace."""
    return _of_workspace(ctx, lambda table: table.workspace.config.class_map.names)


def _of_workspace(ctx: typer.Context, read: Callable[["Table"], Iterable[str]]) -> Iterable[str]:
    from segprep.datasets.workspace import find_workspace
    from segprep.workflows.ledger.table import Table

    try:
        workspace = find_workspace(Path(ctx.params.get("workspace") or "."))
        if not workspace.ledger_path.is_file():
            return ()
        with Table(workspace) as table:
            return list(read(table))
    except SegprepError:
        return ()


LOOK_UP: Final[Mapping[str, LookUp]] = {
    "class": classes,
    "column": columns,
    "estimator": estimators,
    "flow preset": flow_presets,
}
"""For each word that an option's `values` may be, what it stands for."""
