"""What `prep modality` makes: one stage per modality, from its arguments."""

from typing import Final

from segprep.datasets.catalog import CATALOG
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import JsonDict
from segprep.datasets.workspace import Workspace
from segprep.prep.modalities import MODALITIES
from segprep.prep.modalities._member import ModalityMember, Scene
from segprep.prep.step import Step
from segprep.workflows.ledger.database import Ledger

__all__ = ["FILLED", "modality_command", "modality_of", "modality_steps", "share_options"]

FILLED: Final = "depth_filled"
"""The modality, and column, that `--fill` adds to those that are named."""

_PREFIX: Final = "modality "


def modality_command(name: str) -> str:
    """Return the name of a modality's stage, which is how the command is typed: "modality hha"."""
    return _PREFIX + name


def modality_of(command: str) -> ModalityMember | None:
    """Return the modality that a stage is about; None for all other commands.

    Raises:
        UnknownNameError: If there is no such modality.
    """
    if not command.startswith(_PREFIX):
        return None
    member: ModalityMember = MODALITIES.load(command.removeprefix(_PREFIX))
    return member


def modality_steps(member: ModalityMember, workspace: Workspace, ledger: Ledger, arguments: JsonDict) -> list[Step]:
    """Return the step of a modality.

    Raises:
        ConfigurationError: If an argument makes no sense.
    """
    columns = {name: row.column for name, row in ledger.columns().items()}
    scene = Scene(CATALOG.load(workspace.config.dataset).SPEC.depth_range, columns)
    return [member.build(arguments, scene)]


def share_options(names: list[str], options: JsonDict) -> dict[str, JsonDict]:
    """Deal the options of one command out to the modalities that know them.

    With `fill` column `depth_filled` is made, too, and the others are made from it unless `depth` says otherwise.

    Args:
        names: Modalities.
        options: Option name to value; None for what was not said.

    Returns:
        Name of each modality to its options, what the others build on first.

    Raises:
        ConfigurationError: If an option was said that none of them knows.
        UnknownNameError: If there is no such modality.
    """
    said = {name: value for name, value in options.items() if value is not None}
    names = list(dict.fromkeys([*([FILLED] if FILLED in names or "fill" in said else []), *names]))
    knows = {name: set(MODALITIES.load(name).DEFAULTS) for name in names}
    for option in said:
        if not any(option in known for known in knows.values()):
            takers = [name for name in MODALITIES.names() if option in MODALITIES.load(name).DEFAULTS]
            raise ConfigurationError(
                f"--{option.replace('_', '-')} is no option of {', '.join(names)}: it goes with {', '.join(takers)}"
            )
    shared = {name: {o: v for o, v in said.items() if o in known} for name, known in knows.items()}
    if FILLED in shared and len(shared) > 1:
        shared[FILLED].pop("depth", None)  # says what the others are made from
        for name in set(names) - {FILLED}:
            if "depth" in knows[name]:
                shared[name].setdefault("depth", FILLED)
    return {name: shared[name] for name in names}
