"""The section `[data]` of a run's configuration. Without torch, for the command line."""

from dataclasses import dataclass

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import check_accepted, option
from segprep.datasets.program.values import Accept, above, parse_size

__all__ = ["DataConfig"]

_COUNT = above(0, "a whole number")
_SIZE = Accept("[width, height] of at least 1 pixel", lambda size: not size or (len(size) == 2 and min(size) > 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """What a run reads."""

    inputs: tuple[str, ...] = option(
        ("image",),
        flag="--inputs",
        read=lambda text: [name.strip() for name in text.split(",")],
        accept=Accept(
            "one or more columns, none of them twice, empty or with a blank",
            lambda names: 0 < len(set(names)) == len(names) and not any(n.split() != [n] for n in names),
        ),
        help="Columns, with commas: image,flow.",
        values="column",
    )
    batch_size: int = option(4, flag="--batch-size", accept=_COUNT, help="Samples per step.")
    accumulate: int = option(1, flag="--accumulate", accept=_COUNT, help="Parts in which a batch is computed.")
    weights: tuple[float, ...] = option(
        (), flag="--dataset-weights", help="How often each data set is drawn, with commas.", unsaid="their sizes"
    )
    target: str = option(
        "label",
        flag="--target",
        metavar="COLUMN",
        help="The label column that the network learns.",
        values="column",
    )
    blank: tuple[str, ...] = option(
        (), help="Inputs that the network gets zeros in place of, to see what they bring.", values="column"
    )
    one_class: bool = option(
        False, help="Whether to learn from labels that show a single class, which tells nothing from anything."
    )
    size: tuple[int, ...] = option(
        (),
        flag="--size",
        metavar="WxH",
        read=parse_size,
        accept=_SIZE,
        help="Size that augmented samples get.",
        unsaid="theirs",
    )

    def __post_init__(self) -> None:
        check_accepted(self)
        if not set(self.blank) <= set(self.inputs):
            raise ConfigurationError(
                f"blank names {', '.join(self.blank)}, but the inputs are {', '.join(self.inputs)}"
            )
