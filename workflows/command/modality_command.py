"""`prep modality`: its options are those of the modalities that are named, plug-ins' too."""

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.layers import COMMAND_LINE
from segprep.datasets.program.parameters import offer, parameters, said_by
from segprep.datasets.program.tables import Option, from_table, options_of
from segprep.workflows.command.completion import LOOK_UP, modalities
from segprep.workflows.command.stage_command import SHARED_NAMES, Named, with_shared_options
from segprep.workflows.stages.arguments import FileArguments

__all__ = ["ModalityCommand"]

_Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...",
        help="jet, hha, normals, depth_filled, evi, evi2, ndvi; a wrong one lists all.",
        autocompletion=offer(modalities),
    ),
]


class ModalityCommand(TyperCommand):
    """Learns its options from the words of the command line.

    Modalities are imported for this, so `prep --help`, which only lists commands, knows none of them. Those that were
    not named are imported only where none was, or to say whose a foreign option is.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (Typer's class depends on its version)
        """Make the options, then parse."""
        from segprep.prep.modalities import MODALITIES
        from segprep.workflows.stages.modality import foreign_option

        members = MODALITIES.names()
        names = [word for word in args if word in members]
        made = _command(names or _usable(members))
        self.params, self.callback = made.params, made.callback
        known = {flag for each in self.get_params(ctx) for flag in (*each.opts, *each.secondary_opts)}
        for flag in (word.partition("=")[0] for word in args if word.startswith("--")):
            if (
                flag not in known
                and not ctx.resilient_parsing
                and (why := foreign_option(flag[2:].replace("-", "_"), names))
            ):
                raise ConfigurationError(why)
        return super().parse_args(ctx, args)


def _usable(names: Sequence[str]) -> list[str]:
    """Leave out other packages' modalities that do not fit, so that they spoil the help of no other one."""
    from segprep.workflows.stages.modality import declared_options

    found = []
    for name in names:
        try:
            _refuse_reserved(name, declared_options(name))
        except ConfigurationError as error:
            typer.echo(f"prep: {error}; its options are left out", err=True)
        else:
            found.append(name)
    return found


def _refuse_reserved(name: str, options: Iterable[Option]) -> None:
    """Refuse an option that is called as one that `prep modality` has for all modalities.

    Raises:
        ConfigurationError: With both names.
    """
    reserved = {"names", *SHARED_NAMES, *(each.name for each in options_of(FileArguments))}
    taken = sorted({each.name for each in options} & reserved)
    if taken:
        raise ConfigurationError(
            f"the modality {name!r} calls an option {', '.join(taken)}, as `prep modality` calls one of its own: it "
            "needs another name"
        )


def _command(names: Sequence[str]) -> Any:  # noqa: ANN401
    from segprep.workflows.stages.modality import declared_options, modality_options, with_filled

    for name in names:
        _refuse_reserved(name, declared_options(name))
    first = inspect.Parameter("names", inspect.Parameter.KEYWORD_ONLY, annotation=_Names)
    options = [*modality_options(with_filled(names)), *options_of(FileArguments)]
    app = typer.Typer(add_completion=False)
    app.command()(with_shared_options([first, *parameters(options, LOOK_UP)], _named))
    return typer.main.get_command(app)


def _named(given: dict[str, Any], settings: dict[str, Any], out: Path | None) -> Named:
    """Return the stages that were named; files are worked on here, and none are left.

    Raises:
        ConfigurationError: If options do not go together.
    """
    from segprep.workflows.command.printing import tell
    from segprep.workflows.stages.modality import modality_command, share_options
    from segprep.workflows.stages.modality_files import FileCall, run_on_files

    names: list[str] = given.pop("names")
    of_files = options_of(FileArguments)
    files = from_table(FileArguments, said_by(of_files, {o.name: given.pop(o.name) for o in of_files}), COMMAND_LINE)
    shared = share_options(names, {name: value for name, value in given.items() if value is not None} | settings)
    if files.paths:
        for path in run_on_files(FileCall(shared, files, out, tell)):
            typer.echo(path)
        return Named("modality", {})
    if files.depth_unit is not None or files.camera is not None:
        raise ConfigurationError(
            "--depth-unit and --camera go with --depth-file; a workspace's depth is in metres, and what its files hold "
            "is said with `prep init --depth-unit`"
        )
    stages = {modality_command(name): options for name, options in shared.items()}
    return Named(f"modality {' '.join(names)}", stages)
